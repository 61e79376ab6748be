"""The tables of this folder's README from finished runs; nothing is trained.

    python -m experiments.what_wins.table runs/soundscapes

Reads the reports `<runs>/<row>/seed_<n>/test/scores.json`. Differences are paired by seed, with 95 % Student t
intervals. The share of the way from tags to events is that of the row between `best` and `strong`, of the same seeds.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from wsed.run import RunFolder
from wsed.scoring.report import Report
from wsed.study.compare import difference, paired, spread
from wsed.study.rows import read_recipe
from wsed.study.runs import by_row
from wsed.study.table import claims_table, markdown

RECIPE = read_recipe(Path(__file__).parent)
MEASURES = {
    "event_f1": "event_f1/macro",
    "psds1": "psds1",
    "psds2": "psds2",
    "segment_f1": "segment_f1/macro",
    "tagging_f1": "tagging_f1/macro",
}
"""Names in the claims, and where the reports have them."""
WEAK, STRONG = "best", "strong"
WAY = ("event_f1", "psds1")
"""Measures whose share of the way is told."""
Values = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Points, by measure, row and seed."""


def values_of(runs: Mapping[str, Sequence[RunFolder]]) -> Values:
    """The measures of all runs, in %."""
    reports = {row: {run.path.name: Report.read(run.split("test").report) for run in of} for row, of in runs.items()}
    return {
        name: {row: {seed: 100 * report.value(key) for seed, report in of.items()} for row, of in reports.items()}
        for name, key in MEASURES.items()
    }


def share(values: Mapping[str, Mapping[str, float]], row: str) -> float:
    """Share of the way from tags to events, of the seeds that all three rows have; NaN without such.

    >>> share({"best": {"0": 30.0}, "mixup": {"0": 35.0}, "strong": {"0": 50.0}}, "mixup")
    0.25
    """
    weak, strong, own = (values.get(name, {}) for name in (WEAK, STRONG, row))
    seeds = weak.keys() & strong.keys() & own.keys()
    gain, way = (np.mean([of[seed] - weak[seed] for seed in seeds] or [np.nan]) for of in (own, strong))
    return float(gain / way) if way > 0 else float("nan")


def table(values: Values) -> str:
    """A line per row: its measures, its differences from `best`, and its share of the way."""
    lines = []
    for row, seeds in values["event_f1"].items():
        cells = [spread(of[row].values()) for of in values.values()]
        against = [str(difference(paired(values[m].get(WEAK, {}), values[m][row]))) for m in WAY]
        way = [f"{100 * part:.0f} %" if np.isfinite(part := share(values[m], row)) else "-" for m in WAY]
        both = ["", ""] if row == WEAK else [f"{a} ({b})" for a, b in zip(against, way, strict=True)]
        lines.append([f"{row} ({len(seeds)})", *cells, *both])
    heads = [f"{name} - {WEAK} (share of the way)" for name in WAY]
    return markdown(["% (seeds)", *MEASURES, *heads], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    args = parser.parse_args()
    runs = by_row(args.runs, RECIPE.rows)
    if not runs:
        raise SystemExit(f"no finished run of {', '.join(RECIPE.rows)} in {args.runs}")
    values = values_of(runs)
    print(f"{table(values)}\n\n{claims_table(RECIPE.claims, values)}")


if __name__ == "__main__":
    main()
