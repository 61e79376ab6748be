"""Small inputs: a batch of noise, an output for it, and parts of both."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from wsed.types import Batch, Events, Output

SOURCES = ("weak", "strong")

Value = TypeVar("Value", Batch, Output)


def batch(n_clips: int = 4, n_labels: int = 3, seconds: float = 1.0, sample_rate: int = 8000, seed: int = 0) -> Batch:
    """A batch of noise: weak clips (tags) and strong clips (tags and events) in turn, the last clip shorter.

    >>> batch(n_clips=2).timed.tolist()
    [[False, False, False], [True, True, True]]
    """
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
    """An output with every field filled with noise that takes a gradient, and a teacher's scores without one.

    The last clip has fewer valid frames.

    >>> output(batch(n_clips=2)).valid.sum(1).tolist()
    [12, 8]
    """
    generator = torch.Generator().manual_seed(seed)
    n_clips, n_labels = of.clip_labels.shape

    def noise(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator).to(dtype).requires_grad_()

    valid = torch.ones(n_clips, n_frames, dtype=torch.bool)
    valid[-1, n_frames * 2 // 3 :] = False
    made = Output(
        frame_logits=noise(n_clips, n_frames, n_labels),
        clip_logits=noise(n_clips, n_labels),
        embeddings=noise(n_clips, n_frames, dim),
        clip_embedding=noise(n_clips, dim),
        attention=torch.rand(n_clips, n_frames, n_labels, generator=generator).to(dtype).requires_grad_(),
        activation_map=torch.rand(n_clips, n_frames, n_labels, generator=generator).to(dtype).requires_grad_(),
        valid=valid,
        frame_rate=float(n_frames),
    )
    frames, clips = noise(n_clips, n_frames, n_labels).detach(), noise(n_clips, n_labels).detach()
    return replace(made, teacher=Output(frames, clips, valid=valid, frame_rate=float(n_frames)))


def take(of: Batch, index: Tensor) -> Batch:
    """The clips of a batch that `index` names, in its order.

    >>> take(batch(), torch.tensor([3, 0])).clip_ids
    ('clip_3.wav', 'clip_0.wav')
    """
    position = {int(old): new for new, old in enumerate(index)}
    kept = torch.tensor([int(c) in position for c in of.events.clip], dtype=torch.bool)
    events = of.events[kept]
    moved = torch.tensor([position[int(c)] for c in events.clip], dtype=torch.long)
    part = each_tensor(of, lambda value: value[index])
    ids = tuple(of.clip_ids[int(i)] for i in index)
    full = bool((of.n_samples[index] == of.samples().shape[1]).all())
    return replace(part, events=replace(events, clip=moved), clip_ids=ids, full=full)


def take_output(of: Output, index: Tensor) -> Output:
    """The clips of an output and of its teacher's, in the order of `index`."""
    taken = each_tensor(of, lambda value: value[index])
    return taken if of.teacher is None else replace(taken, teacher=take_output(of.teacher, index))


def move_output(of: Output, device: str) -> Output:
    """The output on another device, with gradients of its own."""
    return each_tensor(of, lambda value: value.detach().to(device).requires_grad_(value.requires_grad))


def each_tensor(of: Value, function: Callable[[Tensor], Tensor]) -> Value:
    """A batch or output whose tensors went through a function."""
    return changed(of, **{name: function(value) for name, value in tensors(of).items()})


def tensors(of: object) -> dict[str, Tensor]:
    """The fields of a dataclass that are tensors."""
    values = ((f.name, vars(of)[f.name]) for f in fields(of))  # type: ignore[arg-type]
    return {name: value for name, value in values if isinstance(value, Tensor)}


def changed(of: Value, **values: object) -> Value:
    """A batch or output with other values of some fields."""
    return replace(of, **values)  # type: ignore[arg-type]
