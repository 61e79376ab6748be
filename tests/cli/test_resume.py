"""A training that is interrupted goes on as if nothing had happened: weights, optimiser, random states and metrics."""

import itertools
import json
import os
import random
import shutil
import signal
import time
import traceback
from multiprocessing import forkserver
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch

from wsed.cli.main import main
from wsed.cli.settings import to_resume
from wsed.cli.signals import stop
from wsed.cli.stopped import Stopped
from wsed.cli.training import WsedCLI
from wsed.cli.training import run as train
from wsed.errors import WsedError
from wsed.files import try_lock
from wsed.run import RunFolder
from wsed.scoring import collect
from wsed.scoring.report import Report
from wsed.training import evaluation
from wsed.training.task import SEDTask
from wsed.training.whole import WholeCheckpoints

FRONTEND = {"sample_rate": 8000, "n_fft": 256, "hop_length": 160, "f_max": 4000.0}
ENCODER = {"channels": 4, "gru": 4, "dense": 8, "dropout": 0.3}
SMALL = {
    "model": {
        "network": {
            "encoder": {"class_path": "crnn", "init_args": ENCODER},
            "frontend": {"class_path": "logmel", "init_args": FRONTEND},
        },
        "losses": {"tags": {"loss": "mil"}, "apart": {"loss": "cosine_penalty", "weight": 0.1}},
    },
    "evaluation": {"decoder": {"smooth": 0.1}, "resamples": 20},
    "data": {
        "corpus": {"class_path": "desed", "init_args": {}},
        "batch": {"weak": 2},
        "workers": 0,
        "augment": ["gain", "mixup"],
    },
    "trainer": {"max_epochs": 3, "accelerator": "cpu", "logger": False, "log_every_n_steps": 1},
}
slow = pytest.mark.slow

STEPS = 4
"""Of an epoch: 8 clips, 2 a batch."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory, exp):
    """The run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    assert main(["fit", "--config", exp, "--trainer.default_root_dir", str(folder)]) == 0
    return folder


class At(pl.Callback):
    """Does something at a step."""

    def __init__(self, step, does):
        self.step, self.does = step, does

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            self.does()


def fit(exp, folder, *args, at=None):
    class Watched(WsedCLI):
        def own_callbacks(self):
            return [*super().own_callbacks(), *([] if at is None else [at])]

    return train(
        ["fit", "--config", exp, "--trainer.default_root_dir", str(folder), "--resume", "auto", *args], Watched
    )


def equal(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


PARTS = ("state_dict", "optimizer_states", "lr_schedulers", "ranks", "epoch", "global_step")


def assert_same(folder, whole):
    one, other = (torch.load(f / "checkpoints" / "last.ckpt", weights_only=True) for f in (whole, folder))
    if os.environ.get("WSED_TYPECHECK") != "0":
        for rank in (*one["ranks"], *other["ranks"]):
            del rank["random"]["python"]  # beartype, which checks the annotations in tests, draws from it
    for part in PARTS:
        assert equal(one[part], other[part]), part
    ranking = [next(v for k, v in c["callbacks"].items() if k.startswith("KeepBest")) for c in (one, other)]
    assert ranking[0]["ranking"] == ranking[1]["ranking"]
    one, other = (json.loads((f / "test" / "scores.json").read_text()) for f in (whole, folder))
    assert one == other
    assert not list((folder / "checkpoints").glob(".*"))


def in_fork(exp, folder, *args, seconds=None, before=None, at=None):
    """Train in a copy of this process, so that nothing is imported again; killed after some seconds. Its status."""
    pid = os.fork()
    if not pid:
        status = 70
        forkserver._forkserver.__init__()  # an earlier test may have started one: it is no child of this process
        try:
            output = os.open(f"{folder}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(output, 1)
            os.dup2(output, 2)
            if before is not None:
                before()
            status = fit(exp, folder, *args, at=at)
        except Stopped as stopped:
            status = stopped.status
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def log_of(folder):
    return Path(f"{folder}.log").read_text()[-3000:]


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not copy processes")


@forks
def test_a_killed_training_goes_on_as_if_nothing_had_happened(exp, whole, tmp_path):
    args, run = ["--every_n_train_steps", "1"], tmp_path / "run"
    assert in_fork(exp, run, *args, before=killed_at("save", 3)) == -signal.SIGKILL, log_of(run)
    assert list((run / "checkpoints").glob(".*")), "not killed while a checkpoint was written"
    assert fit(exp, run, *args) == 0
    assert_same(run, whole)


@pytest.mark.parametrize("step", [STEPS + 3, *(pytest.param(n, marks=slow) for n in (1, STEPS, 3 * STEPS))])
def test_a_signal_saves_within_an_epoch_and_ends_with_its_status(exp, whole, tmp_path, step):
    number = signal.SIGTERM if step % 2 else signal.SIGUSR1
    with pytest.raises(Stopped, match="go on with --resume auto") as stopped:
        fit(exp, tmp_path, at=At(step, lambda: os.kill(os.getpid(), number)))
    assert stopped.value.status == 128 + number
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == step
    assert fit(exp, tmp_path) == 0
    assert_same(tmp_path, whole)


@forks
@slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_to_all_processes_lets_the_reading_ones_finish_the_epoch(exp, whole, tmp_path, number):
    """As torchrun and schedulers send it. The validation that follows needs its reading process."""
    args, run = ["--data.workers", "1"], tmp_path / "run"
    at = At(2 * STEPS, lambda: os.killpg(0, number))
    assert in_fork(exp, run, *args, before=os.setsid, at=at) == 128 + number, log_of(run)
    assert torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == 2 * STEPS
    assert fit(exp, run) == 0
    assert_same(run, whole)


def copied(whole, folder):
    shutil.copytree(whole / "checkpoints", folder / "checkpoints")


@slow
def test_a_damaged_last_checkpoint_gives_way_to_the_one_before(exp, whole, tmp_path, capsys):
    assert fit(exp, tmp_path) == 0
    last = tmp_path / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-1000])
    (tmp_path / "checkpoints" / ".last.0a1b.part.ckpt").write_bytes(b"left by a process that was killed")
    assert fit(exp, tmp_path) == 0
    assert "last.ckpt is not a checkpoint that can be read safely" in (said := capsys.readouterr().out)
    assert "continuing from before_last.ckpt, the one before" in said
    assert_same(tmp_path, whole)


def test_what_to_go_on_from(whole, tmp_path, capsys):
    run = RunFolder(tmp_path)
    assert to_resume(run) is None
    copied(whole, tmp_path)
    run.last.unlink()
    run.before.unlink()
    assert to_resume(run) == run.best  # killed between the first best and the first last
    run.before.write_bytes(run.best.read_bytes())
    run.last.write_bytes(run.best.read_bytes()[:-1000])
    assert to_resume(run) == run.before
    assert "continuing from before_last.ckpt, the one before" in capsys.readouterr().out
    for path in (run.before, run.best):
        path.write_bytes(b"")
    with pytest.raises(WsedError, match="no other checkpoint is whole: start anew with --overwrite"):
        to_resume(run)
    assert main(["fit", "--config", "x.yaml", "--resume", "auto", "--ckpt_path", "last"]) == 2


@slow
def test_a_training_whose_time_is_over_goes_on_within_its_epoch(exp, whole, tmp_path):
    class Slow(pl.Callback):
        def on_train_batch_end(self, trainer, *_):
            time.sleep(0.4)

    assert fit(exp, tmp_path, "--trainer.max_time", "00:00:00:02", at=Slow()) == 0
    assert (tmp_path / "test" / "scores.json").is_file()
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert STEPS < torch.load(last, weights_only=True)["global_step"] < 2 * STEPS
    assert fit(exp, tmp_path, "--trainer.max_time", "00:01:00:00") == 0
    assert_same(tmp_path, whole)


def test_a_full_disk_is_one_line_and_leaves_the_checkpoint(exp, tmp_path, monkeypatch, capsys):
    saved = torch.save

    def full(content, file):
        if content["global_step"] > STEPS and "last" in file.name:
            file.write(b"x")
            raise OSError(28, "No space left on device")
        saved(content, file)

    monkeypatch.setattr(torch, "save", full)
    assert main(["fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path)]) == 2
    message = capsys.readouterr().err
    assert "last.ckpt: No space left on device; the existing checkpoints are whole: go on with --resume" in message
    assert message.count("\n") == 1
    assert sorted(p.name for p in (tmp_path / "checkpoints").iterdir()) == ["best.ckpt", "last.ckpt"]
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == STEPS


def test_a_disk_that_is_full_from_the_start_promises_no_checkpoint(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(WsedError, match=r"No space left on device; there is no other one yet$"):
        WholeCheckpoints().save_checkpoint({}, tmp_path / "checkpoints" / "best.ckpt")


def test_two_trainings_in_one_folder_are_refused(exp, tmp_path, capsys):
    with try_lock(tmp_path / "fit.lock"):
        assert main(["fit", "--config", exp, "--trainer.default_root_dir", str(tmp_path)]) == 2
    assert f"another `wsed fit` is training in {tmp_path}" in capsys.readouterr().err


def interrupt():
    raise KeyboardInterrupt


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys):
    monkeypatch.setattr("wsed.cli.verbs.run", lambda *_: interrupt())
    assert main(["fit"]) == 130
    assert "go on with --resume auto" in capsys.readouterr().err


SLURM = {
    "SLURM_JOB_ID": "77", "SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0", "SLURM_JOB_NAME": "wsed", "SLURM_NODELIST": "localhost",
}  # fmt: skip


def test_a_task_of_an_array_is_queued_again(tmp_path, monkeypatch):
    scontrol = tmp_path / "scontrol"
    scontrol.write_text(f"#!/bin/sh\necho $@ > {tmp_path}/asked\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name, value in {**SLURM, "SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "3"}.items():
        monkeypatch.setenv(name, value)
    assert "job 70_3 is queued again" in str(stop(signal.SIGUSR1, "saved"))
    assert (tmp_path / "asked").read_text() == "requeue 70_3\n"


@pytest.mark.parametrize(
    ("status", "said"),
    [pytest.param(0, "job 77 is queued again", marks=slow), (1, "could not be queued again: no job")],
)
def test_a_job_of_slurm_is_queued_again(exp, tmp_path, monkeypatch, status, said):
    scontrol = tmp_path / "bin" / "scontrol"
    scontrol.parent.mkdir()
    scontrol.write_text(f"#!/bin/sh\necho $@ > {tmp_path}/asked\necho no job >&2\nexit {status}\n")
    scontrol.chmod(0o755)
    monkeypatch.setenv("PATH", f"{scontrol.parent}:{os.environ['PATH']}")
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    if status:
        stopped = stop(signal.SIGUSR1, "saved")
    else:
        with pytest.raises(Stopped) as raised:
            fit(exp, tmp_path / "run", at=At(2, lambda: os.kill(os.getpid(), signal.SIGUSR1)))
        stopped = raised.value
        assert (tmp_path / "run" / "checkpoints" / "last.ckpt").is_file()
    assert said in str(stopped)
    assert (tmp_path / "asked").read_text() == "requeue 77\n"
    (tmp_path / "asked").unlink()
    assert "--resume auto" in str(stop(signal.SIGTERM, "saved"))
    assert not (tmp_path / "asked").exists()  # a job that is cancelled stays away


def killed_at(place, count):
    """Something to do before a training, by which it is killed the `count`th time that it comes to a place."""
    calls = itertools.count(1)

    def die(*args):
        if next(calls) == count:
            if place == "save":  # half of the file is there
                args[1].write(b"x" * 1000)
                args[1].flush()
            os.kill(os.getpid(), signal.SIGKILL)

    def before():
        home, name = PLACES[place]
        real = vars(home)[name]
        setattr(home, name, lambda *args, **kwargs: (die(*args), real(*args, **kwargs))[1])

    return before


PLACES = {
    "save": (torch, "save"),
    "validation": (SEDTask, "validation_step"),
    "test": (SEDTask, "test_step"),
    "report": (Report, "write"),
    "step": (SEDTask, "optimizer_step"),
    "part": (collect, "write_part"),  # the scores of one of several processes
    "join": (collect, "join"),
    "intervals": (evaluation, "resample"),
}


@forks
@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "1"])
def test_kills_at_any_moment_change_nothing(exp, whole, tmp_path, workers):
    """Also while a checkpoint is written, in a validation, in the test, and while its report is written."""
    draw, args = random.Random(int(workers)), ["--data.workers", workers, "--every_n_train_steps", "1"]
    start = time.monotonic()
    assert in_fork(exp, tmp_path / "untouched", *args) == 0, log_of(tmp_path / "untouched")
    seconds, kills = time.monotonic() - start, 0
    moments = [{"before": killed_at(place, count)} for place, count in (
        ("save", 5), ("validation", 2), ("test", 1), ("report", 1), ("step", 7), ("save", 1),
    )]  # fmt: skip
    drawn = 14 if workers == "0" else 4  # a reading process takes many seconds to start
    moments += [{"seconds": draw.uniform(0.2, 1) * seconds} for _ in range(drawn)]
    for attempt, moment in enumerate(moments):
        folder = tmp_path / str(attempt)
        status = in_fork(exp, folder, *args, **moment)
        assert status in (0, -signal.SIGKILL), log_of(folder)
        assert status != 0 or "seconds" in moment  # a training may be over before a moment that was drawn
        kills += status != 0
        assert in_fork(exp, folder, *args) == 0, log_of(folder)
        assert_same(folder, whole)
    print(f"{kills} of {len(moments)} trainings of {seconds:.1f} s were killed, all ended as the one that was not")
    assert kills > len(moments) - drawn
