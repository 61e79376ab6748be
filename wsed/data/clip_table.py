"""What is known of all clips, as arrays."""

from collections.abc import Sequence
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
        n_labels: classes in all.
        tagged: `[clip]`, whose tags are known.
        timed: `[clip]`, whose events are known.
        events: `[event 3]` float64 of all clips in order: label, onset, offset. One tensor, since a worker process
            gets each tensor by a file descriptor of its own.
        first_event: `[clip + 1]`; the events of clip `i` are rows `first_event[i]` to `first_event[i + 1]`.
        source: `[clip]`, index into `sources`.
        sources: names.
    """

    clips: Sequence[Clip]
    labels: Ragged
    n_labels: int
    tagged: Tensor
    timed: Tensor
    events: Tensor
    first_event: Tensor
    source: Tensor
    sources: tuple[str, ...]

    @staticmethod
    def of(clips: Sequence[Clip], labels: Labels, end: float = inf) -> "ClipTable":
        """The arrays of `clips`.

        Args:
            clips: of any sources.
            labels: the classes.
            end: seconds that are read of each clip; events are cut there and at the end of the file, and tags whose
                events all begin later are left out.

        Raises:
            WsedError: a label is not in `labels`, or an event begins after the end of its file.
        """
        names = tuple(dict.fromkeys(c.source for c in clips))
        index = {name: i for i, name in enumerate(labels)}
        tags: list[list[int]] = []
        events: list[tuple[int, float, float]] = []
        first_event = [0]
        for clip in clips:
            unknown = (clip.tags or frozenset()) - index.keys()
            if unknown:
                raise WsedError(
                    f"clip {clip.id} ({clip.source}) has the label {sorted(unknown)[0]!r}, "
                    f"which is not one of data.labels ({', '.join(labels)}): add it there, or mend the table"
                )
            stop = min(end, _seconds(clip))
            heard = {label for label, on, _ in clip.events or () if on < stop}
            beyond = {label for label, _, _ in clip.events or ()} - heard  # not in what is read
            tags.append(sorted(index[t] for t in (clip.tags or frozenset()) - beyond))
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
            torch.tensor([names.index(c.source) for c in clips], dtype=torch.long),
            names,
        )

    @property
    def only_tagged(self) -> Bool[Tensor, " clip"]:
        """Whose tags are known, and no events."""
        return self.tagged & ~self.timed

    @property
    def tags(self) -> Float[Tensor, "clip label"]:
        """1 where a clip holds a class, float32: all clips, which may be too many for the memory."""
        return self.labels.one_hot(self.n_labels)

    def tags_of(self, index: Int[Tensor, " taken"]) -> Float[Tensor, "taken label"]:
        """The same for some clips."""
        return self.labels.take(index).one_hot(self.n_labels)


def _seconds(clip: Clip) -> float:
    """Where the clip's file ends; a `WsedError` if an event begins later."""
    seconds = inf if clip.duration is None else clip.duration
    for label, onset, _ in clip.events or ():
        if onset >= seconds:
            raise WsedError(
                f"clip {clip.id} ({clip.source}): its {label} begins at {onset:g} s, and {clip.path} ends at "
                f"{seconds:g} s; correct the table (`wsed data check` finds all such events)"
            )
    return seconds
