"""Figures 3 and 4 of Pellegrini & Cances 2019, and the overlap of detected events, from finished runs.

    python -m experiments.cosine_penalty.pictures runs [--root data/domestic] --out experiments/cosine_penalty

Writes `curves.png` (one clip without and with the penalty), `correlation.png` and `overlap.png`.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from experiments.cosine_penalty.table import PAPER, Run, systems_of
from wsed.metrics import mean_positive_correlation, overlap_seconds

BARE, WITH = "glu_mil", "glu_mil_cos"
TITLES = {BARE: "GLU-MIL, no penalty", WITH: "penalty of weight 0.1", "glu_mil_cos_alpha_1": "penalty of weight 1"}
SHOWN = ("Dishes", "Frying", "Speech")


def shown(labels: Sequence[str]) -> tuple[str, ...]:
    """The classes of the curves: the paper's; of a corpus without Dishes or Frying the first ones of its own."""
    return SHOWN if set(SHOWN) <= set(labels) else tuple(labels[: len(SHOWN)])


def richest(run: Run) -> int:
    """Index of the test clip with the most of the classes of the curves and, among these, the most events."""
    held = run.tags[:, [run.labels.index(c) for c in shown(run.labels)]].sum(1)
    events = np.bincount(run.truth.clip.numpy(), minlength=len(run.ids))
    return int(np.lexsort((-events, -held.numpy()))[0])


def curves(path: Path, systems: dict[str, Run]) -> None:
    """Draw the rescaled and smoothed curves of one clip over its true events (figure 3)."""
    clip, classes = richest(systems[BARE]), shown(systems[BARE].labels)
    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.subplots(len(systems), 1, sharex=True, sharey=True)
    for axis, (name, run) in zip(axes, systems.items(), strict=True):
        smoothed = PAPER.curves(run.scores.select(torch.tensor([clip]))).padded()[0][0]
        times = (np.arange(len(smoothed)) + 0.5) / run.rate
        for i, label in enumerate(classes):
            index = run.labels.index(label)
            axis.plot(times, smoothed[:, index], color=f"C{i}", label=label)
            mine = run.truth[(run.truth.clip == clip) & (run.truth.label == index)]
            for onset, offset in zip(mine.onset.tolist(), mine.offset.tolist(), strict=True):
                axis.plot([onset, offset], [-0.05 * (i + 1)] * 2, color=f"C{i}", lw=5, solid_capstyle="butt")
        both = [smoothed[:, run.labels.index(c)].numpy() for c in classes[:2]]
        pair = np.corrcoef(both)[0, -1] if len(both) > 1 else 1.0
        axis.axhline(PAPER.threshold, color="grey", lw=0.8, ls=":")
        title = f"{TITLES[name]}: {'/'.join(classes[:2])} correlation on this clip {pair:.0%}"
        axis.set(title=title, ylabel="rescaled score")
        axis.legend(loc="upper right")
    axes[-1].set(xlabel="time (s); bars below: true events; dotted: the threshold of 0.03")
    figure.savefig(path, dpi=110)


def correlation(path: Path, systems: dict[str, list[Run]]) -> None:
    """Draw the correlation between classes of the mean scores of clips, averaged over seeds (figure 4)."""
    figure = Figure(figsize=(5.6 * len(systems), 5.2), layout="constrained")
    axes = figure.subplots(1, len(systems), squeeze=False)[0]
    for axis, (name, runs) in zip(axes, systems.items(), strict=True):
        matrix = np.mean([run.correlation.numpy() for run in runs], axis=0)
        image = axis.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r")
        value = np.mean([mean_positive_correlation(run.correlation) for run in runs])
        axis.set_title(f"{TITLES[name]} ({len(runs)} seeds): mean positive {value:.1%}")
        labels = [label.replace("_", " ") for label in runs[0].labels]
        axis.set_xticks(range(len(labels)), labels, rotation=60, ha="right")
        axis.set_yticks(range(len(labels)), labels)
    figure.colorbar(image, ax=list(axes), shrink=0.8)
    figure.savefig(path, dpi=110)


def overlap(path: Path, systems: dict[str, list[Run]]) -> None:
    """Draw the minutes in which detected events of different classes overlap."""
    titles = [TITLES[name] for name in systems]
    names = ["truth", *titles, *(f"{title}, true tags" for title in titles)]
    minutes = [[overlap_seconds(next(iter(systems.values()))[0].truth, 10) / 60]]
    minutes += [[overlap_seconds(r.detect(r.system_tags), 10) / 60 for r in runs] for runs in systems.values()]
    minutes += [[overlap_seconds(r.detect(r.tags), 10) / 60 for r in runs] for runs in systems.values()]
    figure = Figure(figsize=(8, 0.5 * len(names) + 1), layout="constrained")
    axis = figure.subplots()
    means, deviations = [np.mean(m) for m in minutes], [np.std(m, ddof=1) if len(m) > 1 else 0 for m in minutes]
    axis.barh(names, means, xerr=deviations, color=["tab:green"] + ["tab:blue"] * (len(names) - 1))
    axis.invert_yaxis()
    axis.set(
        title="Detected events of different classes at once", xlabel="minutes on the test clips; lines: std over seeds"
    )
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--root", type=Path, help="the corpus of the runs, if it has moved")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    systems = systems_of(args.runs, args.root, [BARE, WITH, "glu_mil_cos_alpha_1"])
    curves(args.out / "curves.png", {name: systems[name][0] for name in systems})
    correlation(args.out / "correlation.png", systems)
    overlap(args.out / "overlap.png", systems)


if __name__ == "__main__":
    main()
