"""The PSDS of many resamples at once is that of each resample by itself."""

import dataclasses

import numpy as np
import pytest
import torch

from wsed.metrics import psds_resamples
from wsed.metrics.psds import PSDS1, PSDS2, PSDSTable, psds_from_scores
from wsed.metrics.roc import Changes
from wsed.types import Events
from wsed.values import Scores

CLIPS, FRAMES, LABELS, RATE = 90, 50, 4, 5.0
CROSS = dataclasses.replace(PSDS2, max_efpr=2000.0)


@pytest.fixture(scope="module")
def made():
    """Smooth scores with ties that rise in events; class 3 has events in one clip only."""
    rng = np.random.default_rng(0)
    rows = [(c, c % 3, a, a + rng.uniform(0.5, 4)) for c, a in enumerate(rng.uniform(0, 6, CLIPS // 2))]
    events = Events.of([*rows, (0, 3, 1.0, 2.0)])
    walk = np.cumsum(rng.standard_normal((CLIPS, FRAMES, LABELS)), axis=1) / 3
    walk += 5 * events.rasterise(CLIPS, LABELS, FRAMES, RATE).numpy()
    scores = torch.from_numpy(walk.round(1)).float()
    return Scores.of_padded(scores, RATE, durations=torch.full((CLIPS,), 10.0, dtype=torch.float64)), events


def drawn(rows, seed=0):
    return np.random.default_rng(seed).multinomial(CLIPS, np.full(CLIPS, 1 / CLIPS), size=rows).astype(np.float64)


def one_by_one(table, weights):
    return np.array([table.psds(torch.from_numpy(row)).value for row in weights])


@pytest.mark.parametrize("parameters", [PSDS1, CROSS])
def test_each_resample_has_its_own_score(made, parameters, monkeypatch):
    table, weights = PSDSTable.of_scores(*made, parameters), drawn(30)
    expected = one_by_one(table, weights)
    assert len(set(expected)) > 20
    assert table.values(weights) == pytest.approx(expected, abs=1e-12)
    monkeypatch.setattr(psds_resamples, "BLOCK", 1)
    assert table.values(weights) == pytest.approx(expected, abs=1e-12)
    parts = weights * 0.3  # weights need not be whole numbers
    assert table.values(parts) == pytest.approx(one_by_one(table, parts), abs=1e-12)


def test_classes_that_are_unknown_in_some_clips(made):
    timed = torch.from_numpy(np.random.default_rng(1).random((CLIPS, LABELS)) < 0.8)
    table, weights = PSDSTable.of_scores(*made, CROSS, timed=timed), drawn(20)
    assert table.values(weights) == pytest.approx(one_by_one(table, weights), abs=1e-12)


def test_a_class_that_no_drawn_clip_has_does_not_count(made):
    table, weights = PSDSTable.of_scores(*made, CROSS), drawn(6)
    weights[::2, 0] = 0.0  # class 3
    weights[0, : CLIPS // 2] = 0.0  # every class
    found = table.values(weights)
    assert found == pytest.approx(one_by_one(table, weights), abs=1e-12, nan_ok=True)
    assert np.isnan(found).tolist() == [True] + 5 * [False]


def test_resamples_with_few_false_alarms_take_all_thresholds(made):
    """Some clips are silent: a resample of these needs the thresholds that were left out."""
    scores, events = made
    silent = torch.arange(CLIPS) >= 75
    frames = scores.frames.masked_fill(scores.per_frame(silent[:, None].expand(-1, LABELS)), -torch.inf)
    quiet = dataclasses.replace(scores, frames=frames)
    table = PSDSTable.of_scores(quiet, events, PSDS1)
    weights = np.ones((2, CLIPS))
    weights[1, 30:75] = 0.1
    weights[1, 75:] = 8.0
    assert any(clips is not None for clips in table.pruned.certain)
    every = dataclasses.replace(table, changes=tuple(map(table.pruned.whole, range(LABELS))), pruned=None)
    assert all(a is b for a, b in zip(table.pruned.checked(table.changes, weights[:1]), table.changes, strict=True))
    assert any(a is b for a, b in zip(table.pruned.checked(table.changes, weights[1:]), every.changes, strict=True))
    assert table.values(weights) == pytest.approx(one_by_one(every, weights), abs=1e-12)


def test_operating_points(made):
    _, events = made
    shifted = [dataclasses.replace(events, onset=events.onset + late) for late in (0.0, 0.1, 0.4)]
    points = [each[each.clip % (i + 2) > 0] for i, each in enumerate(shifted)]
    seconds = torch.full((CLIPS,), 10.0, dtype=torch.float64)
    table = PSDSTable.of_operating_points(events, points, LABELS, seconds, CROSS)
    assert table.values(drawn(20)) == pytest.approx(one_by_one(table, drawn(20)), abs=1e-12)


@pytest.mark.parametrize("parameters", [PSDS1, CROSS])
def test_a_resample_that_leaves_no_clip_has_no_score(made, parameters):
    table, weights = PSDSTable.of_scores(*made, parameters), drawn(4)
    weights[1] = 0.0
    found = table.values(weights)
    assert np.isnan(found).tolist() == [False, True, False, False]
    assert found[[0, 2, 3]].tolist() == table.values(weights[[0, 2, 3]]).tolist()


@pytest.mark.parametrize("parameters", [PSDS1, CROSS])
def test_a_class_that_is_known_for_no_second_has_no_score(parameters):
    reference = Events.of([(0, 0, 0.0, 1.0), (1, 1, 0.0, 1.0), (2, 0, 3.0, 4.0)])
    wrong = Events.of([(0, 0, 0.0, 1.0), (1, 1, 5.0, 6.0)])
    timed = torch.tensor([[True, False], [False, True], [True, False]])
    seconds = torch.tensor([10.0, 0.0, 20.0], dtype=torch.float64)
    table = PSDSTable.of_operating_points(reference, [wrong], 2, seconds, parameters, timed=timed)
    alone = PSDSTable.of_operating_points(reference[reference.label == 0], [wrong], 2, seconds, parameters, timed=timed)
    assert table.psds().value == table.psds().per_class[0] == alone.psds().value == 0.5
    assert np.isnan(table.psds().per_class[1])
    weights = np.array([[1.0, 1.0, 1.0], [1.0, 2.0, 0.0], [0.0, 1.0, 0.0]])
    assert table.values(weights).tolist() == pytest.approx([0.5, 1.0, np.nan], nan_ok=True)
    frames = torch.full((3, 6, 2), 0.1)
    frames[0, 0, 0] = 0.9
    scores = Scores.of_padded(frames, 1.0, durations=seconds)
    table = PSDSTable.of_scores(scores, reference, parameters, timed=timed)
    assert table.psds().value == psds_from_scores(scores, reference, parameters, timed=timed).value
    assert table.values(weights)[:2].tolist() == pytest.approx(one_by_one(table, weights[:2]), abs=1e-12)
    assert np.isnan(table.psds().per_class).tolist() == [False, True]


def test_no_rows_have_no_values(made):
    assert PSDSTable.of_scores(*made, PSDS1).values(np.zeros((0, CLIPS))).shape == (0,)


def test_rates_fall_only_where_alarms_end():
    """Alarms 2, -1, +1 before the first hit, then +1, -1 (above the start of its segment) and +3."""
    change = Changes.of(
        np.arange(9.0, 3.0, -1.0), np.zeros(6, dtype=np.int64), np.array([2.0, -1.0, 1.0, 1.0, -1.0, 3.0]),
        np.array([6.5]), np.zeros(1, dtype=np.int64), np.array([1]),
    )  # fmt: skip
    falls, segment, start = change.falls
    assert change.point[falls].tolist() == [2, 5]
    assert (segment.tolist(), start.tolist()) == ([0, 1], [0, 1])
