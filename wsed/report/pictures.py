"""Pictures of a run or a system: score curves with the spectrogram, F1 of each class, PSD-ROC."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from wsed.metrics.base import PerClass, title_of
from wsed.metrics.psds import PSDS1
from wsed.metrics.roc import Curve
from wsed.report.drawing import literal, save
from wsed.report.tables import f1_names, single_names
from wsed.scoring.report import Report
from wsed.types import Events, Labels

MOST_CLASSES = 30
"""Greatest number of classes in a picture; the table of `wsed show` has all."""

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
"""Colours that are told apart with any kind of colour vision (Okabe & Ito 2008)."""
TRUE, DETECTED, CURVE = COLOURS[2], COLOURS[1], COLOURS[0]


@dataclass(frozen=True)
class ClipPicture:
    """The content of a picture of one clip.

    Attributes:
        title: title of the picture.
        features: features of the clip from the frontend.
        feature_axis: name of the first axis of `features`.
        seconds: duration of the clip.
        frame_rate: frame rate of the scores.
        scores: scores of the network.
        curves: scores after the steps of the decoder, to which the thresholds apply.
        thresholds: threshold of each class.
        true: `(label, onset, offset)` of the true events.
        detected: `(label, onset, offset)` of the detected events.
    """

    title: str
    features: Float[Tensor, "band step"]
    feature_axis: str
    seconds: float
    frame_rate: float
    scores: Float[Tensor, "frame label"]
    curves: Float[Tensor, "frame label"]
    thresholds: Sequence[float]
    true: Sequence[tuple[int, float, float]]
    detected: Sequence[tuple[int, float, float]]


def curves(path: str | Path, clip: ClipPicture, labels: Labels) -> None:
    """Draw the features of a clip, and below them the curve of each class that has a true or detected event.

    As in figure 3 of Pellegrini & Cances 2019: true events are shaded, and detected events are bars at the bottom. The
    thin line is the score of the network, the thick line the curve after decoding, and the dotted line the threshold.
    """
    lengths: dict[int, float] = {}
    for label, onset, offset in (*clip.true, *clip.detected):
        lengths[label] = lengths.get(label, 0.0) + offset - onset
    longest = sorted(lengths, key=lambda label: -lengths[label])[:MOST_CLASSES]
    shown = sorted(longest) or [int(clip.scores.mean(0).argmax())]
    figure = Figure(figsize=(9, 2.4 + 1.1 * len(shown)), layout="constrained")
    axes = figure.subplots(1 + len(shown), 1, sharex=True, height_ratios=[2, *([1] * len(shown))])
    extent = (0.0, clip.seconds, 0.0, float(clip.features.shape[0]))
    axes[0].imshow(clip.features.numpy(), origin="lower", aspect="auto", extent=extent, cmap="magma")
    axes[0].set(title=literal(clip.title), ylabel=clip.feature_axis)
    for axis, label in zip(axes[1:], shown, strict=True):
        _curve_of_class(axis, clip, label)
        axis.set_ylabel(
            literal(labels.names[label]).replace("_", "\n"), rotation=0, ha="right", va="center", fontsize=8
        )
    axes[-1].set(
        xlabel="time (s); shaded: true, bar: detected; thin: score, thick: after decoding steps, dotted: threshold",
        xlim=(0, clip.seconds),
    )
    save(figure, path)


def _curve_of_class(axis: Axes, clip: ClipPicture, label: int) -> None:
    times = (np.arange(len(clip.scores)) + 0.5) / clip.frame_rate
    for true, onset, offset in clip.true:
        if true == label:
            axis.axvspan(onset, offset, color=TRUE, alpha=0.25, lw=0)
    for detected, onset, offset in clip.detected:
        if detected == label:
            axis.plot([onset, offset], [-0.08, -0.08], color=DETECTED, lw=4, solid_capstyle="butt")
    axis.plot(times, clip.scores[:, label], color=CURVE, lw=0.7, alpha=0.7)
    axis.plot(times, clip.curves[:, label], color=CURVE, lw=1.6)
    axis.axhline(clip.thresholds[label], color="0.4", lw=0.7, ls=":")
    axis.set(ylim=(-0.15, 1.1), yticks=[0, 1])


def class_f1(path: str | Path, report: Report) -> None:
    """Draw each F1 of each class as bars, with the macro means in the legend beside them.

    Of many classes, those with the most true events are shown. The title has a warning if the decoder was tuned on
    these clips.
    """
    values, kinds = report.computed, f1_names(report)
    if not kinds:
        return
    every = values[kinds[0]].per_class
    classes = _most_events(every)
    figure = Figure(figsize=(10, 0.12 * len(kinds) * len(classes) + 0.1 * len(classes) + 1.4), layout="constrained")
    axis = figure.subplots()
    height = 0.8 / len(kinds)
    for i, name in enumerate(kinds):
        bars = [values[name].per_class[label]["f1"] if label in values[name].per_class else 0.0 for label in classes]
        places = np.arange(len(classes)) + (i - (len(kinds) - 1) / 2) * height
        label = f"{title_of(name)}, macro {values[name].main:.1%}"
        axis.barh(places, np.nan_to_num(bars), height, label=label, color=COLOURS[i % len(COLOURS)])
    axis.set(yticks=np.arange(len(classes)), xlim=(0, 1), xlabel=f"F1{_of_many(classes, every)}")
    axis.set_yticklabels([literal(label) for label in classes])
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=9)
    if report.run and report.run.tuned_on_these_clips:
        axis.set_title("the decoder was tuned on these clips: too good", color="red")
    save(figure, path)


def _most_events(per_class: PerClass) -> list[str]:
    """The classes with the most true events, in their order."""
    most = sorted(per_class, key=lambda label: -per_class[label].get("n_ref", 0))[:MOST_CLASSES]
    return [label for label in per_class if label in most]


def _of_many(classes: Sequence[str], every: PerClass) -> str:
    return (
        "" if len(classes) == len(every) else f" (the {len(classes)} of {len(every)} classes with the most true events)"
    )


def evaluation(path: str | Path, systems: Sequence[tuple[str, Report]]) -> None:
    """Draw the PSD-ROC of each scenario and the F1 of each class, for one or several systems.

    Args:
        path: the picture.
        systems: name and report of each system. Without curves only F1 is drawn. If there are many classes, those with
            the most true events are shown.
    """
    names = _short_names([name for name, _ in systems])
    reports = [report for _, report in systems]
    scenarios = list(dict.fromkeys(name for report in reports for name in _with_curves(report)))
    kinds = f1_names(reports[0])
    kind = kinds[0] if kinds else "event_f1"
    per_class = reports[0].computed[kind].per_class if kinds else {}
    classes = _most_events(per_class)
    tall, columns = 0.28 * len(classes) * len(systems) + 1.2, max(len(scenarios), 1)
    figure = Figure(figsize=(5.5 * columns, (4.2 if scenarios else 0) + tall), layout="constrained")
    grid = figure.add_gridspec(1 + bool(scenarios), columns, height_ratios=[*([4.2] if scenarios else []), tall])
    for i, scenario in enumerate(scenarios):
        _psd_roc(figure.add_subplot(grid[0, i]), scenario, list(zip(names, reports, strict=True)))
    axis = figure.add_subplot(grid[-1, :])
    height = 0.8 / len(systems)
    for i, (name, report) in enumerate(zip(names, reports, strict=True)):
        own = report.computed[kind].per_class if kind in report.computed else {}
        values = np.array([own[label]["f1"] if label in own else np.nan for label in classes], dtype=np.float64)
        places = np.arange(len(classes)) + (i - (len(systems) - 1) / 2) * height
        axis.barh(places, np.nan_to_num(values), height, label=literal(name), color=COLOURS[i % len(COLOURS)])
    axis.set(yticks=np.arange(len(classes)), xlim=(0, 1), xlabel=title_of(kind) + _of_many(classes, per_class))
    axis.set_yticklabels([literal(label) for label in classes])
    axis.invert_yaxis()
    axis.grid(axis="x", alpha=0.3)
    if len(systems) > 1:
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center")
    save(figure, path)


def _with_curves(report: Report) -> list[str]:
    return [name for name in single_names(report) if report.computed[name].curves is not None]


def _short_names(paths: Sequence[str]) -> list[str]:
    """The last parts of paths; equal ones are numbered."""
    short = [Path(path).name[-40:] or path for path in paths]
    return [f"{i + 1}: {name}" if short.count(name) > 1 else name for i, name in enumerate(short)]


def _psd_roc(axis: Axes, scenario: str, systems: Sequence[tuple[str, Report]]) -> None:
    """Draw the effective curve of each system; for a single system with few classes, also the curve of each class."""
    alone = len(systems) == 1
    limit = max(
        (value.settings.get("max_efpr") or PSDS1.max_efpr)
        for _, report in systems
        if (value := report.computed.get(scenario)) is not None
    )
    for i, (name, report) in enumerate(systems):
        value = report.computed.get(scenario)
        if value is None or value.curves is None:
            continue
        if alone and len(value.curves.class_rocs) <= 12:
            for label, curve in value.curves.class_rocs.items():
                axis.step(*_reaching(curve, limit), where="post", lw=0.8, alpha=0.8, label=literal(label))
        text = f"{'all classes' if alone else literal(name)}: {value.main:.3f}"
        color = "black" if alone else COLOURS[i % len(COLOURS)]
        axis.step(*_reaching(value.curves.roc, limit), where="post", lw=2.2, label=text, color=color)
    axis.set(title=title_of(scenario), xlim=(0, limit), ylim=(0, 1), xlabel="effective false positives per hour")
    axis.set_ylabel("effective true positive rate")
    axis.grid(alpha=0.3)
    axis.legend(fontsize=6 if alone else 8, ncols=2 if alone else 1)


def _reaching(curve: Curve, limit: float) -> tuple[list[float], list[float]]:
    """The curve, extended to the greatest rate that counts."""
    tpr = curve.tpr.tolist()
    return [*curve.efpr.tolist(), limit], [*tpr, tpr[-1] if tpr else 0.0]


def richest(events: Events, n_clips: int) -> int:
    """The index of the clip with the most classes, and then the most events; the first of equal clips.

    >>> richest(Events.of([(0, 0, 1.0, 2.0), (1, 0, 1.0, 2.0), (1, 1, 3.0, 4.0)]), n_clips=3)
    1
    """
    pairs = zip(events.clip.tolist(), events.label.tolist(), strict=True)
    classes: list[set[int]] = [set() for _ in range(n_clips)]
    size = [0] * n_clips
    for clip, label in pairs:
        classes[clip].add(label)
        size[clip] += 1
    return max(range(n_clips), key=lambda clip: (len(classes[clip]), size[clip]))
