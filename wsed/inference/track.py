"""One recording on its way from the scores of its windows to its events."""

from dataclasses import replace

import torch
from torch import Tensor

from wsed.decoding import Decoder
from wsed.decoding.streamed import Change, StreamedDecoder
from wsed.inference.joining import Joiner
from wsed.values import Scores

EVERY = 60.0
"""Seconds of scores that are decoded at a time."""


class Track:
    """Joins and decodes the windows of one recording, which come in order.

    Args:
        decoder: of clips; what it does within a clip is done within each window.
        frame_rate: of the scores.
        every: seconds of joined scores that are decoded at a time.
    """

    def __init__(self, decoder: Decoder, frame_rate: float, every: float = EVERY) -> None:
        self.decoder = decoder
        self.joiner = Joiner()
        self.streamed = StreamedDecoder(decoder.across(), frame_rate, every)

    def add(self, start: int, window: Scores) -> list[Change]:
        """Add a window that begins at frame `start`; returns what is decided by it."""
        frames, _ = self.decoder.within(window).need_frames()
        return self.streamed.push(self.joiner.add(start, frames))

    def settle(self, frame: int) -> list[Change]:
        """Decide up to a frame, whatever windows come."""
        return self.streamed.push(self.joiner.before(frame))

    def finish(self, duration: float) -> list[Change]:
        """What is left to be decided when the recording ends."""
        return self.streamed.finish(self.joiner.rest(), duration)


class Gathered:
    """The scores of one recording as the network predicts them, joined: frames, clip scores and embeddings.

    The clip score of a class is the highest of the windows; the embedding is the mean of theirs.
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
