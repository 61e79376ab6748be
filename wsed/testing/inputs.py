"""Small inputs for tests: a batch of noise and an output for it, and functions that change them."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from wsed.types import Batch, Events, Output

SOURCES = ("weak", "strong")

Value = TypeVar("Value", Batch, Output)


def batch(n_clips: int = 4, n_labels: int = 3, seconds: float = 1.0, sample_rate: int = 8000, seed: int = 0) -> Batch:
    """A batch of noise: alternately weak clips (tags) and strong clips (tags and events); the last clip is shorter.

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


def output(
    inputs: Batch, n_frames: int = 12, dim: int = 5, seed: int = 0, dtype: torch.dtype = torch.float32
) -> Output:
    """An output for a batch: noise in every field, with gradients except for scores of teachers; two mixes.

    The last clip has fewer valid frames.

    >>> output(batch(n_clips=2)).valid.sum(1).tolist()
    [12, 8]
    """
    generator = torch.Generator().manual_seed(seed)
    n_clips, n_labels = inputs.clip_labels.shape

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
    teacher = Output(frames, clips, valid=valid, frame_rate=float(n_frames))
    two = min(2, n_clips)
    mixed = Output(noise(two, n_frames, n_labels), noise(two, n_labels), valid=valid[-two:], frame_rate=float(n_frames))
    mixes = Output(frames[-2:], clips[-2:], valid=valid[-2:], frame_rate=float(n_frames))
    return replace(made, teacher=teacher, mixed=replace(mixed, teacher=mixes))


def take(inputs: Batch, index: Tensor) -> Batch:
    """Select clips of a batch, in the order of `index`.

    >>> take(batch(), torch.tensor([3, 0])).clip_ids
    ('clip_3.wav', 'clip_0.wav')
    """
    position = {int(old): new for new, old in enumerate(index)}
    kept = torch.tensor([int(c) in position for c in inputs.events.clip], dtype=torch.bool)
    events = inputs.events[kept]
    moved = torch.tensor([position[int(c)] for c in events.clip], dtype=torch.long)
    part = each_tensor(inputs, lambda value: value[index])
    ids = tuple(inputs.clip_ids[int(i)] for i in index)
    full = bool((inputs.n_samples[index] == inputs.samples().shape[1]).all())
    return replace(part, events=replace(events, clip=moved), clip_ids=ids, full=full)


def take_output(inputs: Output, index: Tensor) -> Output:
    """Select clips of an output and of its teacher's output, in the order of `index`.

    >>> take_output(output(batch()), torch.tensor([3, 0])).clip_logits.shape
    torch.Size([2, 3])
    """
    taken = each_tensor(inputs, lambda value: value[index])
    return taken if inputs.teacher is None else replace(taken, teacher=take_output(inputs.teacher, index))


def move_output(inputs: Output, device: str) -> Output:
    """Copy an output, and that of its teacher, to another device, detached from the graph.

    >>> move_output(output(batch()), "cpu").clip_logits.is_leaf
    True
    """
    moved = each_tensor(inputs, lambda value: value.detach().to(device).requires_grad_(value.requires_grad))
    return moved if inputs.teacher is None else replace(moved, teacher=move_output(inputs.teacher, device))


def each_tensor(inputs: Value, function: Callable[[Tensor], Tensor]) -> Value:
    """Apply a function to each tensor of a batch or output.

    >>> each_tensor(output(batch()), lambda value: value[:1]).clip_logits.shape
    torch.Size([1, 3])
    """
    return changed(inputs, **{name: function(value) for name, value in tensors(inputs).items()})


def tensors(inputs: object) -> dict[str, Tensor]:
    """The fields of a dataclass that are tensors, by name.

    >>> sorted(tensors(Output(clip_logits=torch.zeros(1, 2))))
    ['clip_logits']
    """
    values = ((f.name, vars(inputs)[f.name]) for f in fields(inputs))  # type: ignore[arg-type]
    return {name: value for name, value in values if isinstance(value, Tensor)}


def changed(inputs: Value, **values: object) -> Value:
    """A batch or output with other values of some fields.

    >>> changed(output(batch()), attention=None).attention is None
    True
    """
    return replace(inputs, **values)  # type: ignore[arg-type]
