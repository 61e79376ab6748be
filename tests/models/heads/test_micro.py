"""The micro subnet of M&mnet."""

from functools import partial

import lightning.pytorch  # noqa: F401  here: its log handler keeps the stderr it finds, which must not be a test's own
import pytest
import torch

from wsed import WsedError, testing
from wsed.losses import functional as F
from wsed.models.heads.macro import Macro
from wsed.models.heads.micro import Micro, summed_attention
from wsed.models.heads.parts import Parts
from wsed.types import Encoded


def encoded(n_clips=3, n_frames=9, dim=6):
    """Frames of clips of which the last is shorter."""
    valid = torch.ones(n_clips, n_frames, dtype=torch.bool)
    valid[-1, 5:] = False
    return Encoded(torch.randn(n_clips, n_frames, dim), valid)


@pytest.mark.parametrize(
    "build",
    [
        partial(Macro, pooling="max"),
        partial(Macro, activation_map=True),
        partial(Parts, hidden=9),
        partial(Micro, kernel=1, attention_norm="mean"),
        partial(Micro, aspects=0),
        partial(Micro, dense_detector=True, clip_scores=True),
        partial(Micro, dense_detector=True, aspects=0, clip_scores=True),
    ],
)
def test_head_contract(build):
    testing.check_head(build)


@pytest.mark.parametrize("kernel", [1, 3])
def test_micro_is_what_the_paper_writes(kernel):
    torch.manual_seed(0)
    head, given = Micro(6, 3, kernel=kernel), encoded()
    output = head(given)
    for i, n in enumerate((9, 9, 5)):
        x = given.frames[i : i + 1, :n].transpose(1, 2)
        torch.testing.assert_close(output.frame_logits[i, :n], head.det(x)[0].T)
        a = head.att(x)[0].softmax(1).sum(0)
        torch.testing.assert_close(output.attention[i, :n], a[:, None].expand(-1, 3))
        assert not output.attention[i, n:].any()
    torch.testing.assert_close(output.attention.sum(1), torch.full((3, 3), 6.0))
    mean = Micro(6, 3, kernel=kernel, attention_norm="mean")
    mean.load_state_dict(head.state_dict())
    torch.testing.assert_close(mean(given).attention, output.attention / 6)


def test_clip_scores_of_micro_are_those_of_the_baselines():
    torch.manual_seed(0)
    given, tags = encoded(), torch.tensor([[1.0, 0, 1], [0, 1, 0], [1, 1, 0]])
    for aspects, pooling in ((0, "mean"), (None, "attention")):
        output = Micro(6, 3, dense_detector=True, aspects=aspects, clip_scores=True)(given)
        weights = {} if aspects == 0 else {"attention": output.attention}
        pooled = F.mil(output.frame_scores, tags, given.valid, pooling=pooling, **weights)
        torch.testing.assert_close(F.clip_bce(output.clip_scores, tags), pooled)


def test_an_unknown_norm_of_the_attention_is_refused():
    with pytest.raises(WsedError, match="unknown norm 'max'"):
        summed_attention(torch.zeros(1, 2, 3), torch.ones(1, 2, dtype=torch.bool), "max")
