"""Windows of recordings of any length: where they lie, and how their scores are joined."""

import numpy as np
import pytest
import torch

from wsed.errors import WsedError
from wsed.inference.joining import Joiner
from wsed.inference.windows import Cutter, Grid, windows_of

GRID = Grid(sample_rate=100, frame_rate=10.0, seconds=2.0)


def cut(n, block):
    samples = np.arange(n, dtype=np.float32)
    return list(windows_of((samples[i : i + block] for i in range(0, n, block)), GRID))


@pytest.mark.parametrize("block", [7, 64, 1000])
@pytest.mark.parametrize("n", [10, 57, 200, 201, 300, 305, 999, 1000])
def test_windows_overlap_by_half_and_the_last_ends_with_the_recording(n, block):
    windows = cut(n, block)
    starts = [window.start for window in windows]
    assert starts == sorted(set(starts))
    assert starts[:-1] == list(range(0, 10 * (len(starts) - 1), 10))
    for window in windows:
        assert window.samples.tolist() == list(range(window.start * 10, window.start * 10 + len(window.samples)))
        assert len(window.samples) <= 200
    assert windows[-1].start * 10 + len(windows[-1].samples) == n
    assert len(windows[-1].samples) > 190 or n < 200


def test_memory_is_that_of_one_window_and_a_block():
    cutter = Cutter(GRID)
    for _ in range(50):
        list(cutter.push(np.zeros(64, np.float32)))
        assert sum(map(len, cutter._parts)) <= 200 + 100 + 64


def test_a_recording_shorter_than_a_frame_is_refused():
    with pytest.raises(WsedError, match=r"0\.09 s are shorter than one frame of the network \(0\.1 s\)"):
        cut(9, 9)


def test_equal_windows_join_to_themselves():
    track = torch.rand(95, 3)
    joiner = Joiner()
    parts = [joiner.add(start, track[start : start + 20]) for start in (*range(0, 80, 10), 75)]
    torch.testing.assert_close(torch.cat([*parts, joiner.rest()]), track)


def test_the_middle_of_a_window_counts_most():
    joiner = Joiner()
    joiner.add(0, torch.zeros(20, 1))
    joiner.add(10, torch.ones(20, 1))
    joined = joiner.rest().flatten()
    assert joined[9] == 0 or len(joined) == 20
    assert bool((joined.diff() >= 0).all())
    assert joined[0] == pytest.approx(1 / 11)
    assert joined[9] == pytest.approx(10 / 11)


def test_windows_that_leave_a_gap_are_refused():
    joiner = Joiner()
    joiner.add(0, torch.zeros(5, 1))
    with pytest.raises(WsedError, match="gap before frame 6"):
        joiner.add(6, torch.zeros(5, 1))


@pytest.mark.parametrize("n_samples", [8000, 9000, 12000, 12160, 20001, 23999, 24000])
def test_a_stream_differs_from_a_file_in_the_first_half_of_the_last_window_only(n_samples):
    """As described in `docs/how-to/detect.md`: a stream decides these frames before the last window is complete."""
    grid = Grid(8000, 50.0, 1.0)
    cutter, of_file, of_stream = Cutter(grid), Joiner(), Joiner()
    files, streams, last = [], [], 0
    complete = list(cutter.push(np.zeros(n_samples, np.float32)))
    for i, window in enumerate([*complete, *cutter.finish()]):
        scores = torch.full((-(-len(window.samples) // 160), 1), float(i))
        files.append(of_file.add(window.start, scores))
        streams.append(of_stream.add(window.start, scores))
        if i < len(complete):
            streams.append(of_stream.before(window.start + grid.hop))
        last = window.start
    whole, streamed = torch.cat([*files, of_file.rest()])[:, 0], torch.cat([*streams, of_stream.rest()])[:, 0]
    differs = (whole != streamed).nonzero()[:, 0].tolist()
    assert len(whole) == len(streamed)
    assert all(last <= frame < last + grid.hop for frame in differs)
    assert bool(differs) == (n_samples in (9000, 12160, 20001))  # with the others, the last window begins on the grid
