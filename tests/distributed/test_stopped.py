"""A process of a training that is stopped ends the whole job."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.cli.test_resume import SMALL

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path, corpus, monkeypatch):
    """A folder with a small experiment."""
    config = yaml.safe_load(yaml.safe_dump(SMALL))
    config["data"]["corpus"]["init_args"]["root"] = str(corpus)
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Job:
    """A command that runs; its output is read as it comes."""

    def __init__(self, command, log, **more):
        self.log = log
        with log.open("a") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True, **more)

    def wait_for(self, text, seconds=400):
        end = time.monotonic() + seconds
        while text not in self.log.read_text():
            assert time.monotonic() < end, self.log.read_text()
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)

    def end(self, seconds):
        """The status."""
        try:
            return self.process.wait(seconds)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)


TWO = [
    "fit",
    "--config",
    "exp.yaml",
    "--trainer.devices",
    "2",
    "--trainer.strategy",
    "ddp",
    "--trainer.max_epochs",
    "99",
]


def second_of(job):
    """The process that Lightning has started."""
    found = subprocess.run(["pgrep", "-P", str(job.process.pid)], capture_output=True, text=True)
    return int(found.stdout.split()[0])


def test_a_process_that_is_stopped_ends_the_job(place):
    job = Job([sys.executable, "-m", "wsed.cli.main", *TWO, "--rank_timeout", "40"], place / "log")
    job.wait_for("epoch 1")
    second = second_of(job)
    os.kill(second, signal.SIGSTOP)
    start = time.monotonic()
    assert job.end(120) == 2, job.log.read_text()
    said = job.log.read_text()
    print(f"{time.monotonic() - start:.0f} s", said[-600:])
    assert "another process of this training does not answer (waited 40 s)" in said
    assert not Path(f"/proc/{second}").exists() or "Z" in Path(f"/proc/{second}/stat").read_text().split()[2]
