"""The encoder of Turpault et al. 2020: windows and their embeddings."""

from dataclasses import replace

import pytest
import torch

import wsed
from wsed import WsedError, testing
from wsed.losses.bce import ClipBCE
from wsed.losses.prototypical import Prototypical
from wsed.losses.triplet import Triplet
from wsed.models.encoders.waa import WAA
from wsed.models.frontends import Standardised
from wsed.models.heads.mlp import MLP
from wsed.models.network import Composed

TEN = wsed.Labels([f"class_{i}" for i in range(10)])


def network(head=MLP, frontend=None):
    return Composed(TEN, WAA, head, frontend or Standardised())


@pytest.mark.parametrize("seconds", ["0.2", "1", "10"])
def test_frames_and_windows_of_the_papers_segments(golden, seconds):
    frames = golden("param_counts")["frames"]["waa"]["used"][seconds]
    batch = testing.batch(2, 10, float(seconds), 16000)
    batch = replace(batch, n_samples=torch.full((2,), batch.audio.shape[1]))
    output = network().eval()(batch)
    assert output.valid.shape == (2, frames // 20)
    assert output.valid.all()
    assert (output.clip_logits.shape, output.clip_embedding.shape) == ((2, 10), (2, 130))
    assert output.frame_rate == 5


def by_hand(encoder, window, normalise=False):
    """The embedding of one window `[band frame]`, layer by layer, its dimensions band by band."""
    convolutions = [layer for layer in encoder.layers if isinstance(layer, torch.nn.Conv2d)]
    x = window.T[None, None]
    for layer, pool in zip(convolutions, [(2, 2), (2, 2), (1, 4), (1, 2)], strict=True):
        x = torch.nn.functional.conv2d(x, layer.weight, layer.bias, padding=1)
        x = torch.nn.functional.max_pool2d(torch.where(x > 0, x, 0.2 * x), pool)
    assert x.shape == (1, 65, 5, 2)
    steps = torch.stack([x[0, index % 65, :, index // 65] for index in range(130)], 1)
    if normalise:
        steps = steps / steps.norm(dim=1, keepdim=True)
    return steps.mean(0)


@pytest.mark.parametrize("normalise", [False, True])
def test_each_window_is_embedded_by_itself(normalise):
    torch.manual_seed(0)
    encoder = WAA(64, normalise).eval()
    features = torch.randn(2, 64, 59)
    encoded = encoder(features, torch.ones(2, 59, dtype=torch.bool))
    assert encoded.frames.shape == (2, 2, 130)
    for clip in range(2):
        for window in range(2):
            expected = by_hand(encoder, features[clip, :, 20 * window : 20 * window + 20], normalise)
            torch.testing.assert_close(encoded.frames[clip, window], expected)


class Steps(torch.nn.Module):
    """Stands for the layers of the encoder: gives these steps `[step dim]`, whatever it is given."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def forward(self, x):
        return self.steps.T[None, :, :, None]


def test_golden_order_of_mean_and_normalisation(golden):
    values = golden("waa_metrics")["normalise_order"]
    given = torch.zeros(1, 64, 20), torch.ones(1, 20, dtype=torch.bool)
    found = {}
    for name, per_step in (("normalise_then_mean", True), ("mean_then_normalise", False)):
        encoder = WAA(64, normalize_steps=per_step)
        encoder.layers, encoder.dim = Steps(torch.tensor(values["frames"])), 2
        found[name] = encoder(*given).frames[0, 0]
    found["mean_then_normalise"] = torch.nn.functional.normalize(found["mean_then_normalise"], dim=0)
    for name, embedding in found.items():
        torch.testing.assert_close(embedding, torch.tensor(values[name]), atol=1e-6, rtol=0)


def test_too_few_bands_or_frames_are_refused():
    assert WAA(32).dim == 65
    with pytest.raises(WsedError, match="leave nothing of 31 bands"):
        WAA(31)
    with pytest.raises(WsedError, match="19 frames are less than one window"):
        WAA(64)(torch.zeros(1, 64, 19), torch.ones(1, 19, dtype=torch.bool))


def test_channels_of_a_search():
    assert WAA(64, channels=(8, 8, 16, 32)).dim == 64
    with pytest.raises(WsedError, match="four numbers of 1 or more"):
        WAA(64, channels=(8, 8, 16))


@pytest.mark.parametrize("loss", [Triplet(), Prototypical(), ClipBCE()])
def test_bfloat16_stays_near_float32_and_gives_finite_gradients(loss):
    torch.manual_seed(0)
    system = network().eval()
    of = testing.batch(9, 10, sample_rate=16000)
    of = replace(of, clip_labels=torch.eye(10)[torch.arange(9) % 3])
    with torch.no_grad():
        exact = system(of)
    with torch.autocast("cpu", torch.bfloat16):
        output = system(of)
        value = loss(output, of)
    torch.testing.assert_close(output.clip_scores, exact.clip_scores, atol=0.05, rtol=0)
    assert value > 0
    value.backward()
    assert all(torch.isfinite(p.grad).all() for p in system.encoder.parameters())
    assert any(p.grad.any() for p in system.encoder.parameters())
