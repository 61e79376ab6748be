"""Every figure of merit of one system, with intervals, and the comparison of two: what `wsed test` and `evaluate` give.

All values are fractions in [0, 1] unless their name says otherwise. The keys are fixed: see `System.figures`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from wsed.metrics.bootstrap import (
    ClipCounts,
    Count,
    Method,
    PerResample,
    Statistic,
    Weights,
    bootstrap,
    clip_counts,
    compare,
)
from wsed.metrics.clips import tag_counts
from wsed.metrics.confusion import event_confusion
from wsed.metrics.correlation import overlap_seconds
from wsed.metrics.counts import Counts
from wsed.metrics.detections import Detections, Tags
from wsed.metrics.events import event_counts
from wsed.metrics.intersection import intersection_counts
from wsed.metrics.psds import PSDS, PSDS1, PSDS2, PSDSParameters
from wsed.metrics.roc import Curve
from wsed.metrics.segments import segment_counts
from wsed.metrics.tagging import f1_averages, mean_known, ranking_statistic, tagging_scores
from wsed.types import Labels

FIGURES = (
    ("event_f1", "event F1"),
    ("segment_f1", "segment F1"),
    ("intersection_f1", "intersection F1"),
    ("tagging_f1", "tagging F1"),
)
"""Keys of the F1 figures, and what they are called."""

COUNTS: Mapping[str, Count] = {
    "event_f1": event_counts,
    "segment_f1": segment_counts,  # not cut at the clip's end: what sed_eval does as the DCASE baselines call it
    "intersection_f1": intersection_counts,
}
"""How event figures are counted."""

SCENARIOS: Mapping[str, PSDSParameters] = {"psds1": PSDS1, "psds2": PSDS2}
"""Keys of the polyphonic sound detection scores, and what they ask."""

Named = tuple[tuple[str, ...], Statistic, int]
"""Where a statistic stands among the figures, the statistic, and the clips it is over."""
Progress = Callable[[Iterable[Named]], Iterable[Named]]


@dataclass(frozen=True)
class System:
    """What one system said: of the clips whose events are known, and of the clips whose classes are known.

    Attributes:
        labels: the classes.
        detections: None if no clip's events are known, or the system gives none.
        tags: None if no clip's classes are known, or the system gives none.
    """

    labels: Labels
    detections: Detections | None = None
    tags: Tags | None = None

    def figures(self, rocs: bool = False) -> dict[str, Any]:
        """Every figure that can be had.

        Args:
            rocs: with the PSD-ROC curves, of all classes together and of each.

        Returns:
            * `event_f1` (collars 200 ms and 20 %), `segment_f1` (1 s), `intersection_f1` (0.5, 0.5), `tagging_f1`:
              see `f1_table`;
            * `psds1`, `psds2`: None without scores or operating points; `psds`: their details by class and without
              the penalty for variance between classes;
            * `tagging`: mAP and its kin, where there are clip scores;
            * `confusion` of events, `overlap_minutes` of events of different classes.
        """
        found: dict[str, Any] = {name: f1_table(self.counts(name), self.labels) for name in self.counted}
        if self.tags is not None and self.tags.scores is not None:
            found["tagging"] = tagging_scores(self.tags.true, self.tags.scores).summary()
        if self.detections is None:
            return found
        found |= dict.fromkeys(SCENARIOS) | self._psds(rocs)
        confusion = event_confusion(self.detections.reference, self.detections.detected, len(self.labels))
        found["confusion"] = {"labels": list(self.labels)} | {k: v.tolist() for k, v in asdict(confusion).items()}
        sides = {"reference": self.detections.reference, "detected": self.detections.detected}
        found["overlap_minutes"] = {k: overlap_seconds(v, len(self.labels)) / 60 for k, v in sides.items()}
        return found

    @property
    def counted(self) -> tuple[str, ...]:
        """Names of the F1 figures that can be had."""
        events = tuple(COUNTS) if self.detections is not None else ()
        return (*events, "tagging_f1") if self.tags is not None else events

    def counts(self, figure: str) -> Counts:
        """The counts behind an F1 figure.

        Raises:
            KeyError: the figure is not one of `counted`.
        """
        if figure == "tagging_f1" and self.tags is not None:
            return tag_counts(self.tags.true, self.tags.said)
        detections, count = self._of(figure)
        return count(detections.reference, detections.detected, len(self.labels))

    def psds(self, scenario: str) -> PSDS | None:
        """`psds1` or `psds2` with its curves; None without scores or operating points."""
        return self.detections.psds(SCENARIOS[scenario]) if self.detections and self.detections.has_psds else None

    @cached_property
    def _psds_statistics(self) -> dict[str, Statistic]:
        """Intervals and a comparison ask for the same resamples: they are scored once."""
        if self.detections is None or not self.detections.has_psds:
            return {}
        return {name: remembered(self.detections.psds_table(p).values) for name, p in SCENARIOS.items()}

    def statistics(self) -> Iterator[Named]:
        """Every figure that resamples of the clips can be drawn of, cheapest first."""
        for figure in self.counted:
            if figure == "tagging_f1" and self.tags is not None:
                counts = _tags_by_clip(self.tags)
            else:
                detections, count = self._of(figure)
                sides = detections.reference, detections.detected
                counts = clip_counts(count, *sides, detections.n_clips, len(self.labels))
            yield (figure, "macro"), counts.statistic(average="macro"), len(counts.tp)
            yield (figure, "micro"), counts.statistic(average="micro"), len(counts.tp)
        if self.tags is not None and self.tags.scores is not None:
            yield ("tagging", "macro_ap"), ranking_statistic(self.tags.true, self.tags.scores), len(self.tags.true)
        if self.detections is not None and self.detections.has_psds:
            for name, statistic in self._psds_statistics.items():
                yield (name,), statistic, self.detections.n_clips

    def _of(self, figure: str) -> tuple[Detections, Count]:
        """What an event figure counts, and how."""
        if self.detections is None:
            raise KeyError(figure)
        count = COUNTS[figure]
        return (self.detections.joined if figure == "intersection_f1" else self.detections), count

    def _psds(self, rocs: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name in SCENARIOS:
            psds = self.psds(name)
            if psds is None:
                return {}
            found[name] = psds.value
            found.setdefault("psds", {})[name] = {
                "per_class": dict(zip(self.labels, psds.per_class.tolist(), strict=True)),
                "without_variance_penalty": float(mean_known(psds.per_class[None])[0]),
                "parameters": asdict(psds.parameters),
            }
            if rocs:
                classes = zip(self.labels, psds.class_rocs, strict=True)
                curves = {"roc": _points(psds.roc), "class_rocs": {label: _points(c) for label, c in classes}}
                found["psds"][name] |= curves
        return found


def _points(curve: Curve) -> dict[str, list[float]]:
    return {"efpr": curve.efpr.tolist(), "tpr": curve.tpr.tolist()}


def f1_table(counts: Counts, labels: Labels) -> dict[str, Any]:
    """Counts as plain values: `macro` and `micro` F1, `per_class`, precision, recall and error rates.

    A class without reference has no scores (NaN) and is left out of macro means: see `Counts`. `macro_f_harmonic` is
    the harmonic mean of macro precision and macro recall, which some papers print as macro F1.
    """
    per_class = {
        name: {
            "f1": float(counts.f1[i]),
            "precision": float(counts.precision[i]),
            "recall": float(counts.recall[i]),
            "error_rate": float(counts.error_rate[i]),
            "n_ref": int(counts.n_ref[i]),
            "n_sys": int(counts.n_sys[i]),
            "tp": int(counts.tp[i]),
        }
        for i, name in enumerate(labels)
    }
    averages = {k: v for k, v in counts.summary().items() if not k.endswith("_f1")}
    total = {name: int(getattr(counts, name).sum()) for name in ("n_ref", "n_sys", "tp")}
    missed, false = total["n_ref"] - total["tp"], total["n_sys"] - total["tp"]
    errors = {
        "substitutions": counts.n_sub,
        "deletions": missed - counts.n_sub,
        "insertions": false - counts.n_sub,
    }
    harmonic = {"macro_f_harmonic": f1_averages(counts)["macro_f_harmonic"]}
    main = {"macro": counts.macro_f1, "micro": counts.micro_f1, "per_class": per_class}
    return main | averages | harmonic | total | errors


def intervals(
    system: System,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    method: Method = "centred",
    seed: int = 0,
    progress: Progress = iter,
) -> dict[str, Any]:
    """Bootstrap intervals over clips, under the keys of the figures: `{"event_f1": {"macro": {low, high, std}}, ...}`.

    Args:
        system: what is scored.
        resamples, level, method, seed: as for `bootstrap`, and kept under these keys.
        progress: wrapped around the statistics, to show how far it is.
    """
    found: dict[str, Any] = {"resamples": resamples, "level": level, "method": method, "seed": seed}
    for place, statistic, n_clips in progress(system.statistics()):
        if n_clips > 1:  # one clip tells nothing of others
            found_here = bootstrap(statistic, n_clips, resamples=resamples, level=level, method=method, seed=seed)
            low, high = max(found_here.low, 0.0), min(found_here.high, 1.0)
            _put(found, place, {"low": low, "high": high, "std": found_here.std})
    return found


def comparison(
    first: System,
    second: System,
    *,
    resamples: int = 1000,
    level: float = 0.95,
    method: Method = "centred",
    seed: int = 0,
    progress: Progress = iter,
) -> dict[str, Any]:
    """Paired bootstrap of two systems on the same clips: second minus first, its interval and p, under the same keys.

    Figures that only one of them has, or that one clip alone has, are left out. Arguments as `intervals`.
    """
    found: dict[str, Any] = {"resamples": resamples, "level": level, "method": method, "seed": seed}
    other = {place: statistic for place, statistic, _ in second.statistics()}
    both = (named for named in first.statistics() if named[0] in other)
    for place, statistic, n_clips in progress(both):
        if n_clips < 2:  # one clip tells nothing of others
            continue
        result = compare(statistic, other[place], n_clips, resamples=resamples, level=level, method=method, seed=seed)
        values = {"first": result.first, "second": result.second, "difference": result.difference.value}
        _put(found, place, values | {"low": result.difference.low, "high": result.difference.high, "p": result.p})
    return found


def _tags_by_clip(tags: Tags) -> ClipCounts:
    true, said = (table.bool().cpu().numpy() for table in (tags.true, tags.said))
    return ClipCounts(*(table.astype(np.int64) for table in (true & said, true, said)))


def remembered(statistic: Statistic) -> Statistic:
    """The statistic that does not score the same weights twice."""
    known: dict[bytes, np.ndarray] = {}

    def of(weights: Weights) -> PerResample:
        key = hashlib.blake2b(weights.tobytes(), digest_size=16).digest()
        if key not in known:
            known[key] = statistic(weights)
        return known[key]

    return of


def _put(found: dict[str, Any], place: tuple[str, ...], value: Any) -> None:
    *above, last = place
    for key in above:
        found = found.setdefault(key, {})
    found[last] = value
