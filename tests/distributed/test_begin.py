"""A process that cannot begin, since its machine lacks the corpus, ends the others with a line that says why."""

import atexit
import os
import shutil
import time

import pytest

from tests.cli.test_resume import SMALL, forks, log_of, slow
from tests.distributed.test_resumed import begin, ended, experiment
from wsed.cli.main import main


@forks
@pytest.mark.parametrize(
    ("rank", "lacking", "reason"),
    [
        (1, "", "no such folder: corpus"),
        pytest.param(0, "", "no such folder: corpus", marks=slow),  # where the processes meet
        pytest.param(1, "audio/eval", "no audio folder for table eval/public", marks=slow),  # before they join
        pytest.param(1, "audio/train", "no audio folder for table train/weak", marks=slow),  # after it
    ],
)
def test_a_machine_without_the_corpus_ends_the_job(corpus, tmp_path, monkeypatch, rank, lacking, reason):
    machine = tmp_path / "machine"
    machine.mkdir()
    if lacking:
        shutil.copytree(corpus, machine / "corpus")
        shutil.rmtree(machine / "corpus" / lacking)
    (tmp_path / "corpus").symlink_to(corpus)
    monkeypatch.chdir(tmp_path)
    exp, run = experiment(tmp_path, "corpus", SMALL["model"]), tmp_path / "run"

    def train(this):
        atexit._clear()  # what this test run registered is not for its copies
        if this == rank:
            os.chdir(machine)
        command = ["fit", "--config", exp, "--trainer.default_root_dir", str(run), "--trainer.devices", "2"]
        status = main([*command, "--trainer.strategy", "ddp"])
        atexit._run_exitfuncs()
        return status

    start = time.monotonic()
    assert ended(begin(train, run)) == [2, 2], log_of(run)
    assert time.monotonic() - start < 60
    errors = [line for line in log_of(run).splitlines() if line.startswith("wsed: error: ")]
    assert len(errors) == 2
    assert all(reason in line for line in errors)
    assert sum(f"error: process {rank}" in line for line in errors) == 1
    assert not (run / "checkpoints").exists()
