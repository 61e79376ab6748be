"""Event-based counts against sed_eval, against a brute-force matching, and against published figures."""

import json
import random
import re
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.errors import WsedError
from wsed.metrics import event_counts, pairs
from wsed.metrics.events import Collars
from wsed.types import Events

GOLDEN = Path(__file__).parents[1] / "golden/event_metrics.json"
LABELS = 3


def some_events(step: float, most: int = 7):
    """Rows on a grid of `step` seconds (many borderline collars) in two clips and three labels."""
    row = st.tuples(st.integers(0, 1), st.integers(0, LABELS - 1), st.integers(0, 8), st.integers(1, 9))
    return st.lists(row, max_size=most).map(lambda rows: [(c, k, a * step, (a + n) * step) for c, k, a, n in rows])


case = st.sampled_from([0.05, 0.1, 0.2, 0.037]).flatmap(lambda s: st.tuples(some_events(s), some_events(s)))


def slow_tp(reference, estimated, onset_collar=0.2, offset_collar=0.2, offset_ratio=0.2):
    """Largest number of pairs, by trying every choice."""

    def near(r, e):
        if r[:2] != e[:2] or abs(r[2] - e[2]) > onset_collar:
            return False
        return offset_collar is None or abs(r[3] - e[3]) <= max(offset_collar, offset_ratio * (r[3] - r[2]))

    def best(i, used):
        if i == len(reference):
            return 0
        free = [j for j, e in enumerate(estimated) if j not in used and near(reference[i], e)]
        return max([best(i + 1, used), *(1 + best(i + 1, used | {j}) for j in free)])

    return best(0, frozenset())


def test_desed_baseline_equals_sed_eval(desed, judge, same_as_judge):
    counts = event_counts(Events.of(desed.reference), Events.of(desed.estimated), len(desed.labels))
    theirs = judge.events(desed.reference, desed.estimated, len(desed.labels))
    same_as_judge(counts, theirs, len(desed.labels), tolerance=1e-9)
    overall = theirs.results_overall_metrics()["error_rate"]
    assert counts.n_sub == theirs.overall["Nsubs"]
    assert counts.micro_error_rate == pytest.approx(overall["error_rate"], abs=1e-9)
    assert counts.substitution_rate == pytest.approx(overall["substitution_rate"], abs=1e-9)


def test_desed_baseline_equals_the_published_report(desed):
    counts = event_counts(Events.of(desed.reference), Events.of(desed.estimated), len(desed.labels))
    report = (desed.folder / "event_f1.txt").read_text()
    micro, macro = re.findall(r"F-measure \(F1\)\s+: ([\d.]+) %", report)
    assert f"{100 * counts.micro_f1:.2f}" == micro == "42.35"
    assert f"{100 * counts.macro_f1:.2f}" == macro == "42.14"
    rows = re.findall(
        r"^\s+(\w+)(?:\.\.)? +\| (\d+) +(\d+) +\| ([\d.]+)% +([\d.]+)% +([\d.]+)% +\| ([\d.]+) ", report, re.M
    )
    assert len(rows) == len(desed.labels)
    for name, *figures in rows:
        i = next(i for i, label in enumerate(desed.labels) if label.startswith(name))
        scores = (100 * v for v in (counts.f1[i], counts.precision[i], counts.recall[i]))
        ours = [
            str(counts.n_ref[i]),
            str(counts.n_sys[i]),
            *(f"{v:.1f}" for v in scores),
            f"{counts.error_rate[i]:.2f}",
        ]
        assert ours == figures, name


def test_golden():
    golden = json.loads(GOLDEN.read_text())
    names, files = golden["classes"], sorted({row[0] for row in golden["reference"] + golden["estimated"]})
    reference, estimated = (
        Events.of((files.index(f), names.index(k), a, b) for f, a, b, k in golden[side])
        for side in ("reference", "estimated")
    )
    counts = event_counts(reference, estimated, len(names))
    for i, name in enumerate(names):
        expected = golden["event"]["per_class"][name]
        assert [counts.tp[i], counts.n_ref[i], counts.n_sys[i]] == [expected[k] for k in ("tp", "n_ref", "n_sys")]
        assert counts.f1[i] == pytest.approx(expected["F"], abs=1e-12)
    assert counts.macro_f1 == pytest.approx(golden["event"]["macro_F"], abs=1e-12)
    assert counts.micro_f1 == pytest.approx(golden["event"]["micro_F"], abs=1e-12)


@given(case, st.sampled_from([0.2, 0.1]), st.sampled_from([None, 0.2, 0.0]), st.sampled_from([0.0, 0.2, 0.5]))
@settings(max_examples=150, deadline=None)
def test_equals_brute_force_matching(rows, onset, offset, ratio):
    reference, estimated = rows
    counts = event_counts(
        Events.of(reference), Events.of(estimated), LABELS, onset_collar=onset, offset_collar=offset, offset_ratio=ratio
    )
    for label in range(LABELS):
        true, said = ([row for row in side if row[1] == label] for side in rows)
        assert counts.tp[label] == slow_tp(true, said, onset, offset, ratio)
        assert counts.n_ref[label] == len(true)
        assert counts.n_sys[label] == len(said)


@given(case)
@settings(max_examples=100, deadline=None)
def test_equals_sed_eval(judge, same_as_judge, rows):
    counts = event_counts(*map(Events.of, rows), LABELS)
    same_as_judge(counts, judge.events(*rows, LABELS), LABELS)


@given(case)
@settings(max_examples=40, deadline=None)
def test_onset_only_equals_sed_eval(judge, same_as_judge, rows):
    counts = event_counts(*map(Events.of, rows), LABELS, offset_collar=None)
    same_as_judge(counts, judge.events(*rows, LABELS, evaluate_offset=False), LABELS)


def test_substitutions_equal_sed_eval(judge):
    """On fixed cases: where several largest matchings exist, the number depends on which one is taken."""
    draw = random.Random(1)
    total = 0
    for _ in range(150):
        sides = [
            [
                (draw.randrange(2), draw.randrange(3), a := 0.1 * draw.randrange(8), a + 0.1 * draw.randrange(1, 9))
                for _ in range(6)
            ]
            for _ in range(2)
        ]
        counts, theirs = event_counts(*map(Events.of, sides), LABELS), judge.events(*sides, LABELS)
        total += counts.n_sub
        assert counts.n_sub == theirs.overall["Nsubs"]
        assert counts.micro_error_rate == pytest.approx(theirs.results_overall_metrics()["error_rate"]["error_rate"])
    assert total > 50


def test_a_first_choice_is_taken_back_when_that_frees_a_second_hit():
    reference = Events.of([(0, 0, 0.0, 1.0), (0, 0, 0.3, 1.0)])
    estimated = Events.of([(0, 0, 0.15, 1.0), (0, 0, 0.0, 1.0)])
    assert event_counts(reference, estimated, 1).tp.tolist() == [2]


def test_long_chains_of_ambiguous_pairs_are_matched_in_full():
    """Each estimate is near two references; only one way round matches all of them."""
    n = 3000
    reference = Events.of([(0, 0, 0.3 * i, 0.3 * i + 0.1) for i in range(n)])
    estimated = Events.of([(0, 0, 0.3 * i + 0.15, 0.3 * i + 0.25) for i in reversed(range(n))])
    assert event_counts(reference, estimated, 1).tp.tolist() == [n]


def test_collar_eps_settles_borderline_collars():
    reference, estimated = Events.of([(0, 0, 0.1, 1.0)]), Events.of([(0, 0, 0.3, 1.0)])
    assert abs(0.3 - 0.1) <= 0.2  # noise lets this pair in ...
    later = [Events.of([(0, 0, a, 2.0)]) for a in (0.6, 0.8)]
    assert not abs(0.8 - 0.6) <= 0.2  # ... and keeps this one out
    assert event_counts(reference, estimated, 1).tp.tolist() == [1]
    assert event_counts(*later, 1).tp.tolist() == [0]
    assert event_counts(*later, 1, collar_eps=1e-6).tp.tolist() == [1]


def test_many_clips_and_late_times_lose_no_precision():
    base, collar = 86_400.0, 0.2
    clip = 10_000_000
    reference = Events.of([(clip, 1, base, base + 1), (clip + 1, 1, base, base + 1)])
    estimated = Events.of([(clip, 1, base + collar - 1e-6, base + 1), (clip + 1, 1, base + collar + 1e-6, base + 1)])
    assert event_counts(reference, estimated, 2).tp.tolist() == [0, 1]


@given(case, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_order_of_events_does_not_matter(rows, shuffler):
    shuffled = [shuffler.sample(side, len(side)) for side in rows]
    first, second = (event_counts(*map(Events.of, sides), LABELS) for sides in (rows, shuffled))
    assert np.array_equal(first.tp, second.tp)


def test_counts_of_parts_add_up():
    rows = [(clip, 0, 1.0, 2.0) for clip in range(4)]
    whole = event_counts(Events.of(rows), Events.of(rows[1:]), 1)
    parts = [event_counts(Events.of(rows[i : i + 2]), Events.of(rows[max(i, 1) : i + 2]), 1) for i in (0, 2)]
    added = parts[0] + parts[1]
    assert (added.tp, added.n_ref, added.n_sys, added.n_sub) == (whole.tp, whole.n_ref, whole.n_sys, whole.n_sub)


def test_inputs_are_not_changed():
    events = Events.of([(1, 0, 2.0, 3.0), (0, 0, 1.0, 2.0)])
    before = events.onset.clone()
    event_counts(events, events, 1)
    assert torch.equal(events.onset, before)


def test_wrong_settings_are_named():
    one = Events.of([(0, 3, 0.0, 1.0)])
    with pytest.raises(WsedError, match=r"labels must lie in 0\.\.2"):
        event_counts(one, one, 3)
    with pytest.raises(WsedError, match="collars"):
        event_counts(one, one, 4, onset_collar=-0.1)
    for name in Collars._fields:
        for wrong in (-0.1, float("nan"), float("inf")):
            with pytest.raises(WsedError, match=f"and finite, but {name} is {wrong}"):
                event_counts(one, one, 4, **{name: wrong})


def test_a_crowded_recording_is_matched():
    """20,000 events a side in one clip: 400 million pairs, of which few are looked at (all of them would not fit)."""
    draw = np.random.default_rng(0)
    onset = np.sort(draw.uniform(0, 20_000, 20_000))
    sides = [torch.from_numpy(onset + draw.normal(0, 0.1, onset.size)) for _ in range(2)]
    index = torch.zeros(onset.size, dtype=torch.long)
    events = [Events(index, index, a, a + 1.0, torch.ones_like(a)) for a in sides]
    counts = event_counts(*events, 1)
    assert counts.macro_f1 > 0.7


@given(case)
@settings(max_examples=100, deadline=None)
def test_looking_for_near_events_finds_the_pairs_that_comparing_all_finds(rows):
    sides = [Events.of(side) for side in rows]
    counts = event_counts(*sides, LABELS)
    with mock.patch.object(pairs, "FEW", 0):
        crowded = event_counts(*sides, LABELS)
    assert (counts.tp.tolist(), counts.n_sub) == (crowded.tp.tolist(), crowded.n_sub)
