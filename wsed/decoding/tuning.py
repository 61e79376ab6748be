"""Tuning: choosing the thresholds of a decoder on labelled clips after training."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, Protocol

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.decoding.base import Decoder, Setting, replaced
from wsed.decoding.segments import segment_labels, segment_scores
from wsed.decoding.thresholds import Tuned, exact_thresholds, grid_thresholds, per_label, random_thresholds
from wsed.errors import WsedError
from wsed.literals import checked
from wsed.truth import Truth
from wsed.types import Events
from wsed.values import Scores

Search = Literal["exact", "grid", "random"]

SEARCHES: dict[Search, Callable[..., Tuned]] = {
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
"""Maps `(reference, detected, n_labels)` to hits and totals, such as `wsed.metrics.event_counts`."""


@checked(owner="evaluation.tuning")
@dataclass(frozen=True)
class Tuning:
    """Settings of tuning: what is tuned, on which split, and how.

    Args:
        split: the split to tune on. The test split is allowed for comparisons with publications that tuned on it; every
            report then states that its scores are too high.
        tags: tune `tag_threshold` for the F1 of tags: over all thresholds (`exact`), over 0, 0.01, ..., 0.99 (`grid`;
            Chou, Jang & Yang 2018), or by random walks (`random`; Pellegrini & Cances 2019).
        thresholds: tune `threshold` for the F1 of `events` (over 0.01, 0.03, ..., 0.99; for box decoders also their
            window and merging thresholds) or of one-second `segments` (over all thresholds).
        medians: windows in seconds to try in place of the decoder's `median`, with each threshold of events; 0 means no
            filter.
        gaps: seconds to try in place of the decoder's `merge_gap`, with each threshold and window.

    A class whose best F1 is 0 keeps the decoder's own values. So does a class without positives, except in the search
    for the F1 of events: there it gets the values with the best mean F1 of the other classes.

    Raises:
        WsedError: there is nothing to tune, or a name is unknown.

    >>> tuning = Tuning(tags="exact")
    >>> curve = torch.tensor([[[0.7]], [[0.1]]])
    >>> scores = Scores.of_padded(curve, frame_rate=1.0, clip_scores=curve[:, 0])
    >>> truth = Truth.of_events(Events.of([(0, 0, 0.0, 1.0)]), n_clips=2, n_labels=1)
    >>> from wsed.decoding import StepDecoder
    >>> from wsed.metrics import event_counts
    >>> decoder, done = tuning.tune(StepDecoder(), scores, truth, event_counts)
    >>> [round(value, 3) for value in decoder.tag_threshold]
    [0.4]
    """

    split: Literal["validation", "test"] = "validation"
    tags: Search | None = None
    thresholds: Literal["events", "segments"] | None = None
    medians: list[float] | None = None
    gaps: list[float] | None = None

    def __post_init__(self) -> None:
        if self.tags is None and self.thresholds is None:
            raise WsedError(
                "evaluation.tuning: set thresholds (events or segments), tags (exact, grid or random), or both"
            )
        for name, tried in (("medians", self.medians), ("gaps", self.gaps)):
            if tried is not None and self.thresholds != "events":
                raise WsedError(f"evaluation.tuning.{name} needs evaluation.tuning.thresholds: events")
            if tried is not None and not (tried and all(0 <= seconds < math.inf for seconds in tried)):
                raise WsedError(f"evaluation.tuning.{name} must have at least one value, all 0 s or more, not {tried}")

    def check_events(self, timed: Bool[Tensor, " clip"] | Bool[Tensor, "clip label"]) -> None:
        """Check that events are known in all clips, if thresholds of events or segments are tuned.

        >>> Tuning(thresholds="events").check_events(torch.tensor([True, True]))

        Args:
            timed: clips of the split whose events are known, for all classes or per class.

        Raises:
            WsedError: a clip has no class with known events.
        """
        clips = timed.any(1) if timed.ndim == 2 else timed
        if self.thresholds is not None and not bool(clips.all()):
            raise WsedError(
                f"evaluation.tuning.thresholds needs the events of all clips of the {self.split} set, and "
                f"{int((~clips).sum())} of {len(clips)} have tags only: set evaluation.tuning.thresholds, "
                "medians and gaps to null, or take a set with events"
            )

    def check(self, decoder: Decoder) -> None:
        """Check that the settings of a decoder allow the search.

        >>> from wsed.decoding import StepDecoder
        >>> Tuning(thresholds="events").check(StepDecoder())

        Raises:
            WsedError: a setting does not allow the search.
        """
        if self.thresholds == "events":
            decoder.candidates(1.0, self.medians, self.gaps)
        elif self.thresholds == "segments" and (names := decoder.inexact_for_segments()):
            raise WsedError(
                "evaluation.tuning.thresholds: segments is exact only if events are the frames above the threshold; "
                f"remove evaluation.decoder.{' and '.join(names)}, or tune on events"
            )

    def tune(self, decoder: Decoder, scores: Scores, truth: Truth, count: Count) -> tuple[Decoder, dict[str, object]]:
        """The tuned decoder, and a record of the tuning as plain values.

        Args:
            decoder: the decoder; its other settings are kept.
            scores: scores of the clips of the split.
            truth: truth about the same clips; classes that are not timed in a clip are ignored for events.
            count: function that counts hits, for the F1 of events.

        Raises:
            WsedError: the clips lack what the search needs.
        """
        self.check(decoder)
        results: list[Tuned] = []
        if self.tags is not None:
            results.append(self._tags(decoder, scores, truth))
            decoder = results[-1].apply(decoder)
        if self.thresholds is not None:
            results.append(self._thresholds(decoder, scores, truth, count))
            decoder = results[-1].apply(decoder)
        values = {name: list(chosen) for tuned in results for name, chosen in tuned.values.items()}
        return decoder, asdict(self) | {"clips": len(truth), "values": values}

    def _tags(self, decoder: Decoder, scores: Scores, truth: Truth) -> Tuned:
        if scores.clip_scores is None or not bool(truth.tagged.any()):
            raise WsedError(
                f"evaluation.tuning.tags: the network has no clip scores, or the {self.split} set has no known tags"
            )
        # An unknown class counts as absent and is never predicted.
        hidden = scores.clip_scores.masked_fill(~truth.tagged, -math.inf)
        clips = truth.tagged.any(1)
        assert self.tags is not None
        search, true = SEARCHES[self.tags], truth.tags & truth.tagged
        own = decoder.tag_threshold
        return search(true[clips], hidden[clips], self.split, setting="tag_threshold", default=own)

    def _thresholds(self, decoder: Decoder, scores: Scores, truth: Truth, count: Count) -> Tuned:
        self.check_events(truth.timed)
        if scores.frames is None:
            raise WsedError(
                "evaluation.tuning.thresholds needs frame scores, but the network provides none: set it to null"
            )
        tags = truth.tags if bool(truth.tagged.all()) else None
        if self.thresholds == "segments":
            return self._segments(decoder, scores, truth, tags)
        settings = decoder.candidates(scores.frame_rate, self.medians, self.gaps)
        return tune_events(decoder, scores, truth, count, self.split, settings=settings, tags=tags)

    def _segments(self, decoder: Decoder, scores: Scores, truth: Truth, tags: Tensor | None) -> Tuned:
        table, counted = segment_scores(decoder.allowed_curves(scores, tags))
        true = segment_labels(truth.events, len(truth), table.shape[2], table.shape[1])
        unknown = ~truth.timed[:, None]
        true, table = true & ~unknown, table.masked_fill(unknown, -math.inf)
        return exact_thresholds(true[counted], table[counted], self.split, default=decoder.threshold)


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
    """The pair of a threshold and a setting with the highest F1 of each label.

    Args:
        decoder: the decoder; its other settings are kept.
        scores: scores of the clips to tune on.
        truth: truth about the same clips; classes that are not timed in a clip are ignored on both sides.
        count: `event_counts`, or `functools.partial` of it with other collars; called once per setting.
        tuned_on: name of these clips.
        thresholds: thresholds to try, rising.
        settings: settings to try, such as those of `Decoder.candidates`.
        tags: the true tags, for a decoder with `tags: oracle`.

    Returns:
        Values of `threshold` and of the settings. Of equally good settings, the first is chosen; of consecutive
        thresholds that are equally good, the middle one. A label without reference gets the pair with the best mean F1
        of the other labels. If the best F1 is 0, the decoder's own values are kept.

    Raises:
        WsedError: the thresholds of the decoder cannot be searched, tags that it needs are missing, or there is nothing
            to try.

    >>> from wsed.decoding import StepDecoder
    >>> from wsed.metrics import event_counts
    >>> scores = Scores.of_padded(torch.tensor([[[0.2], [0.7], [0.1]]]), frame_rate=1.0)
    >>> truth = Truth.of_events(Events.of([(0, 0, 1.0, 2.0)]), n_clips=1, n_labels=1)
    >>> tune_events(StepDecoder(), scores, truth, event_counts, "validation", thresholds=[0.15, 0.5]).values
    {'threshold': (0.5,)}
    """
    if not settings or not thresholds:
        raise WsedError("a search needs at least one threshold and one setting to try")
    grids = []
    for setting in settings:
        events = replaced(decoder, setting).at(scores, thresholds, tags)
        grids.append(_f1(count, truth, events, len(thresholds)))
    own = {name: _own(decoder, name, scores) for name in ("threshold", *settings[0])}
    return _best(grids, settings, thresholds, own, tuned_on)


def _own(decoder: Decoder, name: str, scores: Scores) -> list[float]:
    """The decoder's own value of a setting, for each label."""
    value = decoder.values()[name]
    if value is None:  # no median filter: a window of one frame, as in `StepDecoder.candidates`
        value = 1 / scores.frame_rate
    return per_label(value, scores.n_labels, name)


def _f1(count: Count, truth: Truth, events: Events, n_thresholds: int) -> Grid:
    """F1 at each threshold by one call of `count`, in which each threshold has its own clips and labels."""
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


def _best(
    grids: Sequence[Grid],
    settings: Sequence[Setting],
    thresholds: Sequence[float],
    own: Mapping[str, Sequence[float]],
    tuned_on: str,
) -> Tuned:
    f1 = np.stack(grids)  # [setting threshold label]
    known = ~np.isnan(f1).any((0, 1))
    together = f1[..., known].sum(2).round(9)  # sums of equal values may differ by rounding
    values: dict[str, list[float]] = {name: list(each) for name, each in own.items()}
    score = np.where(known, 0.0, np.nan)
    for label in range(f1.shape[2]):
        curves = f1[..., label] if known[label] else together
        setting, first = np.unravel_index(curves.argmax(), curves.shape)
        curve = curves[setting]
        if not curve[first] > 0:  # no value gives a correct detection: none is better than the user's own
            continue
        others = np.flatnonzero(curve[first:] != curve[first])
        last = first + others[0] - 1 if len(others) else len(curve) - 1
        for name in values:
            values[name][label] = settings[setting][name] if name != "threshold" else thresholds[(first + last) // 2]
        score[label] = f1[setting, first, label]
    return Tuned({name: tuple(map(float, each)) for name, each in values.items()}, tuple(score.tolist()), tuned_on)
