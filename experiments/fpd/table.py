"""The tables and the figure of this folder's README from finished runs.

    python -m experiments.fpd.table runs [--reference data/fpd] [--figure experiments/fpd/runs.png]

Reads `runs/<row>/seed_<n>/test/` and `validation/` (what `wsed validate --config RUN/config.yaml --ckpt_path last`
writes) and the labels of the corpus that the runs name, or of the same kind in `--reference`; nothing is trained.
Figures in %, mean and standard deviation over seeds (n - 1); differences to the baseline paired by seed, with 95 %
Student t intervals. "Tuned": each class has the threshold and the median filter that are best for it on the validation
clips.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wsed.decoding import StepDecoder, Tuning
from wsed.metrics import event_counts
from wsed.run import RunFolder
from wsed.scoring.score import score, system_of
from wsed.study.compare import difference, known, p_text, paired, spread
from wsed.study.rows import read_recipe
from wsed.study.runs import ScoredClips, by_row, clips_of
from wsed.study.table import claims_table, markdown

RECIPE = read_recipe(Path(__file__).parent)
ROWS = tuple(RECIPE.rows)
FIGURES = ("event F1", "tuned event F1", "segment F1", "tagging F1", "mAP", "PSDS1", "PSDS2")
DECODER = StepDecoder(median=0.45, threshold=0.5, tags="clip")
CLIP_SECONDS = 10.0
TUNING = Tuning(thresholds="events", medians=[0.2, 0.45, 0.9, 1.8])
Found = dict[str, dict[str, list[float]]]


def figures(run: RunFolder, reference: Path | None) -> list[float]:
    """The `FIGURES` of a run, kept in `figures.json`; the tuned one is NaN until the run has been validated."""
    kept = run.path / "figures.json"
    scores = run.split("test").frame_scores
    if kept.is_file() and not (scores.is_file() and scores.stat().st_mtime > kept.stat().st_mtime):
        return [float(value) for value in json.loads(kept.read_text())]
    test = ScoredClips.read(run, "test", clips_of(run, "test", reference), CLIP_SECONDS)
    found = score(system_of(test.scores, test.truth, test.labels, DECODER))
    tuned = np.nan
    if run.split("validation").frame_scores.is_file():
        held = ScoredClips.read(run, "validation", clips_of(run, "validation", reference), CLIP_SECONDS)
        decoder, _ = TUNING.tune(DECODER, held.scores, held.truth, event_counts)
        tuned = score(system_of(test.scores, test.truth, test.labels, decoder)).value("event_f1/macro")
    f1 = [found.value(f"{name}/macro") for name in ("event_f1", "segment_f1", "tagging_f1")]
    values = [f1[0], tuned, *f1[1:], *map(found.value, ("tagging/macro_ap", "psds1", "psds2"))]
    values = [100 * float(value) for value in values]
    if not np.isnan(tuned):
        kept.write_text(json.dumps(values))
    return values


def interval(values: Iterable[float]) -> str:
    """Mean and 95 % interval of paired differences, and the p-value of their t-test; NaN values are left out."""
    result = difference(known(values))
    return f"{result}, {p_text(result.p)}" if result.n > 1 else str(result)


def print_tables(found: Found) -> None:
    lines = []
    for row, runs in found.items():
        columns = np.array(list(runs.values())).T
        cells = (spread(known(column)) for column in columns)
        lines.append([f"{row} ({len(runs)})", *cells, f"{columns[0].max():.1f}"])
    print(markdown(["row (seeds)", *FIGURES, "best event F1"], lines))
    lines = []
    for row, runs in found.items():
        name = baseline(row)
        base = found.get(name, {})
        if row == name or not (shared := base.keys() & runs.keys()):
            continue
        cells = [interval(paired(of_figure(base, i), of_figure(runs, i))) for i in range(len(FIGURES))]
        lines.append([f"{row} - {name} ({len(shared)})", *cells])
    print(f"\n{markdown(['difference (shared seeds)', *FIGURES], lines)}")
    values = {"event_f1": {row: of_figure(runs, 0) for row, runs in found.items()}}
    print(f"\n{claims_table(RECIPE.claims, values)}")


def of_figure(runs: dict[str, list[float]], index: int) -> dict[str, float]:
    """One of the `FIGURES` by seed."""
    return {seed: values[index] for seed, values in runs.items()}


def baseline(row: str) -> str:
    """The row that is trained on tags only, on the same synthetic clips."""
    return "weak_builtin" if row.endswith("_builtin") else "weak"


def draw(found: Found, path: Path) -> None:
    """Event F1 of the runs of each row, sorted (figure 3 of the paper), as decoded at 0.5 and as tuned."""
    plot = Figure(figsize=(9, 3.5), layout="constrained")
    axes = plot.subplots(1, 2)
    for ax, i, title in zip(axes, (0, 1), FIGURES[:2], strict=True):
        for row in ("weak", "euc", "ip", "strong", "strong_attention"):
            values = sorted((run[i] for run in found.get(row, {}).values()), reverse=True)
            ax.plot(range(1, len(values) + 1), values, marker="o", label=row)
        ax.set(title=title, xlabel="run, from the best")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("%")
    axes[1].legend()
    plot.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--reference", type=Path, help="the corpus of the runs, if it is not where they found it")
    parser.add_argument("--figure", type=Path, help="where to draw the sorted runs")
    args = parser.parse_args()
    found: Found = {
        row: {run.path.name: figures(run, args.reference) for run in runs}
        for row, runs in by_row(args.runs, ROWS).items()
    }
    if not found:
        raise SystemExit(f"no finished run of {', '.join(ROWS)} in {args.runs}")
    print_tables(found)
    if args.figure:
        draw(found, args.figure)


if __name__ == "__main__":
    main()
