"""The contracts of networks, frontends, encoders and heads."""

from dataclasses import replace

import torch

from wsed.models.base import Encoder, EncoderFactory, Frontend, HeadFactory, Network
from wsed.testing.inputs import batch, take, tensors
from wsed.types import Batch, Encoded, Output


def check_frontend(frontend: Frontend) -> None:
    """Check shapes and frame rate of a frontend, and that padding does not change the features of a clip.

    Raises:
        AssertionError: a rule is broken; the message names it.

    >>> from wsed.models.frontends import LogMel
    >>> check_frontend(LogMel(8000, n_fft=256, hop_length=80, n_bands=16, f_max=4000.0))
    """
    inputs = batch(sample_rate=frontend.sample_rate)
    features, valid = frontend(inputs.samples(), inputs.n_samples)
    assert features.shape[:2] == (len(inputs), frontend.n_bands), "features are [clip band frame]"
    assert valid.shape == (len(inputs), features.shape[2]), "valid is [clip frame]"
    expected = inputs.samples().shape[1] / frontend.sample_rate * frontend.frame_rate
    assert abs(features.shape[2] - expected) <= 1.5, "frame_rate does not agree with the number of frames"
    n = int(inputs.n_samples[-1])
    alone, whole = frontend(inputs.samples()[-1:, :n], inputs.n_samples[-1:])
    m = int(valid[-1].sum())
    assert torch.allclose(features[-1, :, :m], alone[0, :, :m], atol=1e-3), "padding changes the features of a clip"
    assert whole.all(), "all frames of a clip without padding are valid"


def check_encoder(build: EncoderFactory, n_bands: int = 64, n_steps: int = 48) -> None:
    """Check shapes, stride and gradients of an encoder, and that padding does not matter in eval mode.

    Args:
        build: factory of the encoder.
        n_bands: number of bands of the features.
        n_steps: number of frames of the features; several times the stride of the encoder.

    Raises:
        AssertionError: a rule is broken; the message names it.

    >>> from wsed.models.encoders.identity import Identity
    >>> check_encoder(Identity)
    """
    torch.manual_seed(0)
    encoder: Encoder = build(n_bands)
    features = torch.randn(3, n_bands, n_steps)
    shorter = 2 * n_steps // 3
    valid = torch.ones(3, n_steps, dtype=torch.bool)
    valid[-1, shorter:] = False
    encoded = encoder(features, valid)
    assert encoded.frames.shape == (3, n_steps // encoder.stride, encoder.dim), "frames are [clip frame dim]"
    assert encoded.valid.shape == encoded.frames.shape[:2], "valid is [clip frame]"
    if list(encoder.parameters()):
        encoded.frames.float().square().sum().backward()
    bad = [n for n, p in encoder.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert not bad, f"no finite gradient for {bad}"
    encoder.eval()
    with torch.no_grad():
        together = encoder(features, valid)
        alone = encoder(features[-1:, :, :shorter], valid[-1:, :shorter])
        without_valid = encoder(features[-1:, :, :shorter], None)
    m = int(together.valid[-1].sum())
    assert m == int(alone.valid.sum()), "the number of valid frames depends on padding"
    assert torch.allclose(together.frames[-1, :m], alone.frames[0, :m], atol=1e-4), "padding changes a clip's frames"
    same = torch.allclose(without_valid.frames, alone.frames, atol=1e-5)
    same &= torch.equal(without_valid.valid, alone.valid)
    assert same, "if `valid` is None, all frames are valid"


def check_head(build: HeadFactory, dim: int = 6, n_labels: int = 3) -> None:
    """Check that a head fills exactly the fields in `provides`, with the right shapes.

    Raises:
        AssertionError: a rule is broken; the message names it.

    >>> from wsed.models.heads.framewise import Framewise
    >>> check_head(Framewise)
    """
    torch.manual_seed(0)
    valid = torch.ones(2, 9, dtype=torch.bool)
    valid[-1, 5:] = False
    head = build(dim, n_labels)
    filled = tensors(head(Encoded(torch.randn(2, 9, dim), valid)))
    assert set(filled) == set(head.provides), f"provides {sorted(head.provides)}, fills {sorted(filled)}"
    for name, shape in (("frame_logits", (2, 9, n_labels)), ("clip_logits", (2, n_labels))):
        value = filled.get(name)
        assert value is None or value.shape == shape, f"{name} is {tuple(value.shape)}, expected {shape}"


def check_network(network: Network) -> None:
    """Check the contract of a `Network`.

    It fills the fields in `provides` at its frame rate, its parameters get gradients, and its weights can be saved and
    loaded. In eval mode, the output for a clip does not depend on other clips. It does not change the batch.

    Raises:
        AssertionError: a rule is broken; the message names it.

    >>> from wsed import Labels
    >>> from wsed.models.network import Composed
    >>> check_network(Composed.example(Labels(["cat", "dog"])))
    """
    torch.manual_seed(0)
    inputs = batch(n_labels=len(network.labels), sample_rate=network.sample_rate)
    before = {name: value.clone() for name, value in tensors(inputs).items()}
    _check_output(network, network.train()(inputs))
    _check_gradients(network, network(inputs))
    network.after_step()
    assert all(torch.equal(vars(inputs)[name], value) for name, value in before.items()), "the batch was changed"
    with torch.no_grad():
        together: Output = network.eval()(inputs)
        alone: Output = network(_last(inputs))
    assert together.frame_rate == network.frame_rate, "the output states another frame rate than the network"
    _check_alone(together, alone)
    weights = network.state_dict()
    network.load_state_dict({name: value.clone() for name, value in weights.items()})


def _check_output(network: Network, predicted: Output) -> None:
    missing = [name for name in network.provides if vars(predicted)[name] is None]
    assert not missing, f"the network declares {missing} and does not fill them"
    for name in ("frame_logits", "clip_logits"):
        value = vars(predicted)[name]
        assert value is None or value.shape[-1] == len(network.labels), f"{name} has a score per label"


def _check_gradients(network: Network, predicted: Output) -> None:
    scores = [value.float().square().sum() for value in tensors(predicted).values() if value.requires_grad]
    assert scores, "nothing in the output takes a gradient"
    parameters = {name: p for name, p in network.named_parameters() if p.requires_grad}
    grads = torch.autograd.grad(torch.stack(scores).sum(), list(parameters.values()), allow_unused=True)
    trained = {name: grad for name, grad in zip(parameters, grads, strict=True) if grad is not None}
    assert trained, "no parameter gets a gradient"
    bad = [name for name, grad in trained.items() if not torch.isfinite(grad).all()]
    assert not bad, f"no finite gradient for {bad}"


def _last(inputs: Batch) -> Batch:
    """A batch with the last clip only, without padding."""
    clip = take(inputs, torch.tensor([len(inputs) - 1]))
    return replace(clip, audio=clip.samples()[:, : int(clip.n_samples)], full=True)


def _check_alone(together: Output, alone: Output) -> None:
    for name in ("frame_logits", "clip_logits", "embeddings", "clip_embedding"):
        some, one = vars(together)[name], vars(alone)[name]
        if some is None or one is None:
            continue
        some, one = some[-1].float(), one[0].float()
        if name in ("frame_logits", "embeddings") and together.valid is not None:
            n_frames = int(together.valid[-1].sum())
            assert n_frames <= len(one), "a clip has fewer frames alone than beside others"
            some, one = some[:n_frames], one[:n_frames]
        assert torch.allclose(some, one, atol=1e-3), f"the neighbours of a clip change its {name}"
