"""What a report holds beside numbers: what was read, and what a run knows of itself."""

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from wsed.scoring.plain import Plain, number

Kind = Literal["events", "operating points", "frame scores"]


@dataclass(frozen=True)
class Input:
    """What `wsed evaluate` read.

    Attributes:
        reference: the table of true events.
        predictions: the table or folder of the system.
        kind: what the predictions hold.
        operating_points: their thresholds; None: there are none.
        threshold: where F1 was computed; None for events.
        reference_events: how many.
        labels: the classes.
        notes: counted warnings about the files.
        backend: whose code computed the metrics.
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
    threshold: float | None
    reference_events: int
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()
    backend: str = "native"

    def to_dict(self) -> Plain:
        """Plain values by the keys of the JSON file."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @staticmethod
    def of_dict(plain: Plain) -> "Input | None":
        """From a report's plain values; None if it is of a run."""
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
    """How the mean scores of classes go together over clips (Pellegrini & Cances 2019, figure 4)."""

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
    """What a run adds to its report.

    Attributes:
        decoder: its settings.
        step: of the checkpoint that was scored.
        tuned: which thresholds were tuned, on which split; None: none.
        tuned_on_these_clips: whether that split is the one scored, so that the scores are too good.
        correlation: of the classes' mean scores; None for a system that only tags.
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
        """From a report's plain values; None if it is of `wsed evaluate`."""
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
