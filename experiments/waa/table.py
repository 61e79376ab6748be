"""Tables 2 and 3 of the paper beside the cells of `study.py`, and its trends judged by paired differences over seeds.

    python -m experiments.waa.table runs/waa [--methods end_to_end triplet_attention ...]

All figures are the classifier's macro F1 in %, mean +- standard deviation over seeds (n - 1). Intervals are 95 %
Student t of differences within a seed; with one seed there are none, and nothing is judged.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from wsed.study.claims import Expect, verdict
from wsed.study.compare import difference, spread
from wsed.study.table import markdown

SECONDS = (0.2, 1.0, 10.0)
DATA = {"waa_200ms": "Table 2, events of 200 ms", "waa": "Table 3, WAA1"}
PAPER = {
    "waa_200ms": {
        "end_to_end": ("45.8 29.6 3.7", "44.2 47.4 12.7", "39.8 49.3 36.7"),
        "triplet": ("42.5 2.6 0.0", "39.1 28.9 0.1", "0.0 0.0 0.0"),
        "prototypical": ("41.2 9.4 0.0", "38.8 36.1 1.1", "0.0 0.0 0.0"),
    },
    "waa": {
        "end_to_end": ("45.8 49.0 26.8", "46.9 57.5 38.0", "40.2 54.2 51.0"),
        "triplet": ("42.5 38.2 11.7", "41.7 44.8 18.3", "9.1 10.2 2.8"),
        "prototypical": ("41.2 36.1 9.5", "45.2 52.4 22.0", "29.9 35.8 28.6"),
    },
}
"""F1 in %, a row for each training duration, at the three test durations."""
ALIKE = 5.0
"""Points: F1s that differ by less are called equal (trend iv)."""

Cells = dict[tuple[str, str, float, float], dict[int, float]]


def read(study: Path) -> Cells:
    """F1 in % by seed, of each (data, method, train, test)."""
    cells: Cells = {}
    for file in sorted((study / "cells").glob("*.json")):
        cell = json.loads(file.read_text())
        place = (cell["data"], cell["method"], cell["train"], cell["test"])
        cells.setdefault(place, {})[cell["seed"]] = 100 * cell["f1"]
    return cells


def tables(cells: Cells, methods: list[str]) -> None:
    for data, title in DATA.items():
        lines = []
        for method in methods:
            for i, train in enumerate(SECONDS):
                theirs = PAPER[data].get(method, ("- - -",) * 3)[i].split()
                ours = [cells.get((data, method, train, test)) for test in SECONDS]
                shown = [f"{spread(o.values()) if o else '-'} ({t})" for o, t in zip(ours, theirs, strict=True)]
                lines.append([method, f"{train:g} s", *shown])
        head = ["method", "train", *(f"test {seconds:g} s" for seconds in SECONDS)]
        print(f"\n{title}: F1 in % (paper)\n\n{markdown(head, lines)}")


class Seeds:
    """The F1s of a method by seed, at one or several places, of the seeds that have them all."""

    def __init__(self, cells: Cells, data: str, method: str) -> None:
        self.of = {(train, test): cells.get((data, method, train, test), {}) for train in SECONDS for test in SECONDS}
        self.seeds = sorted(set.intersection(*(set(values) for values in self.of.values())))

    def __call__(self, train: float, test: float | None = None, of: list[int] | None = None) -> np.ndarray:
        """`[seed]`, of all or of some; the mean over the test durations if `test` is None."""
        tests = SECONDS if test is None else (test,)
        return np.mean([[self.of[train, t][seed] for seed in of or self.seeds] for t in tests], axis=0)

    def shared(self, other: "Seeds") -> list[int]:
        return sorted({*self.seeds} & {*other.seeds})


def judged(name: str, values: np.ndarray, expect: Expect) -> list[str]:
    """A difference, with the verdict on where it should lie: above 0, below it, or within `ALIKE` of it."""
    mean = difference(values)
    return [name, str(mean), verdict(mean, expect, ALIKE)]


def trends(cells: Cells, methods: list[str]) -> None:
    """Each trend of the paper, for each data set and method that has all of its cells."""
    runs = {(data, m): found for data in DATA for m in methods if (found := Seeds(cells, data, m)).seeds}
    if not runs:
        print("\nNo method has all of its nine cells in any seed: no trend can be judged.")
        return
    lines = []
    for (data, method), f1 in runs.items():
        name = f"(i) {data} {method}: training on 10 s minus on 1 s (mean of tests)"
        expect: Expect = "equal" if method.startswith("end_to_end") else "below"
        lines.append(judged(name, f1(10.0) - f1(1.0), expect))
        alike = "_".join(["end_to_end", *method.split("_")[1:]])  # triplet_max beside end_to_end_max, if it was run
        whole = runs.get((data, alike)) or runs.get((data, "end_to_end"))
        if not method.startswith("end_to_end") and whole is not None and (seeds := f1.shared(whole)):
            lost = (f1(10.0, of=seeds) - f1(1.0, of=seeds)) - (whole(10.0, of=seeds) - whole(1.0, of=seeds))
            name = f"(i) {data} {method}: the same, beyond what the classifier loses, {len(seeds)} seeds"
            lines.append(judged(name, lost, "below"))
    for (data, method), f1 in runs.items():
        for train in (0.2, 1.0):
            name = f"(ii) {data} {method}: trained on {train:g} s, test 10 s minus test {train:g} s"
            lines.append(judged(name, f1(train, 10.0) - f1(train, train), "below"))
    for (data, method), f1 in runs.items():
        if data == "waa":
            others = {place: f1(*place) for place in f1.of if place != (1.0, 1.0)}
            best = max(others, key=lambda place: others[place].mean())
            name = f"(iii) {method}: 1 s / 1 s minus the best other cell ({best[0]:g} s / {best[1]:g} s)"
            lines.append(judged(name, f1(1.0, 1.0) - others[best], "above"))
    for (data, method), f1 in runs.items():
        name = f"(iv) {data} {method}: at 0.2 s, 1 s minus 0.2 s training"
        lines.append(judged(name, f1(1.0, 0.2) - f1(0.2, 0.2), "equal"))
    print(f"\n{markdown(['trend: difference of F1 in points, 95 % interval', 'mean', 'verdict'], lines)}")


def beyond(cells: Cells, methods: list[str]) -> None:
    """What other ways to make one embedding of a clip's windows give where training on 10 s ruins the mean.

    Beside the plain method, and beside the classifier end to end with the mean and with the same way.
    """
    lines = []
    for data in DATA:
        for method in methods:
            plain = next((name for name in PAPER[data] if method.startswith(f"{name}_")), "")
            rivals = dict.fromkeys((plain, "end_to_end", method.replace(plain, "end_to_end", 1))) if plain else {}
            for rival in (name for name in rivals if name != method):
                for test in SECONDS:
                    ours, theirs = (cells.get((data, name, 10.0, test), {}) for name in (method, rival))
                    if seeds := sorted({*ours} & {*theirs}):
                        gain = np.array([ours[seed] - theirs[seed] for seed in seeds])
                        name = f"{data} {method} - {rival}, test {test:g} s, {len(seeds)} seeds"
                        lines.append(judged(name, gain, "above"))
    print(f"\n{markdown(['beyond the paper, trained on 10 s: F1 in points over another', 'mean', 'verdict'], lines)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="--out of study.py")
    parser.add_argument("--methods", nargs="+", help="rows (default: the paper's and what else there is)")
    args = parser.parse_args()
    cells = read(args.study)
    methods = args.methods or list(dict.fromkeys([*PAPER["waa"], *(place[1] for place in cells)]))
    seeds = {seed for cell in cells.values() for seed in cell}
    print(f"{len(cells)} cells, {sum(map(len, cells.values()))} results, seeds {sorted(seeds)}")
    tables(cells, methods)
    trends(cells, methods)
    beyond(cells, methods)


if __name__ == "__main__":
    main()
