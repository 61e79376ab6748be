"""The tables and the figure of this folder's README from finished runs.

    python -m experiments.fpd.table runs [--root data/fpd] [--figure experiments/fpd/runs.png]

Reads `runs/<row>/seed_<n>/test/` and `validation/` (what `wsed validate --config RUN/config.yaml --ckpt_path last`
writes) and the labels of the corpus that the runs name, or of one of the same kind in `--root`; nothing is trained.
Values in %, mean and standard deviation over seeds (n - 1). Differences are paired by seed; their 95 % intervals are
over seeds and the recordings in the test clips, or over seeds alone if the corpus does not name its recordings. The
numbers of a validated run are kept in its `numbers.npz`. "Tuned": each class has the threshold and the median filter
that are best for it on the validation clips.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wsed.decoding import StepDecoder, Tuning
from wsed.metrics import event_counts
from wsed.run import RunFolder
from wsed.scoring.score import system_of
from wsed.study.compare import Difference, p_text, spread
from wsed.study.drawn import Drawn
from wsed.study.numbers import RESAMPLES, Numbers, Recordings, Seeds, statistics_of
from wsed.study.rows import read_recipe
from wsed.study.runs import ScoredClips, by_row, clips_of, root_of
from wsed.study.table import markdown

RECIPE = read_recipe(Path(__file__).parent)
ROWS = tuple(RECIPE.rows)
PICTURED = ("weak", "euc", "ip", "strong", "strong_attention", "weak_attention", "euc_attention")
TUNED = "tuned event F1"
METRICS = {
    "event F1": ("event_f1", "macro"),
    TUNED: ("event_f1", "macro"),
    "segment F1": ("segment_f1", "macro"),
    "tagging F1": ("tagging_f1", "macro"),
    "mAP": ("tagging", "macro_ap"),
    "PSDS1": ("psds1", "value"),
    "PSDS2": ("psds2", "value"),
}
DECODER = StepDecoder(median=0.45, threshold=0.5, tags="clip")
CLIP_SECONDS = 10.0
TUNING = Tuning(thresholds="events", medians=[0.2, 0.45, 0.9, 1.8])


def numbers(run: RunFolder, root: Path | None, recordings: Recordings) -> Numbers:
    """The columns of a run, kept in its folder. Before validation, the tuned one is missing and none is kept."""
    if (kept := Numbers.kept(run, recordings)) is not None:
        return kept
    test = ScoredClips.read(run, "test", clips_of(run, "test", root), CLIP_SECONDS)
    plain = {name: key for name, key in METRICS.items() if name != TUNED}
    columns = statistics_of(system_of(test.scores, test.truth, test.labels, DECODER), plain)
    validated = run.split("validation").frame_scores.is_file()
    if validated:
        held = ScoredClips.read(run, "validation", clips_of(run, "validation", root), CLIP_SECONDS)
        decoder, _ = TUNING.tune(DECODER, held.scores, held.truth, event_counts)
        columns |= statistics_of(system_of(test.scores, test.truth, test.labels, decoder), {TUNED: METRICS[TUNED]})
    result = Numbers.of(columns, test.scores.clip_ids, recordings)
    if validated:
        result.keep(run, recordings)
    return result


def drawn_of(runs: Mapping[str, Sequence[RunFolder]], root: Path | None, resamples: int) -> Drawn:
    """The numbers of all runs, with draws of the recordings in the test clips if the corpus names them."""
    first = next(iter(runs.values()))[0]
    clips = {clip.id: clip for clip in clips_of(first, "test", root)}
    ids = ScoredClips.read(first, "test", clips.values(), CLIP_SECONDS).scores.clip_ids
    recordings = Recordings.of(root or root_of(first), clips, ids, RECIPE.groups, resamples)
    found = {row: {run.path.name: numbers(run, root, recordings) for run in of} for row, of in runs.items()}
    return Drawn(found, recordings)


def cell(of: Difference) -> str:
    """Mean and 95 % interval of paired differences, and the p-value of their t-test."""
    return f"{of}, {p_text(of.p)}" if of.n > 1 and not np.isnan(of.p) else str(of)


def print_tables(drawn: Drawn) -> None:
    lines = []
    for row, runs in drawn.numbers.items():
        columns = [[run.value[name] for run in runs.values() if name in run.value] for name in METRICS]
        lines.append([f"{row} ({len(runs)})", *map(spread, columns), f"{max(columns[0]):.1f}"])
    print(markdown(["row (seeds)", *METRICS, "best event F1"], lines))
    pairs = [(baseline(row), row) for row in drawn.numbers if row != baseline(row)]
    pairs = list(dict.fromkeys([*pairs, *RECIPE.pairs()]))
    print(f"\n{drawn.differences('difference (shared seeds)', pairs, list(METRICS), cell)}")
    print(f"\n{drawn.sentence(METRICS)}\n\n{drawn.claims(RECIPE.claims, {'event_f1': 'event F1'})}")


def baseline(row: str) -> str:
    """The row that is trained on tags only, on the same synthetic clips."""
    return "weak_builtin" if row.endswith("_builtin") else "weak"


def draw(found: Mapping[str, Seeds], path: Path) -> None:
    """Event F1 of the runs of each row, sorted (figure 3 of the paper), as decoded at 0.5 and as tuned."""
    plot = Figure(figsize=(9, 3.5), layout="constrained")
    axes = plot.subplots(1, 2)
    rows = [row for row in PICTURED if row in found]
    for ax, title in zip(axes, ("event F1", TUNED), strict=True):
        for row in rows:
            values = sorted((run.value[title] for run in found[row].values() if title in run.value), reverse=True)
            ax.plot(range(1, len(values) + 1), values, marker="o", label=row)
        ax.set(title=title, xlabel="run, from the best")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("%")
    axes[1].legend()
    plot.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--root", type=Path, help="the corpus of the runs, if it has moved")
    parser.add_argument("--figure", type=Path, help="where to draw the sorted runs")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="draws of the groups (default: %(default)s)")
    args = parser.parse_args()
    runs = by_row(args.runs, ROWS)
    if not runs:
        raise SystemExit(f"no finished run of {', '.join(ROWS)} in {args.runs}")
    drawn = drawn_of(runs, args.root, args.resamples)
    print_tables(drawn)
    if args.figure:
        draw(drawn.numbers, args.figure)


if __name__ == "__main__":
    main()
