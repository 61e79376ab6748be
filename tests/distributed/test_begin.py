"""A process that cannot read its clips ends the others with a line that says why."""

import os
import shutil
import time

import pytest

from tests.cli.test_resume import SMALL, forks, log_of
from tests.distributed.test_resumed import begin, ended, experiment
from wsed.cli.main import main


@pytest.fixture
def machine(corpus, tmp_path, monkeypatch):
    """The working folder of process 1, with a copy of the corpus; process 0 works in `tmp_path`."""
    shutil.copytree(corpus, tmp_path / "machine/corpus")
    (tmp_path / "corpus").symlink_to(corpus)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "machine"


def trained(machine, run):
    """The exit statuses of two processes that train as one."""
    exp = experiment(run.parent, "corpus", SMALL["model"])

    def train(rank):
        if rank == 1:
            os.chdir(machine)
        command = ["fit", "--config", exp, "--trainer.default_root_dir", str(run), "--trainer.devices", "2"]
        return main([*command, "--trainer.strategy", "ddp"])

    return ended(begin(train, run))


@forks
@pytest.mark.slow
def test_a_machine_that_lacks_audio_ends_the_job(machine, tmp_path):
    shutil.rmtree(machine / "corpus" / "audio/train")
    run, start = tmp_path / "run", time.monotonic()
    assert trained(machine, run) == [2, 2], log_of(run)
    assert time.monotonic() - start < 60
    errors = [line for line in log_of(run).splitlines() if line.startswith("wsed: error: ")]
    assert len(errors) == 2
    assert all("no audio folder for table train/weak" in line for line in errors)
    assert sum("error: process 1" in line for line in errors) == 1
    assert not (run / "checkpoints").exists()


@forks
@pytest.mark.slow
def test_a_machine_with_other_test_labels_ends_the_job_before_training(machine, tmp_path):
    labels = machine / "corpus" / "metadata/eval/public.tsv"
    labels.write_text("\n".join(labels.read_text().splitlines()[:-1]) + "\n")  # without the last event
    run = tmp_path / "run"
    assert trained(machine, run) == [2, 2], log_of(run)
    assert "test: process 1 sees other clips or labels" in log_of(run)
    assert not (run / "checkpoints").exists()


@forks
@pytest.mark.slow
def test_a_machine_with_another_sound_ends_the_job_before_training(machine, tmp_path):
    path = sorted((machine / "corpus/audio/eval").rglob("*.wav"))[0]
    sound = bytearray(path.read_bytes())
    sound[-1] ^= 1
    path.write_bytes(sound)
    run = tmp_path / "run"
    assert trained(machine, run) == [2, 2], log_of(run)
    assert f"test: process 1 reads another sound for clip {path.name} ({len(sound)} bytes" in log_of(run)
    assert not (run / "checkpoints").exists()
