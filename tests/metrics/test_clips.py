"""Tagging counts and average precision against scikit-learn and plain loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.errors import WsedError
from wsed.metrics import average_precision, tag_counts


@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_tag_counts_equal_a_loop(clips, labels, seed):
    true, said = (torch.rand(2, clips, labels, generator=torch.Generator().manual_seed(seed)) > 0.5).unbind()
    counts = tag_counts(true, said)
    for i in range(labels):
        pairs = list(zip(true[:, i].tolist(), said[:, i].tolist(), strict=True))
        assert counts.tp[i] == sum(a and b for a, b in pairs)
        assert counts.n_ref[i] == sum(a for a, _ in pairs)
        assert counts.n_sys[i] == sum(b for _, b in pairs)
    sets = [
        ({*a.nonzero().flatten().tolist()}, {*b.nonzero().flatten().tolist()}) for a, b in zip(true, said, strict=True)
    ]
    assert counts.n_sub == sum(min(len(a - b), len(b - a)) for a, b in sets)


def test_macro_f1_is_that_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    true, said = (torch.rand(2, 60, 5, generator=torch.Generator().manual_seed(0)) > 0.6).unbind()
    counts = tag_counts(true, said)
    assert counts.macro_f1 == pytest.approx(sklearn.f1_score(true.numpy(), said.numpy(), average="macro"), abs=1e-12)
    assert counts.micro_f1 == pytest.approx(sklearn.f1_score(true.numpy(), said.numpy(), average="micro"), abs=1e-12)


@given(st.integers(2, 30), st.integers(0, 10_000), st.sampled_from([2, 5, 1000]))
@settings(max_examples=60, deadline=None)
def test_average_precision_is_that_of_scikit_learn(clips, seed, distinct):
    sklearn = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(seed)
    true, score = draw.random(clips) > 0.6, draw.integers(0, distinct, clips) / distinct
    true[0] = True
    ours = average_precision(torch.from_numpy(true)[:, None], torch.from_numpy(score)[:, None])
    assert ours[0] == pytest.approx(sklearn.average_precision_score(true, score), abs=1e-12)


def test_average_precision_by_hand():
    true = torch.tensor([[1, 0], [0, 0], [1, 0]], dtype=torch.bool)
    scores = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    ours = average_precision(true, scores)
    assert ours[0] == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert np.isnan(ours[1])


def test_shapes_must_agree():
    with pytest.raises(
        (WsedError, TypeError), match=r"one shape|predicted"
    ):  # TypeError: where annotations are checked
        tag_counts(torch.zeros(2, 3, dtype=torch.bool), torch.zeros(3, 2, dtype=torch.bool))
