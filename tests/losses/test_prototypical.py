"""The prototypical loss of Turpault et al. 2020 against golden values and slow loops."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed import testing
from wsed.losses import functional as F
from wsed.losses.prototypical import Prototypical, prototype_logits
from wsed.ops.mine import Episode, episode


def doubles(values):
    return torch.tensor(values, dtype=torch.float64)


def one_tag(clips=24, labels=4, dim=5, seed=0):
    draw = torch.Generator().manual_seed(seed)
    label = torch.randint(labels, (clips,), generator=draw)
    return torch.randn(clips, dim, generator=draw, dtype=torch.float64), label, torch.eye(labels)[label]


def golden_episode(values):
    k, shot = len(values["inputs"]["support"]), len(values["inputs"]["support"][0])
    points = [doubles(values["inputs"][name]).flatten(0, 1) for name in ("support", "query")]
    tags = torch.eye(k)[[*torch.arange(k).repeat_interleave(shot).tolist(), *values["inputs"]["query_labels"]]] > 0
    is_query = (torch.arange(len(tags)) >= k * shot)[:, None]
    return torch.cat(points), Episode(tags & ~is_query, tags & is_query)


def test_golden_prototypes(golden):
    values = golden("waa_proto")
    points, of = golden_episode(values)
    queries = of.query.any(1)
    centres = torch.stack([points[of.support[:, c]].mean(0) for c in range(3)])
    torch.testing.assert_close(centres, doubles(values["prototypes"]), atol=1e-9, rtol=0)
    logits = prototype_logits(points, of.support)[queries]
    torch.testing.assert_close(logits, doubles(values["logits_neg_squared_l2"]), atol=1e-9, rtol=0)
    labels = torch.tensor(values["inputs"]["query_labels"])
    assert (logits.argmax(1) == labels).double().mean().item() == pytest.approx(values["accuracy"])
    assert F.prototypical(points, of).item() == pytest.approx(values["loss_mean"], abs=1e-9)
    assert F.prototypical(points, of, distance="euclidean").item() == pytest.approx(values["loss_if_neg_l2"], abs=1e-9)
    wrong = torch.nn.functional.cross_entropy(-logits, labels)
    assert wrong.item() == pytest.approx(values["loss_if_sign_forgotten"], abs=1e-9)


def test_cosine_prototypes_are_those_of_torch(golden):
    points, of = golden_episode(golden("waa_proto"))
    prototypes = torch.stack([points[of.support[:, c]].mean(0) for c in range(3)])
    expected = torch.cosine_similarity(points[:, None], prototypes, dim=2) - 1
    torch.testing.assert_close(prototype_logits(points, of.support, distance="cosine"), expected)


def slow_prototypical(points, of):
    classes = of.support.any(0).nonzero().flatten().tolist()
    prototypes = {c: points[of.support[:, c]].mean(0) for c in classes}
    costs = []
    for i in of.query.any(1).nonzero().flatten().tolist():
        worth = {c: math.exp(-float((points[i] - p).square().sum())) for c, p in prototypes.items()}
        mine = of.query[i].nonzero().flatten().tolist()
        costs.append(sum(-math.log(worth[c] / sum(worth.values())) for c in mine) / len(mine))
    return sum(costs) / max(1, len(costs))


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 2), st.sampled_from([1, None]), st.integers(0, 10**6))
def test_prototypical_equals_a_loop(clips, labels, shot, query, seed):
    draw = torch.Generator().manual_seed(seed)
    points = torch.randn(clips, 3, generator=draw, dtype=torch.float64)
    tags = (torch.rand(clips, labels, generator=draw) > 0.5).float()
    of = episode(tags, None, shot, query, generator=draw)
    assert F.prototypical(points, of).item() == pytest.approx(slow_prototypical(points, of), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("distance", ["sqeuclidean", "euclidean", "cosine"])
def test_the_gradient_of_prototypical_is_that_of_finite_differences(distance):
    points, _, _ = one_tag(8, 3)
    tags = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [0, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    of = episode(tags, order=torch.arange(8))
    loss = partial(F.prototypical, drawn=of, distance=distance)
    assert torch.autograd.gradcheck(loss, points.requires_grad_())
    value = loss(points)
    value.backward()
    assert loss(points - 0.05 * points.grad) < value


def test_prototypical_ignores_where_the_embeddings_lie():
    points, _, tags = one_tag()
    of = episode(tags, generator=torch.Generator().manual_seed(0))
    turned = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))[0]
    torch.testing.assert_close(F.prototypical(points @ turned + 7, of), F.prototypical(points, of))


@pytest.mark.parametrize("options", [{"distance": "cosine"}, {"shot": 2, "query": None}, {"distance": "euclidean"}])
def test_options_of_prototypical_keep_the_contract(options):
    testing.check_loss(Prototypical(**options))
