"""Two processes that are stopped or killed go on as if nothing had happened, each with its random numbers."""

import contextlib
import logging
import os
import random
import signal
import sys
import time
import traceback
from functools import partial

import pytest
import torch
import yaml

from tests.cli.test_resume import SMALL, At, assert_same, fit, forks, killed_at, log_of
from tests.distributed.campaign import as_rank
from tests.distributed.ranks import free_port, run
from wsed.cli.stopped import Stopped


def interrupted(exp, folder, rank, ranks):
    """Train in one go, and with a signal after the third of six steps."""
    as_rank(rank, ranks)
    args = ["--trainer.devices", str(ranks), "--trainer.strategy", "ddp"]
    fit(exp, folder / "whole", *args)
    with contextlib.suppress(Stopped):
        fit(exp, folder / "cut", *args, at=At(3, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    begun = (folder / "cut" / "test").exists()
    fit(exp, folder / "cut", *args)
    return begun


@pytest.mark.slow
def test_a_signal_to_two_processes_changes_nothing(corpus, tmp_path):
    exp = experiment(tmp_path, corpus, SMALL["model"])
    assert run(partial(interrupted, exp, tmp_path), seconds=400) == [False, False]
    assert_same(tmp_path / "cut", tmp_path / "whole")


@forks
@pytest.mark.slow
def test_another_number_of_processes_is_said_once(corpus, tmp_path):
    exp, folder = experiment(tmp_path, corpus, SMALL["model"], epochs=1), tmp_path / "run"
    with pytest.raises(Stopped):
        fit(exp, folder, at=At(1, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert in_forks(exp, folder, "--test_after_fit", "false") == [0, 0], log_of(folder)
    said = [line for line in log_of(folder).splitlines() if "processes, and this training has" in line]
    assert len(said) == 1
    assert "the checkpoint is of 1 processes, and this training has 2: random numbers differ, and in this" in said[0]
    assert "epoch some clips come twice or not at all; a step has" in said[0]
    assert said[0].endswith("since data.batch is per process: multiply data.batch by 1/2 to keep 2")


def experiment(folder, corpus, model, epochs=3):
    data = {**SMALL["data"], "corpus": {"class_path": "desed", "init_args": {"root": str(corpus)}}}
    trainer = {**SMALL["trainer"], "max_epochs": epochs}
    (folder / "exp.yaml").write_text(yaml.safe_dump({**SMALL, "model": model, "data": data, "trainer": trainer}))
    return str(folder / "exp.yaml")


TEACHER = {
    **SMALL["model"],
    "network": {"class_path": "mean_teacher", "init_args": {
        "decay": 0.9, "student": SMALL["model"]["network"], "views": ["gain"], "evaluated": "teacher",
    }},
    "lr_scheduler": {"class_path": "torch.optim.lr_scheduler.StepLR", "init_args": {"step_size": 1, "gamma": 0.5}},
}  # fmt: skip
"""With all that must go on: running means of the weights, which are also validated, views, and a schedule."""

RANKS, WAIT = 2, 120


def in_forks(exp, folder, *args, seconds=None, before=None):
    """Train in copies of this process, one a rank; all are killed after some seconds, or one of them does `before`.

    Their statuses; they end by themselves within `WAIT` seconds, also those whose mate is dead.
    """

    def train(rank):
        if before is not None and before[0] == rank:
            before[1]()
        return fit(exp, folder, *args, "--trainer.devices", str(RANKS), "--trainer.strategy", "ddp")

    pids = begin(train, folder)
    if seconds is not None:
        time.sleep(seconds)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
    return ended(pids)


def begin(train, folder):
    """Start copies of this process, one a rank, that do `train(rank)` and end with the status that it returns."""
    port, pids = free_port(), []
    for rank in range(RANKS):
        pid = os.fork()
        if not pid:
            status = 70
            try:
                output = os.open(f"{folder}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                os.dup2(output, 1)
                os.dup2(output, 2)
                sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1) for number in (1, 2))
                for handler in logging.getLogger("lightning").handlers:
                    handler.setStream(sys.stderr)
                as_rank(rank, RANKS)
                os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
                status = train(rank)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        pids.append(pid)
    return pids


def ended(pids):
    """The statuses of processes, None for one that had to be killed."""
    statuses, end = {}, time.monotonic() + WAIT
    while len(statuses) < len(pids) and time.monotonic() < end:
        for pid in pids:
            if pid not in statuses and (waited := os.waitpid(pid, os.WNOHANG))[0]:
                statuses[pid] = os.waitstatus_to_exitcode(waited[1])
        time.sleep(0.05)
    for pid in set(pids) - set(statuses):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return [statuses.get(pid) for pid in pids]


KILLS = (  # which process, where, at which visit
    (0, "save", 1), (0, "save", 4), (0, "validation", 3), (1, "validation", 1), (1, "step", 4), (0, "step", 5),
    (0, "test", 1), (1, "test", 1), (1, "part", 2), (0, "join", 4), (0, "report", 1), (0, "intervals", 1),
)  # fmt: skip


@forks
@pytest.mark.slow
def test_kills_of_two_processes_at_any_moment_change_nothing(corpus, tmp_path):
    """One is killed at a known place and the other ends by itself; or both at a random moment."""
    exp, args, draw = experiment(tmp_path, corpus, TEACHER), ["--every_n_train_steps", "1"], random.Random(0)
    start = time.monotonic()
    whole = tmp_path / "whole"
    assert in_forks(exp, whole, *args) == [0, 0], log_of(whole)
    seconds, begun = time.monotonic() - start, torch.load(whole / "checkpoints/last.ckpt", weights_only=True)
    assert len(begun["ranks"]) == RANKS
    assert not torch.equal(*(rank["random"]["torch"] for rank in begun["ranks"]))
    moments = [(place, {"before": (rank, killed_at(place, count))}) for rank, place, count in KILLS]
    moments += [("", {"seconds": draw.uniform(0.3, 1) * seconds}) for _ in range(5)]
    kills = 0
    for attempt, (place, moment) in enumerate(moments):
        folder = tmp_path / str(attempt)
        statuses = in_forks(exp, folder, *args, **moment)
        assert None not in statuses, f"{moment}: the other process hangs: {log_of(folder)}"
        killed = -signal.SIGKILL in statuses
        if place:
            assert killed, log_of(folder)
            assert 0 not in statuses, log_of(folder)
            assert (folder / "test/frame_scores.npz").exists() == (place in ("report", "intervals"))
        kills += killed
        assert in_forks(exp, folder, *args) == [0, 0], log_of(folder)
        assert_same(folder, whole)
    print(f"{kills} of {len(moments)} trainings of {seconds:.1f} s were killed, all ended as the one that was not")
    assert kills >= len(moments) - 2
