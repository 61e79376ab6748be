"""Long recordings: what is computed without pairs of a detection and an event equals what is computed from them."""

import dataclasses
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wsed.metrics import intersection, sweep
from wsed.metrics.intersection import Criteria, cross_triggers, intersection_counts, lasting, share, sort_reference
from wsed.metrics.pairs import columns
from wsed.metrics.psds import PSDS1, PSDS2, PSDSParameters, psds_from_operating_points, psds_from_scores
from wsed.types import Events
from wsed.values import Scores

LABELS = 3
CROSS = dataclasses.replace(PSDS2, max_efpr=6000.0)
parameters = st.sampled_from(
    [
        dataclasses.replace(PSDS1, max_efpr=4000.0),
        CROSS,
        PSDSParameters(dtc=0.5, gtc=1.0, cttc=0.5, alpha_ct=1.0, alpha_st=0.0, max_efpr=9000.0),
    ]
)


def events_of(seed: int, n_clips: int, seconds: float, n: int, *, joined: bool) -> Events:
    """Events on a grid of 1/8 s, so that borders meet; none of a clip and class overlap if `joined`."""
    rng, rows = np.random.default_rng(seed), []
    for clip in range(n_clips):
        for label in range(LABELS):
            k = int(rng.integers(0, n + 1))
            if joined:
                borders = np.sort(rng.choice(int(8 * seconds), min(2 * k, int(8 * seconds)), replace=False)) / 8
                rows += [(clip, label, a, b) for a, b in zip(borders[::2], borders[1::2], strict=False)]
            else:
                onset = rng.integers(0, int(8 * seconds) - 1, k) / 8
                rows += [(clip, label, a, a + d) for a, d in zip(onset, rng.integers(1, 20, k) / 8, strict=True)]
    return Events.of([*rows, (0, 0, 0.25, 1.0)] if not joined or not rows else rows)


def corners(curve):
    """The highest rate of hits at each false alarm rate; rates of 0 may be 1e-13 by rounding."""
    last = np.diff(curve.efpr, append=np.inf) > 1e-9
    return sorted({0.0, *curve.tpr[last]})


@given(st.integers(0, 10**6), st.integers(1, 3), parameters, st.booleans(), st.sampled_from([4.0, 16.0, 100 / 7]))
@settings(max_examples=40, deadline=None)
@example(950, 1, CROSS, False, 4.0)
def test_psds_without_pairs_equals_psds_from_pairs(seed, n_clips, p, joined, rate):
    rng = np.random.default_rng(seed)
    seconds, levels = 12.0, int(rng.choice([3, 8, 1000]))
    scores = rng.integers(0, levels, (n_clips, int(seconds * rate), LABELS)) / levels
    scores[rng.random(scores.shape) < 0.1] = -np.inf
    of = Scores.of_padded(torch.from_numpy(scores), rate)
    truth = events_of(seed, n_clips, seconds, 12, joined=joined)
    with mock.patch.object(sweep, "MANY", float("inf")):
        expected = psds_from_scores(of, truth, p)
    with mock.patch.object(sweep, "MANY", -1):
        found = psds_from_scores(of, truth, p)
    assert found.value == pytest.approx(expected.value, abs=1e-12, nan_ok=True)
    np.testing.assert_allclose(found.per_class, expected.per_class, atol=1e-12)
    for ours, theirs in zip(found.class_rocs, expected.class_rocs, strict=True):
        assert corners(ours) == corners(theirs)


@given(st.integers(0, 10**6), st.integers(1, 3), st.booleans(), st.sampled_from([6, None]))
@settings(max_examples=40, deadline=None)
def test_pairs_near_in_time_are_those_that_overlap(seed, n_clips, joined, decimals):
    ref = sort_reference(lasting(columns(events_of(seed, n_clips, 12.0, 12, joined=joined), LABELS)))
    est = lasting(columns(events_of(seed + 1, n_clips, 12.0, 20, joined=False), LABELS))
    for cttc in (0.3, None):
        criteria = Criteria(0.4, 0.5, cttc, decimals)
        with mock.patch.object(intersection, "FEW", float("inf")):
            expected = share(ref, est, LABELS, criteria)
        with mock.patch.object(intersection, "FEW", -1):
            found = share(ref, est, LABELS, criteria)
        np.testing.assert_array_equal(found.relevant, expected.relevant)
        for name in ("pair_detection", "pair_event", "pair_seconds"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
        groups = (
            sorted(zip(side.group_detection[side.crossed], side.group_label[side.crossed], strict=True))
            for side in (found, expected)
        )
        assert next(groups) == next(groups)


def test_a_day_of_events_is_counted_in_linear_memory():
    """20,000 events in one clip: pairs of all would fill 6 GB."""
    n, rng = 20_000, np.random.default_rng(0)
    onset = np.sort(rng.uniform(0, 86_390, n))
    offset = np.minimum(onset + 0.8, np.append(onset[1:], 86_400))
    zero = torch.zeros(n, dtype=torch.long)
    events = Events(zero, zero, torch.from_numpy(onset), torch.from_numpy(offset))
    with mock.patch.object(intersection, "ranges", wraps=intersection.ranges) as formed:
        assert intersection_counts(events, events, 1).tp.tolist() == [n]
        assert cross_triggers(events, events, 1).tolist() == [[0]]
        point = psds_from_operating_points(events, [events], 1, torch.tensor([86_400.0]), PSDS1)
    assert point.value == 1.0
    sizes = [int(np.maximum(np.subtract(*call.args[::-1]), 0).sum()) for call in formed.call_args_list]
    assert max(sizes) < 4 * n


def test_a_slow_rise_forms_no_pairs():
    """Every run of a ramp holds all events before it: pairs would be 50,000 x 1,000."""
    frames, n = 50_000, 1_000
    scores = Scores.of_padded(torch.linspace(1, 0, frames, dtype=torch.float64)[None, :, None], 50.0)
    onset = torch.arange(n, dtype=torch.float64)
    zero = torch.zeros(n, dtype=torch.long)
    truth = Events(zero, zero, onset, onset + 0.9)
    assert psds_from_scores(scores, truth, dataclasses.replace(PSDS1, max_efpr=1000.0)).value == 1.0
