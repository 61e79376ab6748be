import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.errors import WsedError
from wsed.ops import pooling as P


def test_attention_pooling_golden(golden):
    values = golden("attention_pooling")
    scores = torch.tensor(values["strong_sigmoid"], dtype=torch.float64)
    for kind in ("softmax_over_class", "softmax_over_time"):
        attention = torch.tensor(values[kind]["att"], dtype=torch.float64)
        expected = torch.tensor(values[kind]["clip"], dtype=torch.float64)
        torch.testing.assert_close(P.attention_pool(scores, attention=attention), expected, atol=1e-9, rtol=0)


def slow(name, curve, attention, alpha):
    import math

    weights = {
        "mean": [1.0] * len(curve),
        "linear_softmax": curve,
        "exp_softmax": [math.exp(p) for p in curve],
        "auto": [math.exp(alpha * p) for p in curve],
        "attention": attention,
    }
    if name == "max":
        return max(curve)
    if name == "noisy_or":
        return 1 - math.prod(1 - p for p in curve)
    return sum(w * p for w, p in zip(weights[name], curve, strict=True)) / sum(weights[name])


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(P.POOLINGS)), st.integers(1, 9), st.integers(0, 10**6), st.floats(0, 20))
def test_poolings_equal_their_formula_and_ignore_padding(name, frames, seed, alpha):
    rng = torch.Generator().manual_seed(seed)
    scores = torch.rand(2, frames + 3, 2, generator=rng, dtype=torch.float64) * 0.98 + 0.01
    attention = torch.rand(2, frames + 3, 2, generator=rng, dtype=torch.float64) + 0.01
    valid = (torch.arange(frames + 3) < frames).expand(2, -1)
    arguments = {"attention": {"attention": attention}, "auto": {"alpha": alpha}}.get(name, {})
    pooled = P.POOLINGS[name](scores, valid, **arguments)
    for clip in range(2):
        for label in range(2):
            curve, weights = scores[clip, :frames, label].tolist(), attention[clip, :frames, label].tolist()
            assert pooled[clip, label].item() == pytest.approx(slow(name, curve, weights, alpha), abs=1e-6)


def test_auto_pooling_lies_between_mean_and_max():
    scores = torch.rand(2, 9, 3)
    torch.testing.assert_close(P.auto_pool(scores, alpha=0.0), P.mean_pool(scores))
    torch.testing.assert_close(P.auto_pool(scores, alpha=1e4), P.max_pool(scores))


def test_the_gradient_of_max_reaches_one_frame():
    scores = torch.tensor([[[0.2], [0.9], [0.9]]], requires_grad=True)
    P.max_pool(scores).sum().backward()
    assert scores.grad.flatten().tolist() == [0.0, 1.0, 0.0]


def test_pool_gives_logits_that_survive_extremes():
    logits = torch.tensor([[[200.0, -200.0]]], dtype=torch.bfloat16)
    pooled = P.pool(logits, "max")
    assert pooled.dtype == torch.float32
    assert torch.isfinite(pooled).all()


def test_an_unknown_pooling_lists_the_names():
    with pytest.raises(WsedError, match="linear_softmax"):
        P.pool(torch.zeros(1, 2, 3), "maximum")
