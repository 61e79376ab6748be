"""The choice of the best epoch, by metrics of the validation clips that are compared one after the other."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import lightning.pytorch as pl
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor

from wsed.errors import WsedError, check_option
from wsed.metrics.base import METRICS
from wsed.metrics.chosen import check_number
from wsed.scoring.report import Report

RANK_BY = ("event_f1/macro", "segment_f1/macro", "tagging_f1/macro", "embedding/centre_accuracy")
"""The default metrics: event F1; if it is equal, as in the first epochs, segment F1; and so on."""


def ranking(report: Report, rank_by: Sequence[str] = RANK_BY) -> tuple[float, ...]:
    """The values of the metrics in this order, as a tuple that can be compared; 0 for a missing or NaN value.

    >>> from wsed.metrics.base import MetricValue
    >>> report = Report(clips=1, metrics={"segment_f1": MetricValue({"macro": 0.5})})
    >>> ranking(report, ["event_f1/macro", "segment_f1/macro"])
    (0.0, 0.5)
    """
    return tuple(number(report.value(path, 0.0)) for path in rank_by)


def first_number(report: Report, rank_by: Sequence[str] = RANK_BY) -> float:
    """The first of the metrics that has a value: one number for loggers, early stopping and searches.

    For example, it is the tagging F1 for clips with tags only. It is 0 if no metric has a value.

    >>> from wsed.metrics.base import MetricValue
    >>> first_number(Report(clips=1, metrics={"tagging_f1": MetricValue({"macro": 0.75})}))
    0.75
    """
    values = (report.value(path, math.nan) for path in rank_by)
    return next((float(value) for value in values if not math.isnan(value)), 0.0)


def default_rank_by(metrics: Sequence[str] | None) -> tuple[str, ...]:
    """The default of `rank_by`: the metrics of `RANK_BY` that are computed, or all of `metrics` if none is.

    >>> default_rank_by(["psds1", "segment_f1"]), default_rank_by(["psds1"])
    (('segment_f1/macro',), ('psds1',))
    """
    if metrics is None:
        return RANK_BY
    return tuple(path for path in RANK_BY if path.partition("/")[0] in metrics) or tuple(metrics)


def check_rank_by(
    rank_by: Sequence[str], metrics: Sequence[str] | None = None, labels: Iterable[str] | None = None
) -> None:
    """Refuse metrics that are unknown or not computed, and numbers that a metric does not have.

    A number that never exists would rank all epochs alike, so that the first one would be kept as the best.

    Args:
        rank_by: metrics by which epochs are ranked.
        metrics: names of the metrics that are computed; None: the default ones.
        labels: names of the classes; None: they are not checked.

    Raises:
        WsedError: `rank_by` is empty, or a metric or a number is unknown or not computed.
    """
    if not rank_by:
        raise WsedError("evaluation.rank_by is empty: name metrics, e.g. [event_f1/macro]")
    for path in rank_by:
        name = path.partition("/")[0]
        check_option("evaluation.rank_by", "metric", name, METRICS.names())
        if metrics is not None and name not in metrics:
            raise WsedError(f"evaluation.rank_by names {name}, which evaluation.metrics leaves out; add it there")
        check_number("evaluation.rank_by", path, labels)


def check_scores(rank_by: Sequence[str]) -> None:
    """Refuse numbers of known metrics for which a greater value is not better: only a training ranks by them.

    Args:
        rank_by: metrics by which epochs are ranked.

    Raises:
        WsedError: a greater number is not better, as with error rates.

    >>> check_scores(["event_f1/macro_error_rate"])
    Traceback (most recent call last):
    wsed.errors.WsedError: evaluation.rank_by names event_f1/macro_error_rate, but the best epoch has the greatest ...
    """
    for path in rank_by:
        name, _, wanted = path.partition("/")
        if not METRICS[name].is_score(wanted):
            raise WsedError(
                f"evaluation.rank_by names {path}, but the best epoch has the greatest value, and a greater {path} is "
                f"not better; name a score, such as {RANK_BY[0]}"
            )


def number(value: float | int) -> float | int:
    """The value, or 0 if it is NaN, for loggers and comparisons."""
    return 0.0 if math.isnan(value) else value


@runtime_checkable
class Ranks(Protocol):
    """A callback with the metrics of the last validation, in the order of their importance."""

    ranking: tuple[float, ...]


class KeepBest(ModelCheckpoint):
    """Keeps the checkpoint of the epoch with the greatest ranking, a tuple of metrics; the first of equal ones.

    Args:
        folder: folder of the checkpoints.
        ranks: the callback that ranks the epochs, usually `Evaluation`; None if there are no validation clips: then the
            last epoch is kept.
    """

    def __init__(self, folder: str | Path, ranks: Ranks | None) -> None:
        monitor = None if ranks is None else "val/score"
        super().__init__(folder, "best", monitor=monitor, mode="max", save_top_k=1, enable_version_counter=False)
        self.ranks = ranks
        self.best: tuple[float, ...] = ()
        self.best_epoch: int | None = None

    def check_monitor_top_k(self, trainer: pl.Trainer, current: Tensor | None = None) -> bool:
        """Whether this epoch is the best so far; all ranks agree."""
        latest = () if self.ranks is None else self.ranks.ranking
        better = bool(trainer.strategy.reduce_boolean_decision(latest > self.best))
        if better:
            self.best, self.best_epoch = latest, trainer.current_epoch
        return better

    def is_best(self, epoch: int) -> bool:
        """Whether this epoch is the best so far, also before its checkpoint is written."""
        return self.best_epoch == epoch or (self.ranks is not None and self.ranks.ranking > self.best)

    def state_dict(self) -> dict[str, Any]:
        """The state with the best ranking, so that a resumed training goes on from it."""
        return super().state_dict() | {"ranking": list(self.best), "best_epoch": self.best_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the best ranking; in another folder there is no best epoch yet."""
        super().load_state_dict(state_dict)
        if self.best_k_models:
            self.best, self.best_epoch = tuple(state_dict["ranking"]), state_dict.get("best_epoch")
