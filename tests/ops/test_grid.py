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


def test_valid_frames_of_a_centred_grid():
    assert valid_frames(torch.tensor([0, 511, 512, 1024]), 512, 3).sum(1).tolist() == [1, 1, 2, 3]
