"""The numbers of a report as plain values for the page: scores, PSD-ROC, confusion, correlation, comparison."""

from collections.abc import Mapping, Sequence

import numpy as np

from wsed.metrics.base import METRICS, Curves, Metric, ordered, title_of
from wsed.metrics.psds import PSDS1
from wsed.metrics.psds_metrics import PSDSMetric
from wsed.metrics.roc import Curve
from wsed.report.html.shown import Shown
from wsed.scoring.plain import Plain
from wsed.scoring.resampling import Comparison, Resampling, by_group, compare_samples, samples

MEANINGS = {
    "event_f1": "An event counts if its onset is within 0.2 s of the true one, and its offset within 0.2 s or 20 % of "
    "the length of the event. Strict about borders.",
    "onset_f1": "As event F1, but only the onset has to be right.",
    "segment_f1": "Each second of a clip is scored: is the class active in it? Long events weigh more.",
    "intersection_f1": "An event counts if detected and true events cover enough of each other. Split or joined "
    "events may still count.",
    "tagging_f1": "Which classes are in a clip, regardless of when.",
    "tagging": "How well the clip scores rank the clips that hold a class above the others, over all thresholds.",
    "segment_ranking": "How well the scores of segments rank active segments above the others, over all thresholds.",
    "psds1": "Area under the PSD-ROC, over all thresholds. Scenario 1 asks for exact borders.",
    "psds2": "Area under the PSD-ROC, over all thresholds. Scenario 2 is lenient about borders and strict about "
    "confusion of classes.",
    "embedding": "How well the embeddings of clips separate the classes.",
}
"""What the metrics mean, for readers who are new to them."""


def scores(shown: Shown) -> list[Plain]:
    """The main numbers of each metric with intervals, and its number per class."""
    rows: list[Plain] = []
    report = shown.report
    if report is None:
        return rows
    for name in ordered(list(report.computed)):
        value = report.computed[name]
        numbers = ["value"] if value.is_single else [key for key in ("macro", "micro") if key in value.numbers]
        cells = {}
        for key in numbers or list(value.numbers)[:1]:
            limits = report.intervals.of(name, key) if report.intervals else None
            cells[key] = [value.numbers[key]] + ([limits.low, limits.high] if limits else [])
        main = "value" if value.is_single else "f1"
        classes = {label: own[main] for label, own in value.per_class.items() if main in own}
        counts = {label: own["n_ref"] for label, own in value.per_class.items() if "n_ref" in own}
        rows.append(
            {"name": name, "title": title_of(name), "meaning": _meaning(name), "numbers": cells, "classes": classes}
            | ({"n_ref": counts} if counts else {})
        )
    return rows


def _meaning(name: str) -> str:
    if name in MEANINGS or name not in METRICS:
        return MEANINGS.get(name, "")
    return (METRICS[name].__doc__ or "").strip().partition("\n")[0]


def metrics_of(shown: Shown) -> dict[str, Metric]:
    """The registered metrics of the report."""
    names = [] if shown.report is None else list(shown.report.computed)
    return {name: METRICS[name]() for name in names if name in METRICS and name != "embedding"}


def psd_rocs(shown: Shown) -> Plain:
    """The PSD-ROC of each scenario, of all classes together and of each."""
    rocs: dict[str, Plain] = {}
    if shown.report is None or shown.system is None:
        return rocs
    for name, metric in metrics_of(shown).items():
        if not isinstance(metric, PSDSMetric) or not metric.needs <= shown.system.provides:
            continue
        value = shown.report.computed[name]
        curves = value.curves or metric.compute(shown.system).curves
        if curves is not None:
            limit = float(metric.parameters.max_efpr or PSDS1.max_efpr or 100.0)
            rocs[name] = {"title": title_of(name), "value": value.main, "limit": limit, **_curves(curves, limit)}
    return rocs


def _curves(curves: Curves, limit: float) -> Plain:
    return {
        "all": _points(curves.roc, limit, 300),
        "classes": {name: _points(curve, limit, 80) for name, curve in curves.class_rocs.items()},
    }


def _points(curve: Curve, limit: float, most: int) -> list[list[float]]:
    """Rates up to the limit, at most `most` of them."""
    n = int(np.searchsorted(curve.efpr, limit, side="right"))
    chosen = np.unique(np.linspace(0, n - 1, min(n, most)).astype(int)) if n else np.zeros(0, dtype=int)
    return [curve.efpr[chosen].round(3).tolist(), curve.tpr[chosen].round(4).tolist()]


def confusion(shown: Shown) -> Plain | None:
    """The pairs of events within the collars by true and detected class, and the events without a pair."""
    if shown.report is None or shown.report.confusion is None:
        return None
    counts = shown.report.confusion.counts
    sides = {"pairs": counts.pairs.tolist(), "missed": counts.missed.tolist(), "false": counts.false.tolist()}
    return {"labels": list(shown.report.confusion.labels), **sides}


def correlation(shown: Shown) -> Plain | None:
    """The correlation of the mean scores of classes over clips; None without regular frame scores."""
    from wsed.scoring.score import correlation as of_scores

    if shown.report is not None and shown.report.run is not None and shown.report.run.correlation is not None:
        return shown.report.run.correlation.to_dict()
    if shown.scores is None or len(shown.labels) < 2 or len(shown.clip_ids) < 2:
        return None
    result = of_scores(shown.scores, shown.labels)
    return None if result is None else result.to_dict()


def comparisons(systems: Sequence[Shown], resamples: int) -> list[Plain]:
    """Paired differences of each further system and the first, on the same resamples of the clips."""
    first, drawn = systems[0], {}
    rows: list[Plain] = []
    for i, other in enumerate(systems[1:], 1):
        if first.system is None or other.system is None or not resamples or other.clip_ids != first.clip_ids:
            continue
        if set(other.labels) != set(first.labels):
            continue
        for place, shown in ((0, first), (i, other)):
            if place not in drawn and shown.system is not None:
                own = samples(shown.system, metrics_of(shown))
                drawn[place] = own if first.groups is None else by_group(own, first.groups)
        comparison = compare_samples(drawn[0], drawn[i], Resampling(resamples))
        rows.append({"first": 0, "second": i, "level": comparison.how.level, "rows": _differences(comparison)})
    return rows


def _differences(comparison: Comparison) -> list[Mapping[str, object]]:
    return [
        {
            "metric": title_of(metric), "number": number, "first": row.first, "second": row.second,
            "difference": row.difference, "low": row.low, "high": row.high, "p": row.p,
        }
        for metric, rows in comparison.differences.items()
        for number, row in rows.items()
    ]  # fmt: skip
