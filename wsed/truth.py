"""`Truth`: the true tags and events of clips, and which of them are known."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.types import Events


@dataclass(frozen=True)
class Truth:
    """The true tags and events of clips, and which of them are known.

    Attributes:
        tags: whether the clip holds the class; without meaning where `tagged` is False.
        tagged: whether the tag of the class is known for the clip.
        events: the true events; `clip` is an index on the clip axis.
        timed: whether the events of the class in the clip are known; True also if it is known that there are none.

    Raises:
        WsedError: `tags`, `tagged` and `timed` differ in shape.

    >>> truth = Truth.of_events(Events.of([(0, 1, 0.5, 2.0)]), n_clips=2, n_labels=2)
    >>> truth.tags.tolist(), bool(truth.timed.all())
    ([[False, True], [False, False]], True)
    >>> len(Truth.cat([truth, truth.select(torch.tensor([0]))]))
    3
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
        """The truth of clips whose events are all known; the tags of a clip are the classes of its events."""
        known = torch.ones(n_clips, n_labels, dtype=torch.bool)
        return Truth(tags_of(events, n_clips, n_labels), known, events, known)

    @staticmethod
    def cat(parts: Sequence["Truth"]) -> "Truth":
        """The clips of several truths, one after the other."""
        starts = [0, *accumulate(len(part) for part in parts)][:-1]
        events = Events.cat(
            replace(part.events, clip=part.events.clip + start) for part, start in zip(parts, starts, strict=True)
        )
        tags, tagged, timed = (torch.cat(c) for c in zip(*((p.tags, p.tagged, p.timed) for p in parts), strict=True))
        return Truth(tags, tagged, events, timed)

    def __len__(self) -> int:
        return len(self.tags)

    def select(self, clips: Int[Tensor, " chosen"]) -> "Truth":
        """The clips with these indices, in this order, with their events."""
        if torch.equal(clips, torch.arange(len(self))):
            return self
        events = select_clips(self.events, clips, len(self))
        return Truth(self.tags[clips], self.tagged[clips], events, self.timed[clips])


def tags_of(events: Events, n_clips: int, n_labels: int) -> Bool[Tensor, "clip label"]:
    """Tags from events: the classes of the events of each clip.

    >>> tags_of(Events.of([(0, 1, 0.0, 1.0)]), n_clips=1, n_labels=2).tolist()
    [[False, True]]
    """
    table = torch.zeros(n_clips, n_labels, dtype=torch.bool)
    table[events.clip, events.label] = True
    return table


def select_clips(events: Events, clips: Int[Tensor, " chosen"], n_clips: int) -> Events:
    """The events of the chosen clips, sorted by clip; the clip indices of the result are indices into `clips`.

    Args:
        events: events of `n_clips` clips.
        clips: indices of the chosen clips, each at most once.
        n_clips: number of all clips.

    >>> some = Events.of([(0, 0, 0.0, 1.0), (2, 0, 3.0, 4.0)])
    >>> select_clips(some, torch.tensor([2, 1]), n_clips=3).clip.tolist()
    [0]
    """
    place = torch.full((n_clips,), -1)
    place[clips] = torch.arange(len(clips))
    moved = replace(events, clip=place[events.clip])
    chosen = moved[moved.clip >= 0]
    return chosen[chosen.clip.argsort(stable=True)]
