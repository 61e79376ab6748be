"""A disk that is full or may not be written: one line, exit status 2, and what was there stays."""

import errno
import os
import resource
from contextlib import contextmanager

import pytest

from tests.cli.test_search import files, opened  # noqa: F401
from wsed.cli.main import main
from wsed.data.synth import builtin

pytest.importorskip("optuna", reason="the extra tune is not installed")


@contextmanager
def room(size):
    """No file may grow beyond `size` bytes, as if the disk were full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def one_line(text):
    lines = [line for line in text.splitlines() if line.startswith("wsed: error")]
    assert len(lines) == 1
    assert "Traceback" not in text
    return lines[0]


def test_a_corpus_stops_in_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(builtin, "COUNTS", {"train": 1, "validation": 1, "eval": 1})  # making them takes the time
    monkeypatch.setattr(builtin, "_N_BACKGROUNDS", {"train": 1, "validation": 1, "eval": 1})
    args = ["data", "synth", "--soundbank", "builtin", "--out", str(tmp_path / "out"), "--workers", "1"]
    clips = ["--clips", "train=2", "validation=0", "eval=0"]
    with room(50_000):  # the tables fit, a clip of 10 s does not
        assert main([*args, *clips]) == 2
    said = one_line(capsys.readouterr().err)
    assert "cannot write" in said
    assert not list((tmp_path / "out").glob("audio/**/*.flac"))
    assert main([*args, *clips]) == 0
    assert len(list((tmp_path / "out").glob("audio/**/*.flac"))) == 2


def test_a_study_that_cannot_be_written_is_one_line(files, capsys):  # noqa: F811
    with room(100):
        assert main(["tune", *files, "--trials", "1"]) == 2
    assert "File too large; make room and run the command again" in one_line(capsys.readouterr().err)


def test_a_trial_waits_for_room(files, tmp_path, capsys, monkeypatch):  # noqa: F811
    """Other settings would fail too: the trial is not counted as failed, and goes on with the next command."""

    def full(folder, _report):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "checkpoints" / "last.ckpt"))

    monkeypatch.setattr("wsed.cli.search_trials.train_trial", full)
    assert main(["search", *files, "--trials", "3"]) == 2
    said = one_line(capsys.readouterr().err)
    assert "trial 0: cannot write" in said
    assert said.endswith("No space left on device; make room and run the command again: the trial goes on")
    assert [trial.state.name for trial in opened(files).get_trials()] == ["RUNNING"]


def test_a_folder_that_may_not_be_written(files, capsys, monkeypatch):  # noqa: F811
    def frozen(path, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr("pathlib.Path.mkdir", frozen)
    assert main(["search", *files]) == 2
    assert "Read-only file system; make room, or write to another disk" in one_line(capsys.readouterr().err)
