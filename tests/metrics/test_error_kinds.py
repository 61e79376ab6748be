"""Each true and each detected event has one kind, and the right ones are those of `event_counts`."""

import pytest
import torch

from wsed.metrics import event_counts
from wsed.metrics.error_kinds import FALSE, KINDS, MISSED, RIGHT, SHIFTED, WRONG, error_kinds
from wsed.types import Events

CASES = {
    "right": ([(0, 0, 1.0, 2.0)], [(0, 0, 1.1, 2.1)], [RIGHT], [RIGHT]),
    "shifted border": ([(0, 0, 1.0, 2.0)], [(0, 0, 1.9, 4.0)], [SHIFTED], [SHIFTED]),
    "wrong class": ([(0, 0, 1.0, 2.0)], [(0, 1, 1.0, 2.5)], [WRONG], [WRONG]),
    "apart in time": ([(0, 0, 1.0, 2.0)], [(0, 0, 3.0, 4.0)], [MISSED], [FALSE]),
    "apart in clip": ([(0, 0, 1.0, 2.0)], [(1, 0, 1.0, 2.0)], [MISSED], [FALSE]),
    "too little in common for a wrong class": ([(0, 0, 1.0, 2.0)], [(0, 1, 1.6, 2.6)], [MISSED], [FALSE]),
    "one detection for two events": (
        [(0, 0, 1.0, 2.0), (0, 0, 2.5, 5.0)],
        [(0, 0, 1.0, 5.0)],
        [MISSED, SHIFTED],
        [SHIFTED],
    ),
    "the class comes before the overlap": (
        [(0, 0, 1.0, 2.0)],
        [(0, 1, 1.0, 2.0), (0, 0, 1.7, 4.0)],
        [SHIFTED],
        [FALSE, SHIFTED],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_kinds(name):
    reference, detected, true, estimated = CASES[name]
    kinds = error_kinds(Events.of(reference), Events.of(detected), n_labels=2)
    assert kinds.reference.tolist() == true
    assert kinds.detected.tolist() == estimated


def test_the_right_events_are_the_hits_of_event_f1():
    generator = torch.Generator().manual_seed(0)

    def some(n):
        onset = torch.rand(n, generator=generator).double() * 5
        clip, label = (torch.randint(0, high, (n,), generator=generator) for high in (4, 3))
        return Events(clip, label, onset, onset + 0.3)

    reference, detected = some(60), some(80)
    kinds = error_kinds(reference, detected, n_labels=3)
    hits = int(event_counts(reference, detected, n_labels=3).tp.sum())
    assert hits > 0
    assert (kinds.reference == RIGHT).sum() == (kinds.detected == RIGHT).sum() == hits
    for kind in (SHIFTED, WRONG):  # pairs are one to one
        assert (kinds.reference == kind).sum() == (kinds.detected == kind).sum() > 0, KINDS[kind]
