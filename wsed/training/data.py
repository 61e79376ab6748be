"""What a training asks of the data: protocols that a data module fulfils, whatever its class."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import lightning.pytorch as pl

from wsed.data.clip_table import ClipTable
from wsed.learning import TrainingSet
from wsed.types import Batch, Split


@runtime_checkable
class TrainingData(Protocol):
    """A data module that offers its training clips."""

    def train_dataloader(self) -> Iterable[Batch]:
        """One epoch of training batches; of this rank."""

    def train_in_order(self) -> Iterable[Batch]:
        """Every training clip once, as in validation; the clips of this rank."""

    def label_counts(self) -> Sequence[float]:
        """How many training clips have each tag; of all ranks."""


@runtime_checkable
class Tables(Protocol):
    """The tables of clips."""

    def table(self, split: Split) -> ClipTable:
        """The clips of a split, and what is known of them."""


@runtime_checkable
class Lengths(Protocol):
    """How long the clips are that the network is given."""

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
        """How many training clips have each tag."""
        return self.module.label_counts()


def training_set(trainer: pl.Trainer) -> TrainingSet | None:
    """The training clips of a trainer's data module, or None if it offers none."""
    data: object = trainer.datamodule  # type: ignore[attr-defined]
    return LoadedTrainingSet(data) if isinstance(data, TrainingData) else None


def tables(trainer: pl.Trainer) -> Tables | None:
    """The tables of a trainer's data module, or None if it offers none."""
    data: object = trainer.datamodule  # type: ignore[attr-defined]
    return data if isinstance(data, Tables) else None


def clip_seconds(trainer: pl.Trainer) -> float | None:
    """Seconds of the clips or windows of a trainer's data module; None if it does not say, or takes all of each."""
    data: object = trainer.datamodule  # type: ignore[attr-defined]
    return data.clip_seconds if isinstance(data, Lengths) else None
