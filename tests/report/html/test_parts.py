"""The numbers behind the charts, against values counted by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.report.html.systems import LABELS, shown
from wsed.decoding import StepDecoder
from wsed.metrics import event_counts
from wsed.metrics.error_kinds import MISSED, RIGHT, SHIFTED
from wsed.report.html.breakdown import polyphony, recall_by
from wsed.report.html.clips import by_clip, clip_rows
from wsed.report.html.media import curves, regular
from wsed.report.html.reliability import reliability
from wsed.report.html.shown import UNKNOWN, Shown
from wsed.report.html.thresholds import GRID, over_thresholds
from wsed.types import Events
from wsed.values import Scores


@pytest.fixture(scope="module")
def system() -> Shown:
    return shown()


def test_recall_of_groups(system):
    kinds = np.array([RIGHT, SHIFTED, MISSED, UNKNOWN])
    groups = recall_by(system, kinds, np.array([3.0, 12.0, np.nan, 30.0]))
    assert groups["class"]["names"] == ["Dog", LABELS.names[1]]
    assert (groups["class"]["n"], groups["class"]["right"], groups["class"]["found"]) == ([1, 2], [1, 0], [1, 1])
    assert dict(zip(groups["duration"]["names"], groups["duration"]["n"], strict=True)) == {"0.5 to 1 s": 3}
    assert groups["polyphony"]["names"] == ["alone", "2 at once"]
    assert groups["polyphony"]["n"] == [1, 2]
    assert groups["SNR"]["names"] == ["0 to 5 dB", "10 to 15 dB"]
    assert "SNR" not in recall_by(system, kinds, None)


def test_polyphony_counts_what_starts_within_an_event():
    onset, offset = np.array([0.0, 1.0, 1.5, 9.0]), np.array([5.0, 2.0, 3.0, 9.5])
    assert polyphony(np.zeros(4, dtype=int), onset, offset).tolist() == [3, 3, 3, 1]


def test_f1_over_thresholds_is_that_of_the_decoder(system):
    sweep = over_thresholds(system)
    at = int(np.abs(GRID - 0.5).argmin())
    assert sweep["thresholds"][at] == 0.5
    counts = event_counts(system.true, StepDecoder(threshold=0.5)(system.scores).events, len(LABELS))
    assert sweep["micro"]["f1"][at] == pytest.approx(counts.micro_f1, abs=1e-4)
    assert sweep["classes"]["Dog"]["recall"][at] == pytest.approx(counts.recall[0], abs=1e-4)
    assert over_thresholds(replace(system, points=())) is None
    assert over_thresholds(replace(system, system=None)) is None


def test_reliability_of_perfect_scores(system):
    perfect = replace(system.scores, frames=system.true.rasterise(3, 3, 20, 10.0).flatten(0, 1))
    kinds = np.full(len(system.detected), RIGHT)
    diagrams = reliability(replace(system, scores=perfect, confidence=torch.ones(len(kinds))), kinds)
    assert diagrams["frames"]["error"] == 0
    assert diagrams["frames"]["mean"] == [0, 1]
    assert sum(diagrams["frames"]["n"]) == 3 * 3 * 20
    assert diagrams["events"] == {"mean": [1.0], "share": [1.0], "n": [len(kinds)], "error": 0.0}
    logits = replace(system.scores, frames=torch.full((60, 3), -4.0), clip_scores=None)
    assert "frames" not in reliability(replace(system, scores=logits), kinds)


def test_errors_of_a_clip(system):
    none = replace(system, detected=Events.of([(0, 2, 0.2, 0.9)]), confidence=torch.tensor([0.25]))
    clips = by_clip(none, none.kinds())
    assert [clips[name].errors for name in system.clip_ids] == [2, 1, 1]  # one of another class, and three missed
    row = clip_rows(system.clip_ids, [clips], {"a.wav": 2.0})[0]
    assert (row["seconds"], row["systems"][0]["confidence"], row["apart"]) == (2.0, (0.25,), 0.0)


def test_events_of_unknown_classes_have_no_kind(system):
    timed = system.system.truth.timed.clone()
    timed[0, 0] = False
    partly = replace(system, system=replace(system.system, truth=replace(system.system.truth, timed=timed)))
    assert partly.kinds()[0].tolist()[0] == UNKNOWN
    assert UNKNOWN not in partly.kinds()[0].tolist()[1:]


def test_curves_of_frames_of_different_lengths(system):
    borders = torch.tensor([0.0, 0.5, 2.0, 0.0, 1.0])
    scores = Scores(
        ("a", "b"), torch.tensor([2.0, 1.0]).double(), frames=torch.tensor([[0.2], [0.8], [-torch.inf]]),
        lengths=torch.tensor([2, 1]), borders=borders,
    )  # fmt: skip
    first, second = (regular(scores.select(torch.tensor([i]))) for i in (0, 1))
    assert first[:40, 0].max() == pytest.approx(0.2)
    assert first[60:, 0].min() == pytest.approx(0.8)
    assert second.max() == 0
    assert curves(system, 0, ["Dog"])["labels"][0] == "Dog"
    assert curves(replace(system, curves=None), 0, ["Dog"]) is None
