"""Checks for resamples of a PSDS that the thresholds left out lie beyond the end of the curve."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from wsed.metrics.intersection import Criteria
from wsed.metrics.psds_reference import HOUR, Reference
from wsed.metrics.psds_resamples import Rows
from wsed.metrics.roc import Changes
from wsed.metrics.sweep import ScoreGrid, all_changes


@dataclass(frozen=True)
class Pruned:
    """Per label, the false alarms that prove that the thresholds left out are beyond the end of the curve.

    Attributes:
        grid: the scores, from which a label is computed in full if the proof fails for some weights.
        truth: the reference.
        criteria: shares that must be reached.
        max_efpr: rate at which the curves end.
        certain: per label, clips that have a false alarm at every threshold left out; None if there is none.
    """

    grid: ScoreGrid
    truth: Reference
    criteria: Criteria
    max_efpr: float
    certain: tuple[Bool[np.ndarray, " clip"] | None, ...]
    _full: dict[int, Changes] = field(default_factory=dict)

    def checked(self, changes: Sequence[Changes | None], weights: Rows) -> list[Changes | None]:
        """The changes of each label, over all thresholds for labels with too few certain false alarms in some row."""
        enough = self.truth.seconds(weights)
        enough *= self.max_efpr / HOUR * (1 + 1e-9)
        kept = (weights @ self._alarms > enough).all(0)
        return [
            self.whole(label) if change is not None and self.certain[label] is not None and not kept[label] else change
            for label, change in enumerate(changes)
        ]

    @cached_property
    def _alarms(self) -> Float[np.ndarray, "clip label"]:
        none = np.zeros(self.truth.durations.size)
        return np.stack([none if clips is None else clips.astype(np.float64) for clips in self.certain], axis=1)

    def whole(self, label: int) -> Changes:
        """The changes of a label over all thresholds."""
        if label not in self._full:
            self._full[label] = all_changes(self.grid, self.truth.events, self.criteria, label)
        return self._full[label]
