"""The names of measures in a recipe: those that no run can have are refused when the recipe is read."""

from collections.abc import Mapping

from wsed.errors import WsedError, near
from wsed.metrics.base import METRICS
from wsed.metrics.chosen import check_number
from wsed.study.measures import COMPUTED


def check_measure(place: str, name: str, measures: Mapping[str, str]) -> None:
    """Refuse a measure that no run can have. Names of classes are not checked: they depend on the corpus.

    Args:
        place: the place of the name, for messages.
        name: name of a measure of the recipe, or a path in the report, see `MeasuredRun.value`.
        measures: the measures of the recipe, with where each is found.

    Raises:
        WsedError: no metric has the name, or the metric has no such number; the message has near names.

    >>> check_measure("claim 1", "dishes", {"dishes": "event_f1/per_class/Dishes/f1"})
    >>> check_measure("claim 1", "event_f11", {})
    Traceback (most recent call last):
    wsed.errors.WsedError: claim 1: no measure 'event_f11' (did you mean event_f1 or ...
    >>> check_measure("claim 1", "event_f1/makro", {})
    Traceback (most recent call last):
    wsed.errors.WsedError: claim 1: unknown number of event_f1 'makro' (did you mean macro or micro?); known: ...
    """
    metric, _, number = measures.get(name, name).partition("/")
    if metric in COMPUTED and not number:
        return
    if metric == "correlation":
        if not all(number.partition("/")):
            raise WsedError(f"{place}: the correlation is that of two classes: correlation/CLASS/CLASS")
        return
    bare = metric.partition(":")[0]
    if bare not in METRICS:
        known = [*measures, *METRICS.names(), *COMPUTED, "correlation/CLASS/CLASS"]
        raise WsedError(
            f"{place}: no measure {name!r}{near(bare, known)}; known: {', '.join(known)}, a path in the report such as "
            "event_f1/micro, and a metric of your own if it is a plugin"
        )
    check_number(place, f"{metric}/{number}" if number else metric)
