"""The progress of `wsed reproduce`: a bar over all runs, and a line for each run in progress."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from wsed.study.job import Job
from wsed.study.runner import epoch


class View:
    """A live view on a terminal; elsewhere, a line for each run that ends.

    Args:
        console: console of the view.
        total: number of runs.
        done: number of runs that are done already.
        jobs: number of runs side by side.
    """

    def __init__(self, console: Console, total: int, done: int, jobs: int) -> None:
        self._console, self._lines = console, dict[Path, TaskID]()
        columns = TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._all = self._bar.add_task("runs", total=total, completed=done)
        self._total, self._done = total, done
        self._print(f"{total} runs, {done} done before, {jobs} side by side")

    def __enter__(self) -> "View":
        self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._bar.stop()

    def started(self, job: Job, /) -> None:
        """A run has begun: it gets a line."""
        self._lines[job.folder] = self._bar.add_task(job.name, total=None)

    def alive(self, running: Sequence[Job], /) -> None:
        """Show the epoch of each run in progress."""
        if self._bar.disable:
            return
        for job in running:
            self._bar.update(self._lines[job.folder], completed=0 if (last := epoch(job)) is None else last + 1)

    def ended(self, job: Job, seconds: float, failure: str | None, /) -> None:
        """A run is done or has failed: a final line replaces its line."""
        line = self._lines.pop(job.folder, None)
        if line is not None:
            self._bar.remove_task(line)
        self._done += 1
        self._bar.advance(self._all)
        end = f"{seconds:.0f} s" if failure is None else f"failed: {failure} (log: {job.log})"
        self._print(f"{self._done}/{self._total}  {job.name}: {end}")

    def _print(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
