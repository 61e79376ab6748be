"""Which epoch is the best: named metrics of the validation clips, compared one after the other."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from wsed.errors import WsedError, check_option
from wsed.metrics.base import METRICS
from wsed.scoring.report import Report

RANK_BY = ("event_f1/macro", "segment_f1/macro", "tagging_f1/macro", "embedding/centre_accuracy")
"""The default: event F1; where it is equal (0 at first), segment F1, and so on."""


def ranking(report: Report, rank_by: Sequence[str] = RANK_BY) -> tuple[float, ...]:
    """The values of the named metrics in this order, to be compared as a tuple; 0 for one that is missing or NaN.

    >>> from wsed.metrics.base import MetricValue
    >>> report = Report(clips=1, metrics={"segment_f1": MetricValue({"macro": 0.5})})
    >>> ranking(report, ["event_f1/macro", "segment_f1/macro"])
    (0.0, 0.5)
    """
    return tuple(number(report.value(path, 0.0)) for path in rank_by)


def first_number(report: Report, rank_by: Sequence[str] = RANK_BY) -> float:
    """The first of the named metrics that the clips give: one number for loggers, early stopping and searches.

    On clips with tags only it is the tagging F1, for example. 0 if there is none.

    >>> from wsed.metrics.base import MetricValue
    >>> first_number(Report(clips=1, metrics={"tagging_f1": MetricValue({"macro": 0.75})}))
    0.75
    """
    values = (report.value(path, math.nan) for path in rank_by)
    return next((float(value) for value in values if not math.isnan(value)), 0.0)


def check_rank_by(rank_by: Sequence[str]) -> None:
    """Refuse names of metrics that there are not.

    Raises:
        WsedError: there is none, or one is unknown.
    """
    if not rank_by:
        raise WsedError("evaluation.rank_by is empty: name metrics, e.g. [event_f1/macro]")
    for path in rank_by:
        check_option("evaluation.rank_by", "metric", path.partition("/")[0], METRICS.names())


def number(value: float | int) -> float | int:
    """The value, or 0 for NaN, which loggers and comparisons cannot take."""
    return 0.0 if math.isnan(value) else value


@runtime_checkable
class Ranks(Protocol):
    """A callback that ranks epochs by their validation clips."""

    ranking: tuple[float, ...]


class KeepBest(ModelCheckpoint):
    """Keeps `best.ckpt`: the epoch whose ranking, a tuple of metrics, is the greatest; of equal ones the first.

    Args:
        folder: of the checkpoints.
        ranks: ranks each epoch, `Evaluation` as a rule; None: there are no validation clips, and the last epoch counts.
    """

    def __init__(self, folder: str | Path, ranks: Ranks | None) -> None:
        monitor = None if ranks is None else "val/score"
        super().__init__(folder, "best", monitor=monitor, mode="max", save_top_k=1, enable_version_counter=False)
        self.ranks = ranks
        self.best: tuple[float, ...] = ()
        self.best_epoch: int | None = None

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        """Whether this epoch is the best so far; all ranks agree."""
        here = () if self.ranks is None else self.ranks.ranking
        better = bool(trainer.strategy.reduce_boolean_decision(here > self.best))
        if better:
            self.best, self.best_epoch = here, trainer.current_epoch
        return better

    def state_dict(self) -> dict[str, Any]:
        """With the best ranking, so that a resumed training goes on from it."""
        return super().state_dict() | {"ranking": list(self.best), "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As saved; in another folder there is no best epoch yet."""
        super().load_state_dict(state_dict)
        if self.best_k_models:
            self.best, self.best_epoch = tuple(state_dict["ranking"]), state_dict.get("best_epoch")
