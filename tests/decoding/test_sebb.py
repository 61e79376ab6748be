"""Bounding boxes against loops written from the paper's words, and what must hold of any of them."""

import dataclasses
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.decoding.test_thresholds import curves as grid_scores
from wsed.decoding import threshold, to_events
from wsed.decoding.sebb import BoxDecoder, box_curves
from wsed.errors import WsedError
from wsed.types import Events
from wsed.values import Detections, Scores

sizes = st.tuples(st.integers(1, 3), st.integers(1, 24), st.integers(1, 3), st.integers(0, 10**6))
merging = st.sampled_from([(0.0, 0.0), (0.26, 9.0), (9.0, 2.1), (0.2, 1.5), (9.0, 99.0), (0.4, 3.0)])


def of(scores: torch.Tensor, rate: float = 1.0, **more) -> Scores:
    return Scores.of_padded(scores, rate, **more)


def rows(boxes: Detections) -> list[tuple]:
    parts = [getattr(boxes.events, k) for k in ("clip", "label", "onset", "offset")] + [boxes.confidence]
    return list(zip(*(part.tolist() for part in parts), strict=True))


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def changes(curve: list[float], half: int) -> list[float]:
    longer = [0.0] * half + curve + [0.0] * half
    return [(sum(longer[t + half : t + 2 * half]) - sum(longer[t : t + half])) / half for t in range(len(curve) + 1)]


def slow_boxes(curve: list[float], half: int, merge_abs: float, merge_rel: float) -> list[tuple[int, int]]:
    steps: list[list] = []  # first border, last border, value; equal neighbours are one
    for t, value in enumerate([0.0, *changes(curve, half), 0.0], start=-1):
        if steps and steps[-1][2] == value:
            steps[-1][1] = t
        else:
            steps.append([t, t, value])
    boxes, onset = [], None
    for before, here, after in zip(steps, steps[1:], steps[2:], strict=False):
        if here[2] > before[2] and here[2] > after[2]:
            onset = here[0]
        elif here[2] < before[2] and here[2] < after[2] and onset is not None:
            boxes.append((onset, here[1]))
            onset = None
    while True:
        dips = []
        for i, ((a, b), (c, d)) in enumerate(pairwise(boxes)):
            top, low = max(*curve[a:b], *curve[c:d]), min(curve[b:c])
            if top - low < merge_abs and top < merge_rel * low:
                dips.append((top - low, i))
        if not dips:
            return boxes
        i = min(dips)[1]
        boxes[i : i + 2] = [(boxes[i][0], boxes[i + 1][1])]


@given(sizes, st.integers(1, 5), merging)
@settings(max_examples=150, deadline=None)
def test_boxes_equal_a_loop(size, half, merge):
    scores = grid_scores(size)
    ours = rows(BoxDecoder(2.0 * half, *merge).boxes(of(scores)))
    expected = []
    for clip in range(size[0]):
        for label in range(size[2]):
            curve = scores[clip, :, label].tolist()
            for a, b in slow_boxes(curve, half, *merge):
                expected.append((clip, label, float(a), float(b), mean(curve[a:b])))
    assert ours == expected


@given(sizes, st.sampled_from([0.125, 0.3, 0.5, 0.9]))
@settings(max_examples=60, deadline=None)
def test_scores_of_boxes_give_the_same_events_at_any_threshold(size, level):
    scores = of(grid_scores(size))
    boxes = BoxDecoder(4.0).boxes(scores)
    curves, _ = box_curves(boxes, scores).padded()
    decoded = to_events(threshold(curves, level), 1.0)
    assert torch.equal(decoded.onset, boxes.above(level).onset)
    assert torch.equal(decoded.offset, boxes.above(level).offset)


def test_the_curve_of_a_clip_does_not_depend_on_the_longest_clip():
    """A box in the second half of the last frame is in that frame."""
    box = Detections(Events.of([(0, 0, 1.8, 2.0)]), torch.tensor([0.5]).double())
    alone = Scores.of_clips(["a"], [torch.zeros(2, 1)], 1.0)
    beside = Scores.of_clips(["a", "b"], [torch.zeros(2, 1), torch.zeros(4, 1)], 1.0)
    assert [box_curves(box, each).split()[0].flatten().tolist() for each in (alone, beside)] == [[0.0, 0.5]] * 2


@given(sizes)
@settings(max_examples=40, deadline=None)
def test_time_reversed_scores_give_time_reversed_boxes(size):
    scores, decoder = grid_scores(size), BoxDecoder(4.0, 0.0, 0.0)
    forth, back = rows(decoder.boxes(of(scores))), rows(decoder.boxes(of(scores.flip(1))))
    turned = [(c, k, size[1] - off, size[1] - on, p) for c, k, on, off, p in back]
    assert sorted(turned) == forth


def test_one_clean_event():
    curve = torch.zeros(1, 100, 2)
    curve[0, 30:60, 1] = 0.75
    boxes = BoxDecoder(0.5).boxes(of(curve, 10.0))
    assert rows(boxes) == [(0, 1, 3.0, 6.0, 0.75)]
    assert len(boxes.above(0.75)) == 0
    with pytest.raises(WsedError, match=r"decoder.threshold has 3 values for \d labels"):
        BoxDecoder(threshold=[0.1, 0.2, 0.3])(of(curve, 10.0))
    assert len(boxes.above([0.9, 0.7])) == len(BoxDecoder(0.5)(of(curve, 10.0))) == 1
    assert boxes.above(torch.tensor([0.9, 0.8])).label.tolist() == []


def test_an_event_does_not_shrink_as_the_threshold_rises():
    ramp = torch.tensor([0, 0, 0.1, 0.3, 0.8, 0.9, 0.9, 0.6, 0.2, 0.1, 0, 0])[None, :, None]
    boxes = BoxDecoder(4.0).boxes(of(ramp))
    assert len(boxes) == 1
    assert {(e.onset.item(), e.offset.item()) for e in map(boxes.above, (0.05, 0.3, 0.5))} == {(4.0, 8.0)}


def test_boxes_are_joined_over_shallow_gaps_only():
    curve = torch.tensor([0.0] * 4 + [0.9] * 4 + [0.7] * 4 + [0.9] * 4 + [0.1] * 4 + [0.8] * 4 + [0.0] * 4)
    scores = of(curve[None, :, None].double())
    apart = BoxDecoder(4.0, 0.0, 0.0).boxes(scores)
    assert [row[2:4] for row in rows(apart)] == [(4.0, 8.0), (12.0, 16.0), (20.0, 24.0)]
    for merge in ((0.25, 0.0), (0.0, 1.5)):  # one of the two is not enough
        assert len(BoxDecoder(4.0, *merge).boxes(scores)) == 3
    joined = BoxDecoder(4.0, 0.25, 1.5).boxes(scores)
    assert [row[2:4] for row in rows(joined)] == [(4.0, 16.0), (20.0, 24.0)]
    assert joined.confidence[0].item() == pytest.approx((0.9 * 8 + 0.7 * 4) / 12)
    assert len(BoxDecoder(4.0, 1.0, 10.0).boxes(scores)) == 1


TWO = [0.0] * 20 + [0.8] * 20 + [0.3] * 10 + [0.4] * 10 + [0.0] * 20
SOFT_THEN_LOUD = [0.0] * 15 + [0.35] * 20 + [0.9] * 20 + [0.0] * 25


@pytest.mark.parametrize(
    ("curve", "merge_abs", "merge_rel", "frames"),
    [
        (TWO, 0.45, 3.0, [(20, 40), (50, 60)]),
        (TWO, 0.55, 2.0, [(20, 40), (50, 60)]),
        (TWO, 0.55, 3.0, [(20, 60)]),
        (TWO, 1.0, 2.0, [(20, 40), (50, 60)]),
        (SOFT_THEN_LOUD, 0.0, 0.0, [(15, 30), (35, 55)]),
    ],
)
def test_boxes_are_those_of_the_published_method(curve, merge_abs, merge_rel, frames):
    """What the authors' package gives for these scores; its source was not read."""
    scores = of(torch.tensor(curve)[None, :, None].double(), 50.0)
    boxes = BoxDecoder(window=0.2, merge_abs=merge_abs, merge_rel=merge_rel).boxes(scores)
    found = [(round(row[2] * 50), round(row[3] * 50)) for row in rows(boxes)]
    assert found == frames


def test_settings_per_label():
    scores = grid_scores((2, 24, 2, 0))
    both = rows(BoxDecoder([2.0, 6.0], [0.0, 0.3], [0.0, 2.0]).boxes(of(scores)))
    alone = [BoxDecoder(2.0, 0.0, 0.0), BoxDecoder(6.0, 0.3, 2.0)]
    for label, decoder in enumerate(alone):
        assert [r for r in both if r[1] == label] == [r for r in rows(decoder.boxes(of(scores))) if r[1] == label]
    decoder = BoxDecoder([2.0, 6.0], threshold=[0.3, 0.4])
    assert BoxDecoder(**dataclasses.asdict(decoder)) == decoder


def test_padding_changes_nothing():
    scores, lengths = grid_scores((3, 24, 2, 5)), [24, 11, 1]
    valid = torch.arange(24)[None] < torch.tensor(lengths)[:, None]
    together = rows(BoxDecoder(6.0).boxes(of(scores, valid=valid)))
    alone = [BoxDecoder(6.0).boxes(of(scores[i : i + 1, :n])) for i, n in enumerate(lengths)]
    assert together == [(i, *row[1:]) for i, boxes in enumerate(alone) for row in rows(boxes)]


def test_constant_curves_and_float32():
    assert len(BoxDecoder().boxes(of(torch.zeros(2, 50, 3), 10.0))) == 0
    whole = BoxDecoder().boxes(of(torch.full((1, 50, 1), 0.3), 10.0))
    assert rows(whole) == [(0, 0, 0.0, 5.0, pytest.approx(0.3))]
    assert rows(BoxDecoder().boxes(of(torch.full((1, 1, 1), 0.3), 10.0))) == [(0, 0, 0.0, 0.1, pytest.approx(0.3))]


@pytest.mark.parametrize("shape", [(0, 20, 2), (2, 0, 2), (2, 5, 0)])
def test_hardly_any_scores_give_no_boxes(shape):
    assert len(BoxDecoder().boxes(of(torch.rand(*shape), 10.0))) == 0


def test_durations_cut():
    boxes = BoxDecoder().boxes(of(torch.full((2, 50, 1), 0.3), 10.0, durations=torch.tensor([4.95, 0.0])))
    assert rows(boxes) == [(0, 0, 0.0, pytest.approx(4.95), pytest.approx(0.3))]


def test_mistakes_are_told():
    with pytest.raises(WsedError, match="window"):
        BoxDecoder(0.0)
    with pytest.raises(WsedError, match="merge_abs"):
        BoxDecoder(merge_abs=[0.1, -1.0])
    with pytest.raises(WsedError, match="frame_rate"):
        BoxDecoder().boxes(of(torch.zeros(1, 4, 1), 0.0))
    with pytest.raises(WsedError, match="3 values of window for 2 labels"):
        BoxDecoder([0.1, 0.2, 0.3]).boxes(of(torch.zeros(1, 4, 2)))
