"""Metrics by name, with settings that differ from the defaults: `event_f1:onset_collar=0.5`."""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType

from wsed.errors import WsedError, check_option, near
from wsed.literals import hints_of, members
from wsed.metrics.base import METRICS, Metric, default_metrics, ordered

NOTHING = ("none", "null")
"""The word for None as the value of a setting."""


def chosen_metrics(names: Sequence[str] | None) -> dict[str, Metric]:
    """The metrics of these names, in the order of tables; the default metrics if None.

    A name may be followed by settings of the metric; the same metric may be named several times with other settings.
    Metrics of plugins are included.

    Args:
        names: such as `psds1`, `event_f1:onset_collar=0.5,offset_ratio=0.5` or `event_f1:offset_collar=none`.

    Raises:
        WsedError: there are no names, or a metric or a setting is unknown.

    >>> list(chosen_metrics(["psds1", "onset_f1", "segment_f1:length=0.1"]))
    ['onset_f1', 'segment_f1:length=0.1', 'psds1']
    """
    if names is None:
        return default_metrics()
    if isinstance(names, str) or not names:
        raise WsedError(f"metrics must be a list of names, not {names!r}; known: {', '.join(METRICS.names())}")
    return {name: metric_of(name) for name in ordered(list(dict.fromkeys(names)))}


def metric_of(text: str) -> Metric:
    """The metric of a name with or without settings.

    Raises:
        WsedError: the metric or a setting is unknown, or a value is not a number.

    >>> metric_of("segment_f1:length=0.1").length
    0.1
    """
    name, _, rest = text.partition(":")
    made = METRICS[name]
    allowed = settings_of(name)
    values: dict[str, float | int | None] = {}
    hints = hints_of(made.__init__)
    for part in filter(None, rest.split(",")):
        setting, _, value = part.partition("=")
        if setting not in allowed:
            more = f"it has {', '.join(allowed)}" if allowed else "it has none"
            raise WsedError(f"metric {text}: {name} has no setting {setting!r}{near(setting, allowed)}; {more}")
        values[setting] = _value(text, setting, value, set(members(hints.get(setting))))
    return made(**values)


def check_number(owner: str, path: str, labels: Iterable[str] | None = None) -> None:
    """Refuse a number that a metric does not have; a metric whose `compute` is not from wsed may have any number.

    Args:
        owner: what names the number, for the message.
        path: a metric, with or without settings, and a number: `event_f1/macro` or `event_f1/per_class/Dog/f1`.
        labels: names of the classes; None: they are not checked.

    Raises:
        WsedError: the metric, a setting, the number or the class is unknown.

    >>> check_number("claim 1", "segment_f1:length=0.1/macro")
    >>> check_number("claim 1", "event_f1/makro")
    Traceback (most recent call last):
    wsed.errors.WsedError: claim 1: unknown number of event_f1 'makro' (did you mean macro or micro?); known: ...
    """
    name, _, wanted = path.partition("/")
    metric = metric_of(name)
    if not wanted or not metric.numbers or not type(metric).compute.__module__.startswith("wsed."):
        return
    known = metric.numbers
    if metric.class_numbers and wanted.startswith("per_class/"):
        label, _, wanted = wanted.removeprefix("per_class/").rpartition("/")
        known = metric.class_numbers
        if labels is not None:
            check_option(owner, f"class of {name}", label, labels)
    check_option(owner, f"number of {name}", wanted, known)


def settings_of(name: str) -> Mapping[str, object]:
    """The settings of a registered metric, each with its default value.

    >>> settings_of("segment_f1")
    {'length': 1.0}
    """
    parameters = inspect.signature(METRICS[name]).parameters.values()
    return {p.name: p.default for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}


def _value(text: str, setting: str, value: str, kinds: set[object]) -> float | int | None:
    if NoneType in kinds and value.lower() in NOTHING:
        return None
    whole = int in kinds
    try:
        return int(value) if whole else float(value)
    except ValueError:
        what = "a whole number" if whole else "a number or none" if NoneType in kinds else "a number"
        raise WsedError(f"metric {text}: {setting} must be {what}, not {value!r}") from None
