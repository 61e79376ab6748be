"""Everything registered as decoder or metric keeps its contract, and a broken one is found out."""

from dataclasses import dataclass, replace

import pytest

import wsed
from wsed.decoding import Decoder, StepDecoder
from wsed.metrics.base import Metric, MetricValue
from wsed.metrics.f1 import EventF1
from wsed.registry import registry
from wsed.testing import check_decoder, check_metric


@pytest.mark.parametrize("name", wsed.components("decoder"))
def test_decoder(name):
    check_decoder(registry("decoder")[name]())


@pytest.mark.parametrize(
    "settings",
    [
        {"rescale_edge": 3, "smooth": 0.5, "merge_gap": 0.2, "min_duration": 0.1},
        {"median": [0.3, 0.7], "threshold": [0.3, 0.6], "merge_gap": [0.4, 0.0]},
        {"tags": "clip", "tag_threshold": 0.7},
        {"low": 0.3},
    ],
)
def test_decoder_with_other_settings(settings):
    check_decoder(StepDecoder(**settings))


@pytest.mark.parametrize("name", wsed.components("metric"))
def test_metric(name):
    check_metric(registry("metric")[name]())


class Late(StepDecoder):
    def __call__(self, scores, tags=None):
        found = super().__call__(scores, tags)
        return replace(found, events=replace(found.events, offset=found.events.offset + 1))


class Unsure(StepDecoder):
    def __call__(self, scores, tags=None):
        found = super().__call__(scores, tags)
        return replace(found, confidence=found.confidence[:1])


class Together(StepDecoder):
    def __call__(self, scores, tags=None):
        whole = scores.need_frames()[0]
        return super().__call__(replace(scores, frames=whole / whole.max()), tags)


class Ungated(StepDecoder):
    def ranked(self, scores, tags=None):
        return self.curves(scores)


@dataclass(frozen=True)
class Sweeps(StepDecoder):
    def at(self, scores, thresholds, tags=None):
        return super().at(scores, [t + 0.05 for t in thresholds], tags)


@pytest.mark.parametrize(
    ("decoder", "broken"),
    [
        (Late(), "ends after its clip"),
        (Unsure(), "every event has a confidence"),
        (Together(), "other clips"),
        (Ungated(), "ranked must be -inf"),
        (Sweeps(), r"at\(\) differs"),
    ],
)
def test_a_broken_decoder_is_found_out(decoder, broken):
    assert isinstance(decoder, Decoder)
    with pytest.raises(AssertionError, match=broken):
        check_decoder(decoder)


class Blind(EventF1):
    """Counts what is unknown."""

    def counts(self, system):
        return self.count(system.truth.events, system.detected, len(system.labels))


class Nameless(Metric):
    title, needs = "nothing", frozenset({"events"})

    def compute(self, system):
        return MetricValue({})


class Ordered(EventF1):
    def compute(self, system):
        return MetricValue({"macro": float(system.need_timed().detected.onset[0])})

    def resampled(self, system):
        return None

    def logged(self, name, value):
        return {}


class Other(EventF1):
    def resampled(self, system):
        return replace(super().resampled(system), numbers={"mean": lambda weights: weights[:, 0]})


@pytest.mark.parametrize(
    ("metric", "broken"),
    [
        (Blind(), "known nowhere"),
        (Nameless(), "has a number"),
        (Ordered(), "order of the clips"),
        (Other(), "is not a number of the metric"),
    ],
)
def test_a_broken_metric_is_found_out(metric, broken):
    with pytest.raises(AssertionError, match=broken):
        check_metric(metric)
