"""Contracts of components as tests to call: for this library's own, and for plugins.

Each `check_*` raises `AssertionError` with the promise that was broken. `batch` and `output` make small inputs.
"""

from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from wsed.losses.base import Loss
from wsed.models.base import Encoder, EncoderFactory, Frontend, HeadFactory, Network
from wsed.types import Batch, Encoded, Events, Output

SOURCES = ("weak", "strong")


def batch(n_clips: int = 4, n_labels: int = 3, seconds: float = 1.0, sample_rate: int = 8000, seed: int = 0) -> Batch:
    """A batch of noise: weak clips (tags) and strong clips (tags and events) in turn, the last clip shorter."""
    generator = torch.Generator().manual_seed(seed)
    n_samples = torch.full((n_clips,), round(seconds * sample_rate))
    n_samples[-1] = round(0.6 * seconds * sample_rate)
    audio = 0.1 * torch.randn(n_clips, int(n_samples.max()), generator=generator)
    audio *= torch.arange(audio.shape[1]) < n_samples[:, None]
    source = torch.arange(n_clips) % 2
    events = [(i, i % n_labels, 0.1 * seconds, 0.5 * seconds) for i in range(n_clips) if source[i]]
    tags = (torch.rand(n_clips, n_labels, generator=generator) > 0.4).float()
    tags[torch.arange(n_clips), torch.arange(n_clips) % n_labels] = 1.0
    return Batch(
        audio=audio,
        n_samples=n_samples,
        clip_labels=tags,
        tagged=torch.ones(n_clips, n_labels, dtype=torch.bool),
        events=Events.of(events),
        timed=(source == 1)[:, None].repeat(1, n_labels),
        source=source,
        sources=SOURCES,
        clip_ids=tuple(f"clip_{i}.wav" for i in range(n_clips)),
    )


def output(of: Batch, n_frames: int = 12, dim: int = 5, seed: int = 0, dtype: torch.dtype = torch.float32) -> Output:
    """An output with every field filled with noise that takes a gradient; the last clip has fewer valid frames."""
    generator = torch.Generator().manual_seed(seed)
    n_clips, n_labels = of.clip_labels.shape

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(dtype).requires_grad_()

    valid = torch.ones(n_clips, n_frames, dtype=torch.bool)
    valid[-1, n_frames * 2 // 3 :] = False
    return Output(
        frame_logits=noise(n_clips, n_frames, n_labels),
        clip_logits=noise(n_clips, n_labels),
        embeddings=noise(n_clips, n_frames, dim),
        clip_embedding=noise(n_clips, dim),
        attention=torch.rand(n_clips, n_frames, n_labels, generator=generator).to(dtype).requires_grad_(),
        activation_map=torch.rand(n_clips, n_frames, n_labels, generator=generator).to(dtype).requires_grad_(),
        valid=valid,
        frame_rate=float(n_frames),
    )


def take(of: Batch, index: Tensor) -> Batch:
    """The clips of a batch that `index` names, in its order."""
    position = {int(old): new for new, old in enumerate(index)}
    kept = torch.tensor([int(c) in position for c in of.events.clip], dtype=torch.bool)
    events = of.events[kept]
    moved = torch.tensor([position[int(c)] for c in events.clip], dtype=torch.long)
    tensors: dict[str, Any] = {
        f.name: value[index] for f in fields(of) if isinstance(value := getattr(of, f.name), Tensor)
    }
    return replace(
        of, **tensors, events=replace(events, clip=moved), clip_ids=tuple(of.clip_ids[int(i)] for i in index)
    )


def take_output(of: Output, index: Tensor) -> Output:
    """The clips of an output, in the order of `index`."""
    tensors: dict[str, Any] = {
        f.name: value[index] for f in fields(of) if isinstance(value := getattr(of, f.name), Tensor)
    }
    return replace(of, **tensors)


def check_loss(loss: Loss) -> None:
    """0-d, finite (float32 and bfloat16), zero with a graph where nothing is known, reads only what it declares."""
    of = batch()
    _check_value(loss, output(of), of)
    _check_value(loss, output(of, dtype=torch.bfloat16), of)
    _check_inputs_unchanged(loss, of)
    _check_permutation(loss, of)
    _check_padding(loss, of)
    _check_unknown(loss, of)
    nothing = torch.zeros_like(of.tagged)
    unknown = replace(of, tagged=nothing, timed=nothing, events=Events.of([]))
    given = output(unknown)
    value = loss(given, unknown)
    assert float(value.detach()) == 0.0 or not loss.needs.known, "nothing is known of the clips: the loss must be zero"
    assert value.requires_grad, "the empty case is a zero attached to the graph"
    value.backward()
    _check_gradients(given)
    declared = {name: getattr(output(of), name) for name in loss.needs.output}
    loss(
        Output(valid=output(of).valid, frame_rate=12.0, **declared), of
    )  # an undeclared field is None and would fail here


def _check_value(loss: Loss, given: Output, of: Batch) -> None:
    value = loss(given, of)
    assert value.shape == (), f"a loss is 0-d, not {tuple(value.shape)}"
    assert torch.isfinite(value), f"the loss is {float(value.detach())}"
    value.backward()
    _check_gradients(given)


def _check_gradients(given: Output) -> None:
    for f in fields(given):
        value = getattr(given, f.name)
        if isinstance(value, Tensor) and value.grad is not None:
            assert torch.isfinite(value.grad).all(), f"the gradient of {f.name} is not finite"


def _check_inputs_unchanged(loss: Loss, of: Batch) -> None:
    given = output(of)
    before = {f.name: v.clone() for f in fields(given) if isinstance(v := getattr(given, f.name), Tensor)}
    tags = of.clip_labels.clone()
    loss(given, of)
    assert all(torch.equal(getattr(given, name), value) for name, value in before.items()), "the output was changed"
    assert torch.equal(of.clip_labels, tags), "the batch was changed"


def _check_permutation(loss: Loss, of: Batch) -> None:
    given, order = output(of), torch.randperm(len(of), generator=torch.Generator().manual_seed(1))
    same = torch.allclose(loss(given, of), loss(take_output(given, order), take(of, order)), atol=1e-5)
    assert same, "the order of the clips must not matter"


def _check_padding(loss: Loss, of: Batch) -> None:
    given = output(of)
    assert given.valid is not None
    noise: dict[str, Any] = {}
    for name in ("frame_logits", "embeddings", "attention", "activation_map"):
        value: Tensor = getattr(given, name)
        noise[name] = torch.where(given.valid[..., None], value, 0.5)
    same = torch.allclose(loss(given, of), loss(replace(given, **noise), of), atol=1e-5)
    assert same, "frames that are not valid must not count: use output.valid"


def _check_unknown(loss: Loss, of: Batch) -> None:
    """Unknown classes of a clip count for nothing: one class of clip 0, one of clip 1, and all of clip 2."""
    hidden = torch.zeros_like(of.tagged)
    hidden[[0, 1], [0, 1]] = True
    hidden[2] = True
    known = replace(of, tagged=of.tagged & ~hidden, timed=of.timed & ~hidden)
    tags = replace(known, clip_labels=torch.where(hidden, 1 - of.clip_labels, of.clip_labels))
    seen = of.events[~hidden[of.events.clip, of.events.label]]
    clip, label = hidden.nonzero().T.tolist()
    other = Events.of((c, i, 0.3, 0.8) for c, i in zip(clip, label, strict=True))
    events = replace(known, events=Events.cat([seen, other]))
    epoch = loss.epoch
    for moment in (epoch, 1000):  # losses may change over training
        loss.start_epoch(moment)
        expected = _value_and_gradients(loss, known)
        message = "{} of a class that is not {} in a clip must not count: use batch.{}"
        assert _same(_value_and_gradients(loss, tags), expected), message.format("the tag", "tagged", "tagged")
        assert _same(_value_and_gradients(loss, events), expected), message.format("the events", "timed", "timed")
    loss.start_epoch(epoch)


def _value_and_gradients(loss: Loss, of: Batch) -> list[Tensor]:
    given = output(of)
    value = loss(given, of)
    value.backward()
    grads = [v.grad for f in fields(given) if isinstance(v := getattr(given, f.name), Tensor) and v.grad is not None]
    return [value.detach(), *grads]


def _same(some: list[Tensor], others: list[Tensor]) -> bool:
    return len(some) == len(others) and all(torch.allclose(a, b, atol=1e-5) for a, b in zip(some, others, strict=True))


def check_frontend(frontend: Frontend) -> None:
    """Shape, rate, and that padding does not change a clip's features."""
    of = batch(sample_rate=frontend.sample_rate)
    features, valid = frontend(of.audio, of.n_samples)
    assert features.shape[:2] == (len(of), frontend.n_bands), "features are [clip band frame]"
    assert valid.shape == (len(of), features.shape[2]), "valid is [clip frame]"
    expected = of.audio.shape[1] / frontend.sample_rate * frontend.frame_rate
    assert abs(features.shape[2] - expected) <= 1.5, "frame_rate does not agree with the number of frames"
    n = int(of.n_samples[-1])
    alone, _ = frontend(of.audio[-1:, :n], of.n_samples[-1:])
    m = int(valid[-1].sum())
    assert torch.allclose(features[-1, :, :m], alone[0, :, :m], atol=1e-3), "padding changes the features of a clip"


def check_encoder(build: EncoderFactory, n_bands: int = 64, n_steps: int = 48) -> None:
    """Shapes, stride, finite gradient, and that the padding of neighbours does not matter in eval mode.

    Args:
        build: what the encoder is built by.
        n_bands: of the features.
        n_steps: frames of the features; a few times the encoder's stride.
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
    m = int(together.valid[-1].sum())
    assert m == int(alone.valid.sum()), "the number of valid frames depends on the neighbours"
    assert torch.allclose(together.frames[-1, :m], alone.frames[0, :m], atol=1e-4), "padding changes a clip's frames"


def check_head(build: HeadFactory, dim: int = 6, n_labels: int = 3) -> None:
    """Fills exactly what it declares, with the right shapes."""
    torch.manual_seed(0)
    valid = torch.ones(2, 9, dtype=torch.bool)
    valid[-1, 5:] = False
    head = build(dim, n_labels)
    given: Output = head(Encoded(torch.randn(2, 9, dim), valid))
    filled = {f.name for f in fields(given) if isinstance(getattr(given, f.name), Tensor)}
    assert filled == set(head.provides), f"provides {sorted(head.provides)}, fills {sorted(filled)}"
    for name, shape in (("frame_logits", (2, 9, n_labels)), ("clip_logits", (2, n_labels))):
        value = getattr(given, name)
        assert value is None or value.shape == shape, f"{name} is {tuple(value.shape)}, expected {shape}"


def check_network(network: Network) -> None:
    """Fills what it declares, at the rate it declares."""
    of = batch(n_labels=len(network.labels), sample_rate=network.sample_rate)
    given: Output = network.eval()(of)
    missing = [name for name in network.provides if getattr(given, name) is None]
    assert not missing, f"the network declares {missing} and does not fill them"
    assert given.frame_rate == network.frame_rate, "the output states another frame rate than the network"
