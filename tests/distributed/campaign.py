"""Trainings of one process and of several with the same clips in each step, compared: the table of the documentation.

20 steps of SGD in float32 at a rate of 0.001 (at 0.02 some rows make ten of one difference in two steps), without
dropout, and with batch normalisation that does not learn, unless it is synchronised: its statistics are those of each
process. The processes are started once and train all cases one after the other, on the CPU or, with
`CAMPAIGN_ACCELERATOR=gpu`, on one GPU that they share.
"""

import contextlib
import io
import json
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

RANKS = int(os.environ.get("CAMPAIGN_RANKS", "2"))
"""Number of processes that are compared with one."""

ACCELERATOR = os.environ.get("CAMPAIGN_ACCELERATOR", "cpu")
"""Where they train."""

CLIPS, STEPS, PER_EPOCH = 2 * RANKS, 20, 2
"""Clips of a source in a step of all processes, steps of a training and of an epoch."""


@dataclass(frozen=True)
class Found:
    """The largest differences, how far the parameters moved in training, and which metric differs most."""

    parameters: float
    metrics: float
    moved: float
    where: str

    @property
    def is_beyond(self) -> bool:
        """Whether a difference is beyond the limits in float32."""
        return self.parameters > min(PARAMETERS, self.moved / 100) or self.metrics > METRICS


class Still(pl.Callback):
    """Nothing random in the network, and no statistics of batches; keeps what was trained and logged."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        self.start: dict[str, Any] = {}

    def on_train_start(self, trainer, task):
        self.start = plain(task)

    def on_train_batch_start(self, trainer, task, *_):
        for module in task.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and not isinstance(module, nn.SyncBatchNorm):
                module.eval()
            if isinstance(module, Dropout):
                module.rate = 0.0
            if isinstance(module, nn.modules.dropout._DropoutNd):
                module.p = 0.0
            if isinstance(getattr(module, "dropout", None), float):  # of recurrent layers and of attention
                module.dropout = 0.0
            if hasattr(module, "config"):  # wav2vec 2.0 hides a part of the frames
                module.config.apply_spec_augment = False

    def on_train_end(self, trainer, task):
        self.found = plain(task) | {f"start {name}": value for name, value in self.start.items()}
        self.found |= {f"metric {k}": np.asarray(float(v)) for k, v in trainer.callback_metrics.items()}


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


def trained(
    args: list[str], clips: int, out: Path, rank: int, ranks: int, rate: float, double: bool = False
) -> dict[str, Any]:
    """Parameters, logged values and the report of the test clips."""
    nodes = 1 if ACCELERATOR == "cpu" else ranks  # processes that share the first GPU, as if it were in each node
    as_rank(rank, ranks, nodes)
    still = Still()

    class Watched(WsedCLI):
        def own_callbacks(self):
            return [*super().own_callbacks(), still]

        def after_instantiate_classes(self):
            super().after_instantiate_classes()
            if double:
                self.model.double()

    settings = {
        "default_root_dir": out, "devices": ranks // nodes, "num_nodes": nodes, "accelerator": ACCELERATOR,
        "max_epochs": STEPS // PER_EPOCH,
        "limit_train_batches": PER_EPOCH, "check_val_every_n_epoch": STEPS // PER_EPOCH, "logger": "false",
        "strategy": "ddp_find_unused_parameters_true", "enable_progress_bar": "false", "precision": "32-true",
    }  # fmt: skip
    command = ["fit", *args, *(p for name, value in settings.items() for p in (f"--trainer.{name}", str(value)))]
    command += ["--evaluation.resamples", "0", "--data.eval_batch", str(clips), "--overwrite"]
    command += ["--model.optimizer", f"{{class_path: torch.optim.SGD, init_args: {{lr: {rate:.9f}}}}}"]
    command += ["--model.lr_scheduler", "null", "--test_checkpoint", "last", "--trainer.callbacks", "null"]
    torch.backends.cudnn.allow_tf32 = False  # it keeps three digits
    Evaluation.draw_curves = pictures.class_f1 = lambda *_: None  # nobody looks at them
    with contextlib.ExitStack() as during:
        during.enter_context(contextlib.redirect_stdout(io.StringIO()))
        during.enter_context(contextlib.redirect_stderr(io.StringIO()))
        during.enter_context(in_float64() if double else contextlib.nullcontext())
        train(command, Watched)
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
