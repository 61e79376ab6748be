"""Claims over mixtures: each counts once, and the interval is over them."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from wsed.study.claims import Claim
from wsed.study.compare import difference
from wsed.study.mixtures import Mixtures
from wsed.study.results import Results
from wsed.study.rows import Recipe

pytest.importorskip("scipy.stats", reason="the extra study is not installed")

CLAIMS = (Claim("cos helps", "mil", "cos", "event_f1", "above"), Claim("unrun", "mil", "gone", "event_f1", "above"))


@dataclass(frozen=True)
class Run:
    """A run with one measure."""

    f1: float
    scored = None

    def value(self, name):
        return self.f1

    def statistic(self, name):
        return None


def study(*gains):
    runs = {
        "mil": {f"seed_{i}": Run(30.0) for i in range(len(gains))},
        "cos": {f"seed_{i}": Run(30.0 + gain) for i, gain in enumerate(gains)},
    }
    return Results(Recipe(Path("paper"), "A paper", {}, {}, CLAIMS), "small", "clips", comparable=False, runs=runs)


def test_each_mixture_is_one_value():
    mixtures = Mixtures([study(2.0, 4.0), study(1.0, 3.0), study(4.0)], test_share=0.0)
    ((judged, of),) = mixtures.judged  # the claim without any run is left out
    assert [each.mean for each in of] == [3.0, 2.0, 4.0]
    student, own = difference([3.0, 2.0, 4.0]), judged.difference
    assert (own.mean, own.low, own.high, own.n) == pytest.approx((student.mean, student.low, student.high, 3))
    assert judged.verdict == "holds"
    text = mixtures.markdown()
    assert "| cos helps | cos - mil | event_f1 | above | +3.0 [" in text
    assert "| +4.0 (1 seed) | +3.0 [+0.5, +5.5] | holds |" in text
    (claim,) = json.loads(mixtures.to_json())["claims"]
    assert [each["seeds"] for each in claim["mixtures"]] == [2, 2, 1]
    assert (claim["mixtures"][2]["low"], claim["expected"]) == (None, "above")


def test_the_interval_allows_for_shared_recordings():
    """With a third as many test recordings as training recordings the standard error is sqrt(2) times that of three."""
    wide, narrow = (Mixtures([study(3.0), study(2.0), study(4.0)], share).judged[0][0] for share in (1 / 3, 0.0))
    assert wide.difference.error == pytest.approx(narrow.difference.error * 2**0.5)
    assert (wide.verdict, narrow.verdict) == ("open", "holds")


def test_mixtures_that_disagree_leave_a_claim_open():
    judged, _ = Mixtures([study(2.0, 2.1), study(-2.0, -2.1), study(1.0, 1.1)], 0.0).judged[0]
    assert judged.verdict == "open"


def test_a_mixture_without_runs_leaves_a_claim_open():
    empty = Results(Recipe(Path("paper"), "A paper", {}, {}, CLAIMS), "small", "clips", comparable=False, runs={})
    mixtures = Mixtures([study(1.0, 1.1), empty, study(1.0, 1.2)], 0.0)
    assert mixtures.judged[0][0].verdict == "open"
    assert "no runs" in mixtures.markdown()
