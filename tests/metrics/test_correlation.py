"""Correlation of class scores and overlap of events."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.metrics import class_correlation, mean_positive_correlation, overlap_matrix, overlap_seconds
from wsed.types import Events

SHARED = Path(__file__).parents[2].parent / "shared"
row = st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 20), st.integers(1, 20))
rows = st.lists(row, max_size=10).map(lambda rs: [(c, k, a / 7, (a + n) / 7) for c, k, a, n in rs])


def test_correlation_is_pearson():
    scores = torch.rand(40, 5, generator=torch.Generator().manual_seed(0))
    expected = np.corrcoef(scores.double().numpy().T)
    assert torch.allclose(class_correlation(scores), torch.from_numpy(expected), atol=1e-12)


def test_a_constant_class_has_no_correlation():
    scores = torch.rand(30, 3, generator=torch.Generator().manual_seed(0))
    scores[:, 1] = 0.3
    correlation = class_correlation(scores)
    assert correlation[1].tolist() == [0.0, 1.0, 0.0]
    assert torch.equal(correlation, correlation.T)


def test_a_single_clip_has_no_correlation():
    assert torch.equal(class_correlation(torch.rand(1, 3)), torch.eye(3, dtype=torch.float64))


def test_mean_positive_correlation_divides_by_all_pairs():
    correlation = torch.tensor([[1.0, 0.6, -0.9], [0.6, 1.0, 0.3], [-0.9, 0.3, 1.0]], dtype=torch.float64)
    assert mean_positive_correlation(correlation) == pytest.approx((0.6 + 0.3) / 3)
    assert mean_positive_correlation(torch.ones(1, 1)) == 0.0


@given(rows)
@settings(max_examples=100, deadline=None)
def test_overlap_equals_a_loop_over_pairs(events):
    expected = np.zeros((4, 4))
    for i, (clip, label, onset, offset) in enumerate(events):
        for other in events[i + 1 :]:
            if other[0] == clip and other[1] != label:
                shared = max(0.0, min(offset, other[3]) - max(onset, other[2]))
                expected[label, other[1]] += shared
                expected[other[1], label] += shared
    assert overlap_matrix(Events.of(events), 4).numpy() == pytest.approx(expected, abs=1e-12)
    assert overlap_seconds(Events.of(events), 4) == pytest.approx(expected.sum() / 2, abs=1e-12)


def test_overlap_of_the_dcase_2018_test_set():
    """The paper gives 3.81 minutes for the first release of these labels (906 events); this is the later one (908)."""
    table = SHARED / "data/metadata/dcase2019_task4/test_dcase2018.tsv"
    if not table.is_file():
        pytest.skip(f"needs {table}")
    with table.open(newline="") as file:
        entries = [r for r in csv.DictReader(file, delimiter="\t") if r["event_label"]]
    names, clips = ({v: i for i, v in enumerate(sorted({r[k] for r in entries}))} for k in ("event_label", "filename"))
    listed = [(clips[r["filename"]], names[r["event_label"]], float(r["onset"]), float(r["offset"])) for r in entries]
    minutes = overlap_seconds(Events.of(listed), len(names)) / 60
    assert minutes == pytest.approx(3.81, abs=0.05)
