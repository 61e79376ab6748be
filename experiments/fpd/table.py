"""The tables and the figure of this folder's README from finished runs.

    python experiments/fpd/table.py runs --reference data/fpd [--figure experiments/fpd/runs.png]

Reads `runs/<row>/seed_<n>/test/` and `validation/` (what `wsed validate --config RUN/config.yaml --ckpt_path last`
writes) and the labels of the corpus; nothing is trained. Figures in %, mean and standard deviation over seeds (n - 1);
differences to the baseline paired by seed, with 95 % Student t intervals. "Tuned": each class has the threshold and the
median filter that are best for it on the validation clips.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from scipy import stats

from wsed.data.corpus.desed_layout import read_clips
from wsed.decoding import StepDecoder, Tuning
from wsed.metrics import event_counts
from wsed.scoring.formats.run_scores import read_scores, truth_of
from wsed.scoring.score import score, system_of

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROWS = (
    "weak", "euc", "ip", "strong", "euc_strong", "euc_no_wps", "euc_teacher", "euc_literal", "ip_literal",
    "euc_weight_0_1", "euc_similarity", "euc_cross", "euc_no_projection", "ip_no_wps", "weak_builtin", "euc_builtin",
    "strong_builtin", "weak_attention", "euc_attention", "strong_attention",
)  # fmt: skip
FIGURES = ("event F1", "tuned event F1", "segment F1", "tagging F1", "mAP", "PSDS1", "PSDS2")
DECODER = StepDecoder(median=0.45, threshold=0.5, tags="clip")
TUNING = Tuning(thresholds="events", medians=[0.2, 0.45, 0.9, 1.8])
Found = dict[str, dict[str, list[float]]]


def figures(run: Path, reference: Path) -> list[float]:
    """The `FIGURES` of a run; the tuned one is missing (nan) until it has been validated. Kept in `figures.json`."""
    kept = run / "figures.json"
    if kept.is_file() and kept.stat().st_mtime > (run / "test" / "frame_scores.npz").stat().st_mtime:
        return [float(value) for value in json.loads(kept.read_text())]
    labels, scores = read_scores(run / "test", 10.0)
    truth = truth_of(read_clips(reference, "eval/public", "test"), scores.clip_ids, labels)
    found = score(system_of(scores, truth, labels, DECODER))
    tuned = np.nan
    if (run / "validation" / "frame_scores.npz").is_file():
        _, held = read_scores(run / "validation", 10.0)
        clips = read_clips(reference, "validation/validation", "validation")
        decoder, _ = TUNING.tune(DECODER, held, truth_of(clips, held.clip_ids, labels), event_counts)
        tuned = score(system_of(scores, truth, labels, decoder)).value("event_f1/macro")
    f1 = [found.value(f"{name}/macro") for name in ("event_f1", "segment_f1", "tagging_f1")]
    values = [f1[0], tuned, *f1[1:], *map(found.value, ("tagging/macro_ap", "psds1", "psds2"))]
    values = [100 * float(value) for value in values]
    if not np.isnan(tuned):
        kept.write_text(json.dumps(values))
    return values


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation of what is there."""
    there = np.array(values)[~np.isnan(values)]
    if not len(there):
        return "-"
    return f"{there.mean():.1f}" + (f" +- {there.std(ddof=1):.1f}" if len(there) > 1 else "")


def interval(values: np.ndarray) -> str:
    """Mean and 95 % interval of paired differences, and the p value of their t test."""
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return f"{values.mean():+.1f}" if len(values) else "-"
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    p = stats.ttest_1samp(values, 0).pvalue
    said = "p < 0.01" if p < 0.01 else f"p {p:.2f}"
    return f"{values.mean():+.1f} [{values.mean() - half:+.1f}, {values.mean() + half:+.1f}], {said}"


def print_tables(found: Found) -> None:
    print("| row (seeds) | " + " | ".join(FIGURES) + " | best event F1 |\n|---|" + "---|" * (len(FIGURES) + 1))
    for row, runs in found.items():
        columns = np.array(list(runs.values())).T
        print(f"| {row} ({len(runs)}) | " + " | ".join(map(spread, columns)) + f" | {columns[0].max():.1f} |")
    print("\n| difference (shared seeds) | " + " | ".join(FIGURES) + " |\n|---|" + "---|" * len(FIGURES))
    for row, runs in found.items():
        name = baseline(row)
        base = found.get(name, {})
        shared = sorted(base.keys() & runs.keys())
        if row == name or not shared:
            continue
        differences = np.array([np.subtract(runs[s], base[s]) for s in shared]).T
        print(f"| {row} - {name} ({len(shared)}) | " + " | ".join(map(interval, differences)) + " |")


def baseline(row: str) -> str:
    """The row with tags alone, on the same synthetic clips."""
    return "weak_builtin" if row.endswith("_builtin") else "weak"


def draw(found: Found, path: Path) -> None:
    """Event F1 of the runs of each row, sorted (figure 3 of the paper), as decoded at 0.5 and as tuned."""
    plot, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for ax, i, title in zip(axes, (0, 1), FIGURES[:2], strict=True):
        for row in ("weak", "euc", "ip", "strong", "strong_attention"):
            values = sorted((run[i] for run in found.get(row, {}).values()), reverse=True)
            ax.plot(range(1, len(values) + 1), values, marker="o", label=row)
        ax.set(title=title, xlabel="run, from the best")
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[0].set_ylabel("%")
    axes[1].legend()
    plot.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--reference", type=Path, required=True, help="the corpus the runs were tested on")
    parser.add_argument("--figure", type=Path, help="where to draw the sorted runs")
    args = parser.parse_args()
    found: Found = {}
    for row in ROWS:
        for file in sorted(args.runs.glob(f"{row}/seed_*/test/frame_scores.npz")):
            run = file.parents[1]
            found.setdefault(row, {})[run.name] = figures(run, args.reference)
    if not found:
        raise SystemExit(f"no finished run of {', '.join(ROWS)} in {args.runs}")
    print_tables(found)
    if args.figure:
        draw(found, args.figure)


if __name__ == "__main__":
    main()
