"""Trainings of two processes as schedulers run them, and what happens when one of the processes fails."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from tests.cli.test_resume import SMALL
from tests.distributed.ranks import free_port

DOC = Path(__file__).parents[2] / "docs/how-to/cluster.md"
pytestmark = pytest.mark.slow


def write_experiment(folder, corpus, epochs):
    config = yaml.safe_load(yaml.safe_dump(SMALL))
    config["data"]["corpus"]["init_args"]["root"] = str(corpus)
    config["trainer"]["max_epochs"] = epochs
    (folder / "exp.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture
def place(tmp_path, corpus, monkeypatch):
    """A folder with a small experiment, and stand-ins for the commands of SLURM on the PATH."""
    write_experiment(tmp_path, corpus, epochs=500)
    commands = tmp_path / "bin"
    commands.mkdir()
    scripts = {
        "wsed": f'exec {sys.executable} -m wsed.cli.main "$@"',
        "torchrun": f'exec {sys.executable} -m torch.distributed.run "$@"',
        "scontrol": f"echo $@ >> {tmp_path}/asked",
        "srun": (
            "shift\nexport SLURM_JOB_ID=77 SLURM_NTASKS=2 SLURM_NTASKS_PER_NODE=2 SLURM_JOB_NAME=exp SLURM_NODEID=0\n"
            "export SLURM_NODELIST=localhost\n"
            'SLURM_PROCID=0 SLURM_LOCALID=0 "$@" & one=$!\nSLURM_PROCID=1 SLURM_LOCALID=1 "$@" & other=$!\n'
            f"echo $one $other > {tmp_path}/tasks\nwait $one\nstatus=$?\nwait $other\nexit $status"
        ),
    }
    for name, text in scripts.items():
        (commands / name).write_text(f"#!/bin/bash\n{text}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def documented(title):
    """The command of a part of the documentation, for two processes of this machine instead of eight of two."""
    text = DOC.read_text().partition(f"## {title}\n")[2].partition("```sh\n")[2].partition("```")[0]
    text = re.sub(r"(nodes|num_nodes|nnodes)([ =])2", r"\g<1>\g<2>1", text)
    text = re.sub(r"(devices|per-node)([ =])4", r"\g<1>\g<2>2", text)
    return text.rstrip() + " --trainer.accelerator cpu --every_n_train_steps 1\n"


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


def children(job):
    """The processes that a job has started."""
    found = subprocess.run(["pgrep", "-P", str(job.process.pid), "-f", "wsed"], capture_output=True, text=True)
    return [int(number) for number in found.stdout.split()]


def test_the_documented_job_of_slurm_is_queued_again_and_goes_on(place, corpus):
    (place / "job.sh").write_text(documented("SLURM"))
    assert "srun --kill-on-bad-exit=1 wsed fit" in (place / "job.sh").read_text()
    job = Job(["bash", "job.sh"], place / "log")
    job.wait_for("epoch 0")
    for task in (place / "tasks").read_text().split():
        os.kill(int(task), signal.SIGUSR1)
    assert job.end(60) == 128 + signal.SIGUSR1, job.log.read_text()
    assert (place / "asked").read_text() == "requeue 77\n"
    assert "job 77 is queued again" in job.log.read_text()
    begun = torch.load(place / "runs/exp/seed_0/checkpoints/last.ckpt", weights_only=True)
    write_experiment(place, corpus, begun["epoch"] + 2)
    assert Job(["bash", "job.sh"], place / "log").end(240) == 0, job.log.read_text()
    ended = torch.load(place / "runs/exp/seed_0/checkpoints/last.ckpt", weights_only=True)
    assert 0 < begun["global_step"] < ended["global_step"]
    assert len(ended["ranks"]) == 2
    assert (place / "runs/exp/seed_0/test/scores.json").is_file()


def test_the_documented_line_of_torchrun_trains_and_starts_again_after_a_death(place, corpus):
    line = documented("torchrun").replace("HOST:29500", f"127.0.0.1:{free_port()}")
    job = Job(["bash", "-c", line], place / "log")
    job.wait_for("epoch 0")
    write_experiment(place, corpus, epochs=3)  # for the processes that are started instead
    os.kill(children(job)[-1], signal.SIGKILL)
    assert job.end(300) == 0, job.log.read_text()
    assert (place / "runs/exp/seed_0/test/scores.json").is_file()


DDP = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
TWO = ["fit", "--config", "exp.yaml", *DDP]


def test_a_process_that_is_stopped_ends_the_job(place):
    job = Job([sys.executable, "-m", "wsed.cli.main", *TWO, "--rank_timeout", "40"], place / "log")
    job.wait_for("epoch 1")
    second = children(job)[0]
    os.kill(second, signal.SIGSTOP)
    start = time.monotonic()
    assert job.end(120) == 2, job.log.read_text()
    said = job.log.read_text()
    print(f"{time.monotonic() - start:.0f} s", said[-600:])
    assert "another process of this training does not answer (waited 40 s)" in said
    assert not Path(f"/proc/{second}").exists() or "Z" in Path(f"/proc/{second}/stat").read_text().split()[2]


def test_a_process_that_dies_ends_the_job_within_a_minute(place):
    job = Job([sys.executable, "-m", "wsed.cli.main", *TWO], place / "log")
    job.wait_for("epoch 1")
    os.kill(children(job)[0], signal.SIGKILL)
    assert job.end(60) != 0
    assert re.search("another process of this training has ended|terminated with code -9", job.log.read_text())


def test_a_process_that_waits_for_others_to_start_hears_a_signal(place):
    names = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "1", "GROUP_RANK": "0"}
    names |= {"TORCHELASTIC_RUN_ID": "here", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    command = [sys.executable, "-m", "wsed.cli.main", "fit", "--config", "exp.yaml", "--trainer.strategy", "ddp"]
    job = Job([*command, "--trainer.devices", "1", "--trainer.num_nodes", "2"], place / "log", env=os.environ | names)
    job.wait_for("MEMBER: 1/2")
    time.sleep(5)  # until torch waits
    job.process.terminate()
    assert job.end(30) == 128 + signal.SIGTERM, job.log.read_text()
    assert (
        "wsed: ended by SIGTERM; the other processes had not started; go on with --resume auto (process 0 of 2, on "
        in (job.log.read_text())
    )


def test_a_port_that_is_in_use_is_named(place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        job = Job([sys.executable, "-m", "wsed.cli.main", *TWO], place / "log", env=os.environ | {"MASTER_PORT": port})
        assert job.end(120) != 0
    assert (
        f"port {port} of this machine is in use by another program: set the variable MASTER_PORT" in job.log.read_text()
    )


def test_two_processes_of_torchrun_search_the_same_trials(place):
    (place / "space.yaml").write_text("model.optimizer.lr: {low: 1e-4, high: 1e-2, log: true}\n")
    start = f"torchrun --nproc-per-node 2 --rdzv-backend c10d --rdzv-endpoint 127.0.0.1:{free_port()}"
    start += " -m -- wsed.cli.main"  # without --, torchrun takes --monitor for an option of its own
    args = "search --config exp.yaml --space space.yaml --trials 2 --monitor val/loss --minimize"
    args += " --trainer.max_epochs 1 --model.optimizer torch.optim.Adam"
    command = [*start.split(), *args.split(), *DDP]
    job = Job(command, place / "log")
    assert job.end(300) == 0, job.log.read_text()
    assert "best of 2 trials" in job.log.read_text()
    assert len((place / "runs/search/exp/trials.tsv").read_text().splitlines()) == 3


def test_a_trial_on_two_devices_is_one_training(place):
    """Lightning starts the second process of each trial, which has the settings of the first."""
    (place / "space.yaml").write_text("model.optimizer.lr: {low: 1e-4, high: 1e-2, log: true}\n")
    args = "search --config exp.yaml --space space.yaml --trials 2 --monitor val/loss --minimize"
    args += " --trainer.max_epochs 1 --model.optimizer torch.optim.Adam"
    job = Job([sys.executable, "-m", "wsed.cli.main", *args.split(), *DDP], place / "log")
    assert job.end(300) == 0, job.log.read_text()
    assert "best of 2 trials" in job.log.read_text()
    trials = place / "runs/search/exp"
    assert len((trials / "trials.tsv").read_text().splitlines()) == 3
    logs = [log.read_text() for log in trials.rglob("log.txt")]
    assert len(logs) == 2
    assert all("MEMBER: 2/2" in log for log in logs)
