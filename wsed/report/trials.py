"""The table and the picture of the trials of `wsed search`."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from wsed.data import table
from wsed.files import write_whole

if TYPE_CHECKING:  # an extra
    from optuna.trial import FrozenTrial

COLOURS = {"COMPLETE": "tab:blue", "PRUNED": "tab:orange"}


@runtime_checkable
class Range(Protocol):
    """The values of a setting that are searched: numbers from `low` to `high`, or `choices`."""

    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def log(self) -> bool: ...
    @property
    def choices(self) -> tuple[object, ...]: ...


def last_value(trial: "FrozenTrial") -> float | None:
    """The value of a trial; the last value that it reported if it was stopped early."""
    reported: Mapping[int, float] = trial.intermediate_values
    value: float | None = trial.value
    return value if value is not None else reported[max(reported)] if reported else None


def write_trials(path: Path, trials: "Sequence[FrozenTrial]", names: Sequence[str]) -> None:
    """Write a table with a row per trial: number, state, value, epochs, seconds, and settings.

    Args:
        path: the file, tab-separated.
        trials: frozen trials of optuna.
        names: names of the settings.
    """
    rows: list[tuple[object, ...]] = []
    for trial in trials:
        seconds = "" if trial.duration is None else f"{trial.duration.total_seconds():.0f}"
        value, reported = last_value(trial), trial.intermediate_values
        facts = (trial.number, trial.state.name.lower(), value, max(reported, default=0), seconds)
        settings = (trial.params.get(name) for name in names)
        rows.append(tuple("" if fact is None else str(fact) for fact in (*facts, *settings)))  # with all digits
    with write_whole(path) as part:
        table.write_rows(part, ("trial", "state", "value", "epochs", "seconds", *names), rows)


def draw_trials(path: Path, trials: "Sequence[FrozenTrial]", space: Mapping[str, Range], monitor: str) -> None:
    """Draw the values of the trials, in their order and against each setting; nothing if no trial has a value.

    Args:
        path: the picture.
        trials: frozen trials of optuna.
        space: range of each setting.
        monitor: name of the value.
    """
    shown = [(t, value) for t in trials if (value := last_value(t)) is not None]
    if not shown:
        return
    width = min(4, 1 + len(space))
    height = -(-(1 + len(space)) // width)
    figure = Figure(figsize=(3.4 * width, 2.8 * height), layout="constrained")
    axes = figure.subplots(height, width, squeeze=False, sharey=True).ravel()
    _points(axes[0], [t.number for t, _ in shown], shown)
    axes[0].set(xlabel="trial", title="blue: to the end, orange: stopped early")
    axes[0].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes[0].title.set_fontsize(8)
    for axis, (name, values) in zip(axes[1:], space.items(), strict=False):
        texts = [json.dumps(choice) for choice in values.choices]
        drawn = [t.params[name] for t, _ in shown]
        _points(axis, [texts.index(v) for v in drawn] if texts else drawn, shown)
        axis.set_xlabel(".".join(name.split(".")[-2:]), fontsize=8)
        if texts:
            axis.set_xticks(range(len(texts)), [text.strip('"') for text in texts], fontsize=7, rotation=20)
            axis.set_xlim(-0.5, len(texts) - 0.5)
        else:
            _show_range(axis, values)
    for axis in axes[1 + len(space) :]:
        axis.set_axis_off()
    for row in range(height):
        axes[row * width].set_ylabel(monitor)
    with write_whole(path) as part:
        figure.savefig(part, dpi=110)


def _show_range(axis: Axes, values: Range) -> None:
    """Let the axis show the whole range that is searched."""
    assert values.low is not None, "a range without choices has both ends"
    assert values.high is not None
    if values.log:
        axis.set_xscale("log")
        axis.set_xlim(values.low / 1.1, values.high * 1.1)
    else:
        axis.xaxis.set_major_locator(
            MaxNLocator(6, integer=isinstance(values.low, int) and isinstance(values.high, int))
        )
        margin = 0.05 * (values.high - values.low)
        axis.set_xlim(values.low - margin, values.high + margin)
    axis.tick_params(axis="x", which="both", labelsize=8)


def _points(axis: Axes, places: Sequence[int | float], shown: "Sequence[tuple[FrozenTrial, float]]") -> None:
    colours = [COLOURS.get(trial.state.name, "0.5") for trial, _ in shown]
    axis.scatter(places, np.array([value for _, value in shown]), c=colours, s=18)
    axis.grid(alpha=0.3)
