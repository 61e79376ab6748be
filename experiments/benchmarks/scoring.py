"""Seconds to score and to decode the DESED validation set (1168 clips, 10 classes), against `sed_eval` and a clip loop.

    python experiments/benchmarks/scoring.py [--predictions FOLDER] [--repeats N]

FOLDER holds `validation.tsv` and `predictions0.5.csv` of the DESED 2021 baseline. One thread; the best of N runs.
"""

import argparse
import csv
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsed.decoding import Decoder, odd_frames
from wsed.metrics import event_counts, segment_counts
from wsed.types import Events

FOLDER = Path(__file__).parents[2].parent / "shared/data/reference/desed_baseline2021_teacher"
FRAME_RATE, CLIPS, FRAMES, LABELS, MEDIAN = 15.625, 1168, 156, 10, 0.45
Row = tuple[int, int, float, float]


def read(folder: Path) -> tuple[list[Row], list[Row], int]:
    """Reference and predicted (clip, label, onset, offset), and the number of labels."""
    tables = []
    for name, delimiter in (("validation.tsv", "\t"), ("predictions0.5.csv", ",")):
        with (folder / name).open(newline="") as file:
            tables.append([r for r in csv.DictReader(file, delimiter=delimiter) if r["event_label"]])
    clips, labels = (
        {v: i for i, v in enumerate(sorted({r[key] for t in tables for r in t}))} for key in ("filename", "event_label")
    )
    reference, estimated = (
        [(clips[r["filename"]], labels[r["event_label"]], float(r["onset"]), float(r["offset"])) for r in t]
        for t in tables
    )
    return reference, estimated, len(labels)


def best(function: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Least seconds of `repeats` calls, and what the last one gave."""
    seconds, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    return min(seconds), result


def sed_eval_scores(reference: list[Row], estimated: list[Row], n_labels: int, segments: bool) -> tuple[float, float]:
    """Macro and micro F1 of `sed_eval`."""
    import sed_eval

    labels = [str(i) for i in range(n_labels)]
    if segments:
        metric = sed_eval.sound_event.SegmentBasedMetrics(labels, time_resolution=1.0)
        metric.empty_system_output_handling = "zero_score"
    else:
        metric = sed_eval.sound_event.EventBasedMetrics(
            labels, t_collar=0.2, percentage_of_length=0.2, empty_system_output_handling="zero_score"
        )
    clips: dict[int, tuple[list[Any], list[Any]]] = {}
    for side, rows in enumerate((reference, estimated)):
        for clip, label, onset, offset in rows:
            item = {"event_label": str(label), "onset": onset, "offset": offset, "filename": str(clip)}
            clips.setdefault(clip, ([], []))[side].append(item)
    for true, said in clips.values():
        metric.evaluate(true, said)
    macro, micro = metric.results_class_wise_average_metrics(), metric.results_overall_metrics()
    return macro["f_measure"]["f_measure"], micro["f_measure"]["f_measure"]


def decode_by_loop(scores: torch.Tensor) -> list[Row]:
    """Median filter and threshold clip by clip, class by class, as baselines do (`scipy`)."""
    from scipy.ndimage import median_filter

    rows = []
    for clip, curves in enumerate(scores.numpy()):
        active = median_filter(curves, size=(odd_frames(MEDIAN, FRAME_RATE), 1)) > 0.5
        for label in range(active.shape[1]):
            edges = np.flatnonzero(np.diff(active[:, label], prepend=False, append=False))
            rows += [(clip, label, a / FRAME_RATE, b / FRAME_RATE) for a, b in edges.reshape(-1, 2).tolist()]
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--predictions", type=Path, default=FOLDER)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated")
    torch.set_num_threads(1)
    table = []
    if options.predictions.is_dir():
        reference, estimated, n_labels = read(options.predictions)
        sides = Events.of(reference), Events.of(estimated)
        for name, count in (("event", event_counts), ("segment", segment_counts)):
            ours, counts = best(lambda count=count: count(*sides, n_labels), 4 * options.repeats)
            segments = name == "segment"
            theirs, scores = best(lambda s=segments: sed_eval_scores(reference, estimated, n_labels, s), 1)
            same = np.allclose(scores, (counts.macro_f1, counts.micro_f1), rtol=0, atol=1e-9)
            note = f"macro {counts.macro_f1:.4f} micro {counts.micro_f1:.4f}, {'equal' if same else 'NOT EQUAL'}"
            table.append((f"{name} F1, {len(sides[0])} reference events", ours, "sed_eval", theirs, note))
    else:
        print(f"no predictions in {options.predictions}: decoding only")
    scores = torch.rand(CLIPS, FRAMES, LABELS, generator=torch.Generator().manual_seed(0))
    decoder = Decoder(median=MEDIAN)
    ours, events = best(lambda: decoder(scores, FRAME_RATE), options.repeats)
    theirs, rows = best(lambda: decode_by_loop(scores), 1)
    note = f"{len(events)} events, {'equal' if len(events) == len(rows) else 'NOT EQUAL'}"
    table.append(("decoding: median 7 frames, threshold", ours, "scipy, clip loop", theirs, note))
    print(f"{'what':40} {'wsed':>9}  {'other':>9}  {'factor':>6}")
    for what, mine, other, its, note in table:
        print(f"{what:40} {1e3 * mine:6.1f} ms  {1e3 * its:6.0f} ms  {its / mine:6.0f}  {other}; {note}")


if __name__ == "__main__":
    main()
