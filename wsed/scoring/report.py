"""The report: all numbers of one evaluation, which can be written to JSON and read back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from wsed.errors import WsedError, near
from wsed.files import write_text
from wsed.metrics.base import Curves, MetricValue, Number
from wsed.metrics.confusion import Confusion
from wsed.metrics.roc import Curve
from wsed.scoring.facts import Input, RunFacts
from wsed.scoring.plain import Found, Plain, numbers, to_json
from wsed.scoring.resampling import Comparison, Intervals
from wsed.text import read_json_object

NAN = float("nan")


@dataclass(frozen=True)
class ConfusionTable:
    """A `Confusion` with the names of the classes."""

    labels: tuple[str, ...]
    counts: Confusion


@dataclass(frozen=True)
class Report:
    """All numbers of one evaluation.

    Attributes:
        clips: number of scored clips.
        metrics: value of each metric by its name; None if it cannot be computed from the predictions.
        confusion: confusion of classes; None without events.
        overlap_minutes: minutes in which events of different classes overlap, for `reference` and `detected`.
        intervals: confidence intervals by a bootstrap over clips.
        input: input of `wsed evaluate`; None for a run.
        run: facts about a run; None for `wsed evaluate`.

    >>> report = Report(clips=2, metrics={"event_f1": MetricValue({"macro": 0.25, "micro": 0.5})})
    >>> report.value("event_f1/micro"), report.value("event_f1")
    (0.5, 0.25)
    >>> report["event_f1"]["macro"], "psds1" in report
    (0.25, False)
    >>> Report.of_dict(report.to_dict()) == report.without_curves()
    True
    >>> import json, tempfile
    >>> json.loads(report.to_json())["clips"]
    2
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     report.write(Path(folder, "scores.json"))
    ...     Report.read(Path(folder, "scores.json")).clips
    2
    """

    clips: int
    metrics: Mapping[str, MetricValue | None] = field(default_factory=dict)
    confusion: ConfusionTable | None = None
    overlap_minutes: Mapping[str, float] | None = None
    intervals: Intervals | None = None
    input: Input | None = None
    run: RunFacts | None = None

    def value(self, path: str, default: float | None = None) -> Number:
        """A number by its path, such as `event_f1/macro`, `psds1` or `event_f1/per_class/Dog/f1`.

        The name of a metric alone means its main number. The result is NaN if the metric could not be computed.

        Args:
            path: path of the number.
            default: result if there is no such number; if None, that is an error.

        Raises:
            WsedError: there is no such number; the message lists similar names.
        """
        try:
            return self._value(path)
        except WsedError:
            if default is None:
                raise
            return default

    def _value(self, path: str) -> Number:
        name, _, rest = path.partition("/")
        if name not in self.metrics:
            raise WsedError(f"the report has no {name!r}{near(name, self.metrics)}; it has {', '.join(self.metrics)}")
        metric = self.metrics[name]
        if metric is None:
            return NAN
        if not rest:
            return metric.main
        known = metric.numbers
        if rest.startswith("per_class/"):
            label, _, rest = rest.removeprefix("per_class/").rpartition("/")
            if label not in metric.per_class:
                raise WsedError(f"{name} has no class {label!r}{near(label, metric.per_class)}")
            known = metric.per_class[label]
        if rest not in known:
            raise WsedError(f"{name} has no number {rest!r}{near(rest, known)}; it has {', '.join(known)}")
        return known[rest]

    @property
    def computed(self) -> dict[str, MetricValue]:
        """The metrics that have a value."""
        return {name: value for name, value in self.metrics.items() if value is not None}

    def to_dict(self) -> Plain:
        """The report as nested plain values with the keys of the JSON file; NaN for numbers that are not defined."""
        plain: dict[str, object] = {} if self.input is None else {**self.input.to_dict()}
        plain["clips"] = self.clips
        details: dict[str, object] = {}
        for name, metric in self.metrics.items():
            plain[name] = None if metric is None else metric.numbers["value"] if metric.is_single else _table(metric)
            if metric is not None and metric.is_single and metric.per_class:
                details[name] = _details(metric)
        if details:
            plain["psds"] = details
        if self.confusion is not None:
            counts = self.confusion.counts
            columns = {"pairs": counts.pairs.tolist(), "missed": counts.missed.tolist(), "false": counts.false.tolist()}
            plain["confusion"] = {"labels": list(self.confusion.labels)} | columns
        if self.overlap_minutes is not None:
            plain["overlap_minutes"] = dict(self.overlap_minutes)
        if self.intervals is not None:
            plain["intervals"] = self.intervals.to_dict()
        return plain if self.run is None else {**plain, **self.run.to_dict()}

    def to_json(self) -> str:
        """The report as JSON text; null for numbers that are not defined."""
        return to_json(self.to_dict())

    def write(self, path: str | Path) -> None:
        """Write the JSON file, whole or not at all."""
        write_text(path, self.to_json())

    def without_curves(self) -> "Report":
        """The report without PSD-ROC curves and curves over thresholds, which take most of the space of a file."""
        metrics = {
            name: value and replace(value, curves=None, over_thresholds={}) for name, value in self.metrics.items()
        }
        return replace(self, metrics=metrics)

    def __getitem__(self, key: str) -> Any:
        """A part of `to_dict`, such as `report["event_f1"]["macro"]`."""
        return self.to_dict()[key]

    def __contains__(self, key: object) -> bool:
        return key in self.to_dict()

    @staticmethod
    def read(path: str | Path) -> "Report":
        """Read a report from a JSON file that `wsed test` or `wsed evaluate --json` wrote.

        Raises:
            WsedError: the file does not exist, or is not a JSON file with a report.
        """
        plain = read_json_object(path, "score again")
        try:
            return Report.of_dict(plain)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise WsedError(f"{path} is not a report of wsed ({type(error).__name__}: {error}); score again") from None

    @staticmethod
    def of_dict(plain: Plain) -> "Report":
        """The report from the nested plain values of `to_dict`; None becomes NaN."""
        details = plain.get("psds", {})
        confusion = plain.get("confusion")
        metrics = {name: _metric(value, details.get(name)) for name, value in plain.items() if name not in OTHER_KEYS}
        return Report(
            clips=int(plain.get("clips", 0)),
            metrics=metrics,
            confusion=None if confusion is None else _confusion(confusion),
            overlap_minutes=plain.get("overlap_minutes"),
            intervals=Intervals.of_dict(plain["intervals"]) if plain.get("intervals") else None,
            input=Input.of_dict(plain),
            run=RunFacts.of_dict(plain),
        )


@dataclass(frozen=True)
class ComparedReports:
    """The reports of two systems on the same clips, and their comparison."""

    systems: tuple[Report, Report]
    comparison: Comparison | None = None

    def to_dict(self) -> Plain:
        """Nested plain values; keys as in the JSON file."""
        plain: dict[str, object] = {"systems": [report.to_dict() for report in self.systems]}
        return plain if self.comparison is None else plain | {"comparison": self.comparison.to_dict()}

    def to_json(self) -> str:
        """Both reports as JSON text; null for numbers that are not defined."""
        return to_json(self.to_dict())

    def write(self, path: str | Path) -> None:
        """Write the JSON file, whole or not at all."""
        write_text(path, self.to_json())

    def __getitem__(self, key: str) -> Any:
        """A part of `to_dict`."""
        return self.to_dict()[key]

    def __contains__(self, key: object) -> bool:
        return key in self.to_dict()


OTHER_KEYS = frozenset({"clips", "psds", "confusion", "overlap_minutes", "intervals"}) | Input.KEYS | RunFacts.KEYS
"""Keys of the JSON file that are not names of metrics."""


def _table(metric: MetricValue) -> Plain:
    """The numbers of a metric with averages, and those per class."""
    per_class = {label: dict(own) for label, own in metric.per_class.items()}
    return dict(metric.numbers) | ({"per_class": per_class} if per_class else {})


def _details(metric: MetricValue) -> Plain:
    """Numbers per class, other numbers and curves of a metric with one value."""
    plain: dict[str, object] = {"per_class": {label: own["value"] for label, own in metric.per_class.items()}}
    plain |= {name: value for name, value in metric.numbers.items() if name != "value"}
    if metric.settings:
        plain["parameters"] = dict(metric.settings)
    if metric.curves is not None:
        plain["roc"] = _points(metric.curves.roc)
        plain["class_rocs"] = {label: _points(curve) for label, curve in metric.curves.class_rocs.items()}
    return plain


def _points(curve: Curve) -> dict[str, list[float]]:
    return {"efpr": curve.efpr.tolist(), "tpr": curve.tpr.tolist()}


def _metric(value: Any, details: Plain | None) -> MetricValue | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        return _single(float(value), details or {})
    per_class = Found({label: numbers(own) for label, own in value.get("per_class", {}).items()})
    return MetricValue(numbers({name: part for name, part in value.items() if name != "per_class"}), per_class)


def _single(value: float, details: Plain) -> MetricValue:
    known = ("per_class", "parameters", "roc", "class_rocs")
    every = numbers({"value": value} | {name: part for name, part in details.items() if name not in known})
    per_class = Found({label: numbers({"value": area}) for label, area in details.get("per_class", {}).items()})
    curves = None
    if "roc" in details:
        class_rocs = {label: _curve(points) for label, points in details["class_rocs"].items()}
        curves = Curves(_curve(details["roc"]), class_rocs)
    return MetricValue(every, per_class, curves=curves, settings=details.get("parameters", {}))


def _curve(points: Mapping[str, Sequence[float]]) -> Curve:
    return Curve(np.array(points["efpr"], dtype=np.float64), np.array(points["tpr"], dtype=np.float64))


def _confusion(plain: Plain) -> ConfusionTable:
    columns = (np.array(plain[name], dtype=np.int64) for name in ("pairs", "missed", "false"))
    pairs, missed, false = columns
    n_labels = len(plain["labels"])
    return ConfusionTable(tuple(plain["labels"]), Confusion(pairs.reshape(n_labels, n_labels), missed, false))
