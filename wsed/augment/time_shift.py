"""Shifts in time, with the events."""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.augment.base import AUGMENTS, Augment, Sounds
from wsed.augment.draws import check_chance, chosen, uniform
from wsed.errors import WsedError
from wsed.types import Batch, Events


@AUGMENTS.register("time_shift")
class TimeShift(Augment):
    """Moves the sound of a clip forwards or backwards in time, and its events with it.

    Sound that leaves the clip at one end comes back at the other (`wrap`; an event across the seam becomes two), or is
    lost and silence takes its place (`cut`). With `cut`, a tag whose events are known stays true only if an event is
    left. A tag whose events are not known becomes unknown, since its sound may be lost.

    Args:
        seconds: greatest shift; the DCASE baseline draws from a normal distribution with deviation 1.44 s (90 frames).
        ends: `wrap` or `cut`.
        p: probability that a clip is shifted.

    Raises:
        WsedError: a setting is out of its range.

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

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        if self.sample_rate is None:
            raise WsedError("augment time_shift: call prepare with the sample rate first")
        by = uniform(len(batch), -self.seconds, self.seconds, generator).double() * self.sample_rate
        by = torch.where(chosen(len(batch), self.p, generator), by.round(), 0.0)
        seconds = batch.n_samples.double() / self.sample_rate
        shift = by / self.sample_rate
        audio = batch.samples()
        place = torch.arange(audio.shape[1], device=audio.device) - by.long()[:, None]
        length = batch.n_samples.clamp(min=1)[:, None]
        inside = torch.arange(audio.shape[1], device=audio.device) < length
        if self.ends == "wrap":
            source = torch.where(inside, place % length, torch.arange(audio.shape[1], device=audio.device))
            events = wrapped(batch.events, shift, seconds)
            return replace(batch, audio=audio.gather(1, source), events=events)
        there = inside & (place >= 0) & (place < length)
        audio = torch.where(there, audio.gather(1, place.clamp(min=0) % audio.shape[1]), 0.0)
        events = cut(batch.events, shift, seconds)
        tags, tagged = tags_left(batch, events, shift)
        return replace(batch, audio=audio, events=events, clip_labels=tags, tagged=tagged)


def wrapped(events: Events, shift: Float[Tensor, " clip"], seconds: Float[Tensor, " clip"]) -> Events:
    """Events moved by a shift per clip; what leaves a clip at one end comes back at the other.

    >>> moved = wrapped(Events.of([(0, 0, 1.0, 3.0)]), torch.tensor([2.0]), torch.tensor([4.0]))
    >>> moved.onset.tolist(), moved.offset.tolist()
    ([3.0, 0.0], [4.0, 1.0])
    """
    length = seconds[events.clip].double()
    onset = (events.onset + shift[events.clip]) % length
    offset = onset + (events.offset - events.onset).clamp(max=length)
    first = Events(events.clip, events.label, onset, offset.minimum(length), events.gain, events.group)
    over = offset > length
    rest = first[over]
    again = Events(rest.clip, rest.label, torch.zeros_like(rest.onset), (offset - length)[over], rest.gain, rest.group)
    return _with_length(Events.cat([first, again]))


def cut(events: Events, shift: Float[Tensor, " clip"], seconds: Float[Tensor, " clip"]) -> Events:
    """Events moved by a shift per clip; parts outside the clip are lost.

    >>> moved = cut(Events.of([(0, 0, 1.0, 3.0), (0, 1, 3.0, 4.0)]), torch.tensor([2.0]), torch.tensor([4.0]))
    >>> moved.label.tolist(), moved.onset.tolist(), moved.offset.tolist()
    ([0], [3.0], [4.0])
    """
    by, length = shift[events.clip].double(), seconds[events.clip].double()
    onset, offset = (events.onset + by).clamp(min=0), torch.minimum(events.offset + by, length)
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
