"""Intervals against scipy and simulation; paired comparison; counts of each clip."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.errors import WsedError
from wsed.metrics import Counts, event_counts, segment_counts
from wsed.metrics.bootstrap import ClipCounts, bootstrap, clip_counts, compare, over_seeds
from wsed.metrics.tagging import auroc, ranking_statistic
from wsed.types import Events


def mean_of(values):
    return lambda weights: (weights @ values) / weights.sum(1)


def random_counts(clips: int, labels: int, seed: int) -> ClipCounts:
    draw = np.random.default_rng(seed)
    n_ref, n_sys = draw.integers(0, 4, (2, clips, labels))
    return ClipCounts(draw.integers(0, np.minimum(n_ref, n_sys) + 1), n_ref, n_sys)


def random_events(seed: int, n: int, clips: int, labels: int) -> Events:
    draw = np.random.default_rng(seed)
    onset = draw.integers(0, 20, n) / 4
    offset = onset + draw.integers(1, 6, n) / 4
    return Events.of(zip(draw.integers(0, clips, n), draw.integers(0, labels, n), onset, offset, strict=True))


# ---- statistics of counts


@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_statistics_equal_counts_of_the_repeated_clips(clips, labels, seed):
    counts = random_counts(clips, labels, seed)
    weights = np.random.default_rng(seed).integers(0, 3, (4, clips)).astype(float)
    for i, row in enumerate(weights.astype(int)):
        index = np.repeat(np.arange(clips), row)
        whole = Counts(counts.tp[index].sum(0), counts.n_ref[index].sum(0), counts.n_sys[index].sum(0))
        for score in ("f1", "precision", "recall"):
            for average in ("macro", "micro"):
                ours = counts.statistic(score, average)(weights)[i]
                assert ours == pytest.approx(getattr(whole, f"{average}_{score}"), abs=1e-12, nan_ok=True)
            for label in range(labels):
                ours = counts.statistic(score, label=label)(weights)[i]
                assert ours == pytest.approx(getattr(whole, score)[label], abs=1e-12, nan_ok=True)
    assert counts.total().macro_f1 == pytest.approx(counts.statistic()(np.ones((1, clips)))[0], nan_ok=True)


@pytest.mark.parametrize("count", [event_counts, segment_counts])
def test_counts_of_each_clip(count):
    reference, estimated = random_events(0, 40, 6, 3), random_events(1, 50, 6, 3)
    together = clip_counts(count, reference, estimated, 7, 3)
    for clip in range(7):
        mine = (events[events.clip == clip] for events in (reference, estimated))
        alone = count(*mine, 3)
        for name in ("tp", "n_ref", "n_sys"):
            assert getattr(together, name)[clip].tolist() == getattr(alone, name).tolist()
    assert together.total().macro_f1 == count(reference, estimated, 3).macro_f1
    with pytest.raises(WsedError, match="5 clips"):
        clip_counts(count, reference, estimated, 5, 3)


def test_counts_of_no_events():
    counts = clip_counts(event_counts, Events.of([]), Events.of([]), 3, 2)
    assert counts.tp.shape == (3, 2)
    interval = bootstrap(counts.statistic(), 3, resamples=20)
    assert np.isnan([interval.value, interval.low, interval.high, interval.std]).all()


# ---- intervals


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize("shape", [(60, 3.0), (25, 0.3)])
def test_intervals_are_those_of_scipy_on_the_same_resamples(method, shape):
    scipy = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(2).gamma(shape[1], size=shape[0])
    seen = []

    def statistic(weights):
        result = mean_of(values)(weights)
        seen.append(result)
        return result

    ours = bootstrap(statistic, len(values), resamples=999, method=method, seed=5)
    drawn = next(s for s in seen if len(s) == 999)
    given_before = SimpleNamespace(bootstrap_distribution=drawn, standard_error=0.0, confidence_interval=None)
    theirs = scipy.bootstrap(
        (values,), np.mean, n_resamples=0, bootstrap_result=given_before, method={"bca": "BCa"}.get(method, method)
    )
    limits = theirs.confidence_interval
    assert (ours.low, ours.high) == pytest.approx((limits.low, limits.high), rel=1e-9)
    assert ours.std == pytest.approx(theirs.standard_error)
    assert (ours.value, ours.resamples, ours.level) == (pytest.approx(values.mean()), 999, 0.95)


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_intervals_cover_the_truth_as_often_as_they_say(method):
    """Recall of 0.7 over 150 clips: of 300 intervals at 90 %, 270 +- 3 * 5.2 hold it, a little fewer by theory."""
    draw, hits = np.random.default_rng(0), 0
    for trial in range(300):
        n_ref = draw.integers(0, 4, (150, 1))
        counts = ClipCounts(draw.binomial(n_ref, 0.7), n_ref, n_ref)
        interval = bootstrap(counts.statistic("recall"), 150, resamples=300, level=0.9, method=method, seed=trial)
        hits += interval.low <= 0.7 <= interval.high
    assert 0.84 <= hits / 300 <= 0.95


def test_the_same_seed_gives_the_same_interval(monkeypatch):
    statistic = random_counts(40, 3, 0).statistic()
    first = bootstrap(statistic, 40, seed=3)
    assert first == bootstrap(statistic, 40, seed=3)
    assert first != bootstrap(statistic, 40, seed=4)
    assert first.low < first.value < first.high
    narrow = bootstrap(statistic, 40, seed=3, level=0.5)
    assert first.low < narrow.low < narrow.high < first.high
    monkeypatch.setattr("wsed.metrics.bootstrap.CHUNK", 40 * 17)  # more than one chunk
    assert bootstrap(statistic, 40, seed=3) == first


def test_a_constant_has_no_spread():
    interval = bootstrap(mean_of(np.full(9, 0.5)), 9, resamples=50)
    assert (interval.low, interval.value, interval.high, interval.std) == (0.5, 0.5, 0.5, 0.0)
    alone = bootstrap(mean_of(np.array([0.25])), 1, resamples=10)
    assert (alone.low, alone.high) == (0.25, 0.25)


def test_a_ranking_has_intervals_too():
    draw = np.random.default_rng(0)
    true = torch.from_numpy(draw.random((120, 3)) > 0.6)
    scores = torch.from_numpy(draw.random((120, 3)) + 0.4 * true.numpy())
    interval = bootstrap(ranking_statistic(true, scores, auroc), 120, resamples=200)
    assert interval.low < interval.value < interval.high < 1


# ---- two systems


def test_a_system_does_not_differ_from_itself():
    statistic = random_counts(30, 2, 1).statistic()
    same = compare(statistic, statistic, 30, resamples=100)
    assert (same.p, same.difference.value, same.difference.low, same.difference.high) == (1.0, 0.0, 0.0, 0.0)


def test_a_comparison_turned_round_changes_its_sign():
    a, b = (random_counts(50, 3, seed).statistic() for seed in (1, 2))
    forth, back = compare(a, b, 50, method="percentile"), compare(b, a, 50, method="percentile")
    assert forth.difference.value == pytest.approx(-back.difference.value)
    assert (forth.difference.low, forth.difference.high) == pytest.approx((-back.difference.high, -back.difference.low))
    assert forth.p == back.p
    assert forth.difference.value == pytest.approx(forth.second - forth.first)


def test_paired_is_sharper_than_apart_and_p_agrees_with_the_interval():
    draw = np.random.default_rng(4)
    clip_is_hard = draw.random(200)
    for gain, surely in ((0.05, True), (0.0, False)):
        first = clip_is_hard + 0.05 * draw.standard_normal(200)
        second = clip_is_hard + gain + 0.05 * draw.standard_normal(200)
        result = compare(mean_of(first), mean_of(second), 200, method="percentile")
        assert (result.p < 0.05) == surely == (not result.difference.low <= 0 <= result.difference.high)
        assert result.difference.std < 0.3 * bootstrap(mean_of(first), 200).std


def test_p_is_uniform_where_there_is_no_difference():
    draw = np.random.default_rng(1)
    p = [
        compare(mean_of(a), mean_of(b), 60, resamples=200, seed=i).p
        for i, (a, b) in enumerate(draw.random((200, 2, 60)))
    ]
    assert 0.02 <= np.mean(np.array(p) < 0.1) <= 0.18
    assert 0.4 <= np.mean(p) <= 0.6


# ---- seeds and mistakes


def test_over_seeds():
    spread = over_seeds([0.3, 0.4, 0.5])
    assert (spread.mean, spread.std, spread.runs) == pytest.approx((0.4, 0.1, 3))
    assert np.isnan(over_seeds([0.3]).std)
    with pytest.raises(WsedError, match="one run"):
        over_seeds([])


@pytest.mark.parametrize("wrong", [{"resamples": 0}, {"level": 1.0}])
def test_mistakes_are_told(wrong):
    with pytest.raises(WsedError):
        bootstrap(mean_of(np.ones(3)), 3, **wrong)
    with pytest.raises(WsedError):
        bootstrap(mean_of(np.ones(3)), 0)
