"""Shifts in time."""

from dataclasses import replace

import pytest
import torch

from wsed import WsedError, testing
from wsed.augment.time_shift import TimeShift, wrapped
from wsed.types import Batch, Events

RATE = 100


def ramp():
    """A clip of 1 s whose samples count from 0 to 99, and one of 0.5 s."""
    audio = torch.arange(100.0).repeat(2, 1)
    audio[1, 50:] = 0
    known = torch.ones(2, 2, dtype=torch.bool)
    events = Events.of([(0, 0, 0.7, 1.0), (1, 1, 0.0, 0.2)])
    tags, zero = torch.tensor([[1.0, 0], [0, 1]]), torch.zeros(2, dtype=torch.long)
    return Batch(audio, torch.tensor([100, 50]), tags, known, events, known, zero, ("strong",), ("a", "b"))


def shifted(of, ends, seed=0, seconds=0.4):
    shift = TimeShift(seconds, ends)
    shift.prepare(RATE, lambda folder, rate: [])
    return shift(of, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(6))
def test_events_wrap_with_the_sound(seed):
    of = ramp()
    moved = shifted(of, "wrap", seed)
    first = moved.audio[0]
    assert sorted(first.tolist()) == list(range(100))
    frames = moved.frame_labels(100, 100.0)
    assert frames[0, :, 0].bool().tolist() == [value >= 70 for value in first.tolist()]
    assert frames[1, :50, 1].bool().tolist() == [value < 20 for value in moved.audio[1, :50].tolist()]
    assert not moved.audio[1, 50:].any()
    assert torch.equal(moved.clip_labels, of.clip_labels)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_cut_is_silent_and_its_events_are_gone(seed):
    moved = shifted(ramp(), "cut", seed)
    active = moved.frame_labels(100, 100.0)[0, :, 0].bool()
    assert active.tolist() == [value >= 70 for value in moved.audio[0].tolist()]


def test_a_tag_goes_with_its_last_event_and_is_unknown_where_events_are():
    of = ramp()
    moved = [shifted(of, "cut", seed, 0.9) for seed in range(20)]
    lost = [result for result in moved if not (result.events.clip == 0).any()]
    assert lost
    assert all(result.clip_labels[0].tolist() == [0.0, 0.0] and result.tagged[0].all() for result in lost)
    tags_only = replace(of, events=Events.of([]), timed=torch.zeros_like(of.timed))
    moved = shifted(tags_only, "cut", 1)
    assert moved.tagged.tolist() == [[False, True], [True, False]]


def test_it_asks_for_the_sample_rate_and_a_shift():
    with pytest.raises(WsedError, match="call prepare"):
        TimeShift()(testing.batch(), torch.Generator())
    with pytest.raises(WsedError, match="seconds must be above 0"):
        TimeShift(0.0)


@pytest.mark.parametrize("ends", ["wrap", "cut"])
def test_an_event_to_the_end_of_a_clip_that_is_not_shifted_stays(ends):
    """An event may end up to half a sample after the last sample: it does not come back at the start."""
    rate, n_samples = 16000, torch.tensor([48000, 47999, 40007])
    seconds = n_samples.double() / rate
    events = Events.of([(clip, 0, 2.0, seconds[clip].item() + 0.4 / rate) for clip in range(3)])
    audio = torch.zeros(3, 48000)
    tags = torch.ones(3, 1)
    known = torch.ones(3, 1, dtype=torch.bool)
    inputs = replace(
        testing.batch(n_clips=3),
        audio=audio,
        n_samples=n_samples,
        clip_labels=tags,
        events=events,
        tagged=known,
        timed=known,
    )
    for p in (0.0, 1.0):
        shift = TimeShift(1e-9, ends, p=p)  # of 0 samples
        shift.prepare(rate, lambda *_: [])
        found = shift(inputs, torch.Generator().manual_seed(0)).events
        assert found.onset.tolist() == pytest.approx([2.0] * 3)
        assert found.offset.tolist() == pytest.approx(seconds.tolist())


def test_rounding_makes_no_event_at_the_seam():
    onset = torch.arange(1, 2000, dtype=torch.float64) / 997
    seconds = torch.full((1999,), 2.0070211, dtype=torch.float64)
    events = Events(torch.arange(1999), torch.zeros(1999, dtype=torch.long), onset, seconds, torch.ones_like(onset))
    found = wrapped(events, torch.zeros(1999), seconds)
    assert len(found) == 1999
    assert found.onset.min() > 0
