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

    `min_epochs` of the trainer is different: if the metric did not improve for a while before that epoch, it ends the
    training there, even if the metric has improved since.

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
    """Prints one line per epoch: losses, scores, seconds, and whether it is the best so far.

    Beside a progress bar the line stands above it, and is short enough for the terminal.
    """

    def __init__(self) -> None:
        self._start = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()  # a training may go on within an epoch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        values = {k: float(v) for k, v in trainer.callback_metrics.items() if not k.endswith("_micro")}
        best = any(
            isinstance(c, KeepBest) and c.best_epoch == trainer.current_epoch for c in trainer.checkpoint_callbacks
        )
        end = f"{time.monotonic() - self._start:.1f} s{'  best so far' if best else ''}"
        bar = trainer.progress_bar_callback
        if bar is None:
            print(epoch_line(f"epoch {trainer.current_epoch}  step {trainer.global_step}", values, end), flush=True)
        else:
            bar.print(epoch_line(f"epoch {trainer.current_epoch}", values, end, get_terminal_size().columns - 1))


FIRST = ("train/loss", "val/loss", "val/score")
"""Values that a short line begins with."""


def epoch_line(start: str, values: Mapping[str, float], end: str, width: int | None = None) -> str:
    """One line of an epoch; of its values those that fit into the width.

    >>> epoch_line("epoch 3", {"val/psds1": 0.25, "train/loss": 0.5}, "9.1 s", width=40)
    'epoch 3  train/loss 0.5000  9.1 s'
    """
    names = sorted(values) if width is None else [*(n for n in FIRST if n in values), *sorted(values.keys() - {*FIRST})]
    parts = [start, end]
    for name in names:
        longer = [*parts[:-1], f"{name} {values[name]:.4f}", end]
        if width is not None and len("  ".join(longer)) > width:
            break
        parts = longer
    return "  ".join(parts)
