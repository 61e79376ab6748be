"""CPU time of `wsed evaluate` with 1,000 resamples, and of the bootstrap of PSDS over many classes.

    git worktree add ../before 3361541
    python experiments/benchmarks/evaluate.py [--before ../before] [--rounds 2] [--only files wide]

`files`: 1,168 score tables of 156 frames and 10 classes, as sed_scores_eval writes them, by the command line: all
metrics with their intervals. `wide`: 407 classes x 2,000 clips, PSDS1 and PSDS2 with their intervals. Each runs in a
process of its own with one thread, in turn with the older code; the times are those of the whole process, of which
Python and torch alone take the time in the first line.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scoring_data import CLIPS, FRAME_RATE, FRAMES, LABELS, made

HERE = Path(__file__).resolve().parents[2]
WIDE_CLIPS, WIDE_LABELS, RESAMPLES, RATES = 2000, 407, 1000, np.arange(0.05, 100, np.pi / 10)


def tables(folder: Path) -> list[str]:
    """Write the reference, the durations and the score tables; returns the arguments of the command."""
    data, times = made(CLIPS, LABELS, 1.7), np.arange(FRAMES + 1) / FRAME_RATE
    (folder / "scores").mkdir()
    header = "\t".join(["onset", "offset", *(f"class{i}" for i in range(LABELS))])
    for clip, scores in enumerate(data.scores.numpy()):
        rows = np.column_stack([times[:-1], times[1:], scores])
        np.savetxt(folder / f"scores/{clip:04d}.tsv", rows, "%.5f", "\t", header=header, comments="")
    events = [f"{clip:04d}.wav\t{onset}\t{offset}\tclass{label}" for clip, label, onset, offset in data.rows]
    (folder / "ref.tsv").write_text("\n".join(["filename\tonset\toffset\tevent_label", *events]) + "\n")
    lasts = [f"{clip:04d}.wav\t{seconds}" for clip, seconds in enumerate(data.durations.tolist())]
    (folder / "durations.tsv").write_text("\n".join(["filename\tduration", *lasts]) + "\n")
    inputs = {"reference": "ref.tsv", "predictions": "scores", "durations": "durations.tsv", "json": "scores.json"}
    return ["evaluate", *(word for name, file in inputs.items() for word in (f"--{name}", str(folder / file)))]


def seconds(root: Path, command: list[str]) -> float:
    """CPU seconds of a process with the code of `root`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, *command], env=environment, cwd=root, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def wide() -> None:
    """Alone in its process."""
    from wsed.metrics import PSDS1, PSDS2
    from wsed.metrics.bootstrap import bootstrap
    from wsed.metrics.psds import PSDSTable

    given = made(WIDE_CLIPS, WIDE_LABELS, 8).given
    for parameters in (PSDS1, PSDS2):
        table = PSDSTable.of_scores(*given, parameters)
        interval = bootstrap(table.values, WIDE_CLIPS, resamples=RESAMPLES, method="centred")
        print(f"{interval.value:.6f} [{interval.low:.6f}, {interval.high:.6f}]")


def numbers(plain: object, place: str = "") -> dict[str, float]:
    """All numbers of a report by their place in it; of curves, the heights at some rates."""
    if isinstance(plain, dict) and plain.keys() == {"efpr", "tpr"}:
        # Points whose rates differ by rounding only may be one point or two.
        step = np.searchsorted(plain["efpr"], RATES, side="right") - 1
        plain = np.array([0.0, *plain["tpr"]])[step + 1].tolist()
    if isinstance(plain, dict | list):
        parts = plain.items() if isinstance(plain, dict) else enumerate(plain)
        return {k: v for name, part in parts for k, v in numbers(part, f"{place}.{name}").items()}
    return {place: float(plain)} if isinstance(plain, int | float) else {}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--before", type=Path, help="a worktree of the older code")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=["files", "wide"], default=["files", "wide"])
    parser.add_argument("--wide", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.wide:
        wide()
        return
    sides = {"now": HERE} | ({"before": options.before.resolve()} if options.before else {})
    print(f"python and torch: {seconds(HERE, ['-c', 'import torch']):.1f} s")
    with tempfile.TemporaryDirectory() as folder:
        command = tables(Path(folder))
        jobs = {"files": ["-m", "wsed.cli.main", *command], "wide": [__file__, "--wide"]}
        for job in options.only:
            reports = {}
            for round_ in range(options.rounds):
                for side, root in sides.items():
                    print(f"{job}, {side}, round {round_ + 1}: {seconds(root, jobs[job]):.1f} s", flush=True)
                    if job == "files":
                        reports[side] = numbers(json.loads(Path(command[-1]).read_text()))
            if len(reports) == 2:
                now, before = reports["now"], reports["before"]
                both = sorted(now.keys() & before.keys())
                most = np.nanmax(np.abs([now[place] - before[place] for place in both]))
                print(f"files: {len(both)} numbers of both reports differ by at most {most:.0e}")


if __name__ == "__main__":
    main()
