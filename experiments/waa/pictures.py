"""Figure 1 of Turpault et al. 2020: durations of the events of each class, from the labels of a corpus.

    python -m experiments.waa.pictures data/waa --out experiments/waa

Writes `durations.png`: the density of event durations (Gaussian kernels), for short and for long classes.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import gaussian_kde

from wsed.data.corpus import desed_layout as layout


def durations_of(root: Path, table: str) -> dict[str, list[float]]:
    """Durations of the events of each class, seconds."""
    found: dict[str, list[float]] = {}
    for clip in layout.read_clips(root, table):
        for label, onset, offset in clip.events or ():
            found.setdefault(label, []).append(offset - onset)
    return found


def durations(path: Path, found: Mapping[str, list[float]]) -> None:
    """The classes with the shorter medians on the left, the others on the right."""
    by_median = sorted(found, key=lambda label: np.median(found[label]))
    half = len(by_median) // 2
    figure = Figure(figsize=(11, 4), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, title, labels in zip(axes, ("short", "long"), (by_median[:half], by_median[half:]), strict=True):
        longest = max(max(found[label]) for label in labels)
        times = np.linspace(0, 1.1 * longest, 500)
        for i, label in enumerate(sorted(labels)):
            seconds = np.array(found[label])
            name = f"{label.replace('_', ' ')} ({len(seconds)}, median {np.median(seconds):.2g} s)"
            if np.ptp(seconds) < 1e-3:  # all equal, as in the 200 ms set: there is no density
                axis.axvline(seconds[0], color=f"C{i}", label=name)
            else:
                axis.plot(times, gaussian_kde(seconds)(times), color=f"C{i}", label=name)
        axis.set(title=f"{title} classes", xlabel="duration of an event (s)", xlim=(0, times[-1]))
        axis.set_ylim(bottom=0)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=8, frameon=False)
    axes[0].set_ylabel("density (1/s)")
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path, help="a corpus in DESED's layout")
    parser.add_argument("--table", default="train/strong", help="a table with events, below metadata/")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    durations(args.out / "durations.png", durations_of(args.root, args.table))


if __name__ == "__main__":
    main()
