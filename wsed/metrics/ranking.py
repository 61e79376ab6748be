"""A registered metric of tagging without a threshold: mAP, AUROC and d'."""

from wsed.metrics.base import METRICS, Metric, MetricValue, Number, Resampled
from wsed.metrics.f1 import or_dash, percent
from wsed.metrics.system import System
from wsed.metrics.tagging import ranking_statistic, tagging_scores


@METRICS.register("tagging")
class Tagging(Metric):
    """Average precision, areas under the ROC curve and d', macro and micro; see `tagging_scores`.

    >>> from wsed.testing.metrics import system
    >>> round(Tagging().compute(system()).numbers["macro_ap"], 3)
    1.0
    """

    title, place, needs = "tagging", 45, frozenset({"clip_scores"})
    numbers = (
        "macro_ap", "macro_auroc", "macro_pauroc", "macro_d_prime", "micro_ap", "micro_auroc", "micro_pauroc",
    )  # fmt: skip

    def compute(self, system: System) -> MetricValue:
        clips = system.need_tagged()
        assert clips.scores is not None
        return MetricValue(tagging_scores(clips.true, clips.scores, clips.known).summary())

    def resampled(self, system: System) -> Resampled:
        clips = system.need_tagged()
        assert clips.scores is not None
        statistic = ranking_statistic(clips.true, clips.scores, known=clips.known)
        return Resampled(len(clips.true), {"macro_ap": statistic})

    def logged(self, name: str, value: MetricValue) -> dict[str, Number]:
        return {}

    def line(self, value: MetricValue) -> str:
        names = {"macro_ap": "mAP", "macro_auroc": "AUROC", "macro_pauroc": "clip mpAUC"}
        parts = [f"{title} {percent(value.numbers[key])}" for key, title in names.items()]
        return f"tagging: {', '.join(parts)}, d' {or_dash(value.numbers['macro_d_prime'], '.2f')}"
