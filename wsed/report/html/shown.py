"""`Shown`: all that a report shows of one system, from the folder of a run or from files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.metrics.error_kinds import error_kinds
from wsed.metrics.groups import Groups
from wsed.metrics.system import System
from wsed.scoring.report import Report
from wsed.types import Events, Labels
from wsed.values import Scores

UNKNOWN = -1
"""Kind of an event of a class whose events are not known in the clip."""


@dataclass(frozen=True)
class Sound:
    """Where the sound of a clip is: a file, and the second in it at which the clip starts."""

    path: Path
    start: float = 0.0


@runtime_checkable
class Attention(Protocol):
    """Computes the attention weights of the frames of a clip."""

    def of(self, sound: Sound, seconds: float) -> Scores:
        """The weights in [0, 1], like frame scores."""


@dataclass(frozen=True)
class Shown:
    """What a report shows of one system.

    Attributes:
        name: name of the system on the page.
        labels: the classes.
        clip_ids: the clips.
        detected: the detected events; `clip` is an index into `clip_ids`.
        confidence: confidence of each detected event; None if there is none.
        durations: seconds of each clip; None if they are not known.
        system: the system and the truth; None if nothing is known about the clips.
        report: the metrics; None if nothing is known about the clips.
        curves: frame scores to which the thresholds apply; None if there are none.
        thresholds: the threshold of each class; empty if there is none.
        points: thresholds, and the events that are detected at each.
        scores: scores that should be probabilities, of frames and clips; None if there are none.
        sounds: the sound of each clip, by its id.
        config: the configuration as text.
        logs: tables of the metrics of each epoch, in the order in which they were begun.
        facts: versions and other facts, by name.
        attention: computes the attention of the network in a clip; None if it has none.
        groups: groups of clips that are drawn together for intervals; None: each clip is drawn by itself.
        notes: what the reader of the page should know.
    """

    name: str
    labels: Labels
    clip_ids: Sequence[str]
    detected: Events
    confidence: Float[Tensor, " event"] | None = None
    durations: Float[Tensor, " clip"] | None = None
    system: System | None = None
    report: Report | None = None
    curves: Scores | None = None
    thresholds: tuple[float, ...] = ()
    points: tuple[tuple[float, Events], ...] = ()
    scores: Scores | None = None
    sounds: Mapping[str, Sound] = field(default_factory=dict)
    config: str = ""
    logs: Sequence[Path] = ()
    facts: Mapping[str, object] = field(default_factory=dict)
    attention: Attention | None = None
    groups: Groups | None = None
    notes: tuple[str, ...] = ()

    @property
    def true(self) -> Events:
        """The true events; none if they are not known."""
        return Events.of([]) if self.system is None else self.system.truth.events

    def timed(self) -> Bool[np.ndarray, "clip label"]:
        """Whether the events of a class are known in a clip."""
        if self.system is None:
            return np.zeros((len(self.clip_ids), len(self.labels)), dtype=np.bool_)
        known: Bool[np.ndarray, "clip label"] = self.system.truth.timed.numpy()
        return known

    def kinds(self) -> tuple[Int[np.ndarray, " true"], Int[np.ndarray, " detected"]]:
        """The kind of each true and each detected event (`wsed.metrics.error_kinds`), or `UNKNOWN`."""
        timed = self.timed()
        known = [timed[events.clip.numpy(), events.label.numpy()] for events in (self.true, self.detected)]
        sides = [events[_index(mask)] for events, mask in zip((self.true, self.detected), known, strict=True)]
        judged = error_kinds(sides[0], sides[1], len(self.labels))
        result = []
        for mask, kinds in zip(known, judged, strict=True):
            every = np.full(mask.size, UNKNOWN)
            every[mask] = kinds
            result.append(every)
        return result[0], result[1]


def _index(mask: Bool[np.ndarray, " event"]) -> Tensor:
    return torch.from_numpy(np.flatnonzero(mask))


def keep(events: Events, timed: Bool[np.ndarray, "clip label"]) -> Events:
    """The events of classes whose events are known in their clip.

    >>> keep(Events.of([(0, 0, 0.0, 1.0), (0, 1, 0.0, 1.0)]), np.array([[False, True]])).label.tolist()
    [1]
    """
    return events[_index(timed[events.clip.numpy(), events.label.numpy()])]
