"""The networks of Tao et al. 2023 (Frame Pairwise Distance): encoder, attention over embeddings, projection."""

from functools import partial

import pytest
import torch
import torchaudio

import wsed
from wsed import WsedError, testing
from wsed.build import build
from wsed.models.encoders.cnn import CNN
from wsed.models.encoders.conformer import Conformer, ConformerBlock
from wsed.models.frontends import LogMel
from wsed.models.heads.clip_attention import ClipAttention
from wsed.models.heads.projection import Projection
from wsed.models.network import Composed
from wsed.types import Encoded

LABELS = wsed.Labels("abc")
MELS = {"sample_rate": 16000, "n_fft": 2048, "hop_length": 255, "n_bands": 128, "f_min": 0.0, "f_max": 8000.0}


def encoded(n_clips=3, n_frames=9, dim=6):
    """Frames of clips of which the last is shorter."""
    valid = torch.ones(n_clips, n_frames, dtype=torch.bool)
    valid[-1, 5:] = False
    return Encoded(torch.randn(n_clips, n_frames, dim), valid)


def part(kind, name, **arguments):
    return {"class_path": f"wsed.models.{kind}.{name}", "init_args": arguments}


def network(encoder, heads=None):
    """A network as a checkpoint's configuration tells it."""
    heads = heads or [part("heads", "clip_attention.ClipAttention"), part("heads", "projection.Projection", size=8)]
    parts = {"encoder": encoder, "head": heads, "frontend": part("frontends", "LogMel", **MELS)}
    return build(wsed.Network, part("network", "Composed", **parts), LABELS)


SIZES = {"channels": 160, "kernels": [5, 5, 3], "dropout": 0.0}
"""Of the encoder in `experiments/fpd`."""

NETWORKS = [
    part("encoders", "cnn.CNN", **SIZES | {"channels": 4}),
    part("encoders", "cnn.CNN", **SIZES | {"channels": 4, "pools": [[2, 4], [2, 4], [1, 4]]}),
    part("encoders", "conformer.Conformer", dim=8, layers=2, channels=4, pools=[[2, 4], [1, 4]]),
]


def test_the_encoder_is_of_the_size_recommended(golden):
    sizes = golden("param_counts")["fpd_assumed_encoder_160"]
    encoder = CNN(128, **SIZES)
    assert sum(p.numel() for p in encoder.parameters()) == sizes["conv_bn"]
    assert (encoder.dim, CNN(64, **SIZES).dim) == (sizes["dim_128_mels"], sizes["dim_64_mels"])
    assert [block.conv.kernel_size[0] for block in encoder.blocks] == [5, 5, 3]
    assert encoder.stride == 1


def test_ten_seconds_are_as_many_frames_as_the_papers_features(golden):
    batch = testing.batch(2, 3, seconds=10.0, sample_rate=16000)
    output = network(NETWORKS[0]).eval()(batch)
    assert output.frame_logits.shape == (2, golden("param_counts")["frames"]["fpd"]["centred"], 3)


def test_kernels_that_cannot_work_are_refused():
    with pytest.raises(WsedError, match="must be odd"):
        CNN(64, kernels=[5, 4, 3])
    with pytest.raises(WsedError, match="3 kernels for 2 pools"):
        CNN(64, channels=8, kernels=[5, 5, 3], pools=[(1, 4), (1, 4)])
    assert CNN(64, channels=8, pools=[(1, 4), (1, 4)]).dim == 8 * 4


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
    with pytest.raises(WsedError, match="scores no class"):
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


def test_a_conformer_block_is_that_of_torchaudio_where_nothing_is_padded():
    torch.manual_seed(0)
    ours = ConformerBlock(8, heads=2, kernel=5, dropout=0.0)
    theirs = torchaudio.models.Conformer(8, 2, 32, 1, 5)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    x = torch.randn(3, 20, 8)
    torch.testing.assert_close(ours(x, None), theirs(x, torch.full((3,), 20))[0])  # and equal batch statistics
    torch.testing.assert_close(ours.eval()(x, None), theirs.eval()(x, torch.full((3,), 20))[0])


def test_a_clip_too_short_for_a_frame_leaves_the_conformer_finite():
    encoder = Conformer(64, dim=8, layers=1, channels=4, pools=[(4, 8), (1, 8)])
    valid = torch.arange(40).expand(2, 40) < torch.tensor([[40], [3]])
    frames = encoder(torch.randn(2, 64, 40), valid).frames
    frames.sum().backward()
    assert torch.isfinite(frames).all()
    assert all(torch.isfinite(p.grad).all() for p in encoder.parameters())
    with pytest.raises(WsedError, match="kernel 4 must be odd"):
        Conformer(64, kernel=4)


@pytest.mark.parametrize("encoder", NETWORKS)
def test_a_clip_does_not_depend_on_the_padding_of_its_neighbours(encoder):
    torch.manual_seed(0)
    system = network(encoder).eval()
    batch = testing.batch(3, sample_rate=16000)
    n = int(batch.n_samples[-1])
    alone = testing.take(batch, torch.tensor([2]))
    alone = type(batch)(**{**vars(alone), "audio": alone.audio[:, :n]})
    with torch.no_grad():
        together, alone = system(batch), system(alone)
    m = int(alone.valid.sum())
    assert not together.valid.all()
    torch.testing.assert_close(together.clip_logits[2:], alone.clip_logits, atol=1e-4, rtol=0)
    for field in ("frame_logits", "embeddings", "attention"):
        torch.testing.assert_close(getattr(together, field)[2:, :m], getattr(alone, field)[:, :m], atol=1e-4, rtol=0)


@pytest.mark.parametrize("encoder", NETWORKS)
def test_bfloat16_stays_near_float32_and_weights_go_round(encoder):
    torch.manual_seed(0)
    system, other = network(encoder).eval(), network(encoder).eval()
    other.load_state_dict(system.state_dict())
    batch = testing.batch(2, sample_rate=16000)
    exact = system(batch)
    torch.testing.assert_close(other(batch).clip_logits, exact.clip_logits)
    with torch.autocast("cpu", torch.bfloat16):
        output = system(batch)
    torch.testing.assert_close(output.clip_scores, exact.clip_scores, atol=0.05, rtol=0)
    (output.clip_logits.sum() + output.embeddings.float().square().mean()).backward()
    assert all(torch.isfinite(p.grad).all() for p in system.parameters() if p.grad is not None)
