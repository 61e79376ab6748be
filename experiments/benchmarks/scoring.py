"""Speed of decoding and scoring compared with other libraries, with a profile and a lower bound of the time.

    python experiments/benchmarks/scoring.py [--only NAME ...] [--repeats N] [--predictions FOLDER]

FOLDER contains the DESED 2021 baseline (1,168 clips, 10 classes). Events, segments and operating points are real; frame
scores are simulated (see `scoring_data.py`). Everything runs in one thread. Both sides start from data in memory in
their own format and run in turn in one process. The best of all runs within 4 s counts, with at least N runs of wsed
and one of the other library. The lower bound is the time of reading all input once (for a resample: the table from
which all resamples are drawn).

With 407 classes, `sed_scores_eval` runs on 240 clips of the same density, and its time is scaled to all clips: it takes
about 0.05 s per clip for 30 to 480 clips. wsed runs on all 2,000 clips in its own process, whose peak memory is
reported, including Python, torch and the scores.
"""

import argparse
import cProfile
import json
import pstats
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scoring_data import (
    CLIPS,
    FRAME_RATE,
    LABELS,
    Desed,
    PsdsEval,
    SedEval,
    SedScoresEval,
    decoded_by_loop,
    desed,
    made,
)

from wsed.decoding import StepDecoder, decode_at, odd_frames
from wsed.decoding.tuning import THRESHOLDS
from wsed.metrics import (
    PSDS1,
    PSDS2,
    Counts,
    event_counts,
    psds_from_operating_points,
    psds_from_scores,
    segment_counts,
)
from wsed.metrics.bootstrap import bootstrap
from wsed.metrics.psds import PSDSTable
from wsed.types import Events
from wsed.values import Scores

FOLDER = Path(__file__).parents[2].parent / "shared/data/reference/desed_baseline2021_teacher"
SCENARIOS = {"PSDS1": PSDS1, "PSDS2": PSDS2}
MEDIAN, RESAMPLES, FOLDS = 0.45, 1000, 3
WIDE_CLIPS, WIDE_LABELS, FEW, GIGABYTES = 2000, 407, 240, 2.0


class Row(NamedTuple):
    """One line of the table: seconds of both sides, how far their results may and do differ, and what to say of it."""

    what: str
    ours: float
    other: str
    theirs: float
    target: int
    allowed: float
    difference: float
    notes: list[str]
    within_memory: bool = True

    @property
    def met(self) -> bool:
        return self.theirs / self.ours >= self.target and self.difference <= self.allowed and self.within_memory


def best(function: Callable[[], Any], repeats: int = 1, spare: float = 4.0) -> tuple[float, Any]:
    """Least seconds of `repeats` calls, or more while they fit in `spare` seconds; and what the last one gave."""
    seconds: list[float] = []
    while len(seconds) < repeats or sum(seconds) + min(seconds) < spare:
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def profiled(function: Callable[[], Any], most: int = 6) -> str:
    """Where the time goes: the functions with the largest shares, without what they call."""
    profile, start = cProfile.Profile(), time.perf_counter()
    while time.perf_counter() - start < 0.3:
        profile.runcall(function)
    own: dict[str, float] = {}
    for (file, line, name), (_, _, seconds, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        short = name.split(" of ")[0].strip("<>{}'").split("'")[-1].split(".")[-1].split(" ")[-1]
        if name.startswith("<") and file != "~":  # a comprehension or a lambda: the name says nothing
            short += f" at {Path(file).name}:{line}"
        own[short] = own.get(short, 0.0) + seconds
    first = sorted(own.items(), key=lambda item: -item[1])[:most]
    return "time goes to " + ", ".join(f"{name} {100 * s / sum(own.values()):.0f} %" for name, s in first)


def floor(arrays: list[np.ndarray], ours: float) -> str:
    """What reading these arrays once takes."""
    size = sum(array.nbytes for array in arrays)
    seconds, _ = best(lambda: [array.max() for array in arrays if array.size], spare=0.5)
    return f"floor: reading {size / 1e6:.2f} MB once takes {1e3 * seconds:.3f} ms, 1/{ours / seconds:.0f} of the time"


def arrays_of(*events: Events) -> list[np.ndarray]:
    """All that the metrics read of them."""
    return [column.numpy() for e in events for column in (e.clip, e.label, e.onset, e.offset)]


def counted(data: Desed, name: str, repeats: int) -> Iterator[Row]:
    """Counts and macro, micro and class-wise F1 of events or segments."""
    judge, sides = SedEval(data), (Events.of(data.reference), Events.of(data.estimated))
    count, target = {"event": (event_counts, 500), "segment": (segment_counts, 200)}[name]

    def run() -> tuple[Counts, float, float, Any]:
        counts = count(*sides, len(data.labels))
        return counts, counts.macro_f1, counts.micro_f1, counts.f1

    ours, (counts, macro, micro, _) = best(run, repeats)
    theirs, results = best(judge.events if name == "event" else judge.segments)
    size = f"{len(sides[0])} true and {len(sides[1])} detected events"
    notes = [f"{size}: macro F1 {macro:.4f}, micro F1 {micro:.4f}", profiled(run), floor(arrays_of(*sides), ours)]
    difference = judge.difference(counts, results)
    yield Row(f"{name} F1, one threshold", ours, "sed_eval", theirs, target, 1e-9, difference, notes)


def decoded(_: None, repeats: int) -> Iterator[Row]:
    """Median filter and 50 thresholds, from scores to events."""
    scores, decoder = made(CLIPS, LABELS, 1.7).scores, StepDecoder(median=MEDIAN)

    def run() -> Events:
        return decode_at(decoder.curves(Scores.of_padded(scores, FRAME_RATE)), THRESHOLDS)

    ours, events = best(run, repeats)
    found = np.stack([events.clip, events.label, events.onset, events.offset], axis=1)
    frames = odd_frames(MEDIAN, FRAME_RATE)
    for once, how in ((False, "filter a threshold, as baselines do"), (True, "one filter a clip")):
        theirs, tables = best(lambda once=once: decoded_by_loop(scores.numpy(), THRESHOLDS, frames, once))
        expected = np.concatenate(
            [np.c_[t.filename + i * CLIPS, t.event_label, t.onset, t.offset] for i, t in enumerate(tables.values())]
        ).astype(float)
        same = found.shape == expected.shape
        difference = float(np.abs(found - expected).max()) if same else float("inf")
        notes = [] if once else [f"{len(events)} events", profiled(run), floor([scores.numpy()], ours)]
        what = f"decode {len(THRESHOLDS)} thresholds"
        yield Row(what, ours, f"DataFrame loop, {how}", theirs, 30, 0.0, difference, notes)


def from_points(data: Desed, repeats: int) -> Iterator[Row]:
    """PSDS from 50 operating points."""
    judge, reference, points = PsdsEval(data), Events.of(data.reference), [Events.of(rows) for rows in data.points]
    durations = torch.tensor(data.durations, dtype=torch.float64)
    for name, p in SCENARIOS.items():
        bare = replace(p, decimals=None)  # psds_eval does not round times
        run = lambda q=bare: psds_from_operating_points(reference, points, len(data.labels), durations, q).value  # noqa: E731
        (ours, value), (theirs, other) = best(run, repeats), best(lambda q=p: judge.psds(q))
        size = sum(len(point) for point in points)
        notes = [f"{value:.6f}, {size} detections", profiled(run), floor(arrays_of(reference, *points), ours)]
        what = f"{name}, {len(points)} operating points"
        yield Row(what, ours, "psds_eval", theirs, 20, 1e-6, abs(value - other), notes)


def exact(_: None, repeats: int) -> Iterator[Row]:
    """PSDS over all thresholds."""
    data = made(CLIPS, LABELS, 1.7)
    given, judge = data.given, SedScoresEval(data)
    for name, p in SCENARIOS.items():
        run = lambda q=p: psds_from_scores(*given, q).value  # noqa: E731
        (ours, value), (theirs, other) = best(run, repeats), best(lambda q=p: judge.psds(q))
        notes = [f"{value:.6f}", profiled(run), floor([data.scores.numpy()], ours)]
        what = f"{name}, exact, {CLIPS} clips"
        yield Row(what, ours, "sed_scores_eval", theirs, 5, 1e-6, abs(value - other), notes)


def resampled(_: None, repeats: int) -> Iterator[Row]:
    """A bootstrap of PSDS: ours of 1,000 resamples, theirs of a few, both by the resample."""
    data = made(CLIPS, LABELS, 1.7)
    given, judge = data.given, SedScoresEval(data)
    for name, p in SCENARIOS.items():
        (made_in, table), (its, deltas) = (
            best(lambda q=p: PSDSTable.of_scores(*given, q), repeats),
            best(lambda q=p: judge.deltas(q)),
        )
        run = lambda t=table, n=RESAMPLES: bootstrap(t.values, CLIPS, resamples=n, method="percentile")  # noqa: E731
        ours, interval = best(run)
        theirs, values = best(lambda q=p, d=deltas: judge.resamples(q, d, FOLDS))
        difference = abs(table.values(judge.first_fold(deltas, FOLDS))[0] - values[0])
        held = [getattr(c, f.name) for c in table.changes if c is not None for f in fields(c)]
        notes = [
            f"{RESAMPLES} resamples in {ours:.2f} s: {interval.value:.4f} [{interval.low:.4f}, {interval.high:.4f}]",
            f"the table they share is made once, in {made_in:.3f} s (theirs {its:.1f} s, {its / made_in:.0f} x)",
            profiled(lambda r=run: r(n=20)),
            floor([a for a in held if isinstance(a, np.ndarray)], ours / RESAMPLES),
        ]
        what = f"{name}, one resample of {RESAMPLES}"
        yield Row(what, ours / RESAMPLES, "sed_scores_eval", theirs / FOLDS, 50, 1e-6, difference, notes)


def wide_ours(repeats: int) -> None:
    """Alone in its process: prints seconds and peak memory as JSON."""
    data = made(WIDE_CLIPS, WIDE_LABELS, 8)
    given, told = data.given, {"loaded": peak()}
    for name, p in SCENARIOS.items():
        told[name], _ = best(lambda q=p: psds_from_scores(*given, q), repeats)
    told["peak"] = peak()  # before the profiler and the floor take their own
    run = lambda: psds_from_scores(*given, PSDS1)  # noqa: E731
    told["notes"] = [profiled(run), floor([data.scores.numpy()], told["PSDS1"])]
    print(json.dumps(told))


def peak() -> float:
    """Gigabytes that this process has held at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def wide(_: None, repeats: int) -> Iterator[Row]:
    """407 classes."""
    command = [sys.executable, __file__, "--wide-ours", "--repeats", str(repeats)]
    ours = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    data = made(FEW, WIDE_LABELS, 8)
    judge = SedScoresEval(data)
    theirs, other = best(lambda: judge.psds(PSDS1))
    value = psds_from_scores(*data.given, PSDS1).value
    within = ours["peak"] < GIGABYTES
    notes = [
        f"theirs: {theirs:.1f} s for {FEW} clips, scaled to {WIDE_CLIPS}; the results compared are of {FEW} clips",
        f"peak memory {ours['peak']:.2f} GB, {'under' if within else 'OVER'} {GIGABYTES:.0f} GB "
        f"(making the scores took {ours['loaded']:.2f} GB by itself, torch included)",
        f"PSDS2 takes ours {ours['PSDS2']:.1f} s; theirs looks at all pairs of classes and was not waited for",
        *ours["notes"],
    ]
    what, scaled = f"PSDS1, exact, {WIDE_CLIPS} clips, {WIDE_LABELS} classes", theirs * WIDE_CLIPS / FEW
    yield Row(what, ours["PSDS1"], "sed_scores_eval", scaled, 10, 1e-6, abs(value - other), notes, within)


JOBS = {
    "event": lambda data, repeats: counted(data, "event", repeats),
    "segment": lambda data, repeats: counted(data, "segment", repeats),
    "decode": decoded,
    "points": from_points,
    "exact": exact,
    "bootstrap": resampled,
    "wide": wide,
}
REAL = ("event", "segment", "points")


def show(row: Row) -> None:
    equal = "equal" if row.difference <= row.allowed else "NOT EQUAL"
    print(f"{row.what}, against {row.other}")
    print(
        f"    {1e3 * row.ours:.3f} ms, theirs {1e3 * row.theirs:.1f} ms: {row.theirs / row.ours:.0f} times faster "
        f"(target {row.target}), {equal} (difference {row.difference:.1e}, allowed {row.allowed:.0e})"
    )
    for note in row.notes:
        print(f"    {note}")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", nargs="+", choices=JOBS, default=list(JOBS), help="of: " + ", ".join(JOBS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--predictions", type=Path, default=FOLDER)
    parser.add_argument("--wide-ours", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if options.wide_ours:
        wide_ours(options.repeats)
        return
    data, rows = None, []
    if options.predictions.is_dir():
        data = desed(options.predictions)
    for name in JOBS:
        if name not in options.only:
            continue
        if name in REAL and data is None:
            print(f"{name}: left out, no predictions in {options.predictions}")
            continue
        for row in JOBS[name](data if name in REAL else None, options.repeats):
            show(row)
            rows.append(row)
    print("\ntargets")
    for row in rows:
        factor = f"{row.theirs / row.ours:6.0f} x of {row.target:3}"
        print(f"    {'met' if row.met else 'MISSED':7}{factor}  {row.what}, {row.other}")


if __name__ == "__main__":
    main()
