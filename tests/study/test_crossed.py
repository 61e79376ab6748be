"""Intervals over seeds and recordings: simple cases, and how often they hold the true difference."""

import numpy as np
import pytest

from wsed.errors import WsedError
from wsed.metrics.groups import Groups
from wsed.study.claims import Claim, judge_difference
from wsed.study.compare import difference
from wsed.study.crossed import crossed, group_error

pytest.importorskip("scipy.stats", reason="the extra study is not installed")


def mean_of(values):
    return lambda weights: weights @ values / weights.sum(1)


def test_without_differences_between_groups_it_is_the_interval_over_seeds():
    gains = [1.0, 2.0, 4.0]
    statistics = [mean_of(np.full(6, gain)) for gain in gains]
    result, plain = crossed(gains, statistics, Groups.of(list("aabbcc"))), difference(gains)
    assert (result.low, result.high, result.p) == pytest.approx((plain.low, plain.high, plain.p))
    assert (result.n, result.groups, plain.groups) == (3, 3, 0)


def test_the_error_over_groups_is_that_of_the_mean_of_groups():
    values, names = np.random.default_rng(0).normal(0, 1, 40), [f"p{i // 4}" for i in range(40)]
    of_groups = values.reshape(10, 4).mean(1)
    exact = of_groups.std(ddof=1) / 10**0.5
    assert group_error(mean_of(values), Groups.of(names), resamples=20000) == pytest.approx(exact, rel=0.03)
    damped = group_error(mean_of(values), Groups.of([(name, name + "?") for name in names]), resamples=20000)
    assert damped > exact  # the same clips as of two groups each, which vary alike


def test_clips_of_a_group_are_not_independent():
    values = np.repeat(np.random.default_rng(1).normal(0, 1, 8), 10)
    alone = group_error(mean_of(values), Groups.of([str(i) for i in range(80)]))
    together = group_error(mean_of(values), Groups.of([str(i // 10) for i in range(80)]))
    assert together > 2.5 * alone


def test_too_few_recordings_are_said():
    values = np.random.default_rng(0).normal(0, 9, 12)
    found = crossed([1.0, 1.4, 1.2], [mean_of(values)] * 3, Groups.of(list("aabbccddeeff")))
    assert found.deviation == pytest.approx(0.2)
    claim = Claim("a", "x", "y", "f1", "above")
    assert judge_difference(claim, found, 1.5).note.startswith("6 groups of test clips are too few to find the +1.5")
    assert "too few to find +1.2 points, if that is the true difference" in judge_difference(claim, found).note


def test_few_seeds_and_groups_are_said():
    one = crossed([3.0], [mean_of(np.ones(4))], Groups.of(list("abcd")))
    assert (one.mean, one.n, str(one)) == (3.0, 1, "+3.0")
    with pytest.raises(WsedError, match="two groups or more"):
        crossed([1.0, 2.0], [mean_of(np.ones(2))] * 2, Groups.of(["a", "a"]))
    with pytest.raises(WsedError, match="a group for every clip"):
        Groups.of(["a", ()])


@pytest.mark.slow
@pytest.mark.parametrize(("n_seeds", "n_groups"), [(2, 20), (3, 12), (5, 40)])
def test_intervals_hold_the_true_difference_in_95_of_100_trials(n_seeds, n_groups):
    """A true difference of 2, an effect of the seed, of the recording, and of both together."""
    generator, hits = np.random.default_rng(n_seeds), []
    names = [str(i // 3) for i in range(3 * n_groups)]
    for _ in range(400):
        seed, group = generator.normal(0, 1, n_seeds), generator.normal(0, 3, n_groups)
        both = generator.normal(0, 1, (n_seeds, n_groups))
        clips = np.repeat(2 + seed[:, None] + group + both, 3, axis=1) + generator.normal(0, 1, (n_seeds, 3 * n_groups))
        result = crossed(list(clips.mean(1)), [mean_of(row) for row in clips], Groups.of(names), resamples=200)
        hits.append(result.low <= 2 <= result.high)
    assert 0.92 <= np.mean(hits) <= 0.995


@pytest.mark.slow
def test_intervals_hold_the_true_difference_where_clips_are_mixes_of_recordings():
    generator, hits, plain = np.random.default_rng(0), [], []
    for _ in range(300):
        group, seed = generator.normal(0, 3, 30), generator.normal(0, 0.5, 4)
        places = np.array([generator.choice(30, 3, replace=False) for _ in range(60)])
        clips = 2 + seed[:, None] + group[places].mean(1) + generator.normal(0, 1, (4, 60))
        groups = Groups.of([tuple(map(str, own)) for own in places])
        statistics = [mean_of(row) for row in clips]
        result = crossed(list(clips.mean(1)), statistics, groups, resamples=200)
        hits.append(result.low <= 2 <= result.high)
        alone = crossed(list(clips.mean(1)), statistics, Groups.of([str(i) for i in range(60)]), resamples=200)
        plain.append(alone.low <= 2 <= alone.high)
    assert 0.92 <= np.mean(hits) <= 1.0
    assert np.mean(plain) < np.mean(hits)
