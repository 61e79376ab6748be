"""Reports of one system that was trained with several seeds, and their means and deviations."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from wsed.errors import WsedError
from wsed.files import write_text
from wsed.metrics.bootstrap import Spread, over_seeds
from wsed.scoring.plain import Plain, to_json
from wsed.scoring.report import Report


@dataclass(frozen=True)
class SeedReports:
    """The reports of a system after trainings with different seeds.

    Attributes:
        seeds: the report of each.

    >>> from wsed.metrics import MetricValue
    >>> seeds = SeedReports(tuple(Report(2, {"psds1": MetricValue({"value": x})}) for x in (0.25, 0.5)))
    >>> seeds.spread()["psds1"]["value"].mean
    0.375
    """

    seeds: tuple[Report, ...]

    def spread(self) -> Mapping[str, Mapping[str, Spread]]:
        """Mean and standard deviation (n - 1) of each number of each metric that all seeds have.

        Raises:
            WsedError: there are no reports.
        """
        if not self.seeds:
            raise WsedError("a mean over seeds needs the report of one seed or more")
        first, *rest = [report.computed for report in self.seeds]
        return {
            name: {
                number: over_seeds(each[name].numbers[number] for each in (first, *rest))
                for number in value.numbers
                if all(number in each[name].numbers for each in rest)
            }
            for name, value in first.items()
            if all(name in each for each in rest)
        }

    def to_dict(self) -> Plain:
        """Nested plain values; keys as in the JSON file."""
        spread = {
            name: {number: asdict(value) for number, value in numbers.items()}
            for name, numbers in self.spread().items()
        }
        return {"seeds": [report.to_dict() for report in self.seeds], "spread": spread}

    def to_json(self) -> str:
        """All reports as JSON text; null for numbers that are not defined."""
        return to_json(self.to_dict())

    def write(self, path: str | Path) -> None:
        """Write the JSON file, whole or not at all."""
        write_text(path, self.to_json())
