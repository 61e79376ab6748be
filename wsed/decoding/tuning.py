"""Fitting the thresholds of a decoder to labelled clips after training, and keeping how it was done."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.decoding.base import Decoder, Setting, replaced
from wsed.decoding.segments import segment_labels, segment_scores
from wsed.decoding.thresholds import Tuned, exact_thresholds, grid_thresholds, random_thresholds
from wsed.errors import WsedError
from wsed.types import Events
from wsed.values import Scores, Truth

SEARCHES: dict[str, Callable[..., Tuned]] = {
    "exact": exact_thresholds,
    "grid": grid_thresholds,
    "random": random_thresholds,
}
THRESHOLDS = tuple(i / 50 - 0.01 for i in range(1, 51))
"""0.01, 0.03, ..., 0.99."""

Grid = Float[np.ndarray, "threshold label"]


class Counted(Protocol):
    """Hits and totals per label, such as `wsed.metrics.Counts`."""

    @property
    def tp(self) -> Int[np.ndarray, " label"]: ...
    @property
    def n_ref(self) -> Int[np.ndarray, " label"]: ...
    @property
    def n_sys(self) -> Int[np.ndarray, " label"]: ...


Count = Callable[[Events, Events, int], Counted]
"""`(reference, detected, n_labels)` to hits and totals, such as `wsed.metrics.event_counts`."""


@dataclass(frozen=True)
class Tuning:
    """What is fitted, on what, and how; the result is kept with the decoder.

    Args:
        split: the set. The test set may be asked for, to compare with papers that did so; every report then says that
            its scores are too good.
        tags: search for `tag_threshold`, for the F1 of tags: over all thresholds at once (`exact`), over 0, 0.01, ...,
            0.99 (`grid`; Chou et al. 2018), or by random walks (`random`; Pellegrini & Cances 2019).
        thresholds: search for `threshold`, for the F1 of `events` (over 0.01, 0.03, ..., 0.99; box decoders also over
            their window and merging), or of one-second `segments` (exact).
        medians: windows in seconds to choose from along with the thresholds for events; 0 is none.

    Raises:
        WsedError: nothing is to be tuned, or an unknown name.
    """

    split: Literal["validation", "test"] = "validation"
    tags: Literal["exact", "grid", "random"] | None = None
    thresholds: Literal["events", "segments"] | None = None
    medians: list[float] | None = None

    def __post_init__(self) -> None:
        options = (
            ("split", self.split, ("validation", "test")),
            ("tags", self.tags, (None, *SEARCHES)),
            ("thresholds", self.thresholds, (None, "events", "segments")),
        )
        for name, value, known in options:
            if value not in known:
                raise WsedError(f"tuning.{name} must be of {', '.join(map(str, known))}, not {value!r}")
        if self.tags is None and self.thresholds is None:
            raise WsedError("tuning: say what to tune: thresholds: events or segments, or tags: exact, grid or random")
        if self.medians is not None and self.thresholds != "events":
            raise WsedError("tuning.medians are searched along with thresholds: events")

    def check_events(self, timed: Bool[Tensor, " clip"] | Bool[Tensor, "clip label"]) -> None:
        """Refuse to search for thresholds of events on clips of which some have tags only.

        Args:
            timed: clips of the split whose events are known, of all classes or class by class.

        Raises:
            WsedError: no event of a clip is known.
        """
        clips = timed.any(1) if timed.ndim == 2 else timed
        if self.thresholds is not None and not bool(clips.all()):
            raise WsedError(
                f"evaluation.tuning.thresholds needs the events of all clips of the {self.split} set, and "
                f"{int((~clips).sum())} of {len(clips)} have tags only: set evaluation.tuning.thresholds and "
                "evaluation.tuning.medians to null, or take a set with events"
            )

    def check(self, decoder: Decoder) -> None:
        """Refuse a decoder that the search cannot take.

        Raises:
            WsedError: it has a setting that is not searched with.
        """
        if self.thresholds == "events":
            decoder.settings(1.0, self.medians)
        elif self.thresholds == "segments" and (names := decoder.inexact_for_segments()):
            raise WsedError(
                "tuning.thresholds: segments is exact only where an event is the frames above the threshold; leave "
                f"evaluation.decoder.{' and '.join(names)} out, or take events"
            )

    def tune(self, decoder: Decoder, scores: Scores, truth: Truth, count: Count) -> tuple[Decoder, dict[str, object]]:
        """The decoder with the values found, and plain values that tell what was done.

        Args:
            decoder: its other settings are kept.
            scores: of the clips of the split.
            truth: of the same clips; classes that are not timed in a clip are left out of the search for events.
            count: what the F1 of events counts.

        Raises:
            WsedError: what the search needs is not known of the clips.
        """
        self.check(decoder)
        results: list[Tuned] = []
        if self.tags is not None:
            results.append(self._tags(scores, truth))
            decoder = results[-1].apply(decoder)
        if self.thresholds is not None:
            results.append(self._thresholds(decoder, scores, truth, count))
            decoder = results[-1].apply(decoder)
        values = {name: list(found) for tuned in results for name, found in tuned.values.items()}
        return decoder, asdict(self) | {"clips": len(truth), "values": values}

    def _tags(self, scores: Scores, truth: Truth) -> Tuned:
        if scores.clip_scores is None or not bool(truth.tagged.any()):
            raise WsedError(
                f"tuning.tags: the network gives no clip scores, or no tags of the {self.split} set are known"
            )
        # An unknown class counts as absent and as never accepted there.
        hidden = scores.clip_scores.masked_fill(~truth.tagged, -math.inf)
        clips = truth.tagged.any(1)
        search = SEARCHES[str(self.tags)]
        return search((truth.tags & truth.tagged)[clips], hidden[clips], self.split, setting="tag_threshold")

    def _thresholds(self, decoder: Decoder, scores: Scores, truth: Truth, count: Count) -> Tuned:
        self.check_events(truth.timed)
        if scores.frames is None:
            raise WsedError(
                "evaluation.tuning.thresholds needs frame scores, and the network gives none: set it to null"
            )
        tags = truth.tags if bool(truth.tagged.all()) else None
        if self.thresholds == "segments":
            return self._segments(decoder, scores, truth, tags)
        settings = decoder.settings(scores.frame_rate, self.medians)
        return tune_events(decoder, scores, truth, count, self.split, settings=settings, tags=tags)

    def _segments(self, decoder: Decoder, scores: Scores, truth: Truth, tags: Tensor | None) -> Tuned:
        table, counted = segment_scores(decoder.allowed_curves(scores, tags))
        true = segment_labels(truth.events, len(truth), table.shape[2], table.shape[1])
        unknown = ~truth.timed[:, None]
        true, table = true & ~unknown, table.masked_fill(unknown, -math.inf)
        return exact_thresholds(true[counted], table[counted], self.split)


def tune_events(
    decoder: Decoder,
    scores: Scores,
    truth: Truth,
    count: Count,
    tuned_on: str,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    settings: Sequence[Setting] = ({},),
    tags: Bool[Tensor, "clip label"] | None = None,
) -> Tuned:
    """Threshold, and setting of `settings`, of highest F1 per label, over every pair of the given ones.

    Args:
        decoder: the other settings are taken from it.
        scores: of the clips to tune on.
        truth: about the same clips; a class that is not timed in a clip counts neither as reference nor as detected.
        count: `event_counts`, or `functools.partial` of it with other collars; it is called once a setting.
        tuned_on: name of these clips.
        thresholds: candidates, rising.
        settings: candidates, such as those of `Decoder.settings`.
        tags: the true tags, for a decoder with `tags: oracle`.

    Returns:
        Values for `threshold` and the settings. The first of equally good pairs; a label without reference gets the
        pair that is best for the mean of the others.

    Raises:
        WsedError: the thresholds of the decoder cannot be searched, it wants tags that are not given, or there is no
            candidate.
    """
    if not settings or not thresholds:
        raise WsedError("a search needs a candidate or more of every setting")
    grids = []
    for setting in settings:
        events = replaced(decoder, setting).at(scores, thresholds, tags)
        grids.append(_f1(count, truth, events, len(thresholds)))
    return _best(grids, settings, thresholds, tuned_on)


def _f1(count: Count, truth: Truth, events: Events, n_thresholds: int) -> Grid:
    """F1 at every threshold from one call: each threshold gets clips and labels of its own."""
    n_clips, n_labels = truth.timed.shape
    reference = truth.events
    if not bool(truth.timed.all()):
        reference = reference[truth.timed[reference.clip, reference.label]]
        events = events[truth.timed[events.clip % max(n_clips, 1), events.label]]
    copy = torch.arange(n_thresholds).repeat_interleave(len(reference))
    tiled = Events.cat([reference] * n_thresholds)
    tiled = replace(tiled, clip=tiled.clip + copy * n_clips, label=tiled.label + copy * n_labels)
    detected = replace(events, label=events.label + events.clip // max(n_clips, 1) * n_labels)
    counts = count(tiled, detected, n_thresholds * n_labels)
    tp, n_ref, n_sys = (c.reshape(n_thresholds, n_labels) for c in (counts.tp, counts.n_ref, counts.n_sys))
    return np.where(n_ref > 0, 2 * tp / np.maximum(n_ref + n_sys, 1), np.nan)


def _best(grids: Sequence[Grid], settings: Sequence[Setting], thresholds: Sequence[float], tuned_on: str) -> Tuned:
    f1 = np.concatenate(grids)
    known = ~np.isnan(f1).any(0)
    together = f1[:, known].sum(1).argmax()
    best = np.where(known, np.nan_to_num(f1, nan=-1.0).argmax(0), together)
    score = f1[best, np.arange(f1.shape[1])]
    setting, at = np.divmod(best, len(thresholds))
    values = {"threshold": tuple(float(thresholds[i]) for i in at)}
    for name in settings[0]:
        values[name] = tuple(settings[i][name] for i in setting)
    return Tuned(values, tuple(score.tolist()), tuned_on)
