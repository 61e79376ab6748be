"""Whether detected events are there, and where their borders are."""

import pytest

from experiments.what_wins.borders import borders, left_out
from wsed.formats.event import Event


def event(file, onset, offset, label, confidence=None):
    return Event(label, onset, offset, confidence, file)


TRUTH = [
    event("a", 1.0, 2.0, "Dog"),
    event("a", 5.0, 9.0, "Dog"),
    event("a", 0.0, 9.0, "Cat"),
    event("b", 0.0, 1.0, "Cat"),
]


def test_borders_are_those_of_the_event_that_is_overlapped_most():
    of = borders(
        TRUTH,
        [
            event("a", 1.1, 5.5, "Dog"),  # overlaps two; the first more
            event("a", 5.4, 9.0, "Dog"),
            event("a", 3.0, 4.0, "Dog"),  # between the dogs
            event("c", 1.0, 2.0, "Dog"),
        ],
    )
    assert (of.events, of.there) == (4, 0.5)
    assert of.onsets == (0.5, 1.0, 1.0)
    assert of.offsets == (0.5, 0.5, 0.5)


def test_what_is_left_out_of_clips_with_a_sure_event():
    detected = [
        event("a", 1.0, 2.0, "Dog", confidence=0.9),
        event("a", 0.0, 1.0, "Cat", confidence=0.3),  # unsure, and there
        event("b", 0.0, 1.0, "Dog", confidence=0.8),  # the cat of this clip is not detected
        event("d", 0.0, 1.0, "Dog", confidence=0.2),  # no sure event: the clip is not used
    ]
    assert left_out(TRUTH, detected, 0.7) == {"unsure": (1, 1), "undetected": (1, 1)}


def test_no_event_at_all():
    of = borders(TRUTH, [])
    assert (of.events, of.there) == (0, 0)
    assert of.onsets == pytest.approx([float("nan")] * 3, nan_ok=True)
