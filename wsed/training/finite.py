"""`CheckLoss`: it stops a training whose loss is not finite, before a checkpoint is written."""

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor

from wsed.errors import WsedError


class CheckLoss(pl.Callback):
    """Stops a training whose loss is NaN or infinite.

    Reading a loss waits for the device. So the losses of the last steps are read together: every `log_every_n_steps` of
    the trainer, before a validation, and before a checkpoint is written. `SEDTask` adds this callback to its trainer.
    """

    def __init__(self) -> None:
        self._losses: list[tuple[int, Tensor]] = []  # steps and losses since the last check
        self._step = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._losses = []

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: object, index: int
    ) -> None:
        self._step = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: object, batch_idx: int
    ) -> None:
        self._losses.append((self._step, outputs["loss"].detach()))
        every = trainer.log_every_n_steps  # type: ignore[attr-defined]
        if every and trainer.global_step % every == 0:
            self.check(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.check(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.check(trainer)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, object]
    ) -> None:
        self.check(trainer)

    def check(self, trainer: pl.Trainer) -> None:
        """Read the losses since the last check; all ranks call it.

        Raises:
            WsedError: a loss on any rank is not finite.
        """
        steps, self._losses = self._losses, []
        if not steps:
            return
        losses = torch.stack([loss for _, loss in steps])
        wrong = (~losses.isfinite()).nonzero().flatten().tolist()
        if trainer.strategy.reduce_boolean_decision(not wrong):
            return
        where = f"{float(losses[wrong[0]])} at step {steps[wrong[0]][0]}" if wrong else "not finite on another rank"
        raise WsedError(
            f"the training loss is {where}; lower the learning rate, "
            "or use trainer.precision 32-true; the last checkpoint is untouched"
        )
