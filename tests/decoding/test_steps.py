"""Decoding steps against loops, scipy and the golden values."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.decoding import (
    hysteresis,
    median_filter,
    merge_gaps,
    min_duration,
    moving_average,
    rescale,
    tag_filter,
    threshold,
    to_events,
)
from wsed.errors import WsedError
from wsed.types import Events

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/cosine_postproc.json").read_text())
CASES = sorted(GOLDEN["cases"])


def column(values) -> torch.Tensor:
    """One clip, one label, float64."""
    return torch.tensor(values, dtype=torch.float64)[None, :, None]


def random_scores(clips: int, frames: int, labels: int, seed: int) -> torch.Tensor:
    """On a coarse grid, so that ties with thresholds and between frames are common."""
    whole = torch.randint(0, 6, (clips, frames, labels), generator=torch.Generator().manual_seed(seed))
    return whole.double() / 5


def frames_of(active: torch.Tensor) -> list[list[int]]:
    events = to_events(active, 1.0)
    return [[int(a), int(b)] for a, b in zip(events.onset, events.offset, strict=True)]


def rows(events: Events) -> list[tuple[int, int, float, float]]:
    return list(zip(*(getattr(events, k).tolist() for k in ("clip", "label", "onset", "offset")), strict=True))


sizes = st.tuples(st.integers(1, 3), st.integers(1, 17), st.integers(1, 3), st.integers(0, 10**6))


# ---- golden


@pytest.mark.parametrize("name", CASES)
def test_golden_curves(name):
    case = GOLDEN["cases"][name]
    stretched = rescale(column(case["curve"]), GOLDEN["params"]["edge_frames_ignored_by_minmax"])
    assert torch.allclose(stretched[0, :5, 0], column(case["rescaled_first5"])[0, :, 0], atol=1e-12)
    smooth = moving_average(stretched, GOLDEN["params"]["smooth_window"])
    assert torch.allclose(smooth, column(case["smoothed"]), atol=1e-9)
    assert frames_of(threshold(smooth, GOLDEN["params"]["threshold"])) == case["frames_clean"]
    assert frames_of(hysteresis(smooth, 0.05, 0.2)) == case["frames_hysteresis_low0p05_high0p2"]
    events = to_events(threshold(smooth, 0.03), 1 / GOLDEN["params"]["frame_hop_s"])
    assert torch.stack([events.onset, events.offset], 1).tolist() == pytest.approx(np.array(case["seconds_clean"]))
    merged = merge_gaps(events, GOLDEN["params"]["merge_gap_s"])
    expected = np.array(case["seconds_merged_gap_lt_0p2"])
    assert torch.stack([merged.onset, merged.offset], 1).numpy() == pytest.approx(expected, abs=1e-9)


def test_golden_moving_average_of_five():
    small = GOLDEN["small_smooth_window5"]
    assert torch.allclose(moving_average(column(small["x"]), 5), column(small["y"]), atol=1e-12)


# ---- rescale


def test_rescale_equals_a_loop():
    scores = torch.rand(3, 20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ours = rescale(scores, edge=3)
    for clip in range(3):
        for label in range(2):
            curve = scores[clip, :, label].numpy()
            low, high = curve[3:-3].min(), curve[3:-3].max()
            assert ours[clip, :, label].numpy() == pytest.approx((curve - low) / (high - low), abs=1e-12)


def test_rescale_of_constant_and_short_curves():
    assert rescale(torch.full((1, 10, 1), 0.4)).abs().sum() == 0
    assert rescale(column([0.9] * 3 + [0.4] * 6 + [0.1] * 3)).abs().sum() == 0  # constant but for the edges
    assert rescale(column([0.2, 0.6, 0.4]), edge=3)[0, :, 0].tolist() == pytest.approx([0.0, 1.0, 0.5])


# ---- smoothing


@given(sizes, st.sampled_from([1, 3, 5, 9]))
@settings(max_examples=60, deadline=None)
def test_moving_average_equals_a_loop(size, window):
    clips, frames, labels, seed = size
    half, scores = window // 2, random_scores(clips, max(frames, window // 2, 1), labels, seed)
    ours = moving_average(scores, window)
    for clip in range(clips):
        for label in range(labels):
            x = scores[clip, :, label].tolist()
            longer = [2 * x[0] - x[k] for k in range(half)][::-1] + x + [2 * x[-1] - x[-1 - k] for k in range(half)]
            expected = [sum(longer[t : t + window]) / window for t in range(len(x))]
            assert ours[clip, :, label].tolist() == pytest.approx(expected, abs=1e-12)


def test_moving_average_keeps_a_straight_line_but_for_half_a_step_at_its_ends():
    """Point reflection repeats the edge sample, so a slope goes on, delayed by one step."""
    line = column([0.1 * t for t in range(12)])
    assert torch.allclose(moving_average(line, 5)[:, 2:-2], line[:, 2:-2], atol=1e-12)
    assert (moving_average(line, 5) - line).abs().max() < 0.1


@given(sizes, st.sampled_from([1, 3, 7, 21]))
@settings(max_examples=60, deadline=None)
def test_median_filter_equals_a_loop(size, window):
    scores, half = random_scores(*size), window // 2
    longer = np.pad(scores.numpy(), ((0, 0), (half, half), (0, 0)), mode="symmetric")
    expected = np.stack([np.median(longer[:, t : t + window], axis=1) for t in range(scores.shape[1])], axis=1)
    assert np.array_equal(median_filter(scores, window).numpy(), expected)


@pytest.mark.parametrize("window", [1, 3, 7, 21])
def test_median_filter_equals_scipy(window):
    """As the DESED baselines call it. (scipy 1.17 returns rubbish where the window is far longer than the clip.)"""
    ndimage = pytest.importorskip("scipy.ndimage")
    scores = random_scores(3, 30, 4, seed=window)
    expected = np.stack([ndimage.median_filter(clip.numpy(), size=(window, 1)) for clip in scores])
    assert np.array_equal(median_filter(scores, window).numpy(), expected)


def test_median_filter_with_one_window_per_label():
    scores = random_scores(2, 30, 3, 0)
    ours = median_filter(scores, [1, 5, 9])
    for label, window in enumerate([1, 5, 9]):
        assert torch.equal(ours[..., label], median_filter(scores, window)[..., label])
    with pytest.raises(WsedError, match="2 median windows for 3 labels"):
        median_filter(scores, [3, 3])


@pytest.mark.parametrize("window", [0, 4, -1])
def test_windows_are_odd(window):
    for filtered in (moving_average, median_filter):
        with pytest.raises(WsedError, match="odd number of frames"):
            filtered(torch.zeros(1, 5, 1), window)


@pytest.mark.parametrize(
    "step",
    [lambda x, v: rescale(x, 3, v), lambda x, v: moving_average(x, 7, v), lambda x, v: median_filter(x, [7, 41], v)],
    ids=["rescale", "moving_average", "median_filter"],
)
def test_padding_changes_nothing(step):
    """Clips of 20, 9 and 2 frames, alone and padded to 30 with rubbish."""
    lengths = [20, 9, 2]
    padded = torch.rand(3, 30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    valid = torch.arange(30)[None] < torch.tensor(lengths)[:, None]
    together = step(padded, valid)
    for clip, n in enumerate(lengths):
        alone = step(padded[clip : clip + 1, :n], None)
        assert torch.allclose(together[clip, :n], alone[0], atol=1e-12)


# ---- frames to activity


def test_threshold_is_strict_and_per_label():
    scores = torch.tensor([[[0.5, 0.5], [0.6, 0.6]]])
    assert threshold(scores, 0.5).tolist() == [[[False, False], [True, True]]]
    assert threshold(scores, [0.4, 0.6]).tolist() == [[[True, False], [True, False]]]
    with pytest.raises(WsedError, match="thresholds for 2 labels"):
        threshold(scores, [0.1, 0.2, 0.3])


@given(sizes, st.sampled_from([(0.2, 0.6), (0.4, 0.4), (0.0, 0.8), (-1.0, 0.5)]))
@settings(max_examples=80, deadline=None)
def test_hysteresis_equals_a_loop(size, limits):
    scores, (low, high) = random_scores(*size), limits
    expected = torch.zeros_like(scores, dtype=torch.bool)
    for clip in range(scores.shape[0]):
        for label in range(scores.shape[2]):
            on = False
            for t, score in enumerate(scores[clip, :, label].tolist()):
                on = score > high or (on and score > low)
                expected[clip, t, label] = on
    assert torch.equal(hysteresis(scores, low, high), expected)


@given(sizes)
@settings(max_examples=30, deadline=None)
def test_hysteresis_without_a_gap_is_a_threshold(size):
    scores = random_scores(*size)
    assert torch.equal(hysteresis(scores, 0.4, 0.4), threshold(scores, 0.4))


def test_hysteresis_refuses_low_above_high():
    with pytest.raises(WsedError, match="low <= high"):
        hysteresis(torch.zeros(1, 3, 2), [0.1, 0.6], 0.5)


def test_tag_filter_zeroes_untagged_classes():
    scores, tags = torch.rand(2, 4, 3), torch.tensor([[True, False, True], [False, False, True]])
    kept = tag_filter(scores, tags)
    assert torch.equal(kept[0, :, 0], scores[0, :, 0])
    assert kept[:, :, 1].abs().sum() == 0
    assert torch.equal(tag_filter(scores > 0.5, tags), (scores > 0.5) & tags[:, None])


# ---- activity to events


@given(sizes)
@settings(max_examples=80, deadline=None)
def test_to_events_equals_a_loop(size):
    active = random_scores(*size) > 0.5
    expected = []
    for clip in range(active.shape[0]):
        for label in range(active.shape[2]):
            start = None
            for t, on in enumerate([*active[clip, :, label].tolist(), False]):
                if on and start is None:
                    start = t
                if not on and start is not None:
                    expected.append((clip, label, start / 43.1, t / 43.1))
                    start = None
    assert rows(to_events(active, 43.1)) == expected


def test_events_end_with_their_clip():
    active = torch.ones(3, 10, 1, dtype=torch.bool)
    active[2, :8] = False
    events = to_events(active, 10.0, durations=torch.tensor([0.95, 2.0, 0.75]))
    assert rows(events) == [(0, 0, 0.0, pytest.approx(0.95)), (1, 0, 0.0, 1.0)]


def test_no_events():
    events = to_events(torch.zeros(2, 5, 3, dtype=torch.bool), 10.0, durations=torch.ones(2))
    assert len(min_duration(merge_gaps(events, 0.2), 0.1)) == 0
    assert events.onset.dtype == torch.float64


def test_frame_rate_is_positive():
    with pytest.raises(WsedError, match="frame_rate"):
        to_events(torch.zeros(1, 5, 1, dtype=torch.bool), 0.0)


# ---- events


def slow_merge(events, gap):
    """Sorted by onset inside each clip and label, joined one by one."""
    out = []
    for clip, label, onset, offset in sorted(events):
        limit = gap[label] if isinstance(gap, list) else gap
        if out and out[-1][:2] == [clip, label] and onset - out[-1][3] < max(limit - 1e-9, 0.0):
            out[-1][3] = max(out[-1][3], offset)
        else:
            out.append([clip, label, onset, offset])
    return [tuple(row) for row in out]


row = st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 20), st.integers(1, 8))
event_rows = st.lists(row, max_size=12).map(lambda rs: [(c, k, a / 10, (a + n) / 10) for c, k, a, n in rs])


@given(event_rows, st.sampled_from([0.0, 0.1, 0.25, 0.5, [0.5, 0.0, 0.1]]))
@settings(max_examples=150, deadline=None)
def test_merge_gaps_equals_a_loop(events, gap):
    assert sorted(rows(merge_gaps(Events.of(events), gap))) == sorted(slow_merge(events, gap))


@given(event_rows)
@settings(max_examples=50, deadline=None)
def test_merging_twice_changes_nothing(events):
    once = merge_gaps(Events.of(events), 0.25)
    assert rows(merge_gaps(once, 0.25)) == rows(once)
    assert rows(once) == sorted(rows(once))


def test_a_gap_as_long_as_the_limit_stays_whatever_the_rounding():
    for start in range(50):
        a, b = start / 10, (start + 1) / 10
        pair = Events.of([(0, 0, a, b), (0, 0, b + 0.2, b + 0.5)])
        assert len(merge_gaps(pair, 0.2)) == 2
        assert len(merge_gaps(pair, 0.21)) == 1


def test_min_duration_keeps_events_of_that_length_whatever_the_rounding():
    frames = torch.arange(50, dtype=torch.float64)
    index = torch.zeros(50, dtype=torch.long)
    events = Events(index, index, frames / 62.5, (frames + 10) / 62.5, torch.ones_like(frames))
    assert len(min_duration(events, 0.16)) == 50
    assert len(min_duration(events, 0.161)) == 0


# ---- dtypes


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_short_floats_are_decoded_in_float32(dtype):
    scores = torch.rand(2, 40, 3, generator=torch.Generator().manual_seed(0)).to(dtype).requires_grad_()
    before = scores.detach().clone()
    for step in (rescale, lambda x: moving_average(x, 5), lambda x: median_filter(x, 5)):
        out = step(scores)
        assert out.dtype == torch.float32
        assert not out.requires_grad
        assert torch.allclose(out, step(before.float()))
    assert torch.equal(threshold(scores, 0.03), threshold(before.float(), 0.03))
    assert torch.equal(scores.detach(), before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_results_on_a_gpu_equal_those_on_the_cpu():
    scores = torch.rand(4, 60, 3, generator=torch.Generator().manual_seed(0))
    valid = torch.arange(60)[None] < torch.tensor([60, 50, 10, 1])[:, None]

    def decode(x, v):
        curves = median_filter(moving_average(rescale(x, 3, v), 5, v), [3, 5, 7], v)
        active = hysteresis(curves, 0.3, 0.6) & v[..., None]
        return rows(merge_gaps(to_events(active, 10.0), 0.2)), rows(to_events(active, 10.0))

    assert decode(scores.cuda(), valid.cuda()) == decode(scores, valid)
