"""Metrics for any training loop with the interface of torchmetrics: `update(output, batch)`, then `compute()`.

    metric = TorchMetric(network.labels, network.sample_rate, StepDecoder(), "psds1")
    metric.update(network(batch), batch)      # each batch of an epoch, on each rank
    metric.compute()                          # over the clips of all ranks, each clip once

A metric keeps the scores of its clips (`Collector`) instead of sums, so that a clip that a sampler repeats on the same
or another rank counts once. Lightning can log it like any other metric.
"""

import torch
from torch import Tensor
from torchmetrics import Metric as Base

from wsed.decoding.base import Decoder
from wsed.errors import WsedError, near
from wsed.metrics.base import METRICS, Metric
from wsed.metrics.system import System, no_clips
from wsed.scoring.collect import Collector
from wsed.scoring.plain import Plain
from wsed.scoring.score import compute, score, system_of
from wsed.types import Batch, Labels, Output


class _ClipMetric(Base):
    """Base class that collects the scores and the truth of each clip."""

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    def __init__(self, labels: Labels, sample_rate: int, decoder: Decoder) -> None:
        super().__init__(sync_on_compute=False)  # the collector gathers clips over ranks
        self.labels, self.sample_rate, self.decoder = labels, sample_rate, decoder
        self.collector = Collector()

    def update(self, output: Output, batch: Batch) -> None:
        """Add the output of the network for a batch."""
        self.collector.update(output, batch, self.sample_rate)

    def reset(self) -> None:
        """Forget all clips."""
        super().reset()
        self.collector.reset()

    def _system(self, collector: Collector) -> System:
        scores, truth = collector.gather()
        return system_of(scores, truth, self.labels, self.decoder) if len(scores) else no_clips(self.labels)

    def _alone(self, output: Output, batch: Batch) -> System:
        """The system of one batch; the batch is added too."""
        self.update(output, batch)
        self._computed = None
        alone = Collector()
        alone.update(output, batch, self.sample_rate)
        return self._system(alone)


class TorchMetric(_ClipMetric):
    """One number of a registered metric, 0-d float32; NaN if it cannot be computed.

    Args:
        labels: the classes, in the order of the network.
        sample_rate: sample rate of the batches, from which the durations of clips follow.
        decoder: decodes events.
        metric: a registered name such as `psds1`, or a metric.
        number: name of the number, such as `micro`; the main number if None.

    Raises:
        WsedError: there is no such metric.

    >>> from wsed.decoding import StepDecoder
    >>> from wsed.testing import batch, output
    >>> inputs = batch(n_labels=2)
    >>> metric = TorchMetric(Labels(["cat", "dog"]), 8000, StepDecoder(), "tagging_f1", "micro")
    >>> metric.update(output(inputs), inputs)
    >>> round(metric.compute().item(), 3)
    0.667
    """

    def __init__(
        self,
        labels: Labels,
        sample_rate: int,
        decoder: Decoder,
        metric: str | Metric = "event_f1",
        number: str | None = None,
    ) -> None:
        super().__init__(labels, sample_rate, decoder)
        self.metric = METRICS[metric]() if isinstance(metric, str) else metric
        self.number = number

    def compute(self) -> Tensor:
        """The number over the clips of all ranks; every rank must call it."""
        return self._value(self._system(self.collector))

    def forward(self, output: Output, batch: Batch) -> Tensor:
        """Add a batch; returns the number for this batch alone."""
        return self._value(self._alone(output, batch))

    def _value(self, system: System) -> Tensor:
        """The number for a system; a `WsedError` if the metric has no such number."""
        value = compute(system, {"": self.metric}).get("")
        if value is None:
            return torch.tensor(float("nan"))
        if self.number is None:
            return torch.tensor(value.main, dtype=torch.float32)
        if self.number not in value.numbers:
            more = f"{near(self.number, value.numbers)}; it has {', '.join(value.numbers)}"
            raise WsedError(f"{self.metric.title} has no number {self.number!r}{more}")
        return torch.tensor(value.numbers[self.number], dtype=torch.float32)


class TorchReport(_ClipMetric):
    """All metrics at once, as `Report.to_dict` returns them; arguments as in `TorchMetric`.

    >>> from wsed.decoding import StepDecoder
    >>> from wsed.testing import batch, output
    >>> inputs = batch(n_labels=2)
    >>> report = TorchReport(Labels(["cat", "dog"]), 8000, StepDecoder())
    >>> report.update(output(inputs), inputs)
    >>> report.compute()["clips"]
    4
    """

    def compute(self) -> Plain:
        """The report over the clips of all ranks; every rank must call it."""
        return score(self._system(self.collector)).to_dict()

    def forward(self, output: Output, batch: Batch) -> Plain:
        """Add a batch; returns the report of this batch alone."""
        return score(self._alone(output, batch)).to_dict()
