"""The contract of metrics."""

import math
from dataclasses import replace

import numpy as np
import torch

from wsed.metrics.base import Metric, MetricValue
from wsed.metrics.system import System
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Scores

LABELS = Labels(["a", "b", "c"])
N_CLIPS = 6


def system() -> System:
    """A system with mostly correct predictions of every kind that metrics read.

    >>> len(system().truth)
    6
    """
    rows = [(clip, clip % 3, 1.0, 3.0) for clip in range(N_CLIPS)] + [(0, 1, 4.0, 5.0)]
    truth = Truth.of_events(Events.of(rows), N_CLIPS, len(LABELS))
    detected = Events.of([*rows[:-2], (5, 0, 2.0, 6.0), (1, 2, 0.0, 1.0)])
    draw = torch.Generator().manual_seed(0)
    scores = truth.tags * 0.5 + 0.6 * torch.rand(N_CLIPS, len(LABELS), generator=draw)
    return System(
        LABELS,
        truth,
        detected,
        torch.full((N_CLIPS,), 10.0, dtype=torch.float64),
        Scores.of_clips(
            tuple(map(str, range(N_CLIPS))), list(torch.rand(N_CLIPS, 20, len(LABELS), generator=draw)), frame_rate=2.0
        ),
        points=(detected, detected[detected.clip < 3]),
        tags=scores > 0.5,
        clip_scores=scores,
        embeddings=truth.tags + 0.1 * torch.randn(N_CLIPS, len(LABELS), generator=draw),
    )


def check_metric(metric: Metric) -> None:
    """Check the contract of a `Metric`.

    Numbers are plain and have names. A class that is unknown everywhere has no numbers, and does not change those of
    other classes. The resampled number for weights of 1 is the number itself. The order of clips does not matter.

    Raises:
        AssertionError: a rule is broken; the message names it.

    >>> from wsed.metrics.f1 import EventF1
    >>> check_metric(EventF1())
    """
    whole = system()
    assert metric.title, "a metric has a title"
    assert metric.needs <= whole.provides, f"no system provides {sorted(metric.needs - whole.provides)}"
    value = metric.compute(whole)
    _check_value(value, whole)
    assert all(isinstance(number, int | float) for number in metric.logged("name", value).values())
    line = metric.line(value)
    assert line is None or "\n" not in line, "a line is one line"
    resampled = metric.resampled(whole)
    if resampled is not None:
        ones = np.ones((1, resampled.n_clips))
        for name, statistic in resampled.numbers.items():
            assert name in value.numbers, f"the resampled number {name} is not a number of the metric"
            same = math.isclose(float(statistic(ones)[0]), value.numbers[name], abs_tol=1e-9)
            assert same, f"{name} for weights of 1 is not {name}"
    _check_order(metric, whole, value)
    _check_unknown(metric, whole, value)


def _check_value(value: MetricValue, inputs: System) -> None:
    assert value.numbers, "a metric has a number"
    for name, number in value.numbers.items():
        assert isinstance(number, int | float), f"{name} is not a plain number"
    if value.per_class:
        assert list(value.per_class) == list(inputs.labels), "per_class has every class, in the order of the labels"
        name = "value" if value.is_single else "f1"
        assert all(name in own for own in value.per_class.values()), f"every class has {name!r}"


def _check_order(metric: Metric, whole: System, value: MetricValue) -> None:
    """Check that the order of clips does not matter."""
    order = torch.arange(N_CLIPS).flip(0)
    turned = replace(
        whole,
        truth=whole.truth.select(order),
        detected=_turned(whole.detected),
        ranked=None if whole.ranked is None else whole.ranked.select(order),
        points=tuple(_turned(point) for point in whole.points),
        tags=None if whole.tags is None else whole.tags[order],
        clip_scores=None if whole.clip_scores is None else whole.clip_scores[order],
        embeddings=None if whole.embeddings is None else whole.embeddings[order],
    )
    for name, number in metric.compute(turned).numbers.items():
        same = math.isclose(number, value.numbers[name], abs_tol=1e-9) or number != number
        assert same, f"{name} depends on the order of the clips"


def _turned(events: Events | None) -> Events:
    assert events is not None
    turned = replace(events, clip=N_CLIPS - 1 - events.clip)
    return turned[turned.clip.argsort(stable=True)]


def _check_unknown(metric: Metric, whole: System, value: MetricValue) -> None:
    """Check that a class that is unknown everywhere has no score and that other classes keep theirs."""
    known = torch.ones(N_CLIPS, len(LABELS), dtype=torch.bool)
    known[:, 2] = False
    part = metric.compute(replace(whole, truth=replace(whole.truth, tagged=known, timed=known)))
    if value.per_class:
        name = "value" if value.is_single else "f1"
        assert math.isnan(part.per_class["c"][name]), "a class that is known nowhere has no score"
        if not value.is_single:  # a PSDS depends on other classes by cross triggers
            for label in ("a", "b"):
                assert part.per_class[label] == value.per_class[label], "an unknown class changes the scores of others"
