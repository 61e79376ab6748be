"""Penalties on pairs of curves against a slow reference, and their invariances."""

import math
from itertools import accumulate

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed import testing
from wsed.losses import functional as F
from wsed.losses.cosine_penalty import CosinePenalty
from wsed.losses.kl_penalty import KLPenalty

PENALTIES = [F.cosine_penalty, F.kl_penalty]


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("name", ["zero_positive_column", "single_positive"])
def test_degenerate_curves_cost_nothing_and_keep_gradients_finite(golden, name, penalty):
    values = golden("cosine_loss")[name]
    p = torch.tensor(values["p"], requires_grad=True)
    loss = penalty(p, torch.tensor(values["y"]))
    loss.backward()
    assert loss.item() == pytest.approx(np.mean(values["expected_penalty"]), abs=1e-7)
    assert torch.isfinite(p.grad).all()
    assert p.grad.abs().max() < 10


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("tagged", [None, [[False] * 3] * 2])
def test_without_pairs_the_penalty_is_a_zero_with_a_graph(penalty, tagged):
    p, y = torch.rand(2, 6, 3, requires_grad=True), torch.zeros(2, 3)
    if tagged is not None:
        y, tagged = y + 1, torch.tensor(tagged)
    loss = penalty(p, y, None, tagged)
    loss.backward()
    assert loss.item() == 0
    assert p.grad.abs().max() == 0
    assert penalty(p[:0], y[:0]).item() == 0


@pytest.mark.parametrize("penalty", [CosinePenalty, KLPenalty])
def test_scores_of_exactly_zero_and_one_keep_gradients_finite(penalty):
    of = testing.batch()
    output = testing.output(of)
    extreme = 200 * output.frame_logits.detach().sign()
    extreme[0] = -200.0
    output = output.merge(type(output)(frame_logits=extreme.requires_grad_()))
    loss = penalty()(output, of)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(extreme.grad).all()


def slow_cosine(u, v):
    dot = sum(i * j for i, j in zip(u, v, strict=True))
    return max(0.0, dot / (math.sqrt(sum(i * i for i in u)) * math.sqrt(sum(j * j for j in v))))


def slow_kl(u, v):
    q, r = [i / sum(u) for i in u], [j / sum(v) for j in v]
    forth = sum(i * math.log(i / j) for i, j in zip(q, r, strict=True))
    back = sum(j * math.log(j / i) for i, j in zip(q, r, strict=True))
    return math.exp(-(forth + back) / 2)


def slow_penalty(similarity, p, y):
    clips, _frames, labels = p.shape
    total = 0.0
    for b in range(clips):
        for c in range(labels):
            for other in range(labels):
                if other != c and y[b, c] and y[b, other]:
                    alike = similarity(p[b, :, c].tolist(), p[b, :, other].tolist())
                    total += y[b, c].item() * y[b, other].item() * alike
    return total / (clips * labels)


@settings(max_examples=60, deadline=None)
@given(st.booleans(), st.integers(1, 4), st.integers(1, 9), st.integers(1, 5), st.integers(0, 10**6), st.booleans())
def test_penalty_equals_a_loop_over_pairs(kl, clips, frames, labels, seed, soft):
    rng = torch.Generator().manual_seed(seed)
    p = torch.rand(clips, frames, labels, generator=rng, dtype=torch.float64) * 0.98 + 0.01
    y = (torch.rand(clips, labels, generator=rng) > 0.5).double()
    if soft:
        y = y * torch.rand(clips, labels, generator=rng, dtype=torch.float64)
    penalty, similarity = (F.kl_penalty, slow_kl) if kl else (F.cosine_penalty, slow_cosine)
    expected = slow_penalty(similarity, p, y)
    assert penalty(p, y).item() == pytest.approx(expected, abs=1e-9)
    assert penalty(p.float(), y.float()).item() == pytest.approx(expected, abs=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.booleans(), st.integers(2, 9), st.integers(0, 10**6))
def test_the_gradient_is_that_of_finite_differences(kl, frames, seed):
    rng = torch.Generator().manual_seed(seed)
    p = (torch.rand(2, frames, 3, generator=rng, dtype=torch.float64) * 0.9 + 0.05).requires_grad_()
    y = torch.tensor([[1.0, 1, 0], [1, 1, 1]], dtype=torch.float64)
    penalty = F.kl_penalty if kl else F.cosine_penalty
    assert torch.autograd.gradcheck(lambda scores: penalty(scores, y), p)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_penalty_ignores_scale_and_order_of_frames(penalty):
    p = torch.rand(2, 7, 3, dtype=torch.float64)
    y = torch.ones(2, 3, dtype=torch.float64)
    assert penalty(0.3 * p, y).item() == pytest.approx(penalty(p, y).item())
    assert penalty(p.flip(1), y).item() == pytest.approx(penalty(p, y).item())
    assert penalty(p.flip(2), y).item() == pytest.approx(penalty(p, y).item())


@pytest.mark.parametrize("penalty", PENALTIES)
def test_equal_curves_cost_most_and_disjoint_ones_little(penalty):
    curve = torch.tensor([0.9, 0.9, 1e-6, 1e-6])
    y = torch.ones(1, 2)
    assert penalty(torch.stack([curve, 0.5 * curve], 1)[None], y).item() == pytest.approx(1.0, abs=1e-5)
    assert penalty(torch.stack([curve, curve.flip(0)], 1)[None], y).item() < 1e-3


@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_gradient_step_lowers_the_similarity(penalty):
    p = torch.rand(1, 20, 2, dtype=torch.float64) * 0.9 + 0.05
    p.requires_grad_()
    y = torch.ones(1, 2, dtype=torch.float64)
    before = penalty(p, y)
    before.backward()
    assert penalty((p - 0.01 * p.grad).clamp(0, 1), y) < before


@pytest.mark.parametrize("penalty", PENALTIES)
def test_autocast_to_bfloat16_changes_nothing(penalty):
    p, y = torch.rand(3, 50, 4), torch.ones(3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        inside = penalty(p, y)
    assert inside.item() == pytest.approx(penalty(p, y).item(), abs=1e-7)
    assert penalty(p.bfloat16(), y).item() == pytest.approx(penalty(p.bfloat16().float(), y).item(), abs=1e-7)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_with_many_classes_only_the_tagged_curves_are_kept(penalty):
    clips, frames, labels = 8, 100, 407
    p = torch.rand(clips, frames, labels).requires_grad_()
    y = torch.zeros(clips, labels)
    y[:, :5] = 1.0
    storages = {}

    def keep(tensor):
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = penalty(p, y, torch.ones(clips, frames, dtype=torch.bool))
    storages.pop(p.untyped_storage().data_ptr(), None)
    assert sum(storages.values()) < 0.1 * p.untyped_storage().nbytes()
    loss.backward()
    assert p.grad[..., 5:].abs().max() == 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("penalty", PENALTIES)
def test_the_backward_holds_little_beside_the_gradient(penalty, dtype):
    p = torch.rand(8, 100, 407).to(dtype).requires_grad_()
    y = torch.zeros(8, 407)
    y[:, :5] = 1.0
    loss = penalty(p, y)
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        loss.backward()
    sizes = [e.nbytes() for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    assert max(accumulate(sizes)) < 1.2 * p.nbytes


def test_padding_and_untagged_clips_do_not_count():
    p, y = torch.rand(2, 6, 3), torch.tensor([[1.0, 1, 0], [1, 0, 1]])
    longer = torch.cat([p, torch.rand(2, 4, 3)], dim=1)
    valid = torch.arange(10).expand(2, 10) < 6
    for loss in (F.mil, F.mmm, F.false_strong, *PENALTIES):
        torch.testing.assert_close(loss(longer, y, valid), loss(p, y))
        tagged = torch.tensor([[True] * 3, [False] * 3])
        torch.testing.assert_close(loss(p, y, None, tagged), loss(p[:1], y[:1]))
