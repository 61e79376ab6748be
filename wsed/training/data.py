"""Protocols that the data module of a training may implement."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import lightning.pytorch as pl

from wsed.data.clip_table import ClipTable
from wsed.learning import TrainingSet
from wsed.types import Batch, Split


@runtime_checkable
class TrainingData(Protocol):
    """A data module whose training clips frontends, losses and metrics can learn from."""

    def train_dataloader(self) -> Iterable[Batch]:
        """One epoch of training batches; only those of this rank."""

    def train_in_order(self) -> Iterable[Batch]:
        """Every training clip once, without augmentation; only those of this rank."""

    def label_counts(self) -> Sequence[float]:
        """Number of training clips with each tag, over all ranks."""


@runtime_checkable
class HasBatch(Protocol):
    """A data module that knows how many clips of each source are in a batch of one process."""

    batch: dict[str, int]


@runtime_checkable
class Tables(Protocol):
    """A data module with a table of clips for each split."""

    def table(self, split: Split) -> ClipTable:
        """The table of a split."""


@runtime_checkable
class Lengths(Protocol):
    """A data module that knows the length of the clips in its batches."""

    @property
    def clip_seconds(self) -> float | None:
        """Seconds of a clip or window; None: all of each clip."""


@dataclass(frozen=True)
class LoadedTrainingSet:
    """The training set (`wsed.learning.TrainingSet`) of a data module."""

    module: TrainingData

    def batches(self) -> Iterable[Batch]:
        """One epoch of training batches."""
        return self.module.train_dataloader()

    def in_order(self) -> Iterable[Batch]:
        """Every training clip once."""
        return self.module.train_in_order()

    def label_counts(self) -> Sequence[float]:
        """Number of training clips with each tag."""
        return self.module.label_counts()


def training_set(trainer: pl.Trainer) -> TrainingSet | None:
    """The training set of the data module of a trainer; None if the data module is no `TrainingData`."""
    data: object = trainer.datamodule  # type: ignore[attr-defined]
    return LoadedTrainingSet(data) if isinstance(data, TrainingData) else None


def tables(trainer: pl.Trainer) -> Tables | None:
    """The data module of a trainer, if it has tables of clips; else None."""
    data: object = trainer.datamodule  # type: ignore[attr-defined]
    return data if isinstance(data, Tables) else None


def clip_seconds(trainer: pl.Trainer) -> float | None:
    """Seconds of the clips or windows of a trainer's data module; None if it is unknown, or clips are used whole."""
    data: object = trainer.datamodule  # type: ignore[attr-defined]
    return data.clip_seconds if isinstance(data, Lengths) else None
