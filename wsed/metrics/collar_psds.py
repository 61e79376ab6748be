"""PSD-ROC with hits that are counted by collars in place of intersections.

Ebbers, Serizel, Haeb-Umbach: Threshold-independent evaluation of sound event detection scores, ICASSP 2022.
"""

import numpy as np
from jaxtyping import Float

from wsed.metrics.base import METRICS, Curves, Metric, MetricValue, ThresholdCurve
from wsed.metrics.events import Collars
from wsed.metrics.f1 import EventF1
from wsed.metrics.over_thresholds import event_curves, point_curves
from wsed.metrics.psds_reference import HOUR
from wsed.metrics.roc import Curve, check_area, effective_curve, staircase
from wsed.metrics.system import System


@METRICS.register("collar_psds")
class CollarPSDS(Metric):
    """Area under the collar-based PSD-ROC: found events against false alarms per hour, mean over classes.

    Args:
        onset_collar: seconds.
        offset_collar: seconds; None: offsets are not compared.
        offset_ratio: share of the duration of the true event.
        alpha_st: weight of the standard deviation between classes.
        max_efpr: false alarms per hour up to which the area is computed.

    >>> from wsed.testing.metrics import system
    >>> 0 < CollarPSDS(onset_collar=1.0, offset_collar=None, max_efpr=1000.0).compute(system()).main < 1
    True
    """

    title, place, needs, by_default = "collar PSDS", 55, frozenset({"events", "psds", "thresholds"}), False
    numbers, class_numbers = ("value",), ("value",)

    def __init__(
        self,
        onset_collar: float = 0.2,
        offset_collar: float | None = 0.2,
        offset_ratio: float = 0.2,
        alpha_st: float = 0.0,
        max_efpr: float = 100.0,
    ) -> None:
        self.collars = Collars(onset_collar, offset_collar, offset_ratio).checked()
        check_area(max_efpr, alpha_st=alpha_st)
        self.alpha_st, self.max_efpr = alpha_st, max_efpr

    def compute(self, system: System) -> MetricValue:
        clips = system.need_timed()
        assert clips.durations is not None
        if clips.ranked is None:
            counts = point_curves(clips, EventF1(*self.collars).count, joins=False)
        else:
            counts = event_curves(clips, self.collars)
        hours = (
            clips.durations[:, None].expand(-1, clips.n_labels)
            if clips.timed is None
            else clips.durations[:, None] * clips.timed
        ).sum(0).double().numpy() / HOUR
        rocs = [self._roc(curve, float(hours[i])) for i, curve in enumerate(counts)]
        roc = effective_curve(rocs, self.alpha_st)
        areas = {label: {"value": c.area(self.max_efpr)} for label, c in zip(system.labels, rocs, strict=True)}
        settings = {**self.collars._asdict(), "alpha_st": self.alpha_st, "max_efpr": self.max_efpr}
        curves = Curves(roc, dict(zip(system.labels, rocs, strict=True)))
        return MetricValue({"value": roc.area(self.max_efpr)}, areas, curves=curves, settings=settings)

    def _roc(self, counts: ThresholdCurve, hours: float) -> Curve:
        """The curve of one class; operating points need not include one where nothing is detected, so it is added."""
        if not counts.n_ref or not hours:
            return Curve(np.zeros(0), np.zeros(0))
        false: Float[np.ndarray, " point"] = (counts.n_sys - counts.tp) / hours
        return staircase(np.append(0.0, false), np.append(0.0, counts.tp / counts.n_ref), self.max_efpr)
