"""Groups of clips that are drawn together in a bootstrap: the clips of a patient, or of a source recording."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from wsed.errors import WsedError
from wsed.metrics.bootstrap import CHUNK, PerResample, Statistic, Weights


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of clips. A mixed clip is in several groups, one for each recording in it.

    The weight of a clip is the product of the weights of its groups. For one group per clip this draws whole groups.
    For several it is the product weighting of Owen and Eckles (Annals of Applied Statistics 6, 2012), which tends to
    wide intervals.

    Attributes:
        names: names of the groups.
        places: for each clip the places of its groups in `names`; `len(names)` where a clip has fewer groups.

    >>> groups = Groups.of(["anna", "anna", "ben"])
    >>> groups.names, groups.clip_weights(np.array([[2.0, 0.0]])).tolist()
    (('anna', 'ben'), [[2.0, 2.0, 0.0]])
    >>> Groups.of([("rain", "dog"), ("rain",)]).clip_weights(np.array([[2.0, 3.0]])).tolist()
    [[6.0, 2.0]]
    """

    names: tuple[str, ...]
    places: Int[np.ndarray, "clip most"]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def overlap(self) -> bool:
        """Whether a clip is in several groups."""
        return bool(self.places.shape[1] > 1)

    @classmethod
    def of(cls, groups: Sequence[str | Collection[str]]) -> "Groups":
        """Groups from the group, or the groups, of each clip.

        Raises:
            WsedError: a clip has no group, or there are no clips.

        >>> len(Groups.of([("a", "b"), ("b", "c")]))
        3
        """
        several = [(own,) if isinstance(own, str) else tuple(dict.fromkeys(own)) for own in groups]
        if not several or not all(several):
            raise WsedError("a bootstrap by group needs clips, and a group for every clip")
        place = {name: i for i, name in enumerate(dict.fromkeys(name for own in several for name in own))}
        places = np.full((len(several), max(map(len, several))), len(place), dtype=np.int64)
        for row, own in zip(places, several, strict=True):
            row[: len(own)] = [place[name] for name in own]
        return cls(tuple(place), places)

    def select(self, clips: Bool[np.ndarray, " clip"]) -> "Groups":
        """The groups of some of the clips, without groups that have none of them.

        >>> Groups.of(["anna", "ben", "carl"]).select(np.array([True, False, True])).names
        ('anna', 'carl')
        """
        places = self.places[clips]
        kept = np.unique(places[places < len(self)])
        number = np.full(len(self) + 1, kept.size)
        number[kept] = np.arange(kept.size)
        return Groups(tuple(self.names[place] for place in kept.tolist()), number[places])

    def clip_weights(self, weights: Float[np.ndarray, "resample group"]) -> Weights:
        """The weight of each clip: the product of the weights of its groups."""
        padded = np.pad(weights, ((0, 0), (0, 1)), constant_values=1.0)
        result: Weights = padded[:, self.places].prod(2)
        return result

    def statistic(self, statistic: Statistic) -> Statistic:
        """A statistic of clip weights as one of group weights, for `bootstrap(..., n_clips=len(groups))`.

        >>> share = Groups.of(["p1", "p1", "p2"]).statistic(lambda weights: weights[:, 0] / weights.sum(1))
        >>> share(np.array([[1.0, 2.0]])).tolist()
        [0.25]
        """
        rows = max(1, CHUNK // self.places.size)

        def of_groups(weights: Weights) -> PerResample:
            parts = [statistic(self.clip_weights(weights[i : i + rows])) for i in range(0, len(weights), rows)]
            return np.concatenate(parts)

        return of_groups
