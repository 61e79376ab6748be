"""Signals during `wsed reproduce`: which one counts, and which are left alone."""

import signal

import pytest

from wsed.cli.ending import Ending
from wsed.cli.stopped import Stopped


def test_the_first_signal_counts_although_a_scheduler_sends_a_second_one(monkeypatch):
    """SLURM sends SIGUSR1 before the time limit, by which a job is queued again, then SIGTERM."""
    monkeypatch.setattr("wsed.cli.signals.stop", lambda number, text, how: Stopped(number, f"queued again; {text}"))
    with Ending() as ending:
        with ending.keeping():
            signal.raise_signal(signal.SIGUSR1)
        with pytest.raises(Stopped, match="SIGUSR1; queued again"):
            signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_is_ignored_stays_so():
    """A shell that runs a job in the background without job control ignores Ctrl-C for it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Ending() as ending, ending.keeping():
            signal.raise_signal(signal.SIGINT)
            assert not ending.came()
    finally:
        signal.signal(signal.SIGINT, before)
