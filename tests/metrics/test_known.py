"""A class that is unknown in a clip counts neither as reference nor as false alarm there: small cases by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wsed.metrics.base import METRICS, default_metrics
from wsed.metrics.clips import tag_counts
from wsed.metrics.system import System
from wsed.metrics.tagging import ranking_statistic, tagging_scores
from wsed.scoring.resampling import Resampling, resample, samples
from wsed.scoring.score import score
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Scores

LABELS = Labels(["Cat", "Dog"])
REFERENCE = Events.of([(0, 0, 0.0, 1.0), (0, 1, 2.0, 3.0), (1, 0, 1.0, 2.0), (2, 1, 0.0, 2.0)])
DETECTED = Events.of([(0, 0, 0.0, 1.0), (0, 1, 5.0, 6.0), (1, 0, 1.0, 2.0), (1, 1, 0.0, 1.0), (2, 1, 0.0, 2.0)])
SECONDS = torch.full((3,), 10.0, dtype=torch.float64)


def system(timed, tagged=None):
    timed = torch.tensor(timed)
    tagged = timed if tagged is None else torch.tensor(tagged)
    tags = torch.tensor([[True, True], [True, False], [False, True]])
    predicted = torch.tensor([[True, True], [True, True], [False, True]])
    scores = torch.tensor([[0.9, 0.6], [0.8, 0.7], [0.1, 0.9]])
    truth = Truth(tags, tagged, REFERENCE, timed)
    return System(LABELS, truth, DETECTED, SECONDS, points=(DETECTED,), tags=predicted, clip_scores=scores)


ALL = [[True, True], [True, True], [True, True]]
PART = [[True, True], [True, False], [False, True]]
"""Clip 1 knows nothing of dogs, clip 2 nothing of cats."""


@pytest.mark.parametrize("name", ["event_f1", "segment_f1", "intersection_f1"])
def test_false_alarms_of_an_unknown_class_do_not_count(name):
    whole, part = (METRICS[name]().compute(system(known)) for known in (ALL, PART))
    cat, dog = (part.per_class[label] for label in LABELS)
    assert cat == whole.per_class["Cat"]
    assert dog["n_ref"] == whole.per_class["Dog"]["n_ref"]
    # The dog of clip 1 lasts one second: one event, one segment.
    assert dog["n_sys"] == whole.per_class["Dog"]["n_sys"] - 1
    assert dog["tp"] == whole.per_class["Dog"]["tp"]


def test_events_by_hand():
    """Dogs: clip 0 is missed and has a false alarm, clip 1 is unknown, clip 2 is a hit: F1 2 * 1 / (2 + 2)."""
    value = METRICS["event_f1"]().compute(system(PART))
    assert (value.per_class["Cat"]["f1"], value.per_class["Dog"]["f1"]) == (1.0, 0.5)
    assert value.numbers["micro"] == pytest.approx(2 * 3 / (4 + 4))


def test_references_of_an_unknown_class_do_not_count():
    """Nothing of clip 2 is known: its dog is no reference, and the clip itself is left out."""
    part = system([[True, True], [True, True], [False, False]])
    value = METRICS["event_f1"]().compute(part)
    assert value.per_class["Dog"]["n_ref"] == 1
    assert value.per_class["Dog"]["tp"] == 0
    assert part.timed.n_clips == 2


def test_a_class_that_is_known_nowhere_has_no_score():
    value = METRICS["event_f1"]().compute(system([[True, False]] * 3))
    assert np.isnan(value.per_class["Dog"]["f1"])
    assert value.numbers["macro"] == 1.0


def test_tags_by_hand():
    """Dog: clip 1 is unknown, so that its false alarm does not count."""
    value = METRICS["tagging_f1"]().compute(system(ALL, PART))
    assert value.per_class["Dog"]["f1"] == 1.0
    assert METRICS["tagging_f1"]().compute(system(ALL)).per_class["Dog"]["f1"] == pytest.approx(4 / 5)
    counts = tag_counts(
        torch.tensor([[True], [False]]), torch.tensor([[True], [True]]), torch.tensor([[True], [False]])
    )
    assert (counts.tp[0], counts.n_ref[0], counts.n_sys[0]) == (1, 1, 1)


def test_rankings_by_hand():
    """Dogs score 0.6 and 0.9, and 0.7 in the clip where they are unknown: without it, both true ones rank first."""
    whole, part = system(ALL), system(ALL, PART)
    full, known = (METRICS["tagging"]().compute(of).numbers for of in (whole, part))
    assert full["macro_ap"] == pytest.approx((1 + (1 + 2 / 3) / 2) / 2)
    assert known["macro_ap"] == 1.0
    micro = tagging_scores(part.tagged.true, part.tagged.scores, part.tagged.known).micro_ap
    assert micro == 1.0
    none = tagging_scores(torch.tensor([[True]]), torch.tensor([[0.5]]), torch.tensor([[False]]))
    assert np.isnan(none.ap[0])


def test_a_ranking_under_weights_leaves_the_unknown_out():
    true, scores = torch.tensor([[True], [False], [True]]), torch.tensor([[0.6], [0.7], [0.9]])
    known = torch.tensor([[True], [False], [True]])
    weights = np.array([[1.0, 5.0, 1.0], [0.0, 3.0, 2.0]])
    assert ranking_statistic(true, scores, known=known)(weights).tolist() == [1.0, 1.0]
    pooled = ranking_statistic(true, scores, average="micro", known=known)(weights)
    assert pooled.tolist() == [1.0, 1.0]


def test_all_known_changes_no_bit():
    draw = torch.Generator().manual_seed(0)
    frames = torch.rand(3, 20, 2, generator=draw, dtype=torch.float64)
    one = replace(system(ALL), ranked=Scores.of_padded(frames, 2.0), points=())
    assert one.timed.timed is None
    assert one.tagged.known is None
    assert one.timed.reference is REFERENCE
    values = score(one)
    assert values.value("event_f1/n_sys") == 5


def test_intervals_and_psds_of_partly_known_clips():
    metrics = default_metrics()
    part = system(PART)
    found = score(part, metrics)
    assert found.value("psds1/per_class/Cat/value") == 1.0
    ranges = resample(samples(part, metrics), Resampling(resamples=50))
    assert ranges.of("event_f1", "macro").low <= found.value("event_f1/macro") <= ranges.of("event_f1", "macro").high
    assert ranges.of("psds1", "value") is not None
