"""Seconds for PSDS on data of the size of the DESED validation set, against `psds_eval` and `sed_scores_eval`.

    python experiments/benchmarks/psds.py [--predictions FOLDER] [--repeats N] [--wide]

FOLDER holds the DESED 2021 baseline: `validation.tsv`, `validation_durations.tsv` and 50 operating points. The frame
scores are made here: smooth random curves that rise where events are. One thread; the best of N runs. `--wide` adds 407
classes and 2,000 clips, where `sed_scores_eval` runs on 60 clips of the same density and is scaled by their number
(its sort grows faster than that, so the factor is a lower bound).
"""

import argparse
import cProfile
import csv
import json
import pstats
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from wsed.metrics.psds import PSDS1, PSDS2, PSDSParameters, PSDSTable, psds_from_operating_points, psds_from_scores
from wsed.types import Events

FOLDER = Path(__file__).parents[2].parent / "shared/data/reference/desed_baseline2021_teacher"
FRAME_RATE, CLIPS, FRAMES, LABELS = 15.625, 1168, 156, 10
WIDE_CLIPS, WIDE_LABELS, FEW = 2000, 407, 60
SCENARIOS = (("PSDS1", PSDS1), ("PSDS2", PSDS2))


class Data(NamedTuple):
    """Scores [clip frame label], reference rows (clip, label, onset, offset), seconds a clip."""

    scores: torch.Tensor
    rows: list[tuple[int, int, float, float]]
    durations: torch.Tensor


def made(n_clips: int, n_labels: int, events_a_clip: float, seed: int = 0) -> Data:
    """Every label in some clip; events of one label in one clip do not touch."""
    rng, length = np.random.default_rng(seed), FRAMES / FRAME_RATE
    cells = {(label % n_clips, label) for label in range(n_labels)}
    for clip in range(n_clips):
        cells |= {(clip, int(label)) for label in rng.integers(0, n_labels, rng.poisson(events_a_clip))}
    start = rng.uniform(0, length - 1, len(cells))
    stop = np.minimum(start + 0.25 + rng.exponential(2.0, len(cells)), length)
    rows = [(c, k, round(a, 3), round(b, 3)) for (c, k), a, b in zip(sorted(cells), start, stop, strict=True)]
    scores = np.empty((n_clips, FRAMES, n_labels), dtype=np.float32)
    for label in range(n_labels):
        walk = np.cumsum(rng.standard_normal((n_clips, FRAMES + 5), dtype=np.float32), axis=1)
        scores[:, :, label] = 0.55 * (walk[:, 5:] - walk[:, :-5]) - 4
    for clip, label, a, b in rows:
        scores[clip, int(a * FRAME_RATE) : int(b * FRAME_RATE) + 1, label] += rng.uniform(1, 6)
    return Data(torch.from_numpy(scores).sigmoid_(), rows, torch.full((n_clips,), length, dtype=torch.float64))


def best(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Least seconds of `repeats` calls, and what the last one gave."""
    seconds, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def line(what: str, ours: float, other: str, theirs: float, note: str = "") -> None:
    print(f"{what:44} {1e3 * ours:9.1f} ms {1e3 * theirs:10.0f} ms {theirs / ours:7.0f}  {other}; {note}", flush=True)


def agreement(a: float, b: float) -> str:
    return f"{a:.6f}, {'equal' if abs(a - b) < 1e-6 else f'NOT EQUAL: {b:.6f}'}"


def operating_points(folder: Path, repeats: int) -> None:
    """The 50 operating points of the DESED baseline, as tables in memory on both sides."""
    import pandas as pd
    import psds_eval

    def read(path: Path) -> list[dict[str, str]]:
        with path.open(newline="") as file:
            return list(csv.DictReader(file, delimiter="\t"))

    seconds = {r["filename"]: float(r["duration"]) for r in read(folder / "validation_durations.tsv")}
    clips = {name: i for i, name in enumerate(seconds)}
    truth = [r for r in read(folder / "validation.tsv") if r["event_label"]]
    labels = sorted({r["event_label"] for r in truth})
    files = sorted((folder / "predictions_operating_points").iterdir())
    tables = [[r for r in read(path) if r["event_label"]] for path in files]

    def events(rows: list[dict[str, str]]) -> Events:
        times = ((float(r["onset"]), float(r["offset"])) for r in rows)
        return Events.of(
            (clips[r["filename"]], labels.index(r["event_label"]), *t) for r, t in zip(rows, times, strict=True)
        )

    def frame(rows: list[dict[str, str]]) -> Any:
        return pd.DataFrame(rows)[["filename", "onset", "offset", "event_label"]].astype(
            {"onset": float, "offset": float}
        )

    reference, points, frames = events(truth), [events(t) for t in tables], [frame(t) for t in tables]
    durations = torch.tensor(list(seconds.values()), dtype=torch.float64)
    metadata = pd.DataFrame({"filename": list(seconds), "duration": list(seconds.values())})

    def theirs(p: PSDSParameters) -> float:
        metric = psds_eval.PSDSEval(p.dtc, p.gtc, p.cttc or 0.3, ground_truth=frame(truth), metadata=metadata)
        for table in frames:
            metric.add_operating_point(table)
        return float(metric.psds(p.alpha_ct, p.alpha_st, p.max_efpr).value)

    for name, p in SCENARIOS:
        bare = PSDSParameters(p.dtc, p.gtc, p.cttc, p.alpha_ct, p.alpha_st, p.max_efpr, decimals=None)
        ours, found = best(
            lambda q=bare: psds_from_operating_points(reference, points, len(labels), durations, q), repeats
        )
        its, value = best(lambda q=p: theirs(q), 1)
        line(f"{name}, {len(points)} operating points", ours, "psds_eval", its, agreement(found.value, value))


class SedScoresEval:
    """`sed_scores_eval` on the same data; its tables are made beforehand and not timed."""

    def __init__(self, data: Data) -> None:
        from sed_scores_eval import intersection_based
        from sed_scores_eval.base_modules.scores import create_score_dataframe

        self.module = intersection_based
        times = np.arange(FRAMES + 1) / FRAME_RATE
        names = [str(i) for i in range(data.scores.shape[2])]
        clips = [f"{i:05d}" for i in range(len(data.scores))]
        self.truth: dict[str, list[tuple[float, float, str]]] = {clip: [] for clip in clips}
        for clip, label, onset, offset in data.rows:
            self.truth[clips[clip]].append((onset, offset, str(label)))
        pairs = zip(clips, data.scores.double().numpy(), strict=True)
        self.scores = {clip: create_score_dataframe(scores, times, names) for clip, scores in pairs}
        self.seconds = dict(zip(clips, data.durations.tolist(), strict=True))

    def shares(self, p: PSDSParameters) -> dict[str, Any]:
        cttc = p.cttc if p.alpha_ct else None
        return {"dtc_threshold": p.dtc, "gtc_threshold": p.gtc, "cttc_threshold": cttc}

    def weights(self, p: PSDSParameters) -> dict[str, Any]:
        return {"alpha_ct": p.alpha_ct, "alpha_st": p.alpha_st, "max_efpr": p.max_efpr, **self.shares(p)}

    def psds(self, p: PSDSParameters) -> float:
        return float(self.module.psds(self.scores, self.truth, self.seconds, **self.weights(p))[0])

    def deltas(self, p: PSDSParameters) -> Any:
        statistics = self.module.intermediate_statistics
        return statistics.intermediate_statistics_deltas(self.scores, self.truth, **self.shares(p))

    def resamples(self, p: PSDSParameters, deltas: Any, folds: int) -> Any:
        given = {"deltas": deltas, "n_folds": folds, "n_iterations": 1, **self.weights(p)}
        return self.module.bootstrapped_psds(None, self.truth, self.seconds, **given)


def where(what: str, function: Callable[[], Any], most: int = 6) -> None:
    """Where the time goes, by function."""
    profile = cProfile.Profile()
    profile.runcall(function)
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    total = sum(own for _, _, own, _, _ in stats.values())
    rows = sorted(((own, key[2]) for key, (_, _, own, _, _) in stats.items()), reverse=True)[:most]
    named = ", ".join(f"{100 * own / total:.0f} % {name.split(' of ')[0].strip('<{ ')}" for own, name in rows)
    print(f"    {what}: {named}", flush=True)


def exact(repeats: int) -> None:
    """Over all thresholds, then resamples of the clips."""
    data = made(CLIPS, LABELS, 1.7)
    truth, judge = Events.of(data.rows), SedScoresEval(data)
    floor, _ = best(lambda: data.scores.max(), repeats)
    print(f"reading the {data.scores.nbytes / 1e6:.0f} MB of scores once takes {1e3 * floor:.1f} ms")
    given = (data.scores, truth, data.durations)
    mine = its = 0.0
    for name, p in SCENARIOS:
        ours, found = best(lambda q=p: psds_from_scores(*given, q, frame_rate=FRAME_RATE), repeats)
        theirs, value = best(lambda q=p: judge.psds(q), 1)
        line(
            f"{name}, exact, {CLIPS} clips, {LABELS} classes",
            ours,
            "sed_scores_eval",
            theirs,
            agreement(found.value, value),
        )
        where("wsed", lambda q=p: psds_from_scores(*given, q, frame_rate=FRAME_RATE))
        mine, its = mine + ours, its + theirs
    line("PSDS1 + PSDS2, exact", mine, "sed_scores_eval", its)
    for name, p in SCENARIOS:
        ours, table = best(lambda q=p: PSDSTable.of_scores(*given, q, frame_rate=FRAME_RATE), repeats)
        theirs, deltas = best(lambda q=p: judge.deltas(q), 1)
        line(f"{name}, table of all clips, made once", ours, "sed_scores_eval", theirs)
        drawn = np.random.default_rng(0).multinomial(CLIPS, np.full(CLIPS, 1 / CLIPS), size=20).astype(np.float64)
        ours, _ = best(lambda t=table, w=drawn: t.values(w), repeats)
        theirs, values = best(lambda q=p, d=deltas: judge.resamples(q, d, 3), 1)
        ids = sorted(deltas)  # their first fold leaves out the first third of the clips in this order
        np.random.RandomState(0).shuffle(ids)
        fold = np.ones((1, CLIPS))
        fold[0, [int(clip) for clip in ids[: CLIPS // 3]]] = 0
        same = agreement(table.values(fold)[0], values[0][0])
        line(f"{name}, one resample", ours / len(drawn), "sed_scores_eval", theirs / 3, same)
        changes = [c for c in table.changes if c is not None]
        print(f"    {sum(c.cell.size for c in changes)} changes: gathered, multiplied, summed up, and read once more")
        where("wsed", lambda t=table, w=drawn: t.values(w))


def wide_ours(repeats: int) -> None:
    """In a process of its own, for its peak of memory: 407 classes."""
    data = made(WIDE_CLIPS, WIDE_LABELS, 8)
    truth, result = Events.of(data.rows), {}
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    result["floor"], _ = best(lambda: data.scores.max(), 1)
    for name, p in SCENARIOS:
        run = lambda q=p: psds_from_scores(data.scores, truth, data.durations, q, frame_rate=FRAME_RATE)  # noqa: E731
        result[name], _ = best(run, repeats)
        where(f"wsed, {name}", run)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps(result | {"loaded": loaded, "peak": peak}))


def wide() -> None:
    out = subprocess.run([sys.executable, __file__, "--wide-ours"], capture_output=True, text=True, check=True).stdout
    *told, last = out.strip().splitlines()
    ours = json.loads(last)
    data = made(FEW, WIDE_LABELS, 8)
    judge = SedScoresEval(data)
    theirs, value = best(lambda: judge.psds(PSDS1), 1)
    found = psds_from_scores(data.scores, Events.of(data.rows), data.durations, PSDS1, frame_rate=FRAME_RATE)
    scaled = theirs * WIDE_CLIPS / FEW
    size = f"exact, {WIDE_CLIPS} clips, {WIDE_LABELS} classes"
    line(f"PSDS1, {size}", ours["PSDS1"], f"sed_scores_eval, {FEW} clips scaled", scaled, agreement(found.value, value))
    print(f"PSDS2, {size}: {ours['PSDS2']:.2f} s; sed_scores_eval not run (it loops over all pairs of classes)")
    print("\n".join(told))
    print(f"    reading the scores once takes {ours['floor']:.2f} s")
    print(f"    peak memory {ours['peak']:.2f} GB, of which {ours['loaded']:.2f} GB before scoring (scores, torch)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--predictions", type=Path, default=FOLDER)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--wide", action="store_true")
    parser.add_argument("--wide-ours", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if options.wide_ours:
        wide_ours(1)
        return
    print(f"{'what':44} {'wsed':>12} {'other':>13} {'factor':>7}")
    if options.predictions.is_dir():
        operating_points(options.predictions, options.repeats)
    else:
        print(f"no operating points in {options.predictions}")
    exact(options.repeats)
    if options.wide:
        wide()


if __name__ == "__main__":
    main()
