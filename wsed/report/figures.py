"""Pictures of a run and of a scored system: score curves over the spectrogram, F1 of each class, PSD-ROC."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from wsed.metrics.scores import FIGURES, SCENARIOS
from wsed.metrics.store import Row
from wsed.types import Labels

MOST_CLASSES = 60
"""Bars that a picture holds."""


def curves(
    path: str | Path,
    features: Float[Tensor, "band step"],
    row: Row,
    smoothed: Float[Tensor, "frame label"],
    detected: Sequence[tuple[int, float, float]],
    labels: Labels,
    frame_rate: float,
    title: str,
    thresholds: Sequence[float],
) -> None:
    """Log-mel picture, and below it, for each class in the clip or detected, its curve over the true events.

    As figure 3 of Pellegrini & Cances 2019: true events are shaded, detected ones are bars at the foot; the thin
    line is the score as the network gives it, the thick one the curve that the class's threshold (dotted) cuts.
    """
    assert row.frame_scores is not None
    shown = sorted({int(label) for label, _, _ in row.events.tolist()} | {label for label, _, _ in detected})
    shown = shown or [int(row.frame_scores.mean(0).argmax())]
    figure = Figure(figsize=(9, 2.4 + 1.1 * len(shown)), layout="constrained")
    axes = figure.subplots(1 + len(shown), 1, sharex=True, height_ratios=[2, *([1] * len(shown))])
    extent = (0.0, row.duration, 0.0, float(features.shape[0]))
    axes[0].imshow(features.numpy(), origin="lower", aspect="auto", extent=extent, cmap="magma")
    axes[0].set(title=title, ylabel="mel band")
    times = (np.arange(len(row.frame_scores)) + 0.5) / frame_rate
    for axis, label in zip(axes[1:], shown, strict=True):
        for true, onset, offset in row.events.tolist():
            if int(true) == label:
                axis.axvspan(onset, offset, color="tab:green", alpha=0.25, lw=0)
        for found, onset, offset in detected:
            if found == label:
                axis.plot([onset, offset], [-0.08, -0.08], color="tab:red", lw=4, solid_capstyle="butt")
        axis.plot(times, row.frame_scores[:, label], color="tab:blue", lw=0.7, alpha=0.7)
        axis.plot(times, smoothed[:, label], color="tab:blue", lw=1.6)
        axis.axhline(thresholds[label], color="0.4", lw=0.7, ls=":")
        axis.set(ylim=(-0.15, 1.1), yticks=[0, 1])
        axis.set_ylabel(labels.names[label].replace("_", "\n"), rotation=0, ha="right", va="center", fontsize=8)
    axes[-1].set(
        xlabel="time (s); green: true, red: detected; thin: score, thick: after decoding steps, dotted: threshold",
        xlim=(0, row.duration),
    )
    figure.savefig(path, dpi=110)


def class_f1(path: str | Path, scores: Mapping[str, Any]) -> None:
    """Bars of event-based, segment-based and tagging F1 of each class, with the macro means in the legend.

    The title says so where the decoder was tuned on these very clips.
    """
    kinds = [(key, name) for key, name in FIGURES if key in scores]
    if not kinds:
        return
    classes = list(scores[kinds[0][0]]["per_class"])
    figure = Figure(figsize=(9, 0.5 * len(classes) + 1.2), layout="constrained")
    axis = figure.subplots()
    height = 0.8 / len(kinds)
    for i, (key, name) in enumerate(kinds):
        values = [scores[key]["per_class"].get(c, {}).get("f1", 0.0) for c in classes]
        places = np.arange(len(classes)) + (i - (len(kinds) - 1) / 2) * height
        axis.barh(places, np.nan_to_num(values), height, label=f"{name}, macro {scores[key]['macro']:.1%}")
    axis.set(yticks=np.arange(len(classes)), yticklabels=classes, xlim=(0, 1), xlabel="F1")
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    axis.legend()
    if scores.get("tuned_on_these_clips"):
        axis.set_title("the decoder was tuned on these clips: too good", color="red")
    figure.savefig(path, dpi=110)


def evaluation(path: str | Path, systems: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """PSD-ROC of each scenario and F1 of each class, of one system or several.

    Args:
        path: of the picture.
        systems: a name and the figures of each, as `System.figures(rocs=True)` gives them; without curves only F1 is
            drawn. Of many classes those with the most reference are shown.
    """
    names = _short_names([name for name, _ in systems])
    reports = [scores for _, scores in systems]
    scenarios = [key for key in SCENARIOS if any("roc" in r.get("psds", {}).get(key, {}) for r in reports)]
    kind, title = next(((k, t) for k, t in FIGURES if reports[0].get(k) is not None), FIGURES[0])
    per_class = (reports[0].get(kind) or {"per_class": {}})["per_class"]
    classes = sorted(per_class, key=lambda c: -per_class[c].get("n_ref", 0))[:MOST_CLASSES]
    classes = [c for c in per_class if c in classes]
    tall, columns = 0.28 * len(classes) * len(systems) + 1.2, max(len(scenarios), 1)
    figure = Figure(figsize=(5.5 * columns, (4.2 if scenarios else 0) + tall), layout="constrained")
    grid = figure.add_gridspec(1 + bool(scenarios), columns, height_ratios=[*([4.2] if scenarios else []), tall])
    for i, scenario in enumerate(scenarios):
        _psd_roc(figure.add_subplot(grid[0, i]), scenario, list(zip(names, reports, strict=True)))
    axis = figure.add_subplot(grid[-1, :])
    height = 0.8 / len(systems)
    for i, (name, scores) in enumerate(zip(names, reports, strict=True)):
        of = (scores.get(kind) or {"per_class": {}})["per_class"]
        values = np.array([of.get(c, {}).get("f1", np.nan) for c in classes], dtype=np.float64)
        places = np.arange(len(classes)) + (i - (len(systems) - 1) / 2) * height
        axis.barh(places, np.nan_to_num(values), height, label=_literal(name))
    most = "" if len(classes) == len(per_class) else f" (the {len(classes)} classes with the most reference)"
    axis.set(yticks=np.arange(len(classes)), xlim=(0, 1), xlabel=title + most)
    axis.set_yticklabels([_literal(c) for c in classes])
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    if len(systems) > 1:
        axis.legend()
    figure.savefig(path, dpi=110)


def _short_names(paths: Sequence[str]) -> list[str]:
    """The last parts of paths, numbered where they are equal."""
    short = [Path(path).name[-40:] or path for path in paths]
    return [f"{i + 1}: {name}" if short.count(name) > 1 else name for i, name in enumerate(short)]


def _literal(text: str) -> str:
    """A name as it is: matplotlib takes what stands between dollars for a formula."""
    return text.replace("$", r"\$")


def _psd_roc(axis: Any, scenario: str, systems: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """The effective curve of each system; of a single one also the curve of each class, if these are few."""
    limit, alone = SCENARIOS[scenario].max_efpr, len(systems) == 1
    for i, (name, scores) in enumerate(systems):
        found = scores.get("psds", {}).get(scenario, {})
        if "roc" not in found:
            continue
        if alone and len(found["class_rocs"]) <= 12:
            for label, curve in found["class_rocs"].items():
                axis.step(*_reaching(curve, limit), where="post", lw=0.8, alpha=0.8, label=_literal(label))
        label = f"{'all classes' if alone else _literal(name)}: {scores[scenario]:.3f}"
        color = "black" if alone else f"C{i}"
        axis.step(*_reaching(found["roc"], limit), where="post", lw=2.2, label=label, color=color)
    axis.set(title=scenario.upper(), xlim=(0, limit), ylim=(0, 1), xlabel="effective false positives an hour")
    axis.set_ylabel("effective true positive rate")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=6 if alone else 8, ncols=2 if alone else 1)


def _reaching(curve: Mapping[str, Sequence[float]], limit: float) -> tuple[list[float], list[float]]:
    """The curve drawn on to the largest rate counted."""
    tpr = list(curve["tpr"])
    return [*curve["efpr"], limit], [*tpr, tpr[-1] if tpr else 0.0]


def richest(events_of: Mapping[str, Row]) -> str:
    """The clip with the most classes, then the most events: the one that shows most (first of equals)."""

    def wealth(name: str) -> tuple[int, int]:
        events = events_of[name].events
        return len(torch.unique(events[:, 0])), len(events)

    return max(events_of, key=wealth)
