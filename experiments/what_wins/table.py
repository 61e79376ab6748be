"""The tables of this folder's README from finished runs; nothing is trained.

    python -m experiments.what_wins.table runs/soundscapes [--root data/what_wins/soundscapes]

Reads the reports `<runs>/<row>/seed_<n>/test/scores.json`. Differences are paired by seed; their 95 % intervals are
over seeds and groups of recordings, as in ../compare, or over seeds alone where the scores of the runs are not there.
The share of the way from tags to events is that of the row between `best` and `strong`, of the same seeds; it is told
where `strong` is shown to be above `best`. A second table has the pairs of rows that the recipe compares.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.compare.table import COLUMN_OF, numbers, recordings_of
from wsed.run import RunFolder
from wsed.scoring.report import Report
from wsed.study.compare import spread
from wsed.study.drawn import Drawn
from wsed.study.numbers import KEPT, RESAMPLES, Numbers, Recordings
from wsed.study.rows import read_recipe
from wsed.study.runs import ScoredClips, by_row, corpus_of
from wsed.study.table import markdown

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


def drawn_of(runs: Mapping[str, Sequence[RunFolder]], values: Values, root: Path | None, resamples: int) -> Drawn:
    """The measures of all runs with the draws of those that have scores, or kept numbers."""
    there = [
        run for of in runs.values() for run in of if (run.path / KEPT).is_file() or run.split("test").scores.is_file()
    ]
    recordings = Recordings()
    if there:
        clips = corpus_of(there[0], root).clips("test")
        recordings = recordings_of(clips, ScoredClips.read(there[0], "test", clips).scores.clip_ids, resamples)
    found: dict[str, dict[str, Numbers]] = {}
    for row, of in runs.items():
        for run in of:
            own = numbers(run, root, recordings).drawn if run in there else {}
            drawn = {name: own[column] for name in MEASURES if (column := COLUMN_OF[name]) in own}
            value = {name: rows[row][run.path.name] for name, rows in values.items()}
            found.setdefault(row, {})[run.path.name] = Numbers(value, drawn)
    return Drawn(found, recordings)


def table(values: Values, drawn: Drawn) -> str:
    """A line per row: its measures, its differences from `best`, and its share of the way."""
    ways = [m for m in WAY if STRONG in values[m] and drawn.difference(WEAK, STRONG, m).low > 0]
    lines = []
    for row, seeds in values["event_f1"].items():
        cells = [spread(of[row].values()) for of in values.values()]
        gains = [str(drawn.difference(WEAK, row, m)) for m in WAY]
        way = [f" ({100 * share(values[m], row):.0f} %)" if m in ways else "" for m in WAY]
        both = ["", ""] if row == WEAK else [f"{a}{b}" for a, b in zip(gains, way, strict=True)]
        lines.append([f"{row} ({len(seeds)})", *cells, *both])
    heads = [f"{name} - {WEAK} (share of the way)" for name in WAY]
    return markdown(["% (seeds)", *MEASURES, *heads], lines)


def pairs(values: Values, drawn: Drawn) -> str:
    """A line per pair of rows that the recipe compares, except pairs with `best`; empty if no such rows ran."""
    there = values["event_f1"]
    lines = [
        [f"{row} - {other} ({len(there[row].keys() & there[other].keys())})"]
        + [str(drawn.difference(other, row, m)) for m in WAY]
        for other, row in RECIPE.compare
        if other != WEAK and there.get(row, {}).keys() & there.get(other, {}).keys()
    ]
    return markdown(["rows (shared seeds)", *WAY], lines) + "\n\n" if lines else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--root", type=Path, help="the corpus, if it is not where the runs found it")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="draws of the groups (default: %(default)s)")
    args = parser.parse_args()
    runs = by_row(args.runs, RECIPE.rows)
    if not runs:
        raise SystemExit(f"no finished run of {', '.join(RECIPE.rows)} in {args.runs}")
    values = values_of(runs)
    drawn = drawn_of(runs, values, args.root, args.resamples)
    print(drawn.recordings.sentence)
    alone = [row for row, of in drawn.numbers.items() if not all(run.drawn for run in of.values())]
    if drawn.recordings.groups is not None and alone:
        print(f"Over seeds alone, since their scores were not kept: {', '.join(sorted(alone))}.")
    print(f"\n{table(values, drawn)}\n\n{pairs(values, drawn)}{drawn.claims(RECIPE.claims)}")


if __name__ == "__main__":
    main()
