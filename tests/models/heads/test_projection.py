"""The projection of embeddings (Tao et al. 2023)."""

from functools import partial

import pytest
import torch

import wsed
from wsed import testing
from wsed.models.encoders.cnn import CNN
from wsed.models.frontends import LogMel
from wsed.models.heads.clip_attention import ClipAttention
from wsed.models.heads.projection import Projection
from wsed.models.network import Composed
from wsed.types import Encoded

LABELS = wsed.Labels("abc")


def encoded(n_clips=3, n_frames=9, dim=6):
    """Frames of clips of which the last is shorter."""
    valid = torch.ones(n_clips, n_frames, dtype=torch.bool)
    valid[-1, 5:] = False
    return Encoded(torch.randn(n_clips, n_frames, dim), valid)


SIZES = {"channels": 160, "kernels": [5, 5, 3], "dropout": 0.0}
"""Of the encoder in `experiments/fpd`."""


@pytest.mark.parametrize("activation", ["none", "relu", "tanh"])
def test_projection(activation):
    torch.manual_seed(0)
    head, given = Projection(6, 3, size=4, activation=activation), encoded()
    expected = head.linear(given.frames)
    if activation != "none":
        expected = getattr(torch, activation)(expected)
    torch.testing.assert_close(head(given).embeddings, expected)
    head.normalise = True
    with torch.autocast("cpu", torch.bfloat16):
        embeddings = head(given).embeddings
    lengths = torch.linalg.vector_norm(embeddings, dim=2)
    torch.testing.assert_close(lengths[expected.abs().sum(2) > 0.1].mean(), torch.tensor(1.0), atol=1e-5, rtol=0)


def test_the_projections_embeddings_replace_the_classifiers_and_leave_its_scores():
    torch.manual_seed(0)
    encoder = partial(CNN, **SIZES | {"channels": 4})
    both = Composed(LABELS, encoder, [ClipAttention, Projection], LogMel(16000, f_max=8000.0))
    batch = testing.batch(sample_rate=16000)
    output = both(batch)
    assert output.embeddings.shape[2] == 128
    assert both.provides == {"frame_logits", "clip_logits", "attention", "embeddings", "valid"}
    classifier, projection = both.heads
    output.embeddings.square().sum().backward(retain_graph=True)
    assert classifier.classify.weight.grad is None
    assert both.encoder.blocks[0].conv.weight.grad.any()
    weight = projection.linear.weight.grad.clone()
    output.clip_logits.sum().backward()
    assert torch.equal(projection.linear.weight.grad, weight)
    assert classifier.score.weight.grad.any()
