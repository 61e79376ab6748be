"""Figures 4, 5 and 6 of the paper from finished runs.

    python -m experiments.mmnet.pictures runs [--root data/domestic] --out experiments/mmnet [--clips ID ID ID]

Writes `class_gain.png` (average precision of each class over mean pooling, and how long its events are), `clips.png`
(what M&mnet predicts for some test clips, segment by segment) and `segments.png` (scores against the length of a
segment, from runs of M&mnet merged with `segments_<n>.yaml`, called `mmnet_segments_<n>`, and of the row itself; all
points of a row are of the seeds that each of them has). `clips.png` needs the checkpoints and the audio.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import wsed
from experiments.mmnet.table import BASE, TRANSIENT, Run, systems_of
from wsed.data import audio
from wsed.errors import near
from wsed.inference.windowed import batch_of
from wsed.study.compare import spread
from wsed.study.runs import clips_of

OVER = ("att", "mmnet", "mmnet_ms")
SAYS = ("resnet", "att", "mmnet", "mmnet_ms")
DRAWN = ("mmnet_ms", "mmnet", "mmnet_paper")
LEAST_CURVE = 0.5


def class_gain(path: Path, systems: dict[str, list[Run]]) -> None:
    """Relative gain in average precision over mean pooling, above how long the events are (figure 4)."""
    base = {run.seed: run.test.ap for run in systems.get(BASE, [])}
    rows = [row for row in OVER if any(r.seed in base for r in systems.get(row, []))]
    if not rows:
        print(f"class_gain.png is not drawn: it takes a run of {BASE} and one of {', '.join(OVER)} with its seed")
        return
    test = systems[BASE][0].test
    order = np.argsort([np.median(seconds) for seconds in test.durations])
    figure = Figure(figsize=(10, 6.5), layout="constrained")
    gain, length = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    for i, row in enumerate(rows):
        gains = np.stack([100 * (r.test.ap / base[r.seed] - 1)[order] for r in systems[row] if r.seed in base])
        place = np.arange(len(order)) + (i - (len(rows) - 1) / 2) * 0.8 / len(rows)
        gain.bar(place, gains.mean(0), 0.75 / len(rows), color=f"C{i}", label=f"{row}, seeds: {len(gains)}")
        if len(gains) > 1:
            gain.plot(np.tile(place, len(gains)), gains.ravel(), ".", color="black", markersize=3)
    gain.axhline(0, color="black", lw=0.8)
    gain.set(ylabel="gain in average precision\nover mean pooling, %\n(dots: single seeds)")
    gain.legend()
    length.boxplot([test.durations[c] for c in order], positions=range(len(order)), widths=0.5, sym=".")
    length.axhline(TRANSIENT, color="grey", lw=0.8, ls=":")
    length.set(ylabel="seconds of an event", ylim=(0, None))
    names = [f"{test.labels.names[c].replace('_', ' ')}\n({int(test.tags[:, c].sum())})" for c in order]
    length.set_xticks(range(len(order)), names, rotation=40, ha="right")
    figure.savefig(path, dpi=110)


def telling(run: Run, n: int = 3) -> list[str]:
    """Clips with short events of one transient class, each class once; those that hold a long class besides first."""
    test = run.test
    short = (test.tags & (test.seconds <= TRANSIENT)).numpy() & test.transient
    long = (test.tags & (test.seconds >= 4)).numpy() & ~test.transient
    found: dict[int, str] = {}
    for clip in np.argsort(-long.sum(1), kind="stable"):
        if short[clip].sum() == 1:
            found.setdefault(int(short[clip].argmax()), test.scores.clip_ids[int(clip)])
    return list(found.values())[:n]


@torch.no_grad()
def heard(run: Run, sound: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Features `[band frame]`, segment scores `[frame label]` and attention `[frame]` of a clip; segments a second."""
    network: Any = wsed.load(run.folder.last).network
    samples = torch.from_numpy(audio.read(sound, network.sample_rate))
    batch = batch_of([samples], len(network.labels))
    features, _ = network.frontend(batch.audio, batch.n_samples)
    output = network(batch)
    kept = output.valid[0]
    assert output.attention is not None
    attention = output.attention[0, kept, 0]
    return features[0].numpy(), output.frame_scores[0, kept].numpy(), attention.numpy(), network.frame_rate


def clips(path: Path, systems: dict[str, list[Run]], paths: Mapping[str, Path], chosen: Sequence[str]) -> None:
    """What one M&mnet says of some clips (figure 5), by the names and sound files of the test clips.

    Raises:
        SystemExit: a chosen clip is not among the test clips.
    """
    row = next((row for row in DRAWN if row in systems), None)
    if row is None:
        print(f"clips.png is not drawn: it takes a run of {', '.join(DRAWN)}")
        return
    run = systems[row][0]
    for name in chosen:
        if name not in run.test.scores.clip_ids:
            raise SystemExit(f"--clips: no test clip {name!r}{near(name, run.test.scores.clip_ids)}")
    names = list(chosen) or telling(run)
    if not names:
        print("clips.png is not drawn: no test clip has short events of one transient class; name some with --clips")
        return
    figure = Figure(figsize=(5.6 * len(names), 8), layout="constrained")
    axes = figure.subplots(4, len(names), squeeze=False, sharex=True, height_ratios=(3, 1.2, 3, 1.5))
    for column, name in enumerate(names):
        features, segments, attention, rate = heard(run, paths[name])
        mel, events, curves, weight = axes[:, column]
        seconds = len(segments) / rate
        mel.imshow(features, origin="lower", aspect="auto", extent=(0, seconds, 0, len(features)))
        mel.set(title=f"{name}\n{said(systems, name, run)}", ylabel="mel band")
        mel.title.set_fontsize(8)
        shown = classes_of(run, name, segments)
        draw_events(events, run, name, shown)
        times = np.append(np.arange(len(segments)), len(segments)) / rate
        for i, c in enumerate(shown):
            curves.stairs(
                segments[:, c], times, color=f"C{i}", label=run.test.labels.names[c].replace("_", " "), lw=1.3
            )
        curves.set(ylim=(0, 1.3), yticks=np.arange(0, 1.1, 0.25), ylabel="segment score d")
        curves.legend(loc="upper center", fontsize=7, ncols=3)
        weight.stairs(attention, times, color="black")
        weight.set(ylim=(0, None), ylabel="attention a", xlabel="time (s)")
    figure.suptitle(f"{row}, {run.seed}")
    figure.savefig(path, dpi=110)


def classes_of(run: Run, name: str, segments: np.ndarray) -> list[int]:
    """The classes of a clip, then those that a segment scores highly without being in it."""
    held = run.test.tags[run.test.scores.clip_ids.index(name)].numpy()
    others = [int(c) for c in np.argsort(-segments.max(0)) if not held[c] and segments[:, c].max() > LEAST_CURVE]
    return [int(c) for c in np.flatnonzero(held)] + others[:2]


def draw_events(axis: Axes, run: Run, name: str, shown: Sequence[int]) -> None:
    """Bars of the true events."""
    mine = run.test.truth.events[run.test.truth.events.clip == run.test.scores.clip_ids.index(name)]
    for c, onset, offset in zip(mine.label.tolist(), mine.onset.tolist(), mine.offset.tolist(), strict=True):
        axis.barh(shown.index(c), offset - onset, left=onset, color=f"C{shown.index(c)}", height=0.7)
    held = sorted({shown.index(int(c)) for c in mine.label})
    axis.set_yticks(held, [run.test.labels.names[shown[i]].replace("_", " ") for i in held], fontsize=7)
    axis.set(ylabel="true events")
    axis.invert_yaxis()


def said(systems: dict[str, list[Run]], name: str, like: Run) -> str:
    """Clip scores of the true classes by each row."""
    lines = []
    for row in (row for row in SAYS if row in systems):
        test = next((r for r in systems[row] if r.seed == like.seed), systems[row][0]).test
        clip = test.scores.clip_ids.index(name)
        held = test.tags[clip].nonzero().flatten().tolist()
        scores = [f"{test.labels.names[c]} {test.clip_scores[clip, c]:.2f}" for c in held]
        lines.append(f"{row}: {', '.join(scores)}")
    return "\n".join(lines)


def segments(path: Path, runs: Sequence[Path], root: Path | None) -> bool:
    """Scores of the clips against the length of a segment (figure 6); whether there is something to draw.

    Each kind of network is drawn of the seeds that all its lengths have.
    """
    rows = sorted({p.name for folder in runs for p in folder.glob("mmnet*segments_*")} | {"mmnet", "mmnet_ms"})
    systems = systems_of(runs, root, rows)
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    ticks: set[float] = set()
    for i, kind in enumerate(("mmnet", "mmnet_ms")):
        mine = [each for row, each in systems.items() if row.split("_segments")[0] == kind]
        shared = set.intersection(*({run.seed for run in runs} for runs in mine)) if len(mine) > 1 else set()
        if not shared:
            continue
        mine = sorted(([r for r in runs if r.seed in shared] for runs in mine), key=lambda runs: seconds_of(runs[0]))
        x = [seconds_of(runs[0]) for runs in mine]
        for axis, values in (
            (left, [[r.mean_ap() for r in runs] for runs in mine]),
            (right, [[r.test.auc for r in runs] for runs in mine]),
        ):
            deviations = [np.std(v, ddof=1) if len(v) > 1 else 0.0 for v in values]
            label = f"{kind}, seeds: {len(shared)}"
            axis.errorbar(x, [np.mean(v) for v in values], deviations, fmt="o-", capsize=3, color=f"C{i}", label=label)
        ticks |= {round(seconds, 2) for seconds in x}
        print(kind, *(f"{s:.2f} s: {spread(r.mean_ap() for r in runs)}" for s, runs in zip(x, mine, strict=True)))
    left.set(ylabel="mAP, %", xscale="log", xlabel="seconds of a segment")
    right.set(ylabel="AUC, %", xlabel="seconds of a segment")
    left.set_xticks(sorted(ticks), [f"{t:g}" for t in sorted(ticks)])
    left.minorticks_off()
    if ticks:
        left.legend()
        figure.savefig(path, dpi=110)
    return bool(ticks)


def seconds_of(run: Run) -> float:
    return 1 / run.test.scores.frame_rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--root", type=Path, help="the corpus of the runs, if it has moved")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", nargs="+", default=[], help="test clips of figure 5")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    systems = systems_of(args.runs, args.root)
    class_gain(args.out / "class_gain.png", systems)
    some = next((runs[0] for runs in systems.values()), None)
    if some is not None:
        paths = {clip.id: clip.path for clip in clips_of(some.folder, "test", args.root)}
        clips(args.out / "clips.png", systems, paths, args.clips)
    if not segments(args.out / "segments.png", args.runs, args.root):
        print("segments.png is not drawn: it takes runs of M&mnet, plain and with `segments_*.yaml`, of the same seeds")


if __name__ == "__main__":
    main()
