"""torchmetrics faces of the figures of merit, for any training loop: `update(output, batch)`, then `compute()`.

    metric = PSDSScore(network.labels, network.sample_rate, decoder, scenario="psds1")
    metric.update(network(batch), batch)      # each batch of an epoch, on each rank
    metric.compute()                          # over the clips of all ranks, each clip once

A metric keeps one row a clip (`ScoreStore`) and no sums, so that a clip that padding of a sampler repeats, on the same
or on another rank, counts once. Lightning logs them as it does every metric.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from wsed.metrics.scores import FIGURES, SCENARIOS, System
from wsed.metrics.store import Decode, ScoreStore
from wsed.registry import check_option
from wsed.types import Batch, Labels, Output

RANKINGS = ("macro_ap", "macro_auroc", "macro_pauroc", "macro_d_prime", "micro_ap", "micro_auroc", "micro_pauroc")


def _known(name: str, names: Sequence[str]) -> str:
    check_option("metric", "figure", name, names)
    return name


class ClipMetric(Metric):
    """Collects what a network says of each clip; subclasses say what is computed from it.

    Args:
        labels: the classes, in the network's order.
        sample_rate: of the batches' audio, for the seconds of a clip.
        decoder: from frame scores to events.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    def __init__(self, labels: Labels, sample_rate: int, decoder: Decode) -> None:
        super().__init__(sync_on_compute=False)  # rows are gathered by clip id, not summed up
        self.labels, self.sample_rate, self.decoder = labels, sample_rate, decoder
        self.store = ScoreStore()

    def update(self, output: Output, batch: Batch) -> None:
        """Add what the network says of a batch."""
        self.store.update(output, batch, self.sample_rate)

    def compute(self) -> Any:
        """The figure over the clips of all ranks; every rank must call it. Of no clip at all: NaN, or no figures."""
        return self.value(self._system(self.store.gather()))

    def value(self, system: System) -> Any:
        """What is asked of the system."""
        raise NotImplementedError

    def forward(self, output: Output, batch: Batch) -> Any:
        """Add a batch, and the figure of this batch alone."""
        self.update(output, batch)
        self._computed = None
        alone = ScoreStore()
        alone.update(output, batch, self.sample_rate)
        return self.value(self._system(alone))

    def _system(self, store: ScoreStore) -> System:
        return store.system(self.labels, self.decoder) if len(store) else System(self.labels)

    def reset(self) -> None:
        """Forget all clips."""
        super().reset()
        self.store = ScoreStore()


class F1(ClipMetric):
    """F1 of events, segments, intersections or tags, 0-d float32; NaN where nothing can be scored.

    Args:
        labels, sample_rate, decoder: as for `ClipMetric`.
        figure: `event_f1`, `segment_f1`, `intersection_f1` or `tagging_f1`.
        average: over classes that have reference (`macro`), or over all counts (`micro`).
    """

    def __init__(
        self,
        labels: Labels,
        sample_rate: int,
        decoder: Decode,
        figure: str = "event_f1",
        average: str = "macro",
    ) -> None:
        super().__init__(labels, sample_rate, decoder)
        self.figure = _known(figure, [key for key, _ in FIGURES])
        self.average = _known(average, ["macro", "micro"])

    def value(self, system: System) -> Tensor:
        """The average F1."""
        if self.figure not in system.counted:
            return torch.tensor(float("nan"))
        counts = system.counts(self.figure)
        return torch.tensor(counts.macro_f1 if self.average == "macro" else counts.micro_f1)


class PSDSScore(ClipMetric):
    """PSDS over all thresholds, 0-d float32; NaN where nothing can be scored. `scenario`: `psds1` or `psds2`."""

    def __init__(self, labels: Labels, sample_rate: int, decoder: Decode, scenario: str = "psds1") -> None:
        super().__init__(labels, sample_rate, decoder)
        self.scenario = _known(scenario, list(SCENARIOS))

    def value(self, system: System) -> Tensor:
        """The area under the effective PSD-ROC."""
        psds = system.psds(self.scenario)
        return torch.tensor(float("nan") if psds is None else psds.value)


class TaggingScore(ClipMetric):
    """A ranking score of tags, 0-d float32; NaN where nothing can be scored.

    Args:
        labels, sample_rate, decoder: as for `ClipMetric`.
        figure: a key of `TaggingScores.summary`: `macro_ap` is mAP, `macro_pauroc` the mpAUC of DCASE 2024.
    """

    def __init__(self, labels: Labels, sample_rate: int, decoder: Decode, figure: str = "macro_ap") -> None:
        super().__init__(labels, sample_rate, decoder)
        self.figure = _known(figure, RANKINGS)

    def value(self, system: System) -> Tensor:
        """The score."""
        return torch.tensor(system.figures().get("tagging", {}).get(self.figure, float("nan")))


class AllFigures(ClipMetric):
    """Every figure at once, as `System.figures`: what `SEDTask` logs and reports."""

    def value(self, system: System) -> dict[str, Any]:
        """The nested figures."""
        return system.figures()
