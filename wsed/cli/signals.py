"""Signals that end a run: a training saves first, everything else ends at once."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from types import FrameType
from typing import Any

import lightning.pytorch as pl
import torch
import torch.distributed as dist
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

from wsed.cli.lost import lost
from wsed.cli.ranks import is_first, whose
from wsed.cli.stopped import Stopped
from wsed.data.processes import ENDING, REQUEUE

GRACE = 5
"""Seconds after a signal in which a process that waits for the others to start may end by itself."""

HEARING: set[int] = set()
"""Files to which the numbers of signals are written, for threads of `Signals`."""


class Signals:
    """Handles signals while a verb runs. During a training, the first signal is kept until the training asks for it;
    otherwise it ends the process.

    >>> with Signals() as signals:
    ...     signals.received is None
    True
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self.training = False
        self.meeting = False
        """Whether there are other processes to connect to. Before they are connected, there is nothing to save."""
        self._before: dict[int, Any] = {}
        self._told: int | None = None

    def __enter__(self) -> "Signals":
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.getsignal(number) for number in ENDING}
            self.take()
            self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.meeting = False
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
        if self._told is not None:
            _forget()
            HEARING.remove(self._told)
            os.close(self._told)
            self._told = None

    def take(self) -> None:
        """Replace the signal handlers of Lightning, which talk to other ranks in the middle of a step."""
        for number in self._before:
            signal.signal(number, self._handle)

    def _listen(self) -> None:
        """Hear of signals in a thread too, unless another library does so."""
        if os.name != "posix":
            return
        heard, told = os.pipe()
        os.set_blocking(told, False)
        if (other := signal.set_wakeup_fd(told, warn_on_full_buffer=False)) != -1:
            signal.set_wakeup_fd(other)
            os.close(heard)
            os.close(told)
            return
        self._told = told
        HEARING.add(told)
        threading.Thread(target=self._end_in_meeting, args=(heard,), daemon=True).start()

    def _end_in_meeting(self, fd: int) -> None:
        """End the process if a signal comes while torch waits for the others: Python's handlers do not run then."""
        with os.fdopen(fd, "rb", buffering=0) as signals:
            while number := signals.read(1):
                if number[0] in ENDING and self._meets():
                    time.sleep(GRACE)
                    if self.received is None and self._meets():
                        stopped = stop(number[0], "the other processes had not started")
                        print(f"wsed: {stopped}{whose()}", file=sys.stderr, flush=True)
                        os._exit(stopped.status)

    def _meets(self) -> bool:
        return self.meeting and not dist.is_initialized()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        first, self.received = self.received is None, number
        if not (self.training and first):
            raise stop(number, "files that were written are kept")

    def agreed(self, trainer: pl.Trainer) -> int | None:
        """The signal that any rank has got; all ranks call it."""
        if trainer.world_size == 1:
            return self.received
        mine = torch.tensor(self.received or 0, device=trainer.strategy.root_device)
        return int(trainer.strategy.reduce(mine, reduce_op="max")) or None


def _forget() -> None:
    """No longer write signals to a file of ours; those of another library stay."""
    with contextlib.suppress(ValueError):  # not in the main thread
        now = signal.set_wakeup_fd(-1)
        if now not in HEARING:
            signal.set_wakeup_fd(now)


if os.name == "posix":
    os.register_at_fork(after_in_child=_forget)  # the signals of a child are its own


class TakeSignals(pl.Callback):
    """Replaces the signal handlers again at the start of each loop, after Lightning has set its own."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.signals.training = True
        self.signals.take()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.signals.training = False

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self.signals.training = False
        launcher = trainer.strategy.launcher
        if launcher is None:
            return
        if isinstance(exception, Stopped):
            launcher.kill(signal.Signals(exception.signum))  # its other processes on this machine
        elif lost(exception) is not None:
            launcher.kill(signal.SIGKILL)  # a stopped process hears nothing else

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.signals.take()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.signals.take()

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.signals.take()


def stop(number: int, text: str, then: str = "go on with --resume auto") -> Stopped:
    """The exception that ends the process; the first process of a SLURM job that is about to end queues it again.

    Args:
        number: number of the signal.
        text: what happened to the work.
        then: how to go on with it, unless the job is queued again.
    """
    if signal.Signals(number).name in REQUEUE and is_first() and SLURMEnvironment.detect():
        return Stopped(number, f"{text}; {requeue()}")
    return Stopped(number, f"{text}; {then}")


def requeue() -> str:
    """Queue the SLURM job again; returns a message about it."""
    job = os.environ["SLURM_JOB_ID"]
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        job = f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    if not re.fullmatch(r"[0-9_]+", job):
        return f"job {job!r} was not queued again"
    try:
        done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=False)
    except OSError as error:
        return f"job {job} could not be queued again: {error}"
    if done.returncode:
        return f"job {job} could not be queued again: {' '.join(done.stderr.split())}"
    return f"job {job} is queued again"


def end_with_first() -> None:
    """End a rank that Lightning started when the process that started it ends, even by SIGKILL."""
    if "LOCAL_RANK" not in os.environ or "TORCHELASTIC_RUN_ID" in os.environ or is_first():
        return

    def watch(parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, args=(os.getppid(),), daemon=True).start()
