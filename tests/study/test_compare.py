"""Means, differences and verdicts, against scipy and by hand."""

import math

import numpy as np
import pytest

from wsed.errors import WsedError
from wsed.study import compare
from wsed.study.claims import Claim, judge, judge_difference, verdict
from wsed.study.compare import Difference, difference, paired, spread

stats = pytest.importorskip("scipy.stats", reason="the extra study is not installed")


def test_differences_are_those_of_scipy():
    values = np.random.default_rng(0).normal(1, 2, 5)
    result = difference(values)
    test = stats.ttest_1samp(values, 0)
    low, high = test.confidence_interval()
    assert (result.mean, result.low, result.high, result.p, result.n) == pytest.approx(
        (values.mean(), low, high, test.pvalue, 5)
    )


def test_what_is_unknown_is_a_dash():
    assert str(difference([1.0, math.nan])) == "-" == str(difference([])) == spread([math.nan, 1.0])
    assert str(difference([1.25])) == "+1.2"
    assert str(difference([2.0, 2.0])) == "+2.0 [+2.0, +2.0]"


def test_differences_are_paired_by_seed():
    assert paired({"seed_1": 1.0, "seed_0": 2.0, "seed_3": 0.0}, {"seed_0": 5.0, "seed_1": 5.0}) == [3.0, 4.0]


@pytest.mark.parametrize(
    ("low", "high", "expect", "margin", "result"),
    [
        (1, 3, "above", 0, "holds"),
        (-3, -1, "above", 0, "fails"),
        (-1, 3, "above", 0, "open"),
        (-1, 3, "above", 5, "equal"),
        (-9, 9, "above", 5, "open"),
        (-3, -1, "below", 0, "holds"),
        (1, 3, "below", 0, "fails"),
        (-1, 3, "equal", 5, "equal"),
        (6, 8, "equal", 5, "fails"),
        (-8, -6, "equal", 5, "fails"),
        (-1, 8, "equal", 5, "open"),
    ],
)
def test_verdicts(low, high, expect, margin, result):
    mean, error = (low + high) / 2, (high - low) / 2 / stats.t.ppf(0.975, 4)
    assert verdict(compare.interval(mean, error, 4.0, 5), expect, float(margin)) == result
    assert verdict(Difference(mean, math.nan, math.nan, math.nan, 1), expect, float(margin)) == "open"


def test_two_one_sided_tests_are_those_of_scipy():
    values = np.random.default_rng(3).normal(0.2, 1, 6)
    for margin in (0.3, 0.9, 1.2, 2.0):
        below = stats.ttest_1samp(values, margin, alternative="less").pvalue
        above = stats.ttest_1samp(values, -margin, alternative="greater").pvalue
        assert difference(values).within(margin) == (max(below, above) < 0.05)
    assert not difference([1.0]).within(100.0)


def test_seeds_that_a_test_needs_find_the_effect_in_80_of_100_trials():
    n = compare.seeds_needed(effect=1.0, deviation=1.0)
    drawn = np.random.default_rng(0).normal(1, 1, (4000, n))
    found = stats.ttest_1samp(drawn, 0, axis=1).pvalue < 0.05
    assert 0.78 < found.mean() < 0.86
    assert (compare.seeds_needed(0.0, 1.0), compare.seeds_needed(1.0, 0.0)) == (1000, 2)


@pytest.mark.parametrize(
    ("expect", "effect", "note"),
    [
        ("above", 1.5, "3 of the 18 seeds that a test needs to find the +1.5 points of the authors"),
        ("above", None, "3 of the 22 seeds that a test needs to find +1.3 points, if that is the true difference"),
        ("below", None, ""),  # more seeds like these show nothing
    ],
)
def test_an_open_claim_says_how_many_seeds_it_lacks(expect, effect, note):
    claim = Claim("a", "fsl", "mil", "event_f1", expect)
    assert judge_difference(claim, difference([-1.0, 3.0, 2.0]), effect).note == note


def test_an_open_claim_of_equality_says_on_which_side_the_difference_is():
    claim = Claim("a", "fsl", "mil", "event_f1", "equal", margin=5.0)
    judged = judge_difference(claim, difference([-4.3, -3.2, -2.1]), 1.5)
    assert judged.in_words() == "open: below 0, but not shown to be by less than 5 points"
    assert judge_difference(claim, difference([-9.0, 8.0, 1.0])).in_words() == "open"


def test_a_claim_is_judged_on_the_seeds_of_both_rows():
    claim = Claim.read("claim", {"name": "b", "rows": ["mil", "glu"], "measure": "f1", "expect": "above"})
    runs = {"mil": {"0": 1.0, "1": 2.0, "2": 9.0}, "glu": {"0": 3.0, "1": 4.1}}
    judged = judge(claim, runs)
    assert (judged.difference.n, judged.verdict) == (2, "holds")
    none = judge(claim, {"mil": runs["mil"]})
    assert (none.verdict, none.note) == ("open", "0 seeds; a test needs 2 or more")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"rows": ["a"], "name": "x", "measure": "f", "expect": "above"}, "rows are two"),
        ({"rows": ["a", "b"], "name": "x", "measure": "f", "expect": "abov"}, "did you mean above"),
        ({"rows": ["a", "b"], "name": "x", "expect": "above"}, "lacks measure"),
        ({"row": ["a", "b"]}, "did you mean rows"),
        ("a", "write {name, rows"),
    ],
)
def test_mistakes_in_claims_are_named(entry, message):
    with pytest.raises(WsedError, match=message):
        Claim.read("recipe.yaml: claim 1", entry)


def test_without_scipy_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(compare, "find_spec", lambda _name: None)
    with pytest.raises(WsedError, match=r"pip install 'wsed\[study\]'"):
        difference([1.0, 2.0])
