"""Class confusion against the counts and a loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.errors import WsedError
from wsed.metrics import event_counts
from wsed.metrics.confusion import event_confusion
from wsed.types import Events

times = st.integers(0, 12).map(lambda k: k / 8)
event = st.tuples(st.integers(0, 1), st.integers(0, 2), times, st.integers(1, 8).map(lambda k: k / 8))
events = st.lists(event, max_size=14).map(lambda rows: [(c, k, on, on + d) for c, k, on, d in rows])


@given(events, events)
@settings(max_examples=120, deadline=None)
def test_sums_are_the_counts(reference, estimated):
    ref, est = Events.of(reference), Events.of(estimated)
    counts, ours = event_counts(ref, est, 3), event_confusion(ref, est, 3)
    assert ours.pairs.diagonal().tolist() == counts.tp.tolist()
    assert (ours.pairs.sum(1) + ours.missed).tolist() == counts.n_ref.tolist()
    assert (ours.pairs.sum(0) + ours.false).tolist() == counts.n_sys.tolist()
    assert ours.pairs.sum() - np.trace(ours.pairs) == counts.n_sub
    assert min(ours.missed.min(), ours.false.min()) >= 0


@given(events, events)
@settings(max_examples=60, deadline=None)
def test_labels_that_never_agree_equal_a_loop(reference, estimated):
    """Detected labels 3, 4, 5 for true labels 0, 1, 2: all pairs go across labels, in order."""
    estimated = [(c, k + 3, on, off) for c, k, on, off in estimated]
    ours = event_confusion(Events.of(reference), Events.of(estimated), 6)
    expected, free = np.zeros((6, 6), dtype=int), list(range(len(estimated)))
    for clip, label, onset, offset in reference:
        for i in free:
            c, k, on, off = estimated[i]
            if c == clip and abs(on - onset) <= 0.2 and abs(off - offset) <= max(0.2, 0.2 * (offset - onset)):
                expected[label, k] += 1
                free.remove(i)
                break
    assert ours.pairs.tolist() == expected.tolist()


def test_by_hand_and_added_up():
    reference = Events.of([(0, 0, 0.0, 1.0), (0, 1, 3.0, 4.0), (1, 1, 0.0, 1.0)])
    estimated = Events.of([(0, 0, 0.1, 1.0), (0, 0, 3.1, 4.1), (1, 0, 5.0, 6.0)])
    one = event_confusion(reference, estimated, 2)
    assert one.pairs.tolist() == [[1, 0], [1, 0]]
    assert (one.missed.tolist(), one.false.tolist()) == ([0, 1], [1, 0])
    assert (one + one).pairs.tolist() == [[2, 0], [2, 0]]
    onset_only = event_confusion(reference, Events.of([(1, 0, 0.0, 9.0)]), 2, offset_collar=None)
    assert onset_only.pairs.tolist() == [[0, 0], [1, 0]]


def test_nothing_at_all_and_mistakes():
    empty = event_confusion(Events.of([]), Events.of([]), 2)
    assert empty.pairs.tolist() == [[0, 0], [0, 0]]
    with pytest.raises(WsedError, match="labels"):
        event_confusion(Events.of([(0, 2, 0.0, 1.0)]), Events.of([]), 2)
    with pytest.raises(WsedError, match="collars"):
        event_confusion(Events.of([]), Events.of([]), 2, onset_collar=-1.0)
