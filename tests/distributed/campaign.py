"""Trainings of one process and of several with the same clips in each step, compared: the table of the documentation.

One process first trains a network for 60 steps of Adam. From its weights, one process and several take 20 steps of SGD
in float32, at a rate at which parameters move by about 0.001: from random weights, rounding grows without bound in some
rows, and some metrics divide by spreads near zero. There is no dropout, and batch normalisation learns in the first
part alone, unless it is synchronised: its statistics are those of each process. The processes are started once and
train all cases one after the other, on the CPU or, with `CAMPAIGN_ACCELERATOR=gpu`, on one GPU that they share.
"""

import contextlib
import io
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import lightning.pytorch as pl
import numpy as np
import torch
from torch import nn

from wsed.cli.training import WsedCLI
from wsed.cli.training import run as train
from wsed.data.collate import Collate
from wsed.data.reading import features
from wsed.data.reading.base import Item
from wsed.ops.dropout import Dropout
from wsed.report import pictures
from wsed.report.run import Evaluation
from wsed.types import Batch

PARAMETERS, METRICS = 1e-5, 1e-6
"""The greatest differences in float32."""

DOUBLE = 1e-9
"""The greatest difference of parameters in float64."""

RANKS = tuple(int(ranks) for ranks in os.environ.get("CAMPAIGN_RANKS", "2,3").split(","))
"""Numbers of processes that are compared with one."""

ACCELERATOR = os.environ.get("CAMPAIGN_ACCELERATOR", "cpu")
"""Where they train."""

CLIPS, STEPS, PER_EPOCH = math.lcm(6, *RANKS), 20, 2
"""Clips of a source in a step of all processes, steps of a training and of an epoch."""

EARLIER, ADAM = 60, 2e-3
"""Steps that one process takes first, and their rate."""

START = "start.pt"
"""File of the weights that it trains, in the folder of that training."""

MOVE, LEAST, FASTEST = 1e-3, 1e-4, 0.1
"""How far the rate should move parameters in all steps, how far they must move, and the highest rate."""


@dataclass(frozen=True)
class Found:
    """The largest differences, the metric that differs most, and how far the parameters moved."""

    parameters: float
    metrics: float
    where: str
    moved: float

    @property
    def is_beyond(self) -> bool:
        """Whether a difference is beyond the limits in float32."""
        return self.parameters > min(PARAMETERS, self.moved / 100) or self.metrics > METRICS


class Still(pl.Callback):
    """Makes nothing in the network random; keeps the gradients, what was trained and what was logged.

    Args:
        start: weights to begin with; without them, batch normalisation learns.
        fault: let each process keep its own gradients.
    """

    def __init__(self, start: Path | None, fault: bool = False) -> None:
        self.found: dict[str, Any] = {}
        self.start: dict[str, Any] = {}
        self.weights, self.fault = start, fault
        self.largest: list[float] = []

    def on_train_start(self, trainer, task):
        if self.weights is not None:
            task.load_state_dict(torch.load(self.weights, map_location=task.device))
        if self.fault:
            trainer.strategy.model.require_backward_grad_sync = False
        trained = {name for name, value in task.named_parameters() if value.requires_grad}  # not those of a teacher
        self.start = {name: value for name, value in plain(task).items() if name in trained}

    def on_train_batch_start(self, trainer, task, *_):
        for module in task.modules():
            norm = isinstance(module, nn.modules.batchnorm._BatchNorm) and not isinstance(module, nn.SyncBatchNorm)
            if norm and self.weights is not None:
                module.eval()
            if isinstance(module, Dropout):
                module.rate = 0.0
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.p = 0.0
            if isinstance(getattr(module, "dropout", None), float):  # of recurrent layers and of attention
                module.dropout = 0.0
            if hasattr(module, "config"):  # wav2vec 2.0 hides a part of the frames
                module.config.apply_spec_augment = False

    def on_before_optimizer_step(self, trainer, task, optimizer):
        gradients = [value.grad.abs().max() for value in task.parameters() if value.grad is not None]
        self.largest.append(float(torch.stack(gradients).max()))

    def on_train_end(self, trainer, task):
        self.found = plain(task) | {f"start {name}": value for name, value in self.start.items()}
        self.found |= {f"metric {k}": np.asarray(float(v)) for k, v in trainer.callback_metrics.items()}
        if self.weights is None:
            torch.save(task.state_dict(), Path(trainer.default_root_dir) / START)


def plain(task) -> dict[str, Any]:
    return {name: value.detach().cpu().numpy().copy() for name, value in task.named_parameters()}


@contextlib.contextmanager
def in_float64() -> Iterator[None]:
    """Data, features and losses are computed in float64; the network must be converted too. Files stay in float32."""
    original, raw = Collate.__call__, features._raw

    def collated(collate: Collate, items: list[Item]) -> Batch:
        batch = original(collate, items)
        wide = {k: v.double() for k, v in vars(batch).items() if isinstance(v, torch.Tensor) and v.is_floating_point()}
        return replace(batch, **wide)

    with (
        mock.patch.object(Collate, "__call__", collated),
        mock.patch.object(torch.Tensor, "float", torch.Tensor.double),
        mock.patch.object(features, "_raw", lambda *inputs: raw(*inputs).to(torch.float32)),
    ):
        yield


def as_rank(rank: int, ranks: int, nodes: int = 1) -> None:
    """Let Lightning take this process for one that torchrun has started, on one node or on one node per process."""
    node, local = (0, rank) if nodes == 1 else (rank, 0)
    names = {"RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks // nodes}
    names |= {"LOCAL_RANK": local, "GROUP_RANK": node}
    os.environ.update({name: str(value) for name, value in names.items()}, TORCHELASTIC_RUN_ID="here")


def fitted(
    args: list[str], clips: int, out: Path, still: Still, optimizer: str, rate: float, *,
    double: bool = False, nodes: int = 1
) -> None:  # fmt: skip
    """Train quietly, on the command line, with the callback. Parts with their own rate keep its ratio to `ADAM`."""

    class Watched(WsedCLI):
        def own_callbacks(self):
            return [*super().own_callbacks(), still]

        def after_instantiate_classes(self):
            super().after_instantiate_classes()
            own = [part.lr if part.lr is None else part.lr * rate / ADAM for part in self.model.parts]
            self.model.parts = tuple(replace(part, lr=lr) for part, lr in zip(self.model.parts, own, strict=True))
            if double:
                self.model.double()

    settings = {
        "default_root_dir": out, "num_nodes": nodes, "accelerator": ACCELERATOR, "limit_train_batches": PER_EPOCH,
        "logger": "false", "enable_progress_bar": "false", "precision": "32-true", "callbacks": "null",
    }  # fmt: skip
    command = ["fit", *(f"--trainer.{name}={value}" for name, value in settings.items()), "--overwrite"]
    command += ["--evaluation.resamples", "0", "--data.eval_batch", str(clips), "--model.lr_scheduler", "null"]
    command += ["--model.optimizer", f"{{class_path: torch.optim.{optimizer}, init_args: {{lr: {rate:.12f}}}}}"]
    torch.backends.cudnn.allow_tf32 = False  # it keeps three digits
    Evaluation.draw_curves = pictures.class_f1 = lambda *_: None  # nobody looks at them
    with contextlib.ExitStack() as during:
        during.enter_context(contextlib.redirect_stdout(io.StringIO()))
        during.enter_context(contextlib.redirect_stderr(io.StringIO()))
        during.enter_context(in_float64() if double else contextlib.nullcontext())
        train([*command[:1], *args, *command[1:]], Watched)


def begun(args: list[str], clips: int, out: Path, rank: int, ranks: int) -> float:
    """Train a network in one process and save it; return the rate at which its parameters would then move by `MOVE`."""
    as_rank(rank, ranks)
    still = Still(None)
    more = ["--trainer.devices", "1", "--trainer.max_epochs", str(EARLIER // PER_EPOCH)]
    more += ["--trainer.limit_val_batches", "0", "--test_after_fit", "false"]
    fitted([*args, *more], clips, out, still, "Adam", ADAM)
    size = float(np.mean(still.largest[-STEPS:]))
    return min(MOVE / STEPS / size, FASTEST) if size else FASTEST


def trained(
    args: list[str], clips: int, out: Path, rank: int, ranks: int, *,
    start: Path, rate: float, double: bool = False, fault: bool = False
) -> dict[str, Any]:  # fmt: skip
    """Parameters, logged values and the report of the test clips."""
    nodes = 1 if ACCELERATOR == "cpu" else ranks  # processes that share the first GPU, as if it were in each node
    as_rank(rank, ranks, nodes)
    still = Still(start, fault and ranks > 1)
    more = ["--trainer.devices", str(ranks // nodes), "--trainer.max_epochs", str(STEPS // PER_EPOCH)]
    more += ["--trainer.check_val_every_n_epoch", str(STEPS // PER_EPOCH), "--test_checkpoint", "last"]
    more += ["--trainer.strategy", "ddp_find_unused_parameters_true"]
    fitted([*args, *more], clips, out, still, "SGD", rate, double=double, nodes=nodes)
    if rank == 0 and (report := out / "test" / "scores.json").is_file():
        still.found |= {f"metric test{k}": np.asarray(v) for k, v in numbers(json.loads(report.read_text()))}
    return still.found


def numbers(value: object, path: str = "") -> Iterator[tuple[str, float]]:
    """All numbers of a report, by their path."""
    if isinstance(value, dict):
        for key, below in value.items():
            if key not in ("versions", "decoder"):
                yield from numbers(below, f"{path}/{key}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


def far(one: Any, other: Any) -> float:
    """The largest difference, relative to values above 1; NaN is equal to NaN."""
    assert (np.isnan(one) == np.isnan(other)).all()
    return float(np.nan_to_num(np.abs(one - other) / np.maximum(np.abs(one), 1)).max(initial=0.0))
