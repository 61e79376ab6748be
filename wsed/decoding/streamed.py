"""Decoding of scores that arrive in parts, in memory that does not grow with the recording."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.decoding.base import Decoder
from wsed.values import Scores

LONGEST = 60.0
"""Seconds of an event that stay in memory: the confidence of a longer one is the mean of its parts."""


class Change(NamedTuple):
    """A decided onset of an event, or its offset.

    Args:
        label: index of the class.
        onset: seconds from the start of the recording.
        offset: seconds from the start of the recording; None: the event goes on.
        confidence: confidence of the event so far.
    """

    label: int
    onset: float
    offset: float | None
    confidence: float


class _Open(NamedTuple):
    """An event that has begun: its first frame, how many of its frames were dropped, and their mean confidence."""

    first: int
    dropped: int = 0
    mean: float = 0.0


class _Span(NamedTuple):
    """Frames `first <= frame < stop` of an event in the buffer, counted from the start of the recording."""

    label: int
    first: int
    stop: int
    confidence: float


class StreamedDecoder:
    """Decodes one recording, whose frame scores are pushed one part after the other.

    Events are decided as soon as the scores of the next `Decoder.reach` seconds are pushed. They equal those of
    decoding the whole recording at once if `reach` is correct, but the confidence of an event longer than `LONGEST` may
    differ. The activity of the frames that are already decided is kept, since hysteresis depends on it (`resumed`).

    Args:
        decoder: one that needs no clip scores (`Decoder.across`).
        frame_rate: frame rate of the scores, frames per second.
        every: seconds of scores that are collected before they are decoded.

    >>> from wsed.decoding import StepDecoder
    >>> streamed = StreamedDecoder(StepDecoder(), frame_rate=2.0)
    >>> streamed.push(torch.tensor([[0.0], [0.75], [0.75]]))
    [Change(label=0, onset=0.5, offset=None, confidence=0.75)]
    >>> streamed.finish(torch.tensor([[0.75], [0.0]]), duration=2.5)
    [Change(label=0, onset=0.5, offset=2.0, confidence=0.75)]
    """

    def __init__(self, decoder: Decoder, frame_rate: float, every: float = 0.0) -> None:
        self.decoder, self.frame_rate = decoder, frame_rate
        self._margin = math.ceil(decoder.reach * frame_rate - 1e-6) + 1  # one more frame, to see that an event ends
        self._every, self._longest = every * frame_rate, math.ceil(LONGEST * frame_rate)
        self._parts: list[Tensor] = []
        self._first = self._stop = self._decided = 0
        self._open: dict[int, _Open] = {}
        self._active: Tensor | None = None  # of the decided frames in the buffer; None: not needed

    def push(self, frames: Float[Tensor, "frame label"]) -> list[Change]:
        """Add scores; returns the onsets and offsets that they decide."""
        self._parts.append(frames)
        self._stop += len(frames)
        decided = self._stop - self._margin
        if decided - self._decided < max(self._every, 1):
            return []
        return self._decide(decided, (self._stop - self._first) / self.frame_rate, final=False)

    def finish(self, frames: Float[Tensor, "frame label"], duration: float) -> list[Change]:
        """Add the last scores of a recording of `duration` seconds; returns all onsets and offsets that are left."""
        self._parts.append(frames)
        self._stop += len(frames)
        changes = self._decide(self._stop, duration - self._first / self.frame_rate, final=True)
        return [_cut(change, duration) for change in changes]

    def _decide(self, decided: int, seconds: float, *, final: bool) -> list[Change]:
        buffer = torch.cat(self._parts)
        spans, active = self._spans(buffer, max(seconds, 0.0))
        changes: list[Change] = []
        going = {span.label: span for span in spans if span.first <= self._decided < span.stop}
        for label in sorted(self._open.keys() - going.keys()):  # with more scores, the event has ended
            changes.append(self._close(_Span(label, self._first, self._decided, self._open[label].mean)))
        for span in spans:
            if span.stop <= self._decided or span.first >= decided:
                continue
            if span.label not in self._open:
                self._open[span.label] = _Open(max(span.first, self._decided))
                changes.append(self._change(span, None))
            if span.stop <= decided or final:
                changes.append(self._close(span))
        self._decided = decided
        self._active = None if active is None else active[: decided - self._first]
        self._forget(buffer, {span.label: span.confidence for span in spans if span.stop > decided})
        return changes

    def _spans(
        self, buffer: Float[Tensor, "frame label"], seconds: float
    ) -> tuple[list[_Span], Bool[Tensor, "frame label"] | None]:
        """The events in the buffer, and its active frames, if they are needed later."""
        durations = torch.tensor([seconds], dtype=torch.float64)
        scores = Scores.of_clips(("",), [buffer], self.frame_rate, durations)
        detections, active = self.decoder.resumed(scores, self._active)
        first = (detections.events.onset * self.frame_rate).round().long() + self._first
        # the last frame of a recording may reach beyond its end, where the event is cut
        stop = (detections.events.offset * self.frame_rate - 1e-6).ceil().long() + self._first
        columns = (detections.events.label, first, stop, detections.confidence)
        return [_Span(*row) for row in zip(*(column.tolist() for column in columns), strict=True)], active

    def _change(self, span: _Span, stop: int | None) -> Change:
        begun = self._open[span.label]
        rest = span.stop - max(span.first, self._first)
        confidence = (begun.dropped * begun.mean + rest * span.confidence) / max(begun.dropped + rest, 1)
        offset = None if stop is None else stop / self.frame_rate
        return Change(span.label, begun.first / self.frame_rate, offset, confidence)

    def _close(self, span: _Span) -> Change:
        change = self._change(span, span.stop)
        del self._open[span.label]
        return change

    def _forget(self, buffer: Float[Tensor, "frame label"], confidence: dict[int, float]) -> None:
        """Drop the scores that are no longer needed."""
        begun = min([self._decided, *(event.first for event in self._open.values())])
        keep = max(begun - self._margin, self._decided - self._margin - self._longest, self._first)
        for label, event in self._open.items():
            frames = keep - max(event.first, self._first)
            if frames > 0:
                total = event.dropped + frames
                mean = (event.dropped * event.mean + frames * confidence.get(label, event.mean)) / total
                self._open[label] = _Open(event.first, total, mean)
        if self._active is not None:
            self._active = self._active[keep - self._first :].clone()
        self._parts, self._first = [buffer[keep - self._first :].clone()], keep


def _cut(change: Change, end: float) -> Change:
    """The change, with its offset at the end of the recording at the latest."""
    return change if change.offset is None else change._replace(offset=min(change.offset, end))
