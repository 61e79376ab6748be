"""What is scored: `Scores` that a system predicts, `Detections` made of them, and the `Truth` about the same clips.

All three are columnar: one tensor per fact, whatever the number of clips. Clips may differ in length, so the frame
scores of all clips stand one after the other, and `lengths` holds the number of frames of each clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.types import Events, Output

PerLabel = float | Sequence[float] | Float[Tensor, " label"]


@dataclass(frozen=True)
class Scores:
    """What a system predicts for recordings, each of any length.

    Attributes:
        clip_ids: name of each clip.
        durations: seconds of each clip, float64.
        frame_rate: frames per second; frame `i` of a clip covers `[i, i + 1) / frame_rate` seconds. 0 if there are no
            frames, or if `borders` says where they are.
        frames: frame scores of all clips, one clip after the other; None for a system that only tags.
        lengths: number of frames of each clip; None without `frames`.
        clip_scores: one score per clip and class, higher means more certain.
        embeddings: one vector per clip.
        borders: seconds where frames begin and end, `lengths + 1` per clip, one clip after the other; None: regular
            frames at `frame_rate`.

    Raises:
        WsedError: the parts do not fit together.

    >>> scores = Scores.of_clips(("a.wav", "b.wav"), [torch.rand(3, 2), torch.rand(5, 2)], frame_rate=1.0)
    >>> len(scores), scores.durations.tolist()
    (2, [3.0, 5.0])
    >>> padded, valid = scores.padded()
    >>> padded.shape, valid.sum(1).tolist()
    (torch.Size([2, 5, 2]), [3, 5])
    """

    clip_ids: tuple[str, ...]
    durations: Float[Tensor, " clip"]
    frame_rate: float = 0.0
    frames: Float[Tensor, "all_frames label"] | None = None
    lengths: Int[Tensor, " clip"] | None = None
    clip_scores: Float[Tensor, "clip label"] | None = None
    embeddings: Float[Tensor, "clip dim"] | None = None
    borders: Float[Tensor, " all_borders"] | None = None

    def __post_init__(self) -> None:
        per_clip = (self.durations, self.lengths, self.clip_scores, self.embeddings)
        if any(part is not None and len(part) != len(self) for part in per_clip):
            raise WsedError(f"scores of {len(self)} clips need one value or row per clip in every part")
        if (self.frames is None) != (self.lengths is None):
            raise WsedError("frame scores and the number of frames of each clip go together: give both, or neither")
        if self.frames is None or self.lengths is None:
            return
        if len(self.frames) != int(self.lengths.sum()):
            raise WsedError(f"{len(self.frames)} frame scores do not fit clips of {int(self.lengths.sum())} frames")
        if self.borders is None and not self.frame_rate > 0:
            raise WsedError(f"frame_rate must be positive, not {self.frame_rate}")
        if self.borders is not None and len(self.borders) != len(self.frames) + len(self):
            raise WsedError(
                f"{len(self.frames)} frames of {len(self)} clips have {len(self.frames) + len(self)} borders"
            )

    @staticmethod
    def of_clips(
        clip_ids: Sequence[str],
        frames: Sequence[Float[Tensor, "_ label"]],
        frame_rate: float,
        durations: Float[Tensor, " clip"] | None = None,
        clip_scores: Float[Tensor, "clip label"] | None = None,
    ) -> "Scores":
        """Scores from one `[frame label]` tensor per clip; without `durations` a clip lasts as long as its frames."""
        lengths = torch.tensor([len(clip) for clip in frames], dtype=torch.long)
        if durations is None and not frame_rate > 0:
            raise WsedError(f"frame_rate must be positive, not {frame_rate}")
        seconds = lengths.double() / frame_rate if durations is None else durations.double()
        together = torch.cat(list(frames)) if len(frames) else torch.zeros(0, 0)
        return Scores(tuple(clip_ids), seconds, frame_rate, together, lengths, clip_scores)

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
        """Scores from one padded tensor; the `valid` frames are the first ones of each clip.

        >>> Scores.of_padded(torch.rand(2, 10, 3), frame_rate=50.0).durations.tolist()
        [0.2, 0.2]
        """
        n_clips, n_frames = scores.shape[:2]
        if not frame_rate > 0:
            raise WsedError(f"frame_rate must be positive, not {frame_rate}")
        lengths = torch.full((n_clips,), n_frames) if valid is None else valid.sum(1).cpu()
        seconds = lengths.double() / frame_rate if durations is None else durations.detach().cpu().double()
        names = tuple(map(str, range(n_clips))) if clip_ids is None else tuple(clip_ids)
        return Scores(names, seconds, frame_rate, _unpadded(scores, valid), lengths, clip_scores)

    @staticmethod
    def of_output(output: Output, clip_ids: Sequence[str], durations: Float[Tensor, " clip"]) -> "Scores":
        """What a network predicts for a batch, without its padding, on the network's device; needs no gradient."""
        frames = None if output.frame_logits is None else output.frame_scores.detach()
        clips = None if output.clip_logits is None else output.clip_scores.detach()
        points = None if output.clip_embedding is None else output.clip_embedding.detach().float()
        seconds = durations.detach().cpu().double()
        if frames is None:
            return Scores(tuple(clip_ids), seconds, clip_scores=clips, embeddings=points)
        rate, valid = output.frame_rate or 0.0, output.valid
        scores = Scores.of_padded(frames, rate, valid=valid, durations=seconds, clip_scores=clips, clip_ids=clip_ids)
        return replace(scores, embeddings=points)

    @staticmethod
    def cat(parts: Sequence["Scores"]) -> "Scores":
        """The clips of several scores, one after the other; a part of the clips is kept if all of them have it."""
        names = tuple(name for part in parts for name in part.clip_ids)
        seconds = torch.cat([part.durations for part in parts])
        rate = max((part.frame_rate for part in parts), default=0.0)
        frames, lengths, clip_scores, embeddings, borders = (
            _joined(column)
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

    def need(self) -> tuple[Float[Tensor, "all_frames label"], Int[Tensor, " clip"]]:
        """Frame scores and the number of frames of each clip; a `WsedError` if the system predicts none."""
        if self.frames is None or self.lengths is None:
            raise WsedError("these scores hold no frames; use a network with a head that provides frame_logits")
        return self.frames, self.lengths

    @property
    def is_full(self) -> bool:
        """Whether all clips have the same number of frames, so that `padded` pads nothing."""
        _, lengths = self.need()
        return not len(lengths) or bool((lengths == lengths[0]).all())

    def split(self) -> tuple[Float[Tensor, "_ label"], ...]:
        """The frame scores of each clip, without a copy."""
        frames, lengths = self.need()
        return torch.split(frames, lengths.tolist())

    def padded(self) -> tuple[Float[Tensor, "clip frame label"], Bool[Tensor, "clip frame"]]:
        """The frame scores with zeros after the end of shorter clips, and which frames are real.

        Without a copy where all clips have the same number of frames.
        """
        frames, lengths = self.need()
        most = int(lengths.max()) if len(lengths) else 0
        valid = torch.arange(most, device=frames.device) < lengths.to(frames.device)[:, None]
        if self.is_full:
            return frames.view(len(self), most, frames.shape[1]), valid
        table = frames.new_zeros(len(self), most, frames.shape[1])
        table[valid] = frames
        return table, valid

    def per_frame(self, per_clip: Tensor) -> Tensor:
        """Rows of a `[clip ...]` tensor repeated for each frame of their clip: `[all_frames ...]`."""
        lengths = self.need()[1].to(per_clip.device)
        return per_clip.repeat_interleave(lengths, dim=0)

    def with_padded(self, scores: Float[Tensor, "clip frame label"]) -> "Scores":
        """The same clips with other frame scores, `[clip frame label]` as `padded` lays them out."""
        _, lengths = self.need()
        if self.is_full:
            return replace(self, frames=_unpadded(scores, None))
        valid = torch.arange(scores.shape[1], device=scores.device) < lengths.to(scores.device)[:, None]
        return replace(self, frames=_unpadded(scores, valid))

    def select(self, clips: Int[Tensor, " chosen"]) -> "Scores":
        """Some of the clips, in the order of their indices.

        >>> scores = Scores.of_clips(("a.wav", "b.wav"), [torch.zeros(3, 1), torch.ones(2, 1)], frame_rate=1.0)
        >>> scores.select(torch.tensor([1])).frames.tolist()
        [[1.0], [1.0]]
        """
        if torch.equal(clips, torch.arange(len(self))):
            return self
        names, seconds = tuple(self.clip_ids[i] for i in clips.tolist()), self.durations[clips]
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


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    there = [part for part in parts if part is not None]
    return torch.cat(there) if there and len(there) == len(parts) else None


def _taken(part: Tensor | None, rows: Int[Tensor, " row"]) -> Tensor | None:
    return None if part is None else part[rows.to(part.device)]


def _rows(lengths: Int[Tensor, " clip"], clips: Int[Tensor, " chosen"]) -> Int[Tensor, " row"]:
    """Rows of the chosen clips where the rows of all clips stand one after the other."""
    start, size = (lengths.cumsum(0) - lengths)[clips], lengths[clips]
    return torch.arange(int(size.sum())) + (start - (size.cumsum(0) - size)).repeat_interleave(size)


@dataclass(frozen=True)
class Detections:
    """Detected events with a confidence each.

    Attributes:
        events: sorted by clip, label and onset; `clip` is a place in `Scores.clip_ids`.
        confidence: of each event, in the range of the scores.

    >>> two = Events.of([(0, 0, 1.0, 2.0), (0, 1, 0.0, 4.0)])
    >>> Detections(two, torch.tensor([0.9, 0.2])).above(0.5).onset.tolist()
    [1.0]
    """

    events: Events
    confidence: Float[Tensor, " event"]

    def __len__(self) -> int:
        return len(self.events)

    def above(self, threshold: PerLabel) -> Events:
        """The events of a confidence above the threshold (strictly), one for all labels or one per label."""
        limit = torch.as_tensor(threshold, dtype=self.confidence.dtype)
        return self.events[self.confidence > (limit[self.events.label] if limit.ndim else limit)]

    def __getitem__(self, keep: Tensor) -> "Detections":
        """The detections selected by a mask or an index tensor."""
        return Detections(self.events[keep], self.confidence[keep])


@dataclass(frozen=True)
class Truth:
    """What is true of some clips, and what of it is known.

    Attributes:
        tags: the classes each clip holds; no meaning where not `tagged`.
        tagged: whether it is known if the clip holds the class.
        events: the true events; `clip` is a place on the clip axis.
        timed: whether all events of the class in the clip are known (even if there are none).

    Raises:
        WsedError: the tables differ in shape.

    >>> truth = Truth.of_events(Events.of([(0, 1, 0.5, 2.0)]), n_clips=2, n_labels=2)
    >>> truth.tags.tolist(), bool(truth.timed.all())
    ([[False, True], [False, False]], True)
    """

    tags: Bool[Tensor, "clip label"]
    tagged: Bool[Tensor, "clip label"]
    events: Events
    timed: Bool[Tensor, "clip label"]

    def __post_init__(self) -> None:
        if not self.tags.shape == self.tagged.shape == self.timed.shape or self.tags.ndim != 2:
            shapes = ", ".join(str(tuple(part.shape)) for part in (self.tags, self.tagged, self.timed))
            raise WsedError(f"tags, tagged and timed must be [clip label] tables of one shape, not {shapes}")

    @staticmethod
    def of_events(events: Events, n_clips: int, n_labels: int) -> "Truth":
        """The truth where all events of all clips are known; the tags of a clip are the classes of its events."""
        known = torch.ones(n_clips, n_labels, dtype=torch.bool)
        return Truth(tags_of(events, n_clips, n_labels), known, events, known)

    @staticmethod
    def cat(parts: Sequence["Truth"]) -> "Truth":
        """The clips of several truths, one after the other."""
        sizes = [len(part) for part in parts]
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        events = Events.cat(
            replace(part.events, clip=part.events.clip + start) for part, start in zip(parts, starts, strict=True)
        )
        tags, tagged, timed = (torch.cat(c) for c in zip(*((p.tags, p.tagged, p.timed) for p in parts), strict=True))
        return Truth(tags, tagged, events, timed)

    def __len__(self) -> int:
        return len(self.tags)

    def select(self, clips: Int[Tensor, " chosen"]) -> "Truth":
        """Some of the clips, in the order of their indices, with their events."""
        if torch.equal(clips, torch.arange(len(self))):
            return self
        events = select_clips(self.events, clips, len(self))
        return Truth(self.tags[clips], self.tagged[clips], events, self.timed[clips])


def tags_of(events: Events, n_clips: int, n_labels: int) -> Bool[Tensor, "clip label"]:
    """The classes of the events of each clip.

    >>> tags_of(Events.of([(0, 1, 0.0, 1.0)]), n_clips=1, n_labels=2).tolist()
    [[False, True]]
    """
    table = torch.zeros(n_clips, n_labels, dtype=torch.bool)
    table[events.clip, events.label] = True
    return table


def select_clips(events: Events, clips: Int[Tensor, " chosen"], n_clips: int) -> Events:
    """The events of some clips, whose indices become places in `clips`; in the order of the clips, then as given.

    Args:
        events: of `n_clips` clips.
        clips: indices of the chosen ones, each at most once.
        n_clips: clips in all.

    >>> some = Events.of([(0, 0, 0.0, 1.0), (2, 0, 3.0, 4.0)])
    >>> select_clips(some, torch.tensor([2, 1]), n_clips=3).clip.tolist()
    [0]
    """
    place = torch.full((n_clips,), -1)
    place[clips] = torch.arange(len(clips))
    moved = replace(events, clip=place[events.clip])
    chosen = moved[moved.clip >= 0]
    return chosen[chosen.clip.argsort(stable=True)]
