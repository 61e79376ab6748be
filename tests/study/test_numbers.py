"""The numbers that a run keeps in its folder: when they are read, and when they are computed anew."""

import os

import numpy as np
import pytest

from wsed.metrics.groups import Groups
from wsed.run import RunFolder
from wsed.study.numbers import KEPT, Numbers, Recordings

IDS = ("1", "2", "3", "4")
RECORDINGS = Recordings(Groups.of("abcd"), IDS, resamples=5)
DRAWN = {"F1": np.arange(5.0)}


@pytest.fixture
def run(tmp_path):
    for file in ("test/frame_scores.npz", "test/scores.json", "validation/scores.json"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
        os.utime(tmp_path / file, (1000, 1000))
    return RunFolder(tmp_path)


@pytest.mark.parametrize(
    "other",
    [
        Recordings(Groups.of("pppq"), IDS, "patients", 5),
        Recordings(Groups.of("abcd"), ("4", "3", "2", "1"), resamples=5),
        Recordings(Groups.of("abcd"), IDS, resamples=6),
        Recordings(),
    ],
)
def test_other_draws_are_not_taken(run, other):
    Numbers({"F1": 5.0}, DRAWN).keep(run, RECORDINGS)
    assert Numbers.kept(run, other) is None
    same = Numbers.kept(run, Recordings(Groups.of("abcd"), IDS, resamples=5))
    assert same is not None
    assert (same.value, same.drawn["F1"].tolist()) == ({"F1": 5.0}, DRAWN["F1"].tolist())


def test_a_column_without_draws_is_kept(run):
    Numbers({"F1": 5.0, "mAP": 1.0}, DRAWN).keep(run, RECORDINGS)
    kept = Numbers.kept(run, RECORDINGS)
    assert kept is not None
    assert (kept.value, list(kept.drawn)) == ({"F1": 5.0, "mAP": 1.0}, ["F1"])


@pytest.mark.parametrize("file", ["test/frame_scores.npz", "test/scores.json", "validation/scores.json"])
def test_numbers_before_a_newer_evaluation_are_not_taken(run, file):
    Numbers({"F1": 5.0}, DRAWN).keep(run, RECORDINGS)
    later = (run.path / KEPT).stat().st_mtime + 1
    os.utime(run.path / file, (later, later))
    assert Numbers.kept(run, RECORDINGS) is None


def test_numbers_of_an_earlier_version_are_taken_if_the_scores_are_gone(run):
    np.savez(run.path / KEPT, F1=np.array([5.0, *DRAWN["F1"]]))
    assert Numbers.kept(run, RECORDINGS) is None
    (run.path / "test/frame_scores.npz").unlink()
    kept = Numbers.kept(run, RECORDINGS)
    assert kept is not None
    assert kept.value == {"F1": 5.0}
    np.savez(run.path / KEPT, F1=np.array([5.0, 4.0]))
    assert Numbers.kept(run, RECORDINGS) is None  # another number of draws
