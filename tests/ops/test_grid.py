import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.ops.grid import valid_frames
from wsed.types import Events

ROWS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1), st.floats(0, 3), st.floats(0.01, 2)), max_size=6)


@settings(max_examples=50, deadline=None)
@given(ROWS, st.sampled_from([5.0, 12.5, 43.066]))
def test_rasterise_equals_a_loop(rows, rate):
    events = Events.of([(clip, label, onset, onset + length) for clip, label, onset, length in rows])
    grid = events.rasterise(3, 2, 20, rate)
    expected = torch.zeros(3, 20, 2)
    for clip, label, onset, length in rows:
        first, last = round(onset * rate), round((onset + length) * rate)
        if onset * rate < 20:
            first = min(first, 19)
        expected[clip, first : max(last, first + 1), label] = 1
    assert torch.equal(grid, expected)


def test_an_event_in_the_last_half_frame_has_that_frame():
    events = Events.of([(0, 0, 9.99, 10.0), (1, 0, 10.0, 10.5)])
    grid = events.rasterise(2, 1, 250, 25.0)[..., 0]
    assert grid[0].nonzero().flatten().tolist() == [249]
    assert not grid[1].any()


def test_gain_is_kept_and_the_loudest_wins():
    one = Events.of([(0, 0, 0.0, 1.0), (0, 0, 0.5, 2.0)])
    soft = Events(one.clip, one.label, one.onset, one.offset, torch.tensor([0.3, 0.7], dtype=torch.float64))
    grid = soft.rasterise(1, 1, 4, 2.0)[0, :, 0]
    torch.testing.assert_close(grid, torch.tensor([0.3, 0.7, 0.7, 0.7]))


def drawn_mix(seed, sources, events):
    """Events of one class in one clip, mixed of several clips."""
    draw = torch.Generator().manual_seed(seed)
    onset = 3 * torch.rand(events, generator=draw, dtype=torch.float64)
    offset = onset + 2 * torch.rand(events, generator=draw, dtype=torch.float64)
    group = torch.randint(sources, (events,), generator=draw)
    share = torch.rand(sources, generator=draw)
    gain = (share / share.sum())[group].double() * (0.5 + 0.5 * torch.rand(events, generator=draw).double())
    zero = torch.zeros(events, dtype=torch.long)
    return Events(zero, zero, onset, offset, gain, group)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 8), st.sampled_from([2.0, 12.5, 43.066, 100.0]))
def test_mixed_clips_are_summed_and_events_within_one_are_not(seed, sources, events, rate):
    mix, frames = drawn_mix(seed, sources, events), round(5 * rate)
    expected = torch.zeros(frames)
    for source in range(sources):
        alone = mix[mix.group == source]
        expected += alone.rasterise(1, 1, frames, rate)[0, :, 0]
    torch.testing.assert_close(mix.rasterise(1, 1, frames, rate)[0, :, 0], expected.clamp(max=1))


@pytest.mark.parametrize("rate", [4.0, 12.5, 43.066, 62.5])
def test_a_class_that_is_in_both_clips_of_a_mix_is_whole(rate):
    clip, label = torch.zeros(2, dtype=torch.long), torch.ones(2, dtype=torch.long)
    onset, offset = torch.zeros(2, dtype=torch.float64), torch.full((2,), 2.0, dtype=torch.float64)
    mix = Events(clip, label, onset, offset, torch.tensor([0.7, 0.3], dtype=torch.float64), torch.tensor([0, 1]))
    grid = mix.rasterise(2, 2, round(4 * rate), rate)
    torch.testing.assert_close(grid[0, : round(2 * rate), 1], torch.ones(round(2 * rate)))
    assert grid.sum() == pytest.approx(round(2 * rate), abs=1e-4)
    swapped = mix[torch.tensor([1, 0])]
    assert torch.equal(swapped.rasterise(2, 2, round(4 * rate), rate), grid)


@pytest.mark.parametrize("onset", [0.95, 0.9, 0.86, 0.5, 1.0, 1.2])
def test_frame_labels_of_a_clip_do_not_depend_on_the_padding_of_its_batch(onset):
    """An event that begins in the second half of the last frame was put into the padding after it."""
    events = Events.of([(0, 0, onset, onset + 0.1)])
    alone = events.rasterise(1, 1, 5, 5.0)
    valid = torch.tensor([[True] * 5 + [False] * 5, [True] * 10])
    padded = events.rasterise(2, 1, 10, 5.0, valid)
    assert torch.equal(padded[:1, :5], alone)
    assert bool(alone.any()) == (onset < 1)


def test_valid_frames_of_a_centred_grid():
    assert valid_frames(torch.tensor([0, 511, 512, 1024]), 512, 3).sum(1).tolist() == [1, 1, 2, 3]
