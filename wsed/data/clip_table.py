"""What is known of all clips, as arrays."""

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
    """What is known of all clips, as arrays: labels are looked up once, not for every item of every epoch.

    Attributes:
        clips: the clips.
        labels: of each clip, the classes it holds, as indices.
        n_labels: number of classes.
        tagged: which clips have tags.
        timed: which clips have events, or are known to have none.
        events: of all clips in order: label, onset, offset (float64). One tensor, since a worker process gets each
            tensor by a file descriptor of its own.
        first_event: the events of clip `i` are rows `first_event[i]` to `first_event[i + 1]`.
        source: index of each clip's source.
        sources: names of the sources.
        annotated: which classes each source annotates; of the others nothing is known in its clips.
        end: seconds that are read of each clip.
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

    @staticmethod
    def of(
        clips: Sequence[Clip],
        labels: Labels,
        end: float = inf,
        annotated: Mapping[str, Collection[str]] | None = None,
    ) -> "ClipTable":
        """The arrays of `clips`.

        >>> from pathlib import Path
        >>> clips = [Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog"})), Clip("b.wav", Path("b.wav"), "rest")]
        >>> table = ClipTable.of(clips, Labels(["Cat", "Dog"]))
        >>> table.tags.tolist(), table.tagged.tolist()
        ([[0.0, 1.0], [0.0, 0.0]], [True, False])

        Args:
            clips: of any sources.
            labels: the classes.
            end: seconds that are read of each clip; events are cut there and at the end of the file, and tags whose
                events all begin later are left out.
            annotated: the classes that a source annotates; a source that is not named annotates all.

        Raises:
            WsedError: a label is not in `labels`, or an event begins after the end of its file.
        """
        sources = tuple(dict.fromkeys(c.source for c in clips))
        number = {name: i for i, name in enumerate(sources)}
        index = {name: i for i, name in enumerate(labels)}
        tags: list[list[int]] = []
        events: list[tuple[int, float, float]] = []
        first_event = [0]
        for clip in clips:
            _check_labels(clip, labels)
            stop = min(end, _seconds(clip))
            read = {label for label, onset, _ in clip.events or () if onset < stop}
            beyond = {label for label, _, _ in clip.events or ()} - read
            tags.append(sorted(index[tag] for tag in (clip.tags or frozenset()) - beyond))
            events += [(index[label], on, min(off, stop)) for label, on, off in clip.events or () if on < stop]
            first_event.append(len(events))
        return ClipTable(
            tuple(clips),
            Ragged.lists(tags),
            len(labels),
            torch.tensor([c.tags is not None for c in clips], dtype=torch.bool),
            torch.tensor([c.events is not None for c in clips], dtype=torch.bool),
            torch.tensor(events, dtype=torch.float64).reshape(-1, 3),
            torch.tensor(first_event),
            torch.tensor([number[c.source] for c in clips], dtype=torch.long),
            sources,
            annotated_classes(sources, labels, annotated),
            end,
        )

    @property
    def only_tagged(self) -> Bool[Tensor, " clip"]:
        """Which clips have tags and no events."""
        return self.tagged & ~self.timed

    @property
    def tags(self) -> Float[Tensor, "clip label"]:
        """1 where a clip holds a class, float32: all clips, which may be too many for the memory."""
        return self.labels.one_hot(self.n_labels)

    def tags_of(self, index: Int[Tensor, " taken"]) -> Float[Tensor, "taken label"]:
        """1 where a clip of `index` holds a class, float32."""
        return self.labels.take(index).one_hot(self.n_labels)


def annotated_classes(
    sources: Sequence[str], labels: Labels, annotated: Mapping[str, Collection[str]] | None
) -> Bool[Tensor, "source label"]:
    """Which classes each source annotates: all, unless `annotated` lists them.

    >>> annotated_classes(["weak", "office"], Labels(["Dog", "Phone"]), {"office": ["Phone"]}).tolist()
    [[True, True], [False, True]]
    """
    known = annotated or {}
    rows = [[name in known.get(source, labels.names) for name in labels] for source in sources]
    return torch.tensor(rows, dtype=torch.bool).reshape(len(sources), len(labels))


def _check_labels(clip: Clip, labels: Labels) -> None:
    unknown = (clip.tags or frozenset()) - set(labels.names)
    if unknown:
        raise WsedError(
            f"clip {clip.id} ({clip.source}) has the label {sorted(unknown)[0]!r}, "
            f"which is not one of data.corpus.labels ({', '.join(labels)}): add it there, or mend the table"
        )


def _seconds(clip: Clip) -> float:
    """Where the clip ends; a `WsedError` if an event begins later."""
    seconds = inf if clip.duration is None else clip.duration
    for label, onset, _ in clip.events or ():
        if onset >= seconds:
            raise WsedError(
                f"clip {clip.id} ({clip.source}): its {label} begins at {onset:g} s, and {clip.path} ends at "
                f"{seconds:g} s; correct the table (`wsed data check` finds all such events)"
            )
    return seconds
