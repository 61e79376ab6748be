"""Attention pooling of embeddings (Tao et al. 2023)."""

import pytest
import torch

from wsed import WsedError
from wsed.models.heads.clip_attention import ClipAttention
from wsed.types import Encoded


def encoded(n_clips=3, n_frames=9, dim=6):
    """Frames of clips of which the last is shorter."""
    valid = torch.ones(n_clips, n_frames, dtype=torch.bool)
    valid[-1, 5:] = False
    return Encoded(torch.randn(n_clips, n_frames, dim), valid)


def pooled_by_hand(head, frames, valid, c, temperature):
    """The clip logit of class `c` as the paper writes it, frame by frame."""
    row = 0 if head.shared else c
    kept = [h for h, v in zip(frames, valid, strict=True) if v]
    scores = [head.score.weight[row] @ h + head.score.bias[row] for h in kept]
    weights = torch.stack([torch.exp(s / temperature) for s in scores])
    embedding = sum(w / weights.sum() * h for w, h in zip(weights, kept, strict=True))
    return head.classify.weight[c] @ embedding + head.classify.bias[c], scores


@pytest.mark.parametrize(
    ("shared", "temperature", "frames"),
    [(False, None, "classifier"), (False, 0.5, "attention"), (True, None, "classifier")],
)
def test_clip_attention_is_what_the_paper_writes(shared, temperature, frames):
    torch.manual_seed(0)
    head, given = ClipAttention(6, 3, shared, temperature, frames), encoded()
    torch.nn.init.normal_(head.score.bias)
    torch.nn.init.normal_(head.classify.bias)
    output = head(given)
    for i, c in [(0, 0), (1, 2), (2, 1), (2, 2)]:
        logit, scores = pooled_by_hand(head, given.frames[i], given.valid[i], c, temperature or 6)
        torch.testing.assert_close(output.clip_logits[i, c], logit)
        if frames == "attention":
            torch.testing.assert_close(output.frame_logits[i, : len(scores), c], torch.stack(scores))
    torch.testing.assert_close(output.attention.sum(1), torch.ones(3, 3))
    assert not output.attention[~given.valid].any()
    if frames == "classifier":
        torch.testing.assert_close(output.frame_logits, head.classify(given.frames))


def test_a_shared_attention_scores_no_class():
    with pytest.raises(WsedError, match="no scores per class"):
        ClipAttention(6, 3, shared=True, frames="attention")


def test_shared_attention_at_a_great_temperature_is_mean_pooling():
    torch.manual_seed(0)
    head, given = ClipAttention(6, 3, shared=True, temperature=1e9), encoded()
    mean = (given.frames * given.valid[..., None]).sum(1) / given.valid.sum(1, keepdim=True)
    torch.testing.assert_close(head(given).clip_logits, head.classify(mean))


def test_clip_attention_survives_extremes():
    head, given = ClipAttention(6, 3, temperature=1e-3), encoded()
    frames = (100 * given.frames).requires_grad_()
    nothing = given.valid & (torch.arange(3) > 0)[:, None]
    logits = head(Encoded(frames, nothing)).clip_logits
    logits.sum().backward()
    assert torch.isfinite(logits).all()
    assert torch.isfinite(frames.grad).all()
    assert not frames.grad[~nothing].any()
    with pytest.raises(WsedError, match="temperature must be positive"):
        ClipAttention(6, 3, temperature=0.0)
