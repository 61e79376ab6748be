"""Intersection-based counts against loops, psds_eval, sed_scores_eval, and a published figure."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.errors import WsedError
from wsed.metrics.intersection import cross_triggers, intersection_counts
from wsed.types import Events

CLIPS, LABELS = 2, 3
share = st.sampled_from([0.1, 0.3, 0.5, 0.7, 1.0])


@st.composite
def tracks(draw, least=0):
    """Rows that do not touch within a clip and label, on a grid of 1/8 s: comparisons are exact everywhere."""
    rows = []
    for clip in range(CLIPS):
        for label in range(LABELS):
            borders = sorted(draw(st.sets(st.integers(0, 24), max_size=5)))
            rows += [(clip, label, a / 8, b / 8) for a, b in zip(borders[::2], borders[1::2], strict=False)]
    return rows if len(rows) >= least else [*rows, (0, 0, 0.0, 0.5)]


def by_loops(reference, estimated, dtc, gtc, cttc):
    """The definitions of Bilen et al. 2020, section 2, one event at a time."""

    def shared(a, b):
        return max(min(a[3], b[3]) - max(a[2], b[2]), 0.0) if a[0] == b[0] else 0.0

    tp, n_ref, fp = (np.zeros(LABELS, dtype=int) for _ in range(3))
    cross = np.zeros((LABELS, LABELS), dtype=int)
    relevant = []
    for d in estimated:
        on = [sum(shared(d, r) for r in reference if r[1] == label) for label in range(LABELS)]
        if round(on[d[1]], 6) >= round(dtc * (d[3] - d[2]), 6):
            relevant.append(d)
            continue
        fp[d[1]] += 1
        for label in range(LABELS):
            cross[d[1], label] += label != d[1] and on[label] > 0 and round(on[label] - cttc * (d[3] - d[2]), 6) >= 0
    for r in reference:
        n_ref[r[1]] += 1
        covered = sum(shared(d, r) for d in relevant if d[1] == r[1])
        tp[r[1]] += round(covered, 6) >= round(gtc * (r[3] - r[2]), 6)
    return tp, n_ref, fp, cross


@given(tracks(), tracks(), share, share, share)
@settings(max_examples=100, deadline=None)
def test_equals_the_definitions(reference, estimated, dtc, gtc, cttc):
    tp, n_ref, fp, cross = by_loops(reference, estimated, dtc, gtc, cttc)
    counts = intersection_counts(Events.of(reference), Events.of(estimated), LABELS, dtc=dtc, gtc=gtc)
    assert counts.tp.tolist() == tp.tolist()
    assert counts.n_ref.tolist() == n_ref.tolist()
    assert (counts.n_sys - counts.tp).tolist() == fp.tolist()
    triggers = cross_triggers(Events.of(reference), Events.of(estimated), LABELS, dtc=dtc, cttc=cttc)
    assert triggers.tolist() == cross.tolist()


@given(tracks(), tracks(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_order_of_events_does_not_matter(reference, estimated, random):
    def count(a, b):
        counts = intersection_counts(Events.of(a), Events.of(b), LABELS)
        return [*counts.tp, *counts.n_sys, *cross_triggers(Events.of(a), Events.of(b), LABELS).ravel()]

    mixed = [random.sample(rows, len(rows)) for rows in (reference, estimated)]
    assert count(reference, estimated) == count(*mixed)


def test_desed_baseline_equals_the_published_figure_and_psds_eval(desed):
    counts = intersection_counts(Events.of(desed.reference), Events.of(desed.estimated), len(desed.labels))
    assert f"{100 * counts.macro_f1:.2f}" == "66.17"
    theirs, by_class = psds_eval_f1(desed.reference, desed.estimated, desed.labels, desed.files, 0.5, 0.5, 0.3)
    assert counts.macro_f1 == pytest.approx(theirs, abs=1e-9)
    assert counts.f1.tolist() == pytest.approx([by_class[label] for label in desed.labels], abs=1e-9)


@given(tracks(least=1), tracks(), st.sampled_from([(0.5, 0.5), (0.25, 0.75)]))
@settings(max_examples=12, deadline=None)
def test_equals_psds_eval(reference, estimated, shares):
    names = [str(i) for i in range(LABELS)]
    counts = intersection_counts(Events.of(reference), Events.of(estimated), LABELS, dtc=shares[0], gtc=shares[1])
    _, by_class = psds_eval_f1(reference, estimated, names, [f"{i}.wav" for i in range(CLIPS)], *shares, 0.3)
    for i, name in enumerate(names):
        if counts.tp[i]:
            assert counts.f1[i] == pytest.approx(by_class[name], abs=1e-9)
        elif counts.n_ref[i]:  # no hit: psds_eval divides 0 by 0 and leaves the class out of its mean, we have 0
            assert np.isnan(by_class[name])
            assert counts.f1[i] == 0


def psds_eval_f1(reference, estimated, labels, files, dtc, gtc, cttc):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psds_eval = pytest.importorskip("psds_eval", reason="needs the extra `eval`")
        import pandas as pd

        def table(rows):
            named = [(files[c], a, b, labels[k]) for c, k, a, b in rows]
            return pd.DataFrame(named, columns=["filename", "onset", "offset", "event_label"])

        length = pd.DataFrame({"filename": files, "duration": [10.0] * len(files)})
        metric = psds_eval.PSDSEval(
            dtc,
            gtc,
            cttc,
            ground_truth=table(reference),
            metadata=length,
            class_names=sorted({labels[r[1]] for r in reference}),
        )
        return metric.compute_macro_f_score(table(estimated))


def test_conventions():
    truth, said = Events.of([(0, 0, 0.0, 1.0), (0, 1, 1.0, 2.0)]), Events.of([(0, 2, 1.0, 2.0)])
    nothing = intersection_counts(truth, Events.of([]), 3)
    assert (nothing.macro_f1, nothing.micro_f1, nothing.n_sys.sum()) == (0.0, 0.0, 0)
    assert np.isnan(nothing.f1[2])
    false = intersection_counts(truth, said, 3)
    assert false.n_sys.tolist() == [0, 0, 1]
    assert cross_triggers(truth, said, 3).tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert np.isnan(intersection_counts(Events.of([]), said, 3).macro_f1)
    instant = intersection_counts(Events.of([(0, 0, 1.0, 1.0)]), Events.of([(0, 0, 1.0, 1.0)]), 1)
    assert (instant.n_ref[0], instant.n_sys[0]) == (0, 0)
    # Relevant to an event that is not found: neither hit nor false alarm.
    part = intersection_counts(Events.of([(0, 0, 0.0, 4.0)]), Events.of([(0, 0, 1.0, 2.0)]), 1)
    assert (part.tp[0], part.n_ref[0], part.n_sys[0]) == (0, 1, 0)
    # A share of exactly 0.7 passes, though (1.9 - 1.2) / (2.2 - 1.2) < 0.7 in floating point.
    sides = Events.of([(0, 0, 1.2, 1.9)]), Events.of([(0, 0, 1.2, 2.2)]), 1
    assert intersection_counts(*sides, dtc=0.7, gtc=1.0).tp[0] == 1
    assert intersection_counts(*sides, dtc=0.7, gtc=1.0, decimals=None).tp[0] == 0


def test_a_share_that_is_rounded_to_nothing_is_not_reached_by_nothing():
    truth, said = Events.of([(0, 0, 0.0, 1.0), (0, 1, 5.0, 6.0)]), Events.of([(0, 0, 2.0, 3.0), (0, 1, 5.0, 6.0)])
    counts = intersection_counts(truth, said, 2, dtc=1e-7, gtc=1e-7)
    assert (counts.tp.tolist(), counts.n_sys.tolist()) == ([0, 1], [1, 1])
    assert cross_triggers(truth, said, 2, dtc=1e-7, cttc=1e-7).tolist() == [[0, 0], [0, 0]]


def test_counts_of_parts_add_up():
    parts = [[(0, 0, 0.0, 1.0), (0, 1, 0.0, 1.0)], [(1, 0, 0.0, 1.0)]]
    said = [[(0, 0, 0.2, 1.0)], [(1, 1, 0.0, 1.0)]]
    one, two = (intersection_counts(Events.of(a), Events.of(b), 2) for a, b in zip(parts, said, strict=True))
    whole = intersection_counts(Events.of(parts[0] + parts[1]), Events.of(said[0] + said[1]), 2)
    assert (one + two).summary() == whole.summary()


def test_user_mistakes():
    one = Events.of([(0, 0, 0.0, 1.0)])
    with pytest.raises(WsedError, match=r"labels must lie in 0\.\.0"):
        intersection_counts(Events.of([(0, 3, 0.0, 1.0)]), one, 1)
    with pytest.raises(WsedError, match=r"dtc .* must lie in \(0, 1\], not 1.5"):
        intersection_counts(one, one, 1, dtc=1.5)
    with pytest.raises(WsedError, match="cttc"):
        cross_triggers(one, one, 1, cttc=0.0)


def test_many_clips_as_labels_stay_small():
    """`clip_counts` gives each clip labels of its own: memory must not grow with their square."""
    n = 20_000
    events = Events(torch.arange(n), torch.arange(n), torch.zeros(n).double(), torch.ones(n).double(), torch.ones(n))
    assert intersection_counts(events, events, n).tp.sum() == n
