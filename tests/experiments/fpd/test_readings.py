"""Readings of the frame pairwise distance loss: golden values, and the checks that the core's loss goes through."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.fpd.readings import METRIC_OF, OPTIONS, ReadingFPD, fpd
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
        assert fpd(embeddings, labels, reduction="sum", **options).item() == pytest.approx(value, abs=1e-9), options
        single = fpd(embeddings.float(), labels, reduction="sum", **options)
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
    one = fpd(embeddings, labels, mode="similarity", alpha=0.3)
    assert one.item() == pytest.approx(fpd(embeddings, labels, alpha=0.7).item(), abs=1e-7)


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
