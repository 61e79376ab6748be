"""M&mnet as printed, and the code's class weights: golden values, and the checks that the core's parts go through."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import wsed
from experiments.mmnet.readings import (
    CodeClassWeights,
    FirstReleaseMMNet,
    PrintedMicro,
    PrintedMMNet,
    class_weights,
    ensemble_prediction,
    micro,
    pooled_frames,
)
from tests.losses import test_micro as losses
from tests.models import test_mmnet as networks
from wsed import WsedError, testing
from wsed.checkpoint import Checkpoint, facts_of
from wsed.losses import functional as F
from wsed.losses.bce import ClipBCE
from wsed.losses.micro import Micro
from wsed.models.mmnet import pooled_frames as core_pooled_frames

case, golden_case = losses.case, networks.golden_case
near, tensor = losses.near, losses.tensor


def test_golden_losses(case):
    values, v, det, cls, y = case
    macro, of_frames = F.clip_bce(cls, y, reduction="sum"), micro(det.sigmoid(), losses.attention(v), y)
    near(macro, values["L_macro"])
    near(of_frames, values["L_micro_literal"])
    near(macro + of_frames, values["L_total_lambda1"])
    near(micro(det.sigmoid(), losses.attention(v, "mean"), y), values["L_micro_a_normalised"])
    for t, expected in enumerate(values["xi_per_segment_sum_over_classes"]):
        near(micro(det[:, t : t + 1].sigmoid(), torch.ones(1, 1, 2, dtype=torch.float64), y), expected)


def test_golden_gradients(case):
    values, v, det, _, y = case
    micro(det.sigmoid(), losses.attention(v), y).backward()
    torch.testing.assert_close(v.grad[0], tensor(values["grad_v_attached"]), atol=1e-9, rtol=0)
    torch.testing.assert_close(det.grad[0], tensor(values["grad_det_logits"]), atol=1e-9, rtol=0)
    s = v[0].softmax(0)
    xi = tensor(values["xi_per_segment_sum_over_classes"])[:, None]
    torch.testing.assert_close(v.grad[0], s * (xi - (s * xi).sum(0)), atol=1e-9, rtol=0)
    v.grad = det.grad = None
    micro(det.sigmoid(), losses.attention(v).detach(), y).backward()
    assert v.grad is None  # golden: zeros
    assert not tensor(values["grad_v_detached"]).any()
    torch.testing.assert_close(det.grad[0], tensor(values["grad_det_logits"]), atol=1e-9, rtol=0)


def test_golden_sum_over_scales(golden):
    values = golden("mmnet_ms")
    y = tensor(values["inputs"]["y"])[None]
    for n in (1, 2):
        scale = values["inputs"][f"scale{n}"]
        v, det = tensor(scale["v"])[None], tensor(scale["det_logits"])[None]
        near(micro(det.sigmoid(), losses.attention(v), y), values[f"L_micro_scale{n}"])
    first, second = losses.maps_of(values)
    of = replace(testing.batch(1, 2), clip_labels=y.float())
    both = PrintedMicro()(replace(first, levels=(second,)), of)
    assert both.item() == pytest.approx(values["L_micro_MS"], abs=1e-5)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**20), shape=losses.SHAPES)
def test_micro_is_the_slow_reference(reduction, seed, shape):
    function = partial(micro, reduction=reduction)
    losses.is_the_slow_reference(function, seed, shape, attend="all", reduction=reduction)


def test_padding_and_untagged_clips_do_not_count():
    losses.does_not_count_padding(micro)


@pytest.mark.parametrize("loss", [PrintedMicro(), PrintedMicro("mean", CodeClassWeights([3.0, 1.0, 2.0]))])
def test_the_loss_keeps_the_contract(loss):
    testing.check_loss(loss)


def test_golden_class_weights(golden):
    values = golden("mmnet_class_weights")
    found = class_weights(values["label_counts"])
    torch.testing.assert_close(found, tensor(values["code_formula_label_prior"]), atol=1e-9, rtol=0)
    toy = values["toy"]
    torch.testing.assert_close(class_weights(toy["p"]), tensor(toy["code"]), atol=1e-9, rtol=0)
    with pytest.raises(WsedError, match="class 1 has -1"):
        class_weights([3.0, -1.0, 2.0])


def test_the_codes_class_weights_are_of_present_classes():
    setting = CodeClassWeights([8.0, 1.0, 4.0])
    positive, negative = setting.weights()
    torch.testing.assert_close(positive, class_weights([8.0, 1.0, 4.0]).float())
    assert negative.tolist() == [1.0] * 3
    of = testing.batch(4)
    output = testing.output(of)
    expected = F.clip_bce(output.clip_scores, of.clip_labels, of.tagged, (positive, negative))
    torch.testing.assert_close(ClipBCE(setting)(output, of), expected)
    counted = ClipBCE(CodeClassWeights())
    counted.set_counts([8.0, 1.0, 4.0])
    torch.testing.assert_close(counted(output, of), expected)


def test_golden_pooled_and_ensemble_prediction(golden_case):
    values, det, cls, attention, valid = golden_case
    expected = values["clip_prediction"]
    for norm, name in (("sum", "att_literal"), ("mean", "att_softmax_of_a_mean")):
        of = wsed.Output(frame_logits=det, attention=attention[norm], valid=valid)
        torch.testing.assert_close(pooled_frames(of)[0], tensor(expected[name]), atol=1e-9, rtol=0)
    of = wsed.Output(frame_logits=det, attention=attention["sum"], valid=valid, clip_logits=cls)
    found = ensemble_prediction(of, values["inputs"]["mu"]).sigmoid()
    torch.testing.assert_close(found[0], tensor(expected["ensemble_prob_literal"]), atol=1e-9, rtol=0)


@pytest.mark.parametrize("pyramid", [False, True])
def test_ensemble_prediction_is_for_tests_and_the_attention_learns(pyramid):
    torch.manual_seed(0)
    system, batch = networks.network(partial(networks.SMALL, pyramid=pyramid), kind=PrintedMMNet), testing.batch()
    for training in (False, True):
        system.train(training)
        torch.manual_seed(1)
        output = system(batch)
        of, macro, of_frames, levels = networks.parts(system, batch)
        clip_logits = macro.clip_logits
        if not training:
            clip_logits = ensemble_prediction(replace(of_frames, clip_logits=clip_logits))
        torch.testing.assert_close(output.clip_logits, clip_logits)
        networks.the_subnets_are_in_the_output(output, of_frames, levels, learned=True)
        assert torch.equal(output.valid, of.valid)


@pytest.mark.parametrize("pyramid", [False, True])
def test_every_weight_is_trained(pyramid):
    networks.trains_every_weight(pyramid, PrintedMMNet, PrintedMicro)


@pytest.mark.parametrize("encoder", ["pyramid", "crnn"])
def test_a_clip_does_not_depend_on_the_padding_of_its_neighbours(encoder):
    networks.keeps_padding_out(encoder, PrintedMMNet)


def test_a_clip_without_a_valid_frame_stays_finite():
    networks.stays_finite_without_a_valid_frame(PrintedMMNet, PrintedMicro)


def test_a_few_steps_lower_the_loss():
    networks.lowers_its_loss("crnn", PrintedMMNet, PrintedMicro)


def test_an_unknown_reduction_is_refused():
    with pytest.raises((WsedError, TypeError), match="mean"):
        PrintedMicro("means")


def test_a_checkpoint_names_it_and_takes_the_network_that_is_given(tmp_path):
    system, other = (networks.network(kind=PrintedMMNet) for _ in range(2))
    weights = {f"network.{name}": value for name, value in system.state_dict().items()}
    torch.save({"state_dict": weights, "wsed": facts_of(system, {}, "0.2.0")}, tmp_path / "last.ckpt")
    checkpoint = Checkpoint.open(tmp_path / "last.ckpt")
    with pytest.raises(WsedError, match=r"PrintedMMNet' is not registered with wsed.*pass network="):
        checkpoint.network()
    checkpoint.load_into(other)
    torch.testing.assert_close(other.state_dict(), system.state_dict())


@pytest.mark.parametrize("pyramid", [False, True])
def test_the_first_release_trains_the_attention_by_the_micro_loss_and_ensembles_the_last_map(pyramid):
    torch.manual_seed(0)
    system, batch = networks.network(partial(networks.SMALL, pyramid=pyramid), kind=FirstReleaseMMNet), testing.batch()
    system.eval()
    output = system(batch)
    _, macro, micro_map, levels = networks.parts(system, batch)
    expected = (macro.clip_logits + core_pooled_frames(micro_map)) / 2  # logits, of the last map alone
    torch.testing.assert_close(output.clip_logits, expected)
    networks.the_subnets_are_in_the_output(output, micro_map, levels, learned=True)
    networks.trains_every_weight(pyramid, FirstReleaseMMNet, Micro)
    silent = networks.network(kind=FirstReleaseMMNet, ep=False).eval()
    torch.testing.assert_close(silent(batch).clip_logits, networks.parts(silent, batch)[1].clip_logits)
