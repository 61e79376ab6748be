"""Tables 2 and 3 of the paper beside the cells of `study.py`, and its trends judged by paired differences.

    python -m experiments.waa.table runs/waa [--root data] [--methods end_to_end triplet_attention ...]

All figures are the classifier's macro F1 in %, mean +- standard deviation over seeds (n - 1). Differences are within a
seed; their 95 % intervals are over seeds and the recordings in the test clips. They are over seeds alone where the
scores of the test clips or the corpus are missing. With one seed there are none, and nothing is judged.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from wsed.data.clip import Clip
from wsed.errors import WsedError
from wsed.metrics.bootstrap import PerResample
from wsed.metrics.groups import Groups
from wsed.run import RunFolder
from wsed.study.claims import Claim, Expect, judge_difference
from wsed.study.compare import spread
from wsed.study.drawn import over
from wsed.study.measures import MeasuredRun
from wsed.study.numbers import RESAMPLES, Recordings
from wsed.study.runs import ScoredClips, clips_of, root_of
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

Place = tuple[str, str, float, float]
"""Data, method, and the durations of training and test segments."""


@dataclass(frozen=True)
class Cells:
    """F1 in % of each cell, by seed, and the same for each draw of the recordings in the test clips."""

    f1: dict[Place, dict[int, float]] = field(default_factory=dict)
    drawn: dict[Place, dict[int, PerResample]] = field(default_factory=dict)
    recordings: dict[str, Recordings] = field(default_factory=dict)


def read(study: Path, root: Path | None = None, resamples: int = RESAMPLES) -> Cells:
    """The cells of a study.

    Args:
        study: `--out` of `study.py`.
        root: folder of the corpora `waa` and `waa_200ms`, if they are not where the runs found them.
        resamples: draws of the recordings.
    """
    cells = Cells()
    corpora: dict[str, dict[str, Clip]] = {}
    for file in sorted((study / "cells").glob("*.json")):
        cell = json.loads(file.read_text())
        place, seed = (cell["data"], cell["method"], cell["train"], cell["test"]), cell["seed"]
        cells.f1.setdefault(place, {})[seed] = 100 * cell["f1"]
        folder = study / f"{place[0]}-{place[1]}-{place[2]:g}/seed_{seed}/classifier"
        run = RunFolder(folder / f"test_{place[3]:g}")
        if run.split("test").clip_scores.is_file():
            where = None if root is None else root / place[0]
            drawn = draw(cells.recordings, corpora, place[0], RunFolder(folder), run, where, resamples)
            if drawn is not None:
                cells.drawn.setdefault(place, {})[seed] = drawn
    return cells


def draw(
    recordings: dict[str, Recordings],
    corpora: dict[str, dict[str, Clip]],
    data: str,
    trained: RunFolder,
    run: RunFolder,
    root: Path | None,
    resamples: int,
) -> PerResample | None:
    """The F1 of a tested run for each draw of the recordings; None if the corpus or its recordings are not known.

    The corpora that were read, and their recordings, are added to `corpora` and `recordings`.
    """
    if data not in corpora:
        try:
            corpora[data] = {clip.id: clip for clip in clips_of(trained, "test", root)}
        except (WsedError, OSError):
            corpora[data] = {}
    clips = corpora[data]
    if not clips:
        return None
    scored = ScoredClips.read(run, "test", clips.values())
    ids = scored.scores.clip_ids
    if data not in recordings:
        recordings[data] = Recordings.of(root or root_of(trained), clips, ids, None, resamples)
    statistic = MeasuredRun(run, run.report("test"), scored).statistic("tagging_f1/macro")
    return None if statistic is None else recordings[data].draw({"F1": statistic}, ids).get("F1")


@dataclass(frozen=True)
class Points:
    """F1s, or differences of them, by seed, and the same of each seed for each draw of the recordings, if known."""

    values: np.ndarray
    drawn: np.ndarray | None = None
    groups: Groups | None = None

    def __sub__(self, other: "Points") -> "Points":
        drawn = None if self.drawn is None or other.drawn is None else self.drawn - other.drawn
        return Points(self.values - other.values, drawn, self.groups)


def tables(cells: Cells, methods: list[str]) -> None:
    for data, title in DATA.items():
        lines = []
        for method in methods:
            for i, train in enumerate(SECONDS):
                theirs = PAPER[data].get(method, ("- - -",) * 3)[i].split()
                ours = [cells.f1.get((data, method, train, test)) for test in SECONDS]
                shown = [f"{spread(o.values()) if o else '-'} ({t})" for o, t in zip(ours, theirs, strict=True)]
                lines.append([method, f"{train:g} s", *shown])
        head = ["method", "train", *(f"test {seconds:g} s" for seconds in SECONDS)]
        print(f"\n{title}: F1 in % (paper)\n\n{markdown(head, lines)}")


class Seeds:
    """The F1s of a method by seed, at one or several places, of the seeds that have them all."""

    def __init__(self, cells: Cells, data: str, method: str) -> None:
        places = {(train, test): (data, method, train, test) for train in SECONDS for test in SECONDS}
        self.of = {short: cells.f1.get(place, {}) for short, place in places.items()}
        self.drawn: Mapping[tuple[float, float], Mapping[int, PerResample]]
        self.drawn = {short: cells.drawn.get(place, {}) for short, place in places.items()}
        self.seeds = sorted(set.intersection(*(set(values) for values in self.of.values())))
        self.groups = cells.recordings[data].groups if data in cells.recordings else None

    def __call__(self, train: float, test: float | None = None, of: list[int] | None = None) -> Points:
        """The F1s of all or of some seeds; the mean over the test durations if `test` is None."""
        tests, seeds = SECONDS if test is None else (test,), of or self.seeds
        values = np.mean([[self.of[train, t][seed] for seed in seeds] for t in tests], axis=0)
        if not all(seed in self.drawn[train, t] for seed in seeds for t in tests):
            return Points(values)
        drawn = np.mean([[self.drawn[train, t][seed] for seed in seeds] for t in tests], axis=0)
        return Points(values, drawn, self.groups)

    def shared(self, other: "Seeds") -> list[int]:
        return sorted({*self.seeds} & {*other.seeds})


def judged(name: str, of: Points, expect: Expect) -> list[str]:
    """A difference, with the verdict on where it should lie: above 0, below it, or within `ALIKE` of it."""
    mean = over(of.values.tolist(), () if of.drawn is None else list(of.drawn), of.groups)
    of_claim = judge_difference(Claim(name, "", "", "f1", expect, ALIKE), mean)
    return [name, str(mean), of_claim.in_words()]


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
            best = max(others, key=lambda place: float(others[place].values.mean()))
            name = f"(iii) {method}: 1 s / 1 s minus the best other cell ({best[0]:g} s / {best[1]:g} s)"
            lines.append(judged(name, f1(1.0, 1.0) - others[best], "above"))
    for (data, method), f1 in runs.items():
        name = f"(iv) {data} {method}: at 0.2 s, 1 s minus 0.2 s training"
        lines.append(judged(name, f1(1.0, 0.2) - f1(0.2, 0.2), "equal"))
    print(f"\n{markdown(['trend: difference of F1 in points, 95 % interval', 'mean', 'verdict'], lines)}")


def points(cells: Cells, place: Place, seeds: list[int]) -> Points:
    """The F1s of a cell, of some seeds."""
    values, drawn = np.array([cells.f1[place][seed] for seed in seeds]), cells.drawn.get(place, {})
    if not all(seed in drawn for seed in seeds):
        return Points(values)
    return Points(values, np.array([drawn[seed] for seed in seeds]), cells.recordings[place[0]].groups)


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
                    ours, theirs = ((data, name, 10.0, test) for name in (method, rival))
                    if seeds := sorted(cells.f1.get(ours, {}).keys() & cells.f1.get(theirs, {}).keys()):
                        gain = points(cells, ours, seeds) - points(cells, theirs, seeds)
                        name = f"{data} {method} - {rival}, test {test:g} s, {len(seeds)} seeds"
                        lines.append(judged(name, gain, "above"))
    print(f"\n{markdown(['beyond the paper, trained on 10 s: F1 in points over another', 'mean', 'verdict'], lines)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="--out of study.py")
    parser.add_argument("--methods", nargs="+", help="rows (default: the paper's and what else there is)")
    parser.add_argument("--root", type=Path, help="folder of the corpora waa and waa_200ms, if they have moved")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="draws of the groups (default: %(default)s)")
    args = parser.parse_args()
    cells = read(args.study, args.root, args.resamples)
    methods = args.methods or list(dict.fromkeys([*PAPER["waa"], *(place[1] for place in cells.f1)]))
    seeds = {seed for cell in cells.f1.values() for seed in cell}
    print(f"{len(cells.f1)} cells, {sum(map(len, cells.f1.values()))} results, seeds {sorted(seeds)}")
    for data in dict.fromkeys(place[0] for place in cells.f1):
        missing = sum(len(of) - len(cells.drawn.get(place, {})) for place, of in cells.f1.items() if place[0] == data)
        recordings = cells.recordings.get(data, Recordings())
        alone = f" Over seeds alone: {missing} results without scores." if recordings.groups and missing else ""
        print(f"{data}: {recordings.sentence}{alone}")
    tables(cells, methods)
    trends(cells, methods)
    beyond(cells, methods)


if __name__ == "__main__":
    main()
