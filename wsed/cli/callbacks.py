"""What `wsed fit` adds to Lightning's trainer."""

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from wsed.ops.memory import keep_freed_memory


class KeepLast(ModelCheckpoint):
    """Keeps `last.ckpt`, the end of the last epoch: a killed run goes on from it.

    A callback of its own, since `save_last` of `KeepBest` writes only when the best changes.

    Args:
        folder: of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)


class PatientEarlyStopping(EarlyStopping):
    """Lightning's early stopping, which ignores the epochs before a given one: `patience` counts from there.

    With `min_epochs` of the trainer instead, a lull before it ends the training there, whatever came of it since.

    Args:
        wait: epochs that are ignored, as the 50 of Turpault et al. 2020.
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
    """Prints one line per epoch where there is no progress bar: losses, scores, seconds."""

    def __init__(self) -> None:
        self._start = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero or trainer.progress_bar_callback is not None:
            return
        shown = {k: float(v) for k, v in trainer.callback_metrics.items() if not k.endswith("_micro")}
        metrics = "  ".join(f"{name} {value:.4f}" for name, value in sorted(shown.items()))
        seconds = time.monotonic() - self._start
        print(f"epoch {trainer.current_epoch}  step {trainer.global_step}  {metrics}  {seconds:.1f} s", flush=True)
