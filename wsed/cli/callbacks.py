"""What `wsed fit` adds to Lightning's trainer."""

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch import callbacks
from lightning.pytorch.callbacks import ModelCheckpoint

from wsed.ops.memory import keep_freed_memory


def keep_last(folder: Path) -> ModelCheckpoint:
    """`last.ckpt`, at the end of every epoch: what a killed run goes on from.

    A callback of its own, since `save_last` of `KeepBest` writes only when the best changes.
    """
    return ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)


class EarlyStopping(callbacks.EarlyStopping):
    """Lightning's, which looks at no epoch before a given one: `patience` counts from there.

    With `min_epochs` of the trainer instead, a lull before it ends the training there, whatever came of it since.

    Args:
        wait: epochs that are not looked at, as the 50 of Turpault et al. 2020.
        kwargs: of Lightning's: `monitor`, `mode`, `patience`, ...
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
    """Keeps freed memory where training runs on the CPU, which doubles the speed."""

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if pl_module.device.type == "cpu":
            keep_freed_memory()


class EpochLine(pl.Callback):
    """One line an epoch where there is no progress bar: losses, scores, seconds."""

    def __init__(self) -> None:
        self._start = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero or trainer.progress_bar_callback is not None:
            return
        shown = {k: float(v) for k, v in trainer.callback_metrics.items() if not k.endswith("_micro")}
        figures = "  ".join(f"{name} {value:.4f}" for name, value in sorted(shown.items()))
        seconds = time.monotonic() - self._start
        print(f"epoch {trainer.current_epoch}  step {trainer.global_step}  {figures}  {seconds:.1f} s", flush=True)
