"""Parts of a report beside its metrics: the files that were read, and facts about a run."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from wsed.literals import checked
from wsed.scoring.plain import Plain, number

Kind = Literal["events", "operating points", "frame scores"]


@checked
@dataclass(frozen=True)
class Input:
    """The input of `wsed evaluate`.

    Attributes:
        reference: path of the table of true events.
        predictions: path of the table or folder of the system.
        kind: kind of the predictions.
        operating_points: thresholds of the operating points; None if there are none.
        threshold: threshold of the F1 metrics, or one per class by its name; None for events.
        reference_events: number of true events.
        labels: the classes.
        notes: warnings about the files, with counts.
        backend: the code that computed the metrics.
    """

    KEYS: ClassVar[frozenset[str]] = frozenset(
        {
            "reference", "predictions", "kind", "operating_points", "threshold", "reference_events", "labels", "notes",
            "backend",
        }
    )  # fmt: skip

    reference: str
    predictions: str
    kind: Kind
    operating_points: tuple[float, ...] | None
    threshold: float | Mapping[str, float] | None
    reference_events: int
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()
    backend: str = "native"

    def to_dict(self) -> Plain:
        """Plain values by the keys of the JSON file."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @staticmethod
    def of_dict(plain: Plain) -> "Input | None":
        """From the plain values of a report; None if the report is of a run."""
        if "predictions" not in plain:
            return None
        points = plain.get("operating_points")
        return Input(
            reference=plain["reference"],
            predictions=plain["predictions"],
            kind=plain["kind"],
            operating_points=None if points is None else tuple(points),
            threshold=plain["threshold"],
            reference_events=int(plain["reference_events"]),
            labels=tuple(plain["labels"]),
            notes=tuple(plain["notes"]),
            backend=plain.get("backend", "native"),
        )


@dataclass(frozen=True)
class Correlation:
    """Correlation of the mean scores of classes over clips (Pellegrini & Cances 2019, figure 4)."""

    mean_positive: float
    labels: tuple[str, ...]
    matrix: tuple[tuple[float, ...], ...]

    def to_dict(self) -> Plain:
        """Plain values by the keys of the JSON file."""
        matrix = [list(row) for row in self.matrix]
        return {"mean_positive": self.mean_positive, "labels": list(self.labels), "matrix": matrix}

    @staticmethod
    def of_dict(plain: Plain) -> "Correlation":
        """From plain values; null is NaN."""
        matrix = tuple(tuple(number(x) for x in row) for row in plain["matrix"])
        return Correlation(float(plain["mean_positive"]), tuple(plain["labels"]), matrix)


@dataclass(frozen=True)
class RunFacts:
    """Facts about a run in its report.

    Attributes:
        decoder: settings of the decoder.
        step: optimiser step of the checkpoint.
        tuned: which thresholds were tuned and on which split; None if none were.
        tuned_on_these_clips: whether they were tuned on the scored split, so that the scores are too high.
        correlation: correlation of the mean scores of classes; None for a system that only tags.
    """

    KEYS: ClassVar[frozenset[str]] = frozenset({"decoder", "step", "tuned", "tuned_on_these_clips", "correlation"})

    decoder: Plain
    step: int
    tuned: Plain | None = None
    tuned_on_these_clips: bool = False
    correlation: Correlation | None = None

    def to_dict(self) -> Plain:
        """Plain values by the keys of the JSON file."""
        return {
            "correlation": {} if self.correlation is None else self.correlation.to_dict(),
            "decoder": dict(self.decoder),
            "step": self.step,
            "tuned": None if self.tuned is None else dict(self.tuned),
            "tuned_on_these_clips": self.tuned_on_these_clips,
        }

    @staticmethod
    def of_dict(plain: Plain) -> "RunFacts | None":
        """From the plain values of a report; None if the report is of `wsed evaluate`."""
        if not RunFacts.KEYS & plain.keys():
            return None
        correlation = plain.get("correlation")
        return RunFacts(
            decoder=plain.get("decoder") or {},
            step=int(plain.get("step", 0)),
            tuned=plain.get("tuned"),
            tuned_on_these_clips=bool(plain.get("tuned_on_these_clips")),
            correlation=Correlation.of_dict(correlation) if correlation else None,
        )
