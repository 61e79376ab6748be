"""Functional losses in half precision, with arguments of the wrong shape, and within `torch.vmap`."""

from functools import partial

import pytest
import torch
from jaxtyping import TypeCheckError
from torch.func import vmap

from wsed.errors import WsedError
from wsed.losses import functional as F
from wsed.losses.bce import bce

ATTENTION = torch.full((2, 4, 3), 0.25)
FRAME_LOSSES = {
    "mil": F.mil,
    "mmm": F.mmm,
    "false_strong": F.false_strong,
    "plat": lambda scores, tags, *known: F.plat(scores, ATTENTION * 4, tags, *known),
    "micro": lambda scores, tags, *known: F.micro(scores, ATTENTION, tags, *known),
    "cosine_penalty": F.cosine_penalty,
    "kl_penalty": F.kl_penalty,
}
TAGS = torch.tensor([[1.0, 0, 1], [1, 1, 0]])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", [*FRAME_LOSSES, "clip_bce", "frame_bce"])
def test_scores_of_0_and_1_in_half_precision_give_what_float32_gives(name, dtype):
    torch.manual_seed(0)
    scores = torch.rand(2, 4, 3).to(dtype)
    scores[0, 0], scores[1, 1] = 1.0, 0.0
    results = []
    for values in (scores.clone().requires_grad_(), scores.float().requires_grad_()):
        if name == "clip_bce":
            loss = F.clip_bce(values[:, 0], TAGS)
        elif name == "frame_bce":
            loss = F.frame_bce(values, TAGS[:, None].expand(-1, 4, -1))
        else:
            loss = FRAME_LOSSES[name](values, TAGS)
        assert loss.dtype == torch.float32
        loss.backward()
        assert torch.isfinite(values.grad).all()
        results.append(loss)
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-5)
    assert torch.isfinite(results[0])


def test_the_cross_entropy_of_a_score_of_1_in_bfloat16():
    one = torch.ones(2, dtype=torch.bfloat16)
    values = bce(torch.tensor([1.0, 0.0]), one)
    torch.testing.assert_close(values, torch.tensor([1.1920929e-07, 15.942385]))


WRONG = {
    "tags of 1 clip": (torch.ones(1, 3), None, None),
    "1 label": (torch.ones(2, 1), None, None),
    "tags [label]": (torch.ones(3), None, None),
    "valid of 1 clip": (TAGS, torch.ones(1, 4, dtype=torch.bool), None),
    "tagged per clip": (TAGS, None, torch.ones(2, dtype=torch.bool)),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", FRAME_LOSSES)
def test_shapes_that_do_not_fit_are_refused_not_broadcast(name, wrong):
    with pytest.raises((WsedError, TypeCheckError)):
        FRAME_LOSSES[name](torch.rand(2, 4, 3), *WRONG[wrong])


def test_the_message_names_the_shape_that_is_asked():
    with pytest.raises(WsedError, match=r"mil: tags must be \[clip label\], here \(2, 3\), not \(3,\)"):
        F.mil(torch.rand(2, 4, 3), torch.ones(3))
    with pytest.raises(WsedError, match=r"clip_bce: known tags must be \[clip label\]"):
        F.clip_bce(torch.rand(2, 3), TAGS, torch.ones(2, dtype=torch.bool))
    with pytest.raises(WsedError, match=r"scores must be floating-point probabilities.*not int64"):
        F.clip_bce(torch.ones(2, 3, dtype=torch.long), TAGS)
    with pytest.raises(WsedError, match="frame_bce: frame scores and frame labels"):
        F.frame_bce(torch.rand(2, 4, 3), torch.rand(2, 1, 3))


def test_an_unknown_reduction_is_refused():
    with pytest.raises(WsedError, match=r"unknown reduction 'Sum' \(did you mean sum"):
        F.clip_bce(torch.rand(2, 3), TAGS, reduction="Sum")


@pytest.mark.parametrize("loss", [F.mil, F.cosine_penalty, F.kl_penalty, partial(F.mil, pooling="mean")])
def test_per_clip_values_by_vmap(loss):
    scores = torch.rand(2, 4, 3)
    found = vmap(lambda s, y: loss(s[None], y[None]))(scores, TAGS)
    expected = torch.stack([loss(scores[i : i + 1], TAGS[i : i + 1]) for i in range(2)])
    torch.testing.assert_close(found, expected)
