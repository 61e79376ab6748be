"""`KeepState`: saves what a resumed training needs to give the same result, beside what Lightning saves."""

from fractions import Fraction
from typing import Any

import lightning.pytorch as pl
import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.utilities import rank_zero_info
from torchmetrics import Metric

from wsed.data.sampling.base import progress
from wsed.ops.reduce import world_size
from wsed.training.data import HasBatch
from wsed.training.random_state import random_state, seed_rank, set_random_state


class KeepState(pl.Callback):
    """Keeps the random states and the running means of each rank in checkpoints; `SEDTask` adds it to its trainer.

    A new training gives each rank its own random numbers, so that ranks do not drop the same elements.
    """

    def __init__(self) -> None:
        self._saved: list[dict[str, Any]] | None = None

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        mine = {"random": random_state(pl_module.device), "means": _means(pl_module), "clips": _clips(trainer)}
        ranks: list[dict[str, Any]] = [mine] * world_size()
        if world_size() > 1:
            dist.all_gather_object(ranks, mine)
        checkpoint["ranks"] = ranks

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._saved = checkpoint.get("ranks")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        saved, self._saved = self._saved, None
        if saved is None or len(saved) != trainer.world_size:
            if saved is not None:
                text = _other_ranks(len(saved), trainer.world_size, _within_epoch(trainer))
                clips = sum(rank.get("clips", 0) for rank in saved), _clips(trainer) * trainer.world_size
                rank_zero_info(f"{text}{_other_clips(*clips)}")
            seed_rank(trainer.global_rank)
        else:
            mine = saved[trainer.global_rank]
            set_random_state(mine["random"], pl_module.device)
            if _within_epoch(trainer):
                _set_means(pl_module, mine["means"])
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, EarlyStopping) and callback.wait_count >= callback.patience:
                trainer.should_stop = True  # the training had already ended by early stopping


def _within_epoch(trainer: pl.Trainer) -> bool:
    return progress(trainer)[1] > 0


def _means(task: pl.LightningModule) -> dict[str, torch.Tensor]:
    """The running means of training values, by name."""
    return {
        f"{name}/{state}": value.cpu()
        for name, module in task.named_modules()
        if isinstance(module, Metric)
        for state, value in module.metric_state.items()
        if isinstance(value, torch.Tensor)
    }


def _set_means(task: pl.LightningModule, means: dict[str, torch.Tensor]) -> None:
    for name, module in task.named_modules():
        if isinstance(module, Metric):
            for state in module.metric_state:
                if f"{name}/{state}" in means:
                    setattr(module, state, means[f"{name}/{state}"].to(task.device))


def _other_ranks(then: int, now: int, within_epoch: bool) -> str:
    """The message about a training that is resumed on another number of processes."""
    text = f"the checkpoint is of {then} processes, and this training has {now}: random numbers differ"
    return f"{text}, and in this epoch some clips come twice or not at all" if within_epoch else text


def _clips(trainer: pl.Trainer) -> int:
    """The clips of this process in a step; 0 if `data.batch` does not tell."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    if not isinstance(data, HasBatch) or not isinstance(data.batch, dict):  # a data module of the user's own
        return 0
    return sum(data.batch.values()) * trainer.accumulate_grad_batches


def _other_clips(then: int, now: int) -> str:
    """The end of the message if a step has another number of clips than before.

    >>> _other_clips(4, 8)
    '; a step has 8 clips instead of 4, since data.batch is per process: multiply data.batch by 1/2 to keep 4'
    >>> _other_clips(4, 4)
    ''
    """
    if not then or not now or then == now:
        return ""
    remedy = f"multiply data.batch by {Fraction(then, now)} to keep {then}"
    return f"; a step has {now} clips instead of {then}, since data.batch is per process: {remedy}"
