"""From the scores of the windows of a recording to its events."""

from dataclasses import replace

import torch
from torch import Tensor

from wsed.decoding import Decoder
from wsed.decoding.streamed import Change, StreamedDecoder
from wsed.inference.joining import Joiner
from wsed.values import Scores

EVERY = 60.0
"""Seconds of scores that are decoded together."""


class Track:
    """Joins and decodes the windows of a recording, which come in order.

    Args:
        decoder: the decoder; its steps within a clip are applied within each window.
        frame_rate: frame rate of the scores.
        every: seconds of joined scores that are decoded together.
    """

    def __init__(self, decoder: Decoder, frame_rate: float, every: float = EVERY) -> None:
        self.decoder = decoder
        self.joiner = Joiner()
        self.streamed = StreamedDecoder(decoder.across(), frame_rate, every)

    def add(self, start: int, window: Scores) -> list[Change]:
        """Add a window that begins at frame `start`; returns the changes that are final now."""
        frames, _ = self.decoder.within(window).need_frames()
        return self.streamed.push(self.joiner.add(start, frames))

    def settle(self, frame: int) -> list[Change]:
        """Decode up to a frame, without waiting for later windows."""
        return self.streamed.push(self.joiner.before(frame))

    def finish(self, duration: float) -> list[Change]:
        """End the recording; returns the remaining changes."""
        return self.streamed.finish(self.joiner.rest(), duration)


class Gathered:
    """Collects the scores of the windows of a recording: frame scores, clip scores and embeddings.

    The clip score of a class is the highest over the windows, and the embedding is the mean over the windows.
    """

    def __init__(self) -> None:
        self._joiner = Joiner()
        self._frames: list[Tensor] = []
        self._clip: Tensor | None = None
        self._embedding: list[Tensor] = []
        self._rate = 0.0

    def add(self, start: int, window: Scores) -> None:
        """Add a window that begins at frame `start`."""
        if window.frames is not None:
            self._frames.append(self._joiner.add(start, window.frames))
            self._rate = window.frame_rate
        if window.clip_scores is not None:
            before = window.clip_scores if self._clip is None else self._clip
            self._clip = torch.maximum(before, window.clip_scores)
        if window.embeddings is not None:
            self._embedding.append(window.embeddings)

    def scores(self, name: str, duration: float) -> Scores:
        """The scores of the recording."""
        seconds = torch.tensor([duration], dtype=torch.float64)
        embedding = torch.cat(self._embedding).mean(0, keepdim=True) if self._embedding else None
        if not self._frames:
            return Scores((name,), seconds, clip_scores=self._clip, embeddings=embedding)
        frames = torch.cat([*self._frames, self._joiner.rest()])
        return replace(
            Scores.of_clips((name,), [frames], self._rate, seconds), clip_scores=self._clip, embeddings=embedding
        )
