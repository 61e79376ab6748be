"""The losses of Chou, Jang & Yang 2018 (M&mnet) against golden values and a slow reference."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed import Output, testing
from wsed.losses import functional as F
from wsed.losses.bce import ClipBCE
from wsed.losses.class_weights import ClassWeights
from wsed.losses.micro import Micro
from wsed.losses.plat import PLAT
from wsed.models.heads.micro import summed_attention
from wsed.ops.pooling import attention_pool, mean_pool


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def case(golden):
    """The one clip of the golden values: values, `v [clip frame aspect]`, `d`, macro scores, tags."""
    values = golden("mmnet_loss")
    inputs = values["inputs"]
    v, det, cls, y = (tensor(inputs[name])[None] for name in ("v", "det_logits", "cls_logits", "y"))
    return values, v.requires_grad_(), det.requires_grad_(), torch.sigmoid(cls), y


def attention(v, norm="sum", n_labels=2):
    return summed_attention(v, torch.ones(v.shape[:2], dtype=torch.bool), norm).expand(-1, -1, n_labels)


def near(value, expected):
    assert value.item() == pytest.approx(expected, abs=1e-9)


def test_golden_attention(case):
    values, v, *_ = case
    a = attention(v)[0, :, 0]
    torch.testing.assert_close(a, tensor(values["a_sum"]), atol=1e-9, rtol=0)
    near(a.sum(), values["a_sum_total"])
    torch.testing.assert_close(attention(v, "mean")[0, :, 0], tensor(values["a_mean"]), atol=1e-9, rtol=0)
    single = attention(v.float())[0, :, 0].double()
    torch.testing.assert_close(single, tensor(values["a_sum"]), atol=1e-6, rtol=0)


def test_golden_losses_of_the_code(case):
    values, v, det, _, y = case
    expected = values["code_variant"]
    w = tensor(values["inputs"]["class_weights"])
    weights = (w, torch.ones_like(w))
    ensemble = tensor([values["clip_prediction"]["ensemble_logit_mean_code"]]).sigmoid()
    macro = F.clip_bce(ensemble, y, weights=weights)
    micro = F.micro(det.sigmoid(), attention(v), y, weights=weights)
    near(macro, expected["macro"])
    near(micro, expected["micro"])
    near(macro + micro, expected["total"])


def test_the_maps_of_several_scales_add_up(golden):
    values = golden("mmnet_ms")
    y = tensor(values["inputs"]["y"])[None]
    outputs = maps_of(values)
    of = replace(testing.batch(1, 2), clip_labels=y.float())
    single = [Micro()(output, of).item() for output in outputs]
    assert Micro()(replace(outputs[0], levels=(outputs[1],)), of).item() == pytest.approx(sum(single), abs=1e-6)


def maps_of(values):
    """The outputs of two scales of the golden values."""
    outputs = []
    for n in (1, 2):
        scale = values["inputs"][f"scale{n}"]
        v, det = tensor(scale["v"])[None], tensor(scale["det_logits"])[None]
        outputs.append(Output(frame_logits=det.float(), attention=attention(v).float()))
    return outputs


def test_golden_baselines_are_losses_there_were(golden, case):
    values = golden("mmnet_baselines")
    _, v, det, _, y = case
    d = det.sigmoid()
    wlat = values["WLAT"]
    torch.testing.assert_close(mean_pool(d)[0], tensor(wlat["clip_prob_mean_over_segments"]), atol=1e-9, rtol=0)
    near(2 * F.mil(d, y, pooling="mean"), wlat["loss"])
    near(2 * F.clip_bce(mean_pool(d), y), wlat["loss"])
    near(2 * F.false_strong(d, y), values["SLAT"]["loss_mean_over_segments"])
    near(2 * 5 * F.false_strong(d, y), values["SLAT"]["loss_sum_over_segments"])
    for name, aspects in (("ATT_single_distribution", v[..., :1]), ("ATT_multi_head_mean", v)):
        expected, a = values[name], attention(aspects)
        torch.testing.assert_close((a / a.sum(1))[0, :, 0], tensor(expected["weights"]), atol=1e-9, rtol=0)
        torch.testing.assert_close(attention_pool(d, attention=a)[0], tensor(expected["clip_prob"]), atol=1e-9, rtol=0)
        near(2 * F.mil(d, y, pooling="attention", attention=a), expected["loss"])


def slow(d, a, y, valid, tagged, weights, attend="positives", reduction="mean"):
    """Frame by frame; `attend` all and `reduction` sum as the paper writes it."""
    costs, clips = [], []
    for i in range(len(d)):
        if not tagged[i].any():
            continue
        own = []
        for t, c in [(t, c) for t in range(d.shape[1]) for c in range(d.shape[2]) if valid[i, t] and tagged[i, c]]:
            p, w = d[i, t, c].item(), a[i, t, c].item()
            positive = weights[0][c].item() * w * y[i, c].item() * -math.log(p)
            negative = weights[1][c].item() * (w if attend == "all" else 1) * (1 - y[i, c].item()) * -math.log(1 - p)
            own.append(positive + negative)
        costs += own
        clips.append(sum(own))
    some = costs if reduction == "mean" else clips
    return sum(some) / len(some) if some else 0.0


SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 3))


def is_the_slow_reference(function, seed, shape, **reading):
    draw = torch.Generator().manual_seed(seed)
    random = partial(torch.rand, generator=draw, dtype=torch.float64)
    clips, frames, labels = shape
    d, a, y = 0.98 * random(shape) + 0.01, random(shape), random(clips, labels).round()
    valid, tagged = random(clips, frames) > 0.3, random(clips, labels) > 0.3
    weights = (random(labels), random(labels))
    near(function(d, a, y, valid, tagged, weights=weights), slow(d, a, y, valid, tagged, weights, **reading))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**20), SHAPES)
def test_micro_is_the_slow_reference(seed, shape):
    is_the_slow_reference(F.micro, seed, shape)


def does_not_count_padding(loss):
    d, a, y = torch.rand(2, 6, 3), torch.rand(2, 6, 3), torch.tensor([[1.0, 1, 0], [1, 0, 1]])
    longer, further = (torch.cat([x, torch.rand(2, 4, 3)], dim=1) for x in (d, a))
    valid, tagged = torch.arange(10).expand(2, 10) < 6, torch.tensor([[True] * 3, [False] * 3])
    torch.testing.assert_close(loss(longer, further, y, valid), loss(d, a, y))
    torch.testing.assert_close(loss(d, a, y, None, tagged), loss(d[:1], a[:1], y[:1]))


@pytest.mark.parametrize("loss", [F.micro, F.plat])
def test_padding_and_untagged_clips_do_not_count(loss):
    does_not_count_padding(loss)


@pytest.mark.parametrize(
    "loss",
    [
        Micro(ClassWeights([3.0, 1.0, 2.0])),
        PLAT(0.3, ClassWeights([3.0, 1.0, 2.0])),
        ClipBCE(ClassWeights([3.0, 1.0, 2.0])),
        ClipBCE(reduction="sum"),
    ],
)
def test_contract(loss):
    testing.check_loss(loss)
