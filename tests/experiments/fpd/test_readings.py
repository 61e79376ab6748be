"""Readings of the frame pairwise distance loss: golden values, and the checks that the core's loss goes through."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.fpd.readings import METRIC_OF, OPTIONS, LearnedMarginFPD, ReadingFPD, euclidean, fpd, margin_costs
from tests.losses import test_fpd as core
from wsed import WsedError, testing
from wsed.losses.fpd import FPD

case = core.case
FORMULAS = [{"mode": mode} for mode in OPTIONS["mode"]]
FORMULAS += [{"metric": "ip", "sign": sign, "norm_on": on} for sign in OPTIONS["sign"] for on in OPTIONS["norm_on"]]


def test_golden_distances(case):
    values, embeddings, _ = case
    for row, (i, j) in enumerate(values["clip_pairs"]):
        for t in range(2):
            pair, same = embeddings[[i, j], t : t + 1], torch.ones(2, 1, 1)
            expected = values["euclidean_d"][row][t]
            assert fpd(pair, same, mode="raw").item() == pytest.approx(expected**2, abs=1e-9)
            expected = values["similarity_1_over_1_plus_d"][row][t]
            assert fpd(pair, same, mode="literal").item() == pytest.approx(expected**2, abs=1e-9)
            found = fpd(pair, same, metric="ip", norm_on="none", alpha=1.0)
            assert found.item() == pytest.approx(1 - values["cosine"][row][t], abs=1e-9)


def test_golden_sums(case):
    values, embeddings, labels = case
    assert values["inputs"]["alpha"] == 0.1
    expected = [({"mode": mode}, values["euclidean_sum"][mode]) for mode in OPTIONS["mode"]]
    names = {("literal", "all"): "literal_norm_all", ("literal", "positive"): "literal_norm_positive"}
    names |= {("corrected", on): f"corrected_norm_{on}" for on in ("positive", "all")}
    names[("corrected", "none")] = "corrected_no_norm"
    for (sign, on), name in names.items():
        expected.append(({"metric": "ip", "sign": sign, "norm_on": on}, values["ip_sum"][name]))
    for options, value in expected:
        assert fpd(embeddings, labels, **core.SUM, **options).item() == pytest.approx(value, abs=1e-9), options
        single = fpd(embeddings.float(), labels, **core.SUM, **options)
        assert single.dtype == torch.float32
        assert single.item() == pytest.approx(value, abs=2e-6)  # two units in the last place of 15.8


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(FORMULAS), core.CASES)
def test_loss_and_gradient_equal_a_loop_over_pairs(options, values):
    core.equals_a_loop(fpd, options, *values)


@pytest.mark.parametrize("options", FORMULAS, ids=str)
def test_what_holds_of_the_core_holds_of_each_reading(options):
    core.has_the_gradient_of_finite_differences(fpd, options)
    core.does_not_look_at_frames_that_are_not_valid(fpd, options)
    for value in (0.0, 1.5):
        core.keeps_the_gradient_of_identical_frames_finite(fpd, options, value)


def test_near_frames_far_from_the_origin_are_told_apart():
    core.tells_near_frames_apart(fpd, {"mode": "raw"})


@pytest.mark.parametrize(
    "costs", [euclidean("literal", 0.1), margin_costs("euclidean", torch.tensor(0.1))], ids=["literal", "margin"]
)
def test_costs_of_distances_depend_on_differences_alone(costs):
    assert costs.of_differences
    one, other, shift = torch.tensor([100.0, 1.0]), torch.tensor([100.0, 4.0]), torch.tensor([100.0, 0.0])

    def products(a, b):
        return a @ b, a @ a, b @ b

    for cost in (costs.positive, costs.negative):
        assert cost(*products(one, other)).item() == pytest.approx(cost(*products(one - shift, other - shift)).item())


@pytest.mark.parametrize("options", FORMULAS, ids=str)
@pytest.mark.parametrize("same", [True, False])
def test_a_gradient_step_moves_pairs_the_way_it_should(options, same):
    if options.get("norm_on") == "all" and not same:
        pytest.skip("the hinge and the norm pull against each other")
    before, after = core.step(fpd, options, same)
    if options == {"mode": "literal"} and not same:
        assert after == before  # its hinge lets near frames be: see the next test
    else:
        assert (after < before) == (same != ("literal" in options.values()))


def test_literal_drives_far_negatives_together():
    embeddings = torch.tensor([[[0.0]], [[20.0]]], dtype=torch.float64, requires_grad=True)
    fpd(embeddings, torch.eye(2)[:, None], mode="literal").backward()
    assert embeddings.grad[0].item() < 0 < embeddings.grad[1].item()


def test_similarity_is_distance_of_the_other_margin():
    rng = torch.Generator().manual_seed(0)
    embeddings, labels = torch.randn(5, 7, 3, generator=rng), (torch.rand(5, 7, 3, generator=rng) > 0.6).float()
    one = fpd(embeddings, labels, alpha=0.3)
    assert one.item() == pytest.approx(fpd(embeddings, labels, mode="distance", alpha=0.7).item(), abs=1e-7)


def test_the_first_reading_never_pushes_anything_apart():
    """`distance` with the margin 0.1, under which the paper was first judged here: from 0.111 on there is no push."""
    far = torch.tensor([[[0.0]], [[0.2]]], dtype=torch.float64, requires_grad=True)
    loss = fpd(far, torch.eye(2)[:, None], mode="distance")
    loss.backward()
    assert loss.item() == 0
    assert far.grad.abs().max() == 0
    assert fpd(far, torch.eye(2)[:, None]) > 0


@pytest.mark.parametrize("metric", ["euclidean", "ip"])
def test_a_learned_margin_moves_to_the_middle_of_the_similarities(metric):
    of = replace(testing.batch(3), clip_labels=torch.eye(3)[[0, 0, 1]], timed=torch.zeros(3, 3, dtype=torch.bool))
    output = testing.output(of)
    points = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])[:, None].expand(-1, 12, -1)  # sqrt(2) apart
    logits = 20 * of.clip_labels[:, None].expand(-1, 12, -1) - 10
    valid = torch.ones(3, 12, dtype=torch.bool)
    output = replace(output, embeddings=points.clone().requires_grad_(), frame_logits=logits, valid=valid)
    loss = LearnedMarginFPD(metric, alpha=0.1, wps_start_epoch=0, momentum=0.5)
    middle = {"euclidean": (1 + 1 / (1 + 2**0.5)) / 2, "ip": 0.5}[metric]
    loss(output, of)
    assert loss.margin.item() == pytest.approx((0.1 + middle) / 2, abs=1e-6)
    moved = loss.margin.item()
    loss.eval()
    assert loss(output, of).item() == pytest.approx(max(2 * middle - 1 - moved, 0) * 2 / 3, abs=1e-6)
    assert loss.margin.item() == moved
    loss.train()(testing.output(of), replace(of, tagged=torch.zeros(3, 3, dtype=torch.bool)))
    assert loss.margin.item() == moved  # no pairs: nothing to learn from


def test_the_defaults_are_those_of_the_core():
    of = testing.batch(6)
    output = testing.output(of)
    for metric in ("euclidean", "ip"):
        options = {"silence": "background", "wps_start_epoch": 0}
        assert ReadingFPD(metric, **options)(output, of) == FPD(metric, **options)(output, of)


@pytest.mark.parametrize("reduction", OPTIONS["reduction"])
@pytest.mark.parametrize("options", [{"mode": "literal"}, {"metric": "ip", "sign": "literal"}], ids=str)
def test_contract(options, reduction):
    testing.check_loss(ReadingFPD(**options, reduction=reduction, wps_start_epoch=0, level="clip_and_frame"))


@pytest.mark.parametrize("option", OPTIONS)
def test_an_unknown_name_is_answered_with_the_known_ones(option):
    known = OPTIONS[option]
    with pytest.raises(WsedError, match=rf"unknown {option} '{known[1]}x' .*{known[1]}.*known: {', '.join(known)}"):
        ReadingFPD(**{option: f"{known[1]}x"})


def test_options_that_contradict_each_other_are_refused():
    for option, owner in METRIC_OF.items():
        metric = {"ip": "euclidean", "euclidean": "ip"}[owner]
        with pytest.raises(WsedError, match=f"{option} belongs to metric {owner}"):
            ReadingFPD(metric, **{option: OPTIONS[option][1]})
    with pytest.raises(WsedError, match="wps_low"):
        ReadingFPD(wps_low=0.6)
