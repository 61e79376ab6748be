"""Shifts in time, with the events."""

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.augment.base import AUGMENTS, Planned, Sounds
from wsed.augment.draws import arrays, check_chance
from wsed.augment.frames import parts
from wsed.errors import WsedError
from wsed.types import Batch, Events

ROUNDING = 1e-6
"""Seconds, less than a sample, by which rounding may move the end of an event beyond the end of its clip."""


@AUGMENTS.register("time_shift")
class TimeShift(Planned):
    """Moves the sound of a clip forwards or backwards in time, and its events with it.

    Sound that leaves the clip at one end comes back at the other (`wrap`; an event across the seam becomes two), or is
    lost and silence takes its place (`cut`). With `cut`, a tag whose events are known stays true only if an event is
    left. A tag whose events are not known becomes unknown, since its sound may be lost.

    Args:
        seconds: greatest shift; 1 s is our choice. Shifts are drawn uniformly.
        ends: `wrap` or `cut`.
        p: probability that a clip is shifted; always is our choice.

    Raises:
        WsedError: a setting is out of its range.

    Source: the baseline of DCASE task 4, which draws from a normal distribution with deviation 1.44 s (90 frames).

    >>> from wsed.testing import batch
    >>> inputs, shift = batch(seconds=2.0), TimeShift(0.2, p=1.0)
    >>> shift.prepare(8000, lambda folder, rate: [])
    >>> moved = shift(inputs, torch.Generator().manual_seed(0)).events.onset - inputs.events.onset
    >>> bool((moved.abs() <= 0.2).all()), bool((moved != 0).all())
    (True, True)
    """

    moves_labels = True

    def __init__(self, seconds: float = 1.0, ends: Literal["wrap", "cut"] = "wrap", p: float = 1.0) -> None:
        super().__init__()
        check_chance("time_shift", p)
        if seconds <= 0:
            raise WsedError(f"augment time_shift: seconds must be above 0, not {seconds:g}")
        self.seconds, self.ends, self.p = seconds, ends, p
        self.sample_rate: int | None = None

    def prepare(self, sample_rate: int, sounds: Sounds) -> None:
        """Keep the sample rate."""
        self.sample_rate = sample_rate

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        if self.sample_rate is None:
            raise WsedError("augment time_shift: call prepare with the sample rate first")
        drawn, chance = arrays(len(batch), [1, 1], generator)
        by = (2 * self.seconds * drawn - self.seconds)[:, 0].astype(np.float64) * self.sample_rate
        by = np.where(chance[:, 0] < self.p, np.rint(by), 0.0)
        length, reach = batch.samples().shape[1], self._reach(batch.samples().shape[1])
        moved = self._moved(batch, torch.from_numpy(by / self.sample_rate))
        if not batch.full:
            return moved, (torch.from_numpy(by.astype(np.int64)), batch.n_samples)
        by = np.fmod(by, length) if self.ends == "wrap" else np.clip(by, -length, length)
        first = reach + (length + 2 * reach) * np.arange(len(batch))
        return moved, (torch.from_numpy(first - by.astype(np.int64)),)

    def _moved(self, batch: Batch, shift: Float[Tensor, " clip"]) -> Batch:
        """The batch with moved events, and the tags that they leave."""
        assert self.sample_rate is not None
        seconds = batch.n_samples.double() / self.sample_rate
        if self.ends == "wrap":
            return replace(batch, events=wrapped(batch.events, shift, seconds)) if len(batch.events) else batch
        events = cut(batch.events, shift, seconds)
        tags, tagged = tags_left(batch, events, shift)
        return replace(batch, events=events, clip_labels=tags, tagged=tagged)

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        by, *n_samples = numbers
        if n_samples:
            return self._within(signal, by, n_samples[0])
        length, reach = signal.shape[1], self._reach(signal.shape[1])
        if self.ends == "wrap":
            wide = torch.cat([signal[:, length - reach :], signal, signal[:, :reach]], 1)
        else:
            wide = torch.nn.functional.pad(signal, (reach, reach))
        return parts(wide.flatten(), by, length)

    def _reach(self, length: int) -> int:
        """The greatest shift, in samples, at most the length of the audio."""
        assert self.sample_rate is not None
        return min(round(self.seconds * self.sample_rate) + 1, length)

    def _within(self, audio: Tensor, by: Int[Tensor, " clip"], n_samples: Int[Tensor, " clip"]) -> Tensor:
        """The audio of padded clips, each moved within its length."""
        sample = torch.arange(audio.shape[1], device=audio.device)
        place, length = sample - by[:, None], n_samples.clamp(min=1)[:, None]
        inside = sample < length
        if self.ends == "wrap":
            return audio.gather(1, torch.where(inside, place % length, sample))
        there = inside & (place >= 0) & (place < length)
        return torch.where(there, audio.gather(1, place.clamp(min=0) % audio.shape[1]), 0.0)


def wrapped(events: Events, shift: Float[Tensor, " clip"], seconds: Float[Tensor, " clip"]) -> Events:
    """Events on the CPU moved by a shift per clip; what leaves a clip at one end comes back at the other.

    Events are first cut at the end of the clip, since an event may end up to half a sample after it.

    >>> moved = wrapped(Events.of([(0, 0, 1.0, 3.0)]), torch.tensor([2.0]), torch.tensor([4.0]))
    >>> moved.onset.tolist(), moved.offset.tolist()
    ([3.0, 0.0], [4.0, 1.0])
    """
    clip, label, onset, offset, gain, group = (column.numpy() for column in events.columns)
    length = seconds.numpy()[clip].astype(np.float64)
    first = (onset + shift.numpy()[clip]) % length
    last = first + np.minimum(offset, length) - onset
    over = (last > length + ROUNDING).nonzero()[0]
    whole = np.concatenate([np.arange(len(clip)), over])  # what comes back follows after all others
    first = np.concatenate([first, np.zeros(len(over))])
    last = np.concatenate([np.minimum(last, length), (last - length)[over]])
    kept = (last > first).nonzero()[0]
    columns = clip[whole], label[whole], first, last, gain[whole], group[whole]
    return Events(*(torch.from_numpy(column[kept]) for column in columns))


def cut(events: Events, shift: Float[Tensor, " clip"], seconds: Float[Tensor, " clip"]) -> Events:
    """Events moved by a shift per clip; parts outside the clip are lost.

    >>> moved = cut(Events.of([(0, 0, 1.0, 3.0), (0, 1, 3.0, 4.0)]), torch.tensor([2.0]), torch.tensor([4.0]))
    >>> moved.label.tolist(), moved.onset.tolist(), moved.offset.tolist()
    ([0], [3.0], [4.0])
    """
    by, length = shift[events.clip].double(), seconds[events.clip].double()
    onset = (events.onset + by).clamp(min=0)
    offset = torch.minimum(torch.minimum(events.offset, length) + by, length)
    return _with_length(Events(events.clip, events.label, onset, offset, events.gain, events.group))


def tags_left(
    batch: Batch, events: Events, shift: Float[Tensor, " clip"]
) -> tuple[Float[Tensor, "clip label"], Bool[Tensor, "clip label"]]:
    """Tags after parts of the clips were lost, and which of them are known; see `TimeShift`."""
    left = torch.zeros_like(batch.clip_labels)
    left.index_put_((events.clip, events.label), events.gain.to(left.dtype).clamp(max=1), accumulate=True)
    tags = torch.where(batch.timed & batch.tagged, torch.minimum(batch.clip_labels, left), batch.clip_labels)
    doubtful = (batch.clip_labels > 0) & ~batch.timed & (shift != 0)[:, None]
    return tags, batch.tagged & ~doubtful


def _with_length(events: Events) -> Events:
    return events[events.offset > events.onset]
