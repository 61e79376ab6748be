"""Segment-based counts against sed_eval, against a loop over segments, and against published figures."""

import json
import math
import re
from pathlib import Path
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.errors import WsedError
from wsed.metrics import segment_counts, segments
from wsed.types import Events

GOLDEN = Path(__file__).parents[1] / "golden/event_metrics.json"
LABELS = 3
time = st.one_of(st.integers(0, 12).map(lambda i: i / 4), st.floats(0, 3, allow_subnormal=False))
row = st.tuples(st.integers(0, 1), st.integers(0, LABELS - 1), time, st.integers(1, 6).map(lambda i: i / 3))
rows = st.lists(row, max_size=6).map(lambda rs: [(c, k, a, a + n) for c, k, a, n in rs])


def active(events, label, clip, length, n):
    """Which of `n` segments of a clip one class is active in."""
    on = [False] * n
    for c, k, onset, offset in events:
        if (c, k) == (clip, label):
            for s in range(math.floor(onset / length), min(math.ceil(offset / length), n)):
                on[s] = True
    return on


def test_desed_baseline_equals_sed_eval(desed, judge, same_as_judge):
    n = len(desed.labels)
    counts = segment_counts(Events.of(desed.reference), Events.of(desed.estimated), n)
    theirs = judge.segments(desed.reference, desed.estimated, n)
    same_as_judge(counts, theirs, n, tolerance=1e-9)
    assert counts.n_sub == theirs.overall["S"]
    expected = theirs.results_overall_metrics()["error_rate"]["error_rate"]
    assert counts.micro_error_rate == pytest.approx(expected, abs=1e-9)


def test_desed_baseline_equals_the_published_report(desed):
    counts = segment_counts(Events.of(desed.reference), Events.of(desed.estimated), len(desed.labels))
    report = (desed.folder / "segment_f1.txt").read_text()
    micro, macro = re.findall(r"F-measure \(F1\)\s+: ([\d.]+) %", report)
    assert f"{100 * counts.micro_f1:.2f}" == micro == "77.03"
    assert f"{100 * counts.macro_f1:.2f}" == macro == "71.57"
    table = re.findall(r"^\s+(\w+)(?:\.\.)? +\| (\d+) +(\d+) +\| ([\d.]+)% ", report, re.M)
    assert len(table) == len(desed.labels)
    for name, *figures in table:
        i = next(i for i, label in enumerate(desed.labels) if label.startswith(name))
        assert [str(counts.n_ref[i]), str(counts.n_sys[i]), f"{100 * counts.f1[i]:.1f}"] == figures, name


def test_golden():
    golden = json.loads(GOLDEN.read_text())
    names, files = golden["classes"], sorted({r[0] for r in golden["reference"] + golden["estimated"]})
    reference, estimated = (
        Events.of((files.index(f), names.index(k), a, b) for f, a, b, k in golden[side])
        for side in ("reference", "estimated")
    )
    counts = segment_counts(reference, estimated, len(names))
    for i, name in enumerate(names):
        assert [counts.tp[i], counts.n_ref[i], counts.n_sys[i]] == golden["segment"]["per_class_tp_nref_nsys"][name]
        assert counts.f1[i] == pytest.approx(golden["segment"]["per_class_F"][name], abs=1e-12)
    assert counts.macro_f1 == pytest.approx(golden["segment"]["macro_F"], abs=1e-12)
    assert counts.micro_f1 == pytest.approx(golden["segment"]["micro_F"], abs=1e-12)


@given(rows, rows, st.sampled_from([1.0, 0.5, 0.3]))
@settings(max_examples=100, deadline=None)
def test_equals_sed_eval(judge, same_as_judge, reference, estimated, length):
    counts = segment_counts(Events.of(reference), Events.of(estimated), LABELS, length=length)
    theirs = judge.segments(reference, estimated, LABELS, length)
    same_as_judge(counts, theirs, LABELS)
    assert counts.n_sub == theirs.overall["S"]


@given(rows, rows, st.lists(st.floats(0.1, 6), min_size=2, max_size=2))
@settings(max_examples=100, deadline=None)
def test_durations_cut_as_a_loop_over_segments_does(reference, estimated, durations):
    counts = segment_counts(
        Events.of(reference),
        Events.of(estimated),
        LABELS,
        length=0.5,
        durations=torch.tensor(durations, dtype=torch.float64),
    )
    tp, n_ref, n_sys = ([0] * LABELS for _ in range(3))
    for clip, seconds in enumerate(durations):
        for label in range(LABELS):
            true, said = (active(side, label, clip, 0.5, math.ceil(seconds / 0.5)) for side in (reference, estimated))
            tp[label] += sum(a and b for a, b in zip(true, said, strict=True))
            n_ref[label] += sum(true)
            n_sys[label] += sum(said)
    assert (counts.tp.tolist(), counts.n_ref.tolist(), counts.n_sys.tolist()) == (tp, n_ref, n_sys)


def test_events_of_one_class_that_overlap_count_once():
    twice = Events.of([(0, 0, 0.0, 2.0), (0, 0, 1.0, 3.0)])
    assert segment_counts(twice, twice, 1).n_ref.tolist() == [3]


def test_wrong_settings_are_named():
    events = Events.of([(1, 0, 0.0, 1.0)])
    with pytest.raises(WsedError, match="positive length"):
        segment_counts(events, events, 1, length=0.0)
    with pytest.raises(WsedError, match="durations are given for 1 clips"):
        segment_counts(events, events, 1, durations=torch.ones(1))


@given(rows, rows)
@settings(max_examples=100, deadline=None)
def test_a_table_and_a_sort_count_the_same(reference, estimated):
    sides = Events.of(reference), Events.of(estimated)
    table = segment_counts(*sides, LABELS)
    with mock.patch.object(segments, "TABLE", -1):
        sort = segment_counts(*sides, LABELS)
    for name in ("tp", "n_ref", "n_sys"):
        assert getattr(table, name).tolist() == getattr(sort, name).tolist()
    assert table.n_sub == sort.n_sub


def test_few_events_in_clips_far_apart_need_no_memory():
    """A table of all cells would take 4 TB."""
    events = Events.of([(0, 0, 0.0, 2.0), (10**9, 400, 8.5, 10.0)])
    counts = segment_counts(events, events, 401)
    assert counts.tp.tolist() == [2, *[0] * 399, 2]


def test_a_class_that_is_never_detected_is_0_and_sed_eval_drops_it(judge):
    reference, detected = [(0, 0, 0.0, 3.0), (0, 1, 4.0, 6.0)], [(0, 0, 0.0, 3.0)]
    assert segment_counts(Events.of(reference), Events.of(detected), 2).macro_f1 == 0.5
    metric = judge.module.sound_event.SegmentBasedMetrics(["0", "1"], time_resolution=1.0)
    theirs = judge._fed(metric, reference, detected).results_class_wise_average_metrics()
    assert theirs["f_measure"]["f_measure"] == 1.0
