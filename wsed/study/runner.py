"""Runs what is missing of a study, several runs side by side, and collects what failed."""

import re
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from wsed.errors import WsedError
from wsed.run import RunFolder
from wsed.study.job import Job
from wsed.study.pool import Outcome
from wsed.study.results import Failure

EPOCH = re.compile(r"^epoch (\d+)\b", flags=re.MULTILINE)
LOG_LINES = 15
"""Number of lines of the log of a failed run that are reported."""


@dataclass(frozen=True)
class Task:
    """A run that is to be made, and its corpus.

    Args:
        job: the run.
        root: folder of the corpus.

    >>> from wsed.study.rows import Row
    >>> Task(Job("paper", Row("mil", "MIL", (), (0,)), 0, Path("runs/mil"), (), ()), Path("data")).root.name
    'data'
    """

    job: Job
    root: Path


@runtime_checkable
class _Watch(Protocol):
    """Shows the progress of the runs."""

    def started(self, job: Job, /) -> None:
        """A run has begun."""

    def alive(self, running: Sequence[Job], /) -> None:
        """Called several times per second with the runs in progress."""

    def ended(self, job: Job, seconds: float, failure: str | None, /) -> None:
        """A run is done, or has failed."""


@runtime_checkable
class _Processes(Protocol):
    """Runs the commands of runs, such as `wsed.study.pool.Pool`."""

    jobs: int

    def submit(self, lines: Sequence[Sequence[str]], log: Path, module: str | None = None) -> "Future[Outcome]":
        """Run commands, one after the other."""


class _Silent:
    """Shows nothing."""

    def started(self, job: Job, /) -> None: ...
    def alive(self, running: Sequence[Job], /) -> None: ...
    def ended(self, job: Job, seconds: float, failure: str | None, /) -> None: ...


def run_tasks(
    tasks: Sequence[Task], pool: _Processes, watch: _Watch | None = None, stop: Callable[[], bool] = lambda: False
) -> list[Failure]:
    """Make the runs that are not done; returns those that failed. A run that fails does not stop the others.

    Args:
        tasks: the runs, each after the run that it needs.
        pool: the processes.
        watch: is told of each run that begins and ends.
        stop: whether to return now, several times per second; runs in progress are left to the pool.

    >>> from wsed.study.pool import Pool
    >>> with Pool(1) as pool:
    ...     run_tasks([], pool)
    []
    """
    watch = watch or _Silent()
    runner = _Runner(tasks, pool, watch, stop)
    while (runner.waiting or runner.running) and not stop():
        runner.start()
        runner.finish()
        watch.alive([task.job for task in runner.running.values()])
    return list(runner.failures.values())


class _Runner:
    """The runs that wait, those in progress, and those that failed."""

    def __init__(self, tasks: Sequence[Task], pool: _Processes, watch: _Watch, stop: Callable[[], bool]) -> None:
        self.waiting = sorted((task for task in tasks if task.job.state() != "done"), key=lambda task: task.job.seed)
        self.running: dict[Future[Outcome], Task] = {}
        self.failures: dict[Path, Failure] = {}
        self._pool, self._watch, self._stop = pool, watch, stop

    def start(self) -> None:
        """Start runs whose checkpoint exists, as long as a process is free."""
        at_work = {task.job.folder for task in (*self.waiting, *self.running.values())}
        for task in list(self.waiting):
            if len(self.running) < self._pool.jobs and task.job.needs not in at_work:
                self.waiting.remove(task)
                self._start(task)

    def _start(self, task: Task) -> None:
        job = task.job
        if job.needs in self.failures:
            self._ended(job, 0.0, f"it needs {job.needs}, which failed")
            return
        try:
            lines = job.commands(task.root)
        except WsedError as error:
            self._ended(job, 0.0, str(error))
            return
        job.mark()
        self.running[self._pool.submit(lines, job.log)] = task
        self._watch.started(job)

    def finish(self) -> None:
        """Wait a moment for a run to end, and note the outcome."""
        finished, _ = wait(self.running, timeout=0.3, return_when=FIRST_COMPLETED)
        for future in finished:
            job, outcome = self.running.pop(future).job, future.result()
            reason = outcome.failure
            if reason is None and not RunFolder(job.folder).split("test").report.is_file():
                reason = "it left no report of the test clips"
            if reason is not None and self._stop():  # it was stopped too, as all processes of a SLURM job are
                continue
            if reason is None:
                job.mark(outcome.seconds)
            self._ended(job, outcome.seconds, reason)

    def _ended(self, job: Job, seconds: float, reason: str | None) -> None:
        if reason is not None:
            self.failures[job.folder] = Failure(job.name, reason, tail(job.log), job.folder)
        self._watch.ended(job, seconds, reason)


def tail(log: Path, lines: int = LOG_LINES) -> str:
    """The last lines of a log.

    >>> tail(Path("none.txt"))
    ''
    """
    return "\n".join(_end(log).splitlines()[-lines:])


def epoch(job: Job) -> int | None:
    """The last epoch that a run has finished; None before the first.

    >>> from wsed.study.rows import Row
    >>> epoch(Job("paper", Row("mil", "MIL", (), (0,)), 0, Path("runs/none"), (), ())) is None
    True
    """
    epochs = EPOCH.findall(_end(job.log))
    return int(epochs[-1]) if epochs else None


def _end(log: Path, size: int = 8192) -> str:
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - size))
        return file.read().decode("utf-8", errors="replace")
