"""`ClipTable`: the tags and events of all clips, as tensors."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.data.clip import Clip
from wsed.data.ragged import Ragged
from wsed.errors import WsedError
from wsed.types import Labels


@dataclass(frozen=True)
class ClipTable:
    """The tags and events of all clips, as tensors. Class names become indices once, not in every epoch.

    Attributes:
        clips: the clips.
        labels: indices of the classes of each clip.
        n_labels: number of classes.
        tagged: which clips have known tags.
        timed: which clips have known events, even if there are none.
        events: label, onset and offset of the events of all clips, in the order of the clips, float64; a single tensor,
            since each tensor takes a file descriptor in every worker process.
        first_event: the events of clip `i` are the rows from `first_event[i]` to `first_event[i + 1]`.
        source: index of the source of each clip.
        sources: names of the sources.
        annotated: which classes each source annotates; other classes are unknown in its clips.
        end: how many seconds of each clip are read.
        confidence: confidence of each class in each clip, 1 if it is certain; None: all are certain.
        unsure: which classes are `unsure` in each clip; None: none are.
        event_confidence: confidence of each event; None: all are certain.

    >>> from pathlib import Path
    >>> table = ClipTable.of([Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog"}))], Labels(["Cat", "Dog"]))
    >>> table.tags_of(torch.tensor([0])).tolist(), table.sources
    ([[0.0, 1.0]], ('weak',))
    """

    clips: Sequence[Clip]
    labels: Ragged
    n_labels: int
    tagged: Bool[Tensor, " clip"]
    timed: Bool[Tensor, " clip"]
    events: Float[Tensor, "event 3"]
    first_event: Int[Tensor, " border"]
    source: Int[Tensor, " clip"]
    sources: tuple[str, ...]
    annotated: Bool[Tensor, "source label"]
    end: float = inf
    confidence: Float[Tensor, "clip label"] | None = None
    unsure: Bool[Tensor, "clip label"] | None = None
    event_confidence: Float[Tensor, " event"] | None = None

    @staticmethod
    def of(
        clips: Sequence[Clip],
        labels: Labels,
        end: float = inf,
        annotated: Mapping[str, Collection[str]] | None = None,
    ) -> "ClipTable":
        """The table of some clips.

        >>> from pathlib import Path
        >>> clips = [Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog"})), Clip("b.wav", Path("b.wav"), "rest")]
        >>> table = ClipTable.of(clips, Labels(["Cat", "Dog"]))
        >>> table.tags.tolist(), table.tagged.tolist()
        ([[0.0, 1.0], [0.0, 0.0]], [True, False])

        Args:
            clips: clips of any sources.
            labels: the classes.
            end: how many seconds of each clip are read. Events are cut at this time and at the end of the file. A tag
                is left out if all its events begin later.
            annotated: the classes that a source annotates; a source that is not named annotates all classes.

        Raises:
            WsedError: a label is not in `labels`, or an event begins after the end of its file.
        """
        sources = tuple(dict.fromkeys(c.source for c in clips))
        number = {name: i for i, name in enumerate(sources)}
        index = {name: i for i, name in enumerate(labels)}
        tags: list[list[int]] = []
        events: list[tuple[int, float, float, float]] = []
        first_event = [0]
        for clip in clips:
            _check_labels(clip, labels)
            stop = min(end, seconds_of(clip))
            read = {label for label, onset, _ in clip.events or () if onset < stop}
            beyond = {label for label, _, _ in clip.events or ()} - read
            tags.append(sorted(index[tag] for tag in (clip.tags or frozenset()) - beyond))
            known = zip(clip.events or (), clip.confidences, strict=True)
            events += [(index[label], on, min(off, stop), sure) for (label, on, off), sure in known if on < stop]
            first_event.append(len(events))
        columns = torch.tensor(events, dtype=torch.float64).reshape(-1, 4)
        return ClipTable(
            tuple(clips),
            Ragged.lists(tags),
            len(labels),
            torch.tensor([c.tags is not None for c in clips], dtype=torch.bool),
            torch.tensor([c.events is not None for c in clips], dtype=torch.bool),
            columns[:, :3].contiguous(),
            torch.tensor(first_event),
            torch.tensor([number[c.source] for c in clips], dtype=torch.long),
            sources,
            annotated_classes(sources, labels, annotated),
            end,
            _confidence(clips, index),
            _unsure(clips, index),
            columns[:, 3].contiguous() if any(clip.confidence or clip.event_confidence for clip in clips) else None,
        )

    @property
    def only_tagged(self) -> Bool[Tensor, " clip"]:
        """Which clips have known tags and unknown events."""
        return self.tagged & ~self.timed

    @property
    def tags(self) -> Float[Tensor, "clip label"]:
        """1 where a clip holds a class, float32. For millions of clips it may not fit into memory: see `tags_of`."""
        return self.labels.one_hot(self.n_labels)

    def tags_of(self, index: Int[Tensor, " taken"]) -> Float[Tensor, "taken label"]:
        """The `tags` of the clips with these indices; a pseudo label has its confidence instead of 1."""
        tags = self.labels.take(index).one_hot(self.n_labels)
        return tags if self.confidence is None else tags * self.confidence[index]


def annotated_classes(
    sources: Sequence[str], labels: Labels, annotated: Mapping[str, Collection[str]] | None
) -> Bool[Tensor, "source label"]:
    """Which classes each source annotates: those that `annotated` lists for it, or else all.

    >>> annotated_classes(["weak", "office"], Labels(["Dog", "Phone"]), {"office": ["Phone"]}).tolist()
    [[True, True], [False, True]]
    """
    known = annotated or {}
    rows = [[name in known.get(source, labels.names) for name in labels] for source in sources]
    return torch.tensor(rows, dtype=torch.bool).reshape(len(sources), len(labels))


def _check_labels(clip: Clip, labels: Labels) -> None:
    named = {label for label, _, _ in clip.events or ()}.union(clip.tags or (), clip.unsure, clip.confidence)
    unknown = named - set(labels.names)
    if unknown:
        raise WsedError(
            f"clip {clip.id} ({clip.source}) has the label {sorted(unknown)[0]!r}, "
            f"which is not one of data.corpus.labels ({', '.join(labels)}): add it there, or correct the table"
        )


def _confidence(clips: Sequence[Clip], index: Mapping[str, int]) -> Float[Tensor, "clip label"] | None:
    """The confidence of each class in each clip; None if all tags are certain."""
    if not any(clip.confidence for clip in clips):
        return None
    values = torch.ones(len(clips), len(index))
    for i, clip in enumerate(clips):
        for label, confidence in clip.confidence.items():
            values[i, index[label]] = confidence
    return values


def _unsure(clips: Sequence[Clip], index: Mapping[str, int]) -> Bool[Tensor, "clip label"] | None:
    """The `unsure` classes of each clip; None if no clip has any."""
    if not any(clip.unsure for clip in clips):
        return None
    values = torch.zeros(len(clips), len(index), dtype=torch.bool)
    for i, clip in enumerate(clips):
        values[i, [index[label] for label in sorted(clip.unsure)]] = True
    return values


def seconds_of(clip: Clip) -> float:
    """Duration of the clip, infinite if it is not known; raises a `WsedError` if an event begins later."""
    seconds = inf if clip.duration is None else clip.duration
    for label, onset, _ in clip.events or ():
        if onset >= seconds:
            raise WsedError(
                f"clip {clip.id} ({clip.source}): its {label} begins at {onset:g} s, but {clip.path} ends at "
                f"{seconds:g} s; correct the table (`wsed data check` finds all such events)"
            )
    return seconds
