"""Metrics for any training loop, as torchmetrics has them: `update(output, batch)`, then `compute()`.

    metric = TorchMetric(network.labels, network.sample_rate, StepDecoder(), "psds1")
    metric.update(network(batch), batch)      # each batch of an epoch, on each rank
    metric.compute()                          # over the clips of all ranks, each clip once

Each keeps the scores of its clips (`Collector`) and no sums, so that a clip that padding of a sampler repeats, on the
same or on another rank, counts once. Lightning logs them as it does every metric.
"""

import torch
from torch import Tensor
from torchmetrics import Metric as Base

from wsed.decoding.base import Decoder
from wsed.errors import WsedError
from wsed.metrics.base import METRICS, Metric
from wsed.metrics.system import System, no_clips
from wsed.registry import near
from wsed.scoring.collect import Collector
from wsed.scoring.plain import Plain
from wsed.scoring.score import compute, score, system_of
from wsed.types import Batch, Labels, Output


class _OfClips(Base):
    """Collects what a network predicts for each clip."""

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    def __init__(self, labels: Labels, sample_rate: int, decoder: Decoder) -> None:
        super().__init__(sync_on_compute=False)  # clips are gathered by their ids, not summed up
        self.labels, self.sample_rate, self.decoder = labels, sample_rate, decoder
        self.collector = Collector()

    def update(self, output: Output, batch: Batch) -> None:
        """Add what the network predicts for a batch."""
        self.collector.update(output, batch, self.sample_rate)

    def reset(self) -> None:
        """Forget all clips."""
        super().reset()
        self.collector.reset()

    def _system(self, collector: Collector) -> System:
        scores, truth = collector.gather()
        return system_of(scores, truth, self.labels, self.decoder) if len(scores) else no_clips(self.labels)

    def _alone(self, output: Output, batch: Batch) -> System:
        """The system of one batch, which is added too."""
        self.update(output, batch)
        self._computed = None
        alone = Collector()
        alone.update(output, batch, self.sample_rate)
        return self._system(alone)


class TorchMetric(_OfClips):
    """One number of a registered metric, 0-d float32; NaN where nothing can be scored.

    Args:
        labels: the classes, in the network's order.
        sample_rate: of the batches' audio, for the seconds of a clip.
        decoder: from scores to events.
        metric: a registered name such as `psds1`, or a metric.
        number: which of its numbers, such as `micro`; None: the first.

    Raises:
        WsedError: there is no such metric.
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
        """Add a batch, and the number of this batch alone."""
        return self._value(self._alone(output, batch))

    def _value(self, system: System) -> Tensor:
        """Raises: WsedError if the metric has no such number."""
        value = compute(system, {"": self.metric}).get("")
        if value is None:
            return torch.tensor(float("nan"))
        if self.number is None:
            return torch.tensor(value.main, dtype=torch.float32)
        if self.number not in value.numbers:
            more = f"{near(self.number, value.numbers)}; it has {', '.join(value.numbers)}"
            raise WsedError(f"{self.metric.title} has no number {self.number!r}{more}")
        return torch.tensor(value.numbers[self.number], dtype=torch.float32)


class TorchReport(_OfClips):
    """Every metric at once, as `Report.to_dict` gives it. Arguments as for `TorchMetric`."""

    def compute(self) -> Plain:
        """The report over the clips of all ranks; every rank must call it."""
        return score(self._system(self.collector)).to_dict()

    def forward(self, output: Output, batch: Batch) -> Plain:
        """Add a batch, and the report of this batch alone."""
        return score(self._alone(output, batch)).to_dict()
