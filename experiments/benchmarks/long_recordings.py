"""Time and memory of scoring and decoding one long recording, compared with the code of an older commit.

    git worktree add ../before 3361541
    python experiments/benchmarks/long_recordings.py --before ../before [--minutes 5 20 1440] [--only NAME ...]

The recording has 50 frames a second and 10 classes, uniform noise as scores (which has the most runs), and an event of
0.9 s every 6 s. Each job runs in a process of its own with one thread; its CPU time counts without that of making the
data, its peak memory with Python, torch and the scores (173 MB for 24 hours). The older code runs where it would need
less than `LIMIT` GB, as far as its growth with the square of the length tells.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

RATE, LABELS = 50, 10
LIMIT = {"psds1": 20, "psds2": 10, "boxes": 20, "intersection_f1": 240}
"""Minutes up to which the older code is run; other jobs: always."""


def made(minutes: int) -> tuple[torch.Tensor, Any, torch.Tensor]:
    """Scores, events and the duration."""
    from wsed.types import Events

    frames, rng = minutes * 60 * RATE, np.random.default_rng(0)
    scores = torch.from_numpy(rng.random((1, frames, LABELS), dtype=np.float32))
    onset = torch.arange(1, minutes * 60 - 1, 6, dtype=torch.float64)
    zero = torch.zeros(len(onset), dtype=torch.long)
    events = Events(zero, torch.arange(len(onset)) % LABELS, onset, onset + 0.9, torch.ones(len(onset)))
    return scores, events, torch.tensor([minutes * 60.0], dtype=torch.float64)


def jobs(minutes: int) -> dict[str, Callable[[], float]]:
    """By name what is measured, for the code that is imported: each gives a number that both sides must agree on."""
    from wsed.decoding import BoxDecoder, median_filter
    from wsed.metrics import PSDS1, PSDS2, event_counts, intersection_counts, psds_from_scores, segment_counts

    scores, events, seconds = made(minutes)
    shifted = type(events)(events.clip, events.label, events.onset + 0.3, events.offset + 0.1, events.gain)
    try:
        from wsed.values import Scores

        of = Scores.of_padded(scores, RATE, durations=seconds)
    except ImportError:  # the older code

        def psds(parameters: Any) -> float:
            return float(psds_from_scores(scores, events, seconds, parameters, frame_rate=float(RATE)).value)

        def boxes() -> float:
            return float(len(BoxDecoder().boxes(scores, float(RATE))))
    else:

        def psds(parameters: Any) -> float:
            return float(psds_from_scores(of, events, parameters).value)

        def boxes() -> float:
            return float(len(BoxDecoder().boxes(of)))

    return {
        "psds1": lambda: psds(PSDS1),
        "psds2": lambda: psds(PSDS2),
        "boxes": boxes,
        "median": lambda: float(median_filter(scores, 23).double().mean()),
        "event_f1": lambda: event_counts(events, shifted, LABELS).macro_f1,
        "segment_f1": lambda: segment_counts(events, shifted, LABELS).macro_f1,
        "intersection_f1": lambda: intersection_counts(events, shifted, LABELS).macro_f1,
        **(more(of, events, seconds) if "of" in locals() else {}),
    }


def more(of: Any, events: Any, seconds: torch.Tensor) -> dict[str, Callable[[], float]]:
    """What the older code does not have, or only with other arguments."""
    from wsed.decoding import BoxDecoder, StepDecoder
    from wsed.metrics import System
    from wsed.metrics.segment_ranking import SegmentRanking
    from wsed.types import Labels
    from wsed.values import Truth

    labels = Labels(map(str, range(LABELS)))
    system = System(labels, Truth.of_events(events, 1, LABELS), events, seconds, of)
    return {
        "segment_ranking": lambda: SegmentRanking().compute(system).main,
        "decode": lambda: float(len(StepDecoder(median=0.45, threshold=0.6)(of))),
        "box_curves": lambda: float(BoxDecoder().curves(of).need_frames()[0].double().mean()),
    }


def measured(root: Path, job: str, minutes: int) -> dict[str, float] | None:
    """CPU seconds, peak GB and the number of a job in a process of its own; None if it does not exist or fails."""
    command = [sys.executable, __file__, "--alone", job, "--minutes", str(minutes)]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def alone(job: str, minutes: int) -> None:
    """Run one job and print what it took."""
    torch.set_num_threads(1)
    run = jobs(minutes)[job]
    start = time.process_time()
    value = run()
    seconds = time.process_time() - start
    print(json.dumps({"s": seconds, "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, "value": value}))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--before", type=Path, help="a worktree of the older code")
    parser.add_argument("--minutes", type=int, nargs="+", default=[5, 20, 1440])
    parser.add_argument("--only", nargs="+")
    parser.add_argument("--alone")
    args = parser.parse_args()
    if args.alone:
        alone(args.alone, args.minutes[0])
        return
    here = Path(__file__).resolve().parents[2]
    print("| job | minutes | s | GB | s before | GB before | same |\n|---|---|---|---|---|---|---|")
    for job in args.only or jobs(1):
        for minutes in args.minutes:
            ours = measured(here, job, minutes)
            old = args.before and minutes <= LIMIT.get(job, minutes)
            theirs = measured(args.before.resolve(), job, minutes) if old else None
            cells = [f"{row['s']:.2f} | {row['gb']:.2f}" if row else "- | -" for row in (ours, theirs)]
            same = f"{abs(ours['value'] - theirs['value']):.0e}" if ours and theirs else "-"
            print(f"| {job} | {minutes} | {cells[0]} | {cells[1]} | {same} |", flush=True)


if __name__ == "__main__":
    main()
