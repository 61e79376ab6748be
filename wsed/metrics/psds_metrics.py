"""The two polyphonic sound detection scores of DCASE task 4 as registered metrics."""

from dataclasses import asdict

from wsed.metrics.base import METRICS, Curves, Metric, MetricValue, Resampled
from wsed.metrics.psds import PSDS, PSDS1, PSDS2, PSDSParameters
from wsed.metrics.system import System
from wsed.metrics.tagging import mean_known
from wsed.types import Labels

PSDS_NUMBERS = ("value", "without_variance_penalty")
"""Names of the numbers of `psds_value`."""


class PSDSMetric(Metric):
    """Base class of PSDS metrics, over all thresholds or from operating points; see `wsed.metrics.psds`.

    Without its penalties a PSDS is the area under the mean curve: `alpha_st=0`, and for PSDS2 also `alpha_ct=0`.
    """

    needs = frozenset({"events", "psds"})
    numbers, class_numbers = PSDS_NUMBERS, ("value",)
    parameters: PSDSParameters

    def compute(self, system: System) -> MetricValue:
        return psds_value(system.need_timed().psds(self.parameters), system.labels)

    def resampled(self, system: System) -> Resampled:
        clips = system.need_timed()
        return Resampled(clips.n_clips, {"value": clips.psds_table(self.parameters).values})


def psds_value(psds: PSDS, labels: Labels) -> MetricValue:
    """The value of a metric that is a PSDS, with its curves."""
    plain = float(mean_known(psds.per_class[None])[0])
    return MetricValue(
        {"value": psds.value, "without_variance_penalty": plain},
        {label: {"value": float(area)} for label, area in zip(labels, psds.per_class, strict=True)},
        curves=Curves(psds.roc, dict(zip(labels, psds.class_rocs, strict=True))),
        settings=asdict(psds.parameters),
    )


@METRICS.register("psds1")
class FirstPSDS(PSDSMetric):
    """PSDS of scenario 1, which demands precise times (DTC and GTC 0.7); cross triggers have no weight.

    Args:
        dtc: share of a detection that true events of its class must cover.
        gtc: share of a true event that detections must cover.
        alpha_st: weight of the standard deviation between classes.
        max_efpr: false positives per hour up to which the area is computed.

    >>> from wsed.testing.metrics import system
    >>> FirstPSDS().compute(system()).main <= FirstPSDS(alpha_st=0.0).compute(system()).main
    True
    """

    title, place = "PSDS1", 50

    def __init__(
        self,
        dtc: float = PSDS1.dtc,
        gtc: float = PSDS1.gtc,
        alpha_st: float = PSDS1.alpha_st,
        max_efpr: float = PSDS1.max_efpr,
    ) -> None:
        self.parameters = PSDSParameters(dtc, gtc, None, 0.0, alpha_st, max_efpr)


@METRICS.register("psds2")
class SecondPSDS(PSDSMetric):
    """PSDS of scenario 2, which penalises confusion of classes (DTC and GTC 0.1, weight of cross triggers 0.5).

    Args:
        dtc: share of a detection that true events of its class must cover.
        gtc: share of a true event that detections must cover.
        cttc: share of a false alarm that events of another class must cover to make it a cross trigger.
        alpha_ct: weight of cross triggers.
        alpha_st: weight of the standard deviation between classes.
        max_efpr: false positives per hour up to which the area is computed.

    >>> from wsed.testing.metrics import system
    >>> SecondPSDS().compute(system()).main <= SecondPSDS(alpha_ct=0.0, alpha_st=0.0).compute(system()).main
    True
    """

    title, place = "PSDS2", 51

    def __init__(
        self,
        dtc: float = PSDS2.dtc,
        gtc: float = PSDS2.gtc,
        cttc: float | None = PSDS2.cttc,
        alpha_ct: float = PSDS2.alpha_ct,
        alpha_st: float = PSDS2.alpha_st,
        max_efpr: float = PSDS2.max_efpr,
    ) -> None:
        self.parameters = PSDSParameters(dtc, gtc, cttc, alpha_ct, alpha_st, max_efpr)
