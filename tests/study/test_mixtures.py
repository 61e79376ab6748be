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
    mixtures = Mixtures([study(2.0, 4.0), study(1.0, 3.0), study(4.0)])
    ((judged, of),) = mixtures.judged()  # the claim without runs is left out
    assert [each.mean for each in of] == [3.0, 2.0, 4.0]
    assert judged.difference == difference([3.0, 2.0, 4.0])
    assert judged.verdict == "holds"
    text = mixtures.markdown()
    assert "# A paper: 3 mixtures" in text
    assert "| cos helps | cos - mil | event_f1 | +3.0 [" in text
    assert "| +4.0 (1 seed) | +3.0 [+0.5, +5.5] | holds |" in text
    (claim,) = json.loads(mixtures.to_json())["claims"]
    assert [each["n"] for each in claim["mixtures"]] == [2, 2, 1]
    assert claim["mixtures"][2]["low"] is None


def test_mixtures_that_disagree_leave_a_claim_open():
    ((judged, _),) = Mixtures([study(2.0, 2.1), study(-2.0, -2.1), study(1.0, 1.1)]).judged()
    assert judged.verdict == "open"


def test_without_runs_it_says_so():
    empty = Results(Recipe(Path("paper"), "A paper", {}, {}, CLAIMS), "small", "clips", comparable=False, runs={})
    assert "No claim has runs in all of them." in Mixtures([study(1.0), empty]).markdown()
