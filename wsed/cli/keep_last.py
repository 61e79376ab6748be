"""`KeepLast`: the checkpoint from which a training goes on."""

from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint

from wsed.cli.signals import Signals, stop
from wsed.errors import WsedError


class KeepLast(ModelCheckpoint):
    """Keeps `last.ckpt`, the checkpoint from which a training goes on.

    It is written at the end of each epoch, and within an epoch every so many steps, when a signal ends the training,
    and when its time is over. It is a separate callback, since `save_last` of `KeepBest` writes only when the best
    epoch changes.

    Args:
        folder: folder of the checkpoints.
        every_n_train_steps: optimiser steps between checkpoints within an epoch; None: none.
        signals: the signals that end the training.

    Raises:
        WsedError: `every_n_train_steps` is below 1.
    """

    def __init__(self, folder: Path, every_n_train_steps: int | None = None, signals: Signals | None = None) -> None:
        super().__init__(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
        if every_n_train_steps is not None and every_n_train_steps < 1:
            raise WsedError(f"every_n_train_steps must be 1 or more, not {every_n_train_steps}")
        self.every, self.signals = every_n_train_steps, signals or Signals()
        self._path = str(folder / "last.ckpt")
        self._due = self._cut = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: object, batch_idx: int
    ) -> None:
        loop = trainer.fit_loop.epoch_loop
        if loop._should_accumulate():
            return  # checkpoints do not keep accumulated gradients
        self._due |= self.every is not None and trainer.global_step % self.every == 0
        ending = self.signals.agreed(trainer)
        cut = trainer.should_stop and trainer.fit_loop._can_stop_early and not self._cut
        fetcher = trainer.fit_loop._data_fetcher
        assert fetcher is not None
        if loop.batch_progress.is_last_batch or (not cut and loop._should_check_val_fx(fetcher)):
            return  # a validation follows, which a resumed training would leave out: save at the next batch
        if self._due or cut or ending:
            self._due, self._cut = False, cut
            self._save_checkpoint(trainer, self._path)
        if ending:
            raise stop(ending, f"saved {self._path}")

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._cut:
            return  # the epoch ended early: a checkpoint from within it can continue it
        super().on_train_epoch_end(trainer, pl_module)
        self._due = False
        ending = self.signals.agreed(trainer)
        if ending:
            raise stop(ending, f"saved {self._path}")
