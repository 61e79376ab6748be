"""The callbacks that `wsed fit` adds to the trainer of Lightning."""

import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from wsed.ops.memory import keep_freed_memory


class KeepLast(ModelCheckpoint):
    """Keeps `last.ckpt`, the checkpoint of the last epoch, from which a killed run can be resumed.

    It is a separate callback, since `save_last` of `KeepBest` writes only when the best epoch changes.

    Args:
        folder: folder of the checkpoints.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)


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
    """Prints a line per epoch if there is no progress bar: losses, metrics, seconds."""

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
