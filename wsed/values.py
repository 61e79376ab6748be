"""`Scores`: the predictions of a system for clips; `Detections`: the events that a decoder detects in them.

Both hold one tensor per attribute, for all clips together. Clips may differ in length: the frame scores of all clips
follow each other, and `lengths` holds the number of frames of each clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.clip_names import Names
from wsed.errors import WsedError
from wsed.truth import Truth as Truth
from wsed.truth import select_clips as select_clips
from wsed.truth import tags_of as tags_of
from wsed.types import Events, Output

PerLabel = float | Sequence[float] | Float[Tensor, " label"]


@dataclass(frozen=True)
class Scores:
    """The predictions of a system for clips of any length.

    Attributes:
        clip_ids: name of each clip; kept as one array, see `wsed.clip_names.Names`.
        durations: duration of each clip in seconds, float64.
        frame_rate: frames per second; frame `i` of a clip covers `[i, i + 1) / frame_rate` seconds. 0 if there are no
            frames, or if `borders` holds their times.
        frames: frame scores of all clips, one clip after the other; None for a system that only tags.
        lengths: number of frames of each clip; None if `frames` is None.
        clip_scores: one score per clip and class; a higher score means more certain.
        embeddings: one vector per clip.
        borders: times in seconds at which frames begin and end, `lengths + 1` per clip, one clip after the other;
            None: regular frames at `frame_rate`.

    Raises:
        WsedError: the attributes do not fit together.

    >>> scores = Scores.of_clips(("a.wav", "b.wav"), [torch.rand(3, 2), torch.rand(5, 2)], frame_rate=1.0)
    >>> len(scores), scores.durations.tolist()
    (2, [3.0, 5.0])
    >>> padded, valid = scores.padded()
    >>> padded.shape, valid.sum(1).tolist()
    (torch.Size([2, 5, 2]), [3, 5])
    >>> scores.with_padded(1 - padded).frames.shape, [len(frames) for frames in scores.split()]
    (torch.Size([8, 2]), [3, 5])
    >>> Scores.cat([scores, scores.select(torch.tensor([1])).to("cpu")]).clip_ids
    ('a.wav', 'b.wav', 'b.wav')
    """

    clip_ids: Sequence[str]
    durations: Float[Tensor, " clip"]
    frame_rate: float = 0.0
    frames: Float[Tensor, "all_frames label"] | None = None
    lengths: Int[Tensor, " clip"] | None = None
    clip_scores: Float[Tensor, "clip label"] | None = None
    embeddings: Float[Tensor, "clip dim"] | None = None
    borders: Float[Tensor, " all_borders"] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "clip_ids", Names.of(self.clip_ids))
        per_clip = (self.durations, self.lengths, self.clip_scores, self.embeddings)
        if any(part is not None and len(part) != len(self) for part in per_clip):
            raise WsedError(f"scores of {len(self)} clips need one value or row per clip in every attribute")
        if (self.frames is None) != (self.lengths is None):
            raise WsedError("scores need both frames and lengths (the number of frames of each clip), or neither")
        if self.frames is None or self.lengths is None:
            return
        if len(self.frames) != int(self.lengths.sum()):
            raise WsedError(f"{len(self.frames)} frame scores do not fit clips of {int(self.lengths.sum())} frames")
        if self.borders is None and not self.frame_rate > 0:
            raise WsedError(f"frame_rate must be positive, not {self.frame_rate}")
        if self.borders is not None and len(self.borders) != len(self.frames) + len(self):
            raise WsedError(
                f"{len(self.frames)} frames of {len(self)} clips need {len(self.frames) + len(self)} borders, "
                f"not {len(self.borders)}"
            )

    @staticmethod
    def of_clips(
        clip_ids: Sequence[str],
        frames: Sequence[Float[Tensor, "_ label"]],
        frame_rate: float,
        durations: Float[Tensor, " clip"] | None = None,
        clip_scores: Float[Tensor, "clip label"] | None = None,
    ) -> "Scores":
        """Scores from one `[frame label]` tensor per clip; durations are those of the frames if None."""
        lengths = torch.tensor([len(clip) for clip in frames], dtype=torch.long)
        if durations is None and not frame_rate > 0:
            raise WsedError(f"frame_rate must be positive, not {frame_rate}")
        seconds = lengths.double() / frame_rate if durations is None else durations.double()
        together = torch.cat(list(frames)) if len(frames) else torch.zeros(0, 0)
        return Scores(clip_ids, seconds, frame_rate, together, lengths, clip_scores)

    @staticmethod
    def of_padded(
        scores: Float[Tensor, "clip frame label"],
        frame_rate: float,
        *,
        valid: Bool[Tensor, "clip frame"] | None = None,
        durations: Float[Tensor, " clip"] | None = None,
        clip_scores: Float[Tensor, "clip label"] | None = None,
        clip_ids: Sequence[str] | None = None,
    ) -> "Scores":
        """Scores from a padded tensor; the `valid` frames of a clip come first.

        >>> Scores.of_padded(torch.rand(2, 10, 3), frame_rate=50.0).durations.tolist()
        [0.2, 0.2]
        """
        n_clips, n_frames = scores.shape[:2]
        if not frame_rate > 0:
            raise WsedError(f"frame_rate must be positive, not {frame_rate}")
        lengths = torch.full((n_clips,), n_frames) if valid is None else valid.sum(1).cpu()
        seconds = lengths.double() / frame_rate if durations is None else durations.detach().cpu().double()
        names = list(map(str, range(n_clips))) if clip_ids is None else clip_ids
        return Scores(names, seconds, frame_rate, _unpadded(scores, valid), lengths, clip_scores)

    @staticmethod
    def of_output(output: Output, clip_ids: Sequence[str], durations: Float[Tensor, " clip"]) -> "Scores":
        """Scores from the output of a network for a batch, on the device of the network, without padding or gradient.

        >>> output = Output(clip_logits=torch.zeros(1, 2))
        >>> Scores.of_output(output, ["a.wav"], torch.tensor([10.0])).clip_scores.tolist()
        [[0.5, 0.5]]
        """
        frames = None if output.frame_logits is None else output.frame_scores.detach()
        clips = None if output.clip_logits is None else output.clip_scores.detach()
        points = None if output.clip_embedding is None else output.clip_embedding.detach().float()
        seconds = durations.detach().cpu().double()
        if frames is None:
            return Scores(clip_ids, seconds, clip_scores=clips, embeddings=points)
        rate, valid = output.frame_rate or 0.0, output.valid
        scores = Scores.of_padded(frames, rate, valid=valid, durations=seconds, clip_scores=clips, clip_ids=clip_ids)
        return replace(scores, embeddings=points)

    @staticmethod
    def cat(parts: Sequence["Scores"]) -> "Scores":
        """The clips of several scores, one after the other; an attribute is None unless all parts have it."""
        names = Names.cat([Names.of(part.clip_ids) for part in parts])
        seconds = torch.cat([part.durations for part in parts])
        rate = max((part.frame_rate for part in parts), default=0.0)
        frames, lengths, clip_scores, embeddings, borders = (
            _concatenated(column)
            for column in zip(
                *((p.frames, p.lengths, p.clip_scores, p.embeddings, p.borders) for p in parts), strict=True
            )
        )
        return Scores(names, seconds, rate, frames, lengths, clip_scores, embeddings, borders)

    def __len__(self) -> int:
        return len(self.clip_ids)

    @property
    def n_labels(self) -> int:
        """Size of the label axis; 0 if there are neither frame nor clip scores."""
        known = [part.shape[1] for part in (self.frames, self.clip_scores) if part is not None]
        return known[0] if known else 0

    def need_frames(self) -> tuple[Float[Tensor, "all_frames label"], Int[Tensor, " clip"]]:
        """`frames` and `lengths`; raises a `WsedError` if there are no frame scores.

        >>> Scores.of_clips(["a.wav"], [torch.zeros(3, 1)], frame_rate=1.0).need_frames()[1]
        tensor([3])
        """
        if self.frames is None or self.lengths is None:
            raise WsedError("these scores hold no frames; use a network with a head that provides frame_logits")
        return self.frames, self.lengths

    @property
    def is_full(self) -> bool:
        """Whether all clips have the same number of frames, so that `padded` adds no padding."""
        _, lengths = self.need_frames()
        return not len(lengths) or bool((lengths == lengths[0]).all())

    def split(self) -> tuple[Float[Tensor, "_ label"], ...]:
        """The frame scores of each clip, as views."""
        frames, lengths = self.need_frames()
        return torch.split(frames, lengths.tolist())

    def padded(self) -> tuple[Float[Tensor, "clip frame label"], Bool[Tensor, "clip frame"]]:
        """The frame scores, padded with zeros to the longest clip, and which frames are not padding.

        They are a view if all clips have the same number of frames.
        """
        frames, lengths = self.need_frames()
        most = int(lengths.max()) if len(lengths) else 0
        valid = torch.arange(most, device=frames.device) < lengths.to(frames.device)[:, None]
        if self.is_full:
            return frames.view(len(self), most, frames.shape[1]), valid
        table = frames.new_zeros(len(self), most, frames.shape[1])
        table[valid] = frames
        return table, valid

    def per_frame(self, per_clip: Tensor) -> Tensor:
        """Repeat each row of a `[clip ...]` tensor for all frames of its clip: `[all_frames ...]`.

        >>> scores = Scores.of_clips(["a.wav"], [torch.zeros(3, 1)], frame_rate=1.0)
        >>> scores.per_frame(torch.tensor([7])).tolist()
        [7, 7, 7]
        """
        lengths = self.need_frames()[1].to(per_clip.device)
        return per_clip.repeat_interleave(lengths, dim=0)

    def with_padded(self, scores: Float[Tensor, "clip frame label"]) -> "Scores":
        """The same clips with other frame scores, padded as `padded` returns them."""
        _, lengths = self.need_frames()
        if self.is_full:
            return replace(self, frames=_unpadded(scores, None))
        valid = torch.arange(scores.shape[1], device=scores.device) < lengths.to(scores.device)[:, None]
        return replace(self, frames=_unpadded(scores, valid))

    def select(self, clips: Int[Tensor, " chosen"]) -> "Scores":
        """The clips with these indices, in this order."""
        if torch.equal(clips, torch.arange(len(self))):
            return self
        names, seconds = Names.of(self.clip_ids).take(clips), self.durations[clips]
        tags, points = (_taken(part, clips) for part in (self.clip_scores, self.embeddings))
        if self.frames is None or self.lengths is None:
            return Scores(names, seconds, self.frame_rate, clip_scores=tags, embeddings=points)
        frames = _taken(self.frames, _rows(self.lengths, clips))
        borders = None if self.borders is None else self.borders[_rows(self.lengths + 1, clips)]
        return Scores(names, seconds, self.frame_rate, frames, self.lengths[clips], tags, points, borders)

    def to(self, device: torch.device | str) -> "Scores":
        """The scores on another device; durations, lengths and borders stay on the CPU."""
        moved = (None if part is None else part.to(device) for part in (self.frames, self.clip_scores, self.embeddings))
        frames, clip_scores, embeddings = moved
        return replace(self, frames=frames, clip_scores=clip_scores, embeddings=embeddings)


def _unpadded(
    scores: Float[Tensor, "clip frame label"], valid: Bool[Tensor, "clip frame"] | None
) -> Float[Tensor, "all_frames label"]:
    return scores.flatten(0, 1) if valid is None else scores[valid.to(scores.device)]


def _concatenated(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there and len(there) == len(parts) else None


def _taken(part: Tensor | None, rows: Int[Tensor, " row"]) -> Tensor | None:
    return None if part is None else part[rows.to(part.device)]


def _rows(lengths: Int[Tensor, " clip"], clips: Int[Tensor, " chosen"]) -> Int[Tensor, " row"]:
    """The indices of the rows of the chosen clips, if the rows of all clips follow each other."""
    start, size = (lengths.cumsum(0) - lengths)[clips], lengths[clips]
    return torch.arange(int(size.sum())) + (start - (size.cumsum(0) - size)).repeat_interleave(size)


@dataclass(frozen=True)
class Detections:
    """Detected events with their confidences.

    Attributes:
        events: sorted by clip, label and onset; `clip` is an index into `Scores.clip_ids`.
        confidence: confidence of each event, in the range of the scores.

    >>> two = Events.of([(0, 0, 1.0, 2.0), (0, 1, 0.0, 4.0)])
    >>> Detections(two, torch.tensor([0.9, 0.2])).above(0.5).onset.tolist()
    [1.0]
    """

    events: Events
    confidence: Float[Tensor, " event"]

    def __len__(self) -> int:
        return len(self.events)

    def confident(self, threshold: PerLabel) -> "Detections":
        """The detections with a confidence above the threshold (not equal); one threshold, or one per label."""
        limit = torch.as_tensor(threshold, dtype=self.confidence.dtype)
        return self[self.confidence > (limit[self.events.label] if limit.ndim else limit)]

    def above(self, threshold: PerLabel) -> Events:
        """The events of `confident`."""
        return self.confident(threshold).events

    def __getitem__(self, keep: Tensor) -> "Detections":
        """The detections that a mask or an index tensor selects."""
        return Detections(self.events[keep], self.confidence[keep])
