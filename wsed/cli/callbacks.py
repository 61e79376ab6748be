"""The callbacks that `wsed fit` adds to the trainer of Lightning."""

import time
from collections.abc import Mapping
from shutil import get_terminal_size
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping

from wsed.ops.memory import keep_freed_memory
from wsed.training.ranking import KeepBest


class PatientEarlyStopping(EarlyStopping):
    """Early stopping of Lightning that ignores the first epochs: `patience` counts after them.

    `min_epochs` of the trainer is different: it ends the training at that epoch if the metric did not improve for
    `patience` epochs before it, even if it has improved since.

    Args:
        wait: number of epochs that are ignored, such as the 50 of Turpault et al. 2020.
        kwargs: arguments of Lightning's `EarlyStopping`: `monitor`, `mode`, `patience`, ...
    """

    def __init__(self, wait: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.wait = wait

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch >= self.wait:
            super().on_validation_end(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch >= self.wait:
            super().on_train_epoch_end(trainer, pl_module)


class KeepMemory(pl.Callback):
    """Lets the process keep freed memory if the training runs on the CPU, which doubles the speed."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if pl_module.device.type == "cpu":
            keep_freed_memory()


class EpochLine(pl.Callback):
    """Prints one line per epoch: loss, main scores, seconds, and a star if it is the best so far.

    All values are in the CSV file of the run. If there is a progress bar, the line is printed above it.
    """

    def __init__(self) -> None:
        self._start = 0.0
        self._explained = False

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()  # a training may be resumed within an epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        logged = trainer.callback_metrics  # on all ranks: it is there that the means over ranks are computed
        if not trainer.is_global_zero:
            return
        values = {k: float(v) for k, v in logged.items() if not k.endswith("_micro")}
        best = any(isinstance(c, KeepBest) and c.is_best(trainer.current_epoch) for c in trainer.checkpoint_callbacks)
        bar = trainer.progress_bar_callback
        width = WIDTH if bar is None else get_terminal_size().columns - 1
        line = epoch_line(trainer.current_epoch, values, time.monotonic() - self._start, best, width)
        if not self._explained:
            line, self._explained = f"{EXPLAINED}\n{line}", True
        if bar is None:
            print(line, flush=True)
        else:
            bar.print(line)


WIDTH = 80
"""Length of lines in a file or a pipe."""

EXPLAINED = "validation after each epoch, macro F1 in per cent, * best so far; all values are in csv/*/metrics.csv"

F1 = {"val/event_f1": "event", "val/segment_f1": "segment", "val/tagging_f1": "tags"}
"""The scores of an epoch's line that are in per cent, and their short names."""


def _percent(share: float) -> str:
    return "100" if share >= 0.9995 else f"{100 * share:.1f}"


def epoch_line(epoch: int, values: Mapping[str, float], seconds: float, best: bool = False, width: int = WIDTH) -> str:
    """One line of an epoch: training loss, main scores and time; further scores if there is room.

    `loss` is that of training; the losses on validation clips keep the `val/` of their names.

    Args:
        epoch: number of the epoch.
        values: logged values by their names.
        seconds: duration of the epoch.
        best: whether it is the best epoch so far.
        width: greatest length of the line.

    >>> values = {"train/loss": 0.5, "val/event_f1": 0.123, "val/tagging_f1": 0.451, "val/psds1": 0.25}
    >>> epoch_line(3, values, 66.2, best=True)
    'epoch 3*  loss 0.5000  F1 event 12.3 tags 45.1  PSDS1 0.250  66 s'
    >>> epoch_line(12, {"train/loss": 0.5, "val/onset_f1": 0.25}, 5400)
    'epoch 12  loss 0.5000  onset_f1 0.2500  90 min'
    >>> epoch_line(0, {"train/loss": 0.5, "val/loss": 0.75}, 12)
    'epoch 0  loss 0.5000  val/loss 0.7500  12 s'
    """
    parts = [f"epoch {epoch}{'*' if best else ''}"]
    if "train/loss" in values:
        loss = values["train/loss"]
        parts.append(f"loss {loss:.4f}" if loss < 10 else f"loss {loss:.3g}")
    f1 = [f"{text} {_percent(values[name])}" for name, text in F1.items() if name in values]
    if f1:
        parts.append(" ".join(["F1", *f1]))
    if "val/psds1" in values:
        parts.append(f"PSDS1 {values['val/psds1']:.3f}")
    time_ = f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    end = time_ if seconds < 1000 else f"{seconds / 60:.0f} min"
    known = {"train/loss", "val/psds1", "val/score", *F1}
    for name in sorted(values.keys() - known, key=lambda name: (not name.startswith("val/"), "loss" in name, name)):
        shown = name if name.startswith("val/loss") else name.removeprefix("val/")
        longer = [*parts, f"{shown} {values[name]:.4f}"]
        if len("  ".join([*longer, end])) > width:
            break
        parts = longer
    return "  ".join([*parts, end])
