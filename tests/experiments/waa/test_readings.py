"""Readings of the triplet loss: golden values, a loop, and the checks that the core's loss goes through."""

from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.waa.readings import ReadingTriplet, ratio, triplet
from tests.losses import test_triplet as core
from wsed import WsedError, testing
from wsed.losses.triplet import distances, hinge
from wsed.losses.triplet import triplet as core_triplet

golden_triplets = core.golden_triplets
OPTIONS = [{"miner": "hard"}, {"miner": "semi_hard"}, {"cost": "ratio"}, {"squared": False}]


def test_golden_ratio(golden_triplets):
    values, clips = golden_triplets
    found = ratio(*core.near_and_far(clips, squared=False))
    torch.testing.assert_close(found, core.doubles(values["ratio_loss"]["per_triplet"]), atol=1e-9, rtol=0)
    assert found.mean().item() == pytest.approx(values["ratio_loss"]["mean"], abs=1e-9)


def test_golden_gradient_through_the_anchor(golden_triplets):
    values, clips = golden_triplets
    d = distances(clips, clips.detach())
    anchor, positive, negative = (torch.tensor(i) for i in core.ONE_EACH)
    hinge(d[anchor, positive], d[anchor, negative], values["inputs"]["margin"]).sum().backward()
    expected = core.doubles(values["grad_sum_squared_anchor_only"]).flatten(0, 1)
    torch.testing.assert_close(clips.grad, expected, atol=1e-9, rtol=0)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["hinge", "ratio"]), core.TRIPLETS)
def test_it_equals_a_loop(cost, case):
    core.equals_a_loop(partial(triplet, cost=cost), *case, ratio=cost == "ratio")


@pytest.mark.parametrize("miner", ["all", "semi_hard", "hard"])
def test_without_a_reading_it_is_the_loss_of_the_core(miner):
    points, _, tags = core.one_tag()
    leaves = [points.clone().requires_grad_() for _ in range(2)]
    values = [f(leaf, tags, miner=miner) for f, leaf in zip((triplet, core_triplet), leaves, strict=True)]
    for value in values:
        value.backward()
    torch.testing.assert_close(*values)
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad)


@pytest.mark.parametrize("miner", ["all", "semi_hard", "hard"])
def test_the_gradient_of_the_ratio_is_that_of_finite_differences(miner):
    points, _, tags = core.one_tag(8, 3)
    for options in ({}, {"squared": False}, {"normalize": "none"}):
        loss = partial(triplet, tags=tags, miner=miner, cost="ratio", **options)
        assert torch.autograd.gradcheck(loss, points.requires_grad_())


def test_only_anchors_get_a_gradient_if_asked():
    points = torch.randn(3, 4, dtype=torch.float64)
    tags = torch.eye(2)[[0, 0, 1]]  # clip 2 is a negative only
    for gradient in ("all", "anchor_only"):
        leaf = points.clone().requires_grad_()
        triplet(leaf, tags, margin=4.0, gradient=gradient).backward()
        assert bool(leaf.grad[2].any()) == (gradient == "all")
        assert leaf.grad[:2].any(1).all()


def test_the_loss_is_the_function_of_the_clip_embedding():
    of, output = core.labelled()
    options = {"cost": "ratio", "squared": False, "normalize": "none"}
    expected = triplet(output.clip_embedding, of.clip_labels, **options)
    torch.testing.assert_close(ReadingTriplet(**options)(output, of), expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert ReadingTriplet(**options)(output, of).item() == pytest.approx(expected.item(), abs=1e-7)


@pytest.mark.parametrize("options", OPTIONS)
def test_readings_keep_the_contract(options):
    testing.check_loss(ReadingTriplet(**options))
    testing.check_loss(ReadingTriplet(normalize="none", gradient="anchor_only", reduction="sum", **options))


def test_unknown_readings_are_refused():
    with pytest.raises((WsedError, TypeError), match="anchor_only"):
        ReadingTriplet(gradient="anchor")
    with pytest.raises((WsedError, TypeError), match="ratio"):
        ReadingTriplet(cost="ratios")
