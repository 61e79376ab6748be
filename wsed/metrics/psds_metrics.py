"""The two polyphonic sound detection scores of DCASE task 4 as registered metrics."""

from dataclasses import asdict
from typing import ClassVar

from wsed.metrics.base import METRICS, Curves, Metric, MetricValue, Resampled
from wsed.metrics.psds import PSDS1, PSDS2, PSDSParameters
from wsed.metrics.system import System
from wsed.metrics.tagging import mean_known


class PSDSMetric(Metric):
    """Base class of PSDS metrics, over all thresholds or from operating points; see `wsed.metrics.psds`."""

    needs = frozenset({"events", "psds"})
    parameters: ClassVar[PSDSParameters]

    def compute(self, system: System) -> MetricValue:
        psds = system.need_timed().psds(self.parameters)
        plain = float(mean_known(psds.per_class[None])[0])
        return MetricValue(
            {"value": psds.value, "without_variance_penalty": plain},
            {label: {"value": float(area)} for label, area in zip(system.labels, psds.per_class, strict=True)},
            curves=Curves(psds.roc, dict(zip(system.labels, psds.class_rocs, strict=True))),
            settings=asdict(self.parameters),
        )

    def resampled(self, system: System) -> Resampled:
        clips = system.need_timed()
        return Resampled(clips.n_clips, {"value": clips.psds_table(self.parameters).values})


@METRICS.register("psds1")
class FirstPSDS(PSDSMetric):
    """PSDS of scenario 1, which asks for precise times (DTC and GTC 0.7).

    >>> from wsed.testing.metrics import system
    >>> 0 <= FirstPSDS().compute(system()).main <= 1
    True
    """

    title, place, parameters = "PSDS1", 50, PSDS1


@METRICS.register("psds2")
class SecondPSDS(PSDSMetric):
    """PSDS of scenario 2, which penalises confusion of classes (DTC and GTC 0.1, weight of cross triggers 0.5).

    >>> from wsed.testing.metrics import system
    >>> 0 <= SecondPSDS().compute(system()).main <= 1
    True
    """

    title, place, parameters = "PSDS2", 51, PSDS2
