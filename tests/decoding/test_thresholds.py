"""Threshold searches against brute force over every distinct score, and against the metrics they serve."""

import dataclasses
import json
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.decoding import Decoder, StepDecoder, decode_at, merge_gaps, threshold, to_events
from wsed.decoding.sebb import BoxDecoder, boxes_at
from wsed.decoding.segments import segment_labels, segment_scores
from wsed.decoding.thresholds import exact_thresholds, f1_at, grid_thresholds, random_thresholds
from wsed.decoding.tuning import THRESHOLDS, Tuning, tune_events
from wsed.errors import WsedError
from wsed.metrics import event_counts, segment_counts, tag_counts
from wsed.truth import Truth
from wsed.types import Events
from wsed.values import Scores

sizes = st.tuples(st.integers(1, 14), st.integers(1, 3), st.integers(0, 10**6), st.sampled_from([2, 5, 1000]))
clip_sizes = st.tuples(st.integers(1, 3), st.integers(1, 17), st.integers(1, 3), st.integers(0, 10**6))


def items(size, dtype=torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    n, labels, seed, distinct = size
    draw = torch.Generator().manual_seed(seed)
    scores = torch.randint(0, distinct, (n, labels), generator=draw).to(dtype) / distinct
    return torch.rand(n, labels, generator=draw) > 0.6, scores


def curves(size) -> torch.Tensor:
    clips, frames, labels, seed = size
    whole = torch.randint(0, 9, (clips, frames, labels), generator=torch.Generator().manual_seed(seed))
    return whole.double() / 8


def of(scores: torch.Tensor, rate: float = 10.0, **more) -> Scores:
    return Scores.of_padded(scores, rate, **more)


def truth_of(events: Events, n_clips: int, n_labels: int) -> Truth:
    return Truth.of_events(events, n_clips, n_labels)


def rows(events: Events) -> list[tuple]:
    return list(zip(*(getattr(events, k).tolist() for k in ("clip", "label", "onset", "offset")), strict=True))


def some_events(size, seconds: float = 5.0) -> Events:
    draw = np.random.default_rng(size[-1])
    n = 8
    onset = draw.random(n) * seconds
    table = zip(draw.integers(0, size[0], n), draw.integers(0, size[2], n), onset, onset + draw.random(n), strict=True)
    return Events.of(table)


# ---- items


@given(sizes, st.sampled_from([torch.float32, torch.float64]))
@settings(max_examples=150, deadline=None)
def test_exact_search_finds_the_best_of_all_thresholds(size, dtype):
    labels, scores = items(size, dtype)
    tuned = exact_thresholds(labels, scores, "here")
    everywhere = torch.cat([scores, scores - 0.5 / size[3], torch.full_like(scores[:1], -1.0)])
    counts = [tag_counts(labels, scores > row) for row in everywhere]
    best = np.max([c.f1 for c in counts], axis=0)
    assert tuned.score == pytest.approx(best, abs=1e-12, nan_ok=True)
    # The thresholds, written out as plain numbers and read back, reach that score.
    again = json.loads(json.dumps(dataclasses.asdict(tuned)))["values"]["threshold"]
    reached = tag_counts(labels, threshold(scores[:, None], again)[:, 0])
    assert reached.f1 == pytest.approx(best, abs=1e-12, nan_ok=True)
    assert all(value == 0.5 for value, known in zip(again, labels.any(0).tolist(), strict=True) if not known)


def test_exact_threshold_lies_midway_and_as_high_as_can_be():
    labels = torch.tensor([[1], [1], [0], [0]], dtype=torch.bool)
    tuned = exact_thresholds(labels, torch.tensor([[0.75], [0.5], [0.25], [0.0]]), "val", setting="tag_threshold")
    assert tuned.values == {"tag_threshold": (0.375,)}
    assert (tuned.score, tuned.macro, tuned.tuned_on) == ((1.0,), 1.0, "val")
    decoder = tuned.apply(StepDecoder(tags="clip"))
    assert decoder == StepDecoder(tags="clip", tag_threshold=[0.375])


def test_neighbouring_floats_can_be_told_apart():
    above = torch.nextafter(torch.tensor(0.5), torch.tensor(1.0))
    labels, scores = torch.tensor([[True], [False]]), torch.stack([above, torch.tensor(0.5)])[:, None]
    tuned = exact_thresholds(labels, scores, "here")
    assert threshold(scores[:, None], tuned.values["threshold"])[:, 0, 0].tolist() == [True, False]


@pytest.mark.parametrize("value", [0.0, 0.7, -300.0])
def test_constant_scores_are_all_accepted(value):
    labels, scores = torch.tensor([[True], [False]]), torch.full((2, 1), value)
    tuned = exact_thresholds(labels, scores, "here")
    assert (scores > torch.tensor(tuned.values["threshold"])).all()
    assert tuned.score == pytest.approx([2 / 3])


def test_what_is_never_accepted_wins_no_threshold():
    """Frames of clips that the tags block are -inf: their events are lost, whatever the threshold."""
    labels = torch.tensor([[1, 1], [1, 1], [1, 0], [0, 0]], dtype=torch.bool)
    scores = torch.tensor([[0.9, -torch.inf], [-torch.inf, -torch.inf], [-torch.inf] * 2, [-torch.inf] * 2])
    found = exact_thresholds(labels, scores, "validation", default=0.3)
    assert 0.0 < found.values["threshold"][0] < 0.9
    assert found.values["threshold"][1] == pytest.approx(0.3)
    assert list(found.score) == pytest.approx([0.5, 0.0])


def test_no_items_and_wrong_shapes():
    empty = exact_thresholds(torch.zeros(0, 2, dtype=torch.bool), torch.zeros(0, 2), "nothing")
    assert empty.values == {"threshold": (0.5, 0.5)}
    assert np.isnan(empty.macro)
    with pytest.raises((WsedError, TypeError)):
        exact_thresholds(torch.zeros(3, 2, dtype=torch.bool), torch.zeros(2, 2), "nothing")


@given(sizes)
@settings(max_examples=60, deadline=None)
def test_grid_search_equals_a_loop(size):
    labels, scores = items(size, torch.float64)
    grid = [0.0, 0.2, 0.4, 0.41, 0.9]
    f1 = np.stack([tag_counts(labels, scores > value).f1 for value in grid])
    table = torch.tensor(grid, dtype=torch.float64)[:, None].expand(-1, size[1])
    assert f1_at(labels, scores, table).numpy() == pytest.approx(f1, abs=1e-12, nan_ok=True)
    tuned = grid_thresholds(labels, scores, "here", grid=grid)
    for i in range(size[1]):
        found = f1[:, i].max() > 0  # not if it is NaN; where no value finds a positive, the default is kept
        assert tuned.values["threshold"][i] == (grid[int(f1[:, i].argmax())] if found else 0.5)


def test_grid_search_of_mmnet(golden):
    g = golden("mmnet_metrics")
    labels, scores = torch.tensor(g["y"]).bool(), torch.tensor(g["p"], dtype=torch.float64)
    tuned = grid_thresholds(labels, scores, "test")
    best = g["best_per_class_threshold_F1_R_P"]
    assert tuned.values["threshold"] == pytest.approx([row[0] for row in best])
    assert tuned.score == pytest.approx([row[1] for row in best], abs=1e-12)
    assert tuned.macro == pytest.approx(g["macro"]["F1"], abs=1e-12)
    exact = exact_thresholds(labels, scores, "test")
    assert all(e >= t - 1e-12 for e, t in zip(exact.score, tuned.score, strict=True))


def test_random_search_returns_the_best_it_met():
    labels, scores = items((80, 4, 0, 1000))
    scores = 0.3 + 0.3 * scores + 0.1 * labels
    tuned = random_thresholds(labels, scores, "val", restarts=20, seed=1)
    assert tuned == random_thresholds(labels, scores, "val", restarts=20, seed=1)
    reached = tag_counts(labels, scores > torch.tensor(tuned.values["tag_threshold"]))
    assert tuned.score == pytest.approx(reached.f1, abs=1e-12)  # the values are those of the score, not later ones
    at_half = tag_counts(labels, scores > 0.5).macro_f1
    assert at_half < tuned.macro <= exact_thresholds(labels, scores, "val").macro + 1e-12
    assert random_thresholds(labels, scores, "val", restarts=60).macro >= tuned.macro - 0.05


def test_random_search_keeps_a_half_where_nothing_is_better():
    labels, scores = torch.tensor([[True, False], [False, False]]), torch.tensor([[0.9, 0.2], [0.1, 0.3]])
    assert random_thresholds(labels, scores, "val", restarts=3).values == {"tag_threshold": (0.5, 0.5)}


# ---- segments


@given(clip_sizes, st.sampled_from([1.0, 3.0, 15.625, 0.7]), st.sampled_from([None, 0.4, 0.9]))
@settings(max_examples=120, deadline=None)
def test_segment_search_is_exact_for_segment_counts(size, rate, share):
    frame_scores, reference = curves(size), some_events(size)
    length = 1.0
    durations = torch.full((size[0],), share * size[1] / rate, dtype=torch.float64) if share else None
    table, counted = segment_scores(of(frame_scores, rate, durations=durations), length)
    truth = segment_labels(reference, size[0], size[2], table.shape[1], length)
    ends = durations if share else torch.full((size[0],), size[1] / rate, dtype=torch.float64)
    for level in (-0.1, 0.25, 0.6, 0.9):
        events = to_events(threshold(frame_scores, level), rate, durations)
        counts = segment_counts(reference, events, size[2], length=length, durations=ends)
        mine = tag_counts(truth[counted], table[counted] > level)
        assert [*mine.tp, *mine.n_sys] == [*counts.tp, *counts.n_sys]
        # Reference beyond the last frame has no segment here: both have it cut at the clip's end.
        assert mine.n_ref.tolist() == counts.n_ref.tolist()
    tuned = exact_thresholds(truth[counted], table[counted], "here")
    events = to_events(threshold(frame_scores, tuned.values["threshold"]), rate, durations)
    final = segment_counts(reference, events, size[2], length=length, durations=ends)
    assert tuned.score == pytest.approx(final.f1, abs=1e-12, nan_ok=True)


def test_segments_of_padded_clips():
    scores, valid = curves((2, 12, 2, 3)), torch.arange(12)[None] < torch.tensor([[12], [5]])
    table, counted = segment_scores(of(scores, 4.0, valid=valid))
    alone, _ = segment_scores(of(scores[1:, :5], 4.0))
    assert counted.tolist() == [[True, True, True], [True, True, False]]
    assert torch.equal(table[1, :2], alone[0])


@pytest.mark.parametrize("shape", [(0, 5, 2), (2, 0, 2)])
def test_segments_of_nothing(shape):
    table, counted = segment_scores(of(torch.rand(*shape)))
    assert counted.sum() == 0
    assert table.shape[0] == shape[0]


# ---- events


@given(clip_sizes, st.booleans())
@settings(max_examples=100, deadline=None)
def test_sweep_equals_decoding_at_each_threshold(size, everything):
    scores, levels = curves(size), [-0.5, 0.0, 0.125, 0.3, 0.5, 0.999, 2.0]
    draw = torch.Generator().manual_seed(size[3])
    more = {"durations": torch.full((size[0],), torch.inf)}
    if everything:
        lengths = torch.randint(0, size[1] + 1, (size[0], 1), generator=draw)
        more["valid"] = torch.arange(size[1])[None] < lengths
        more["tags"] = torch.rand(size[0], size[2], generator=draw) > 0.3
        more["durations"] = torch.rand(size[0], generator=draw) * size[1] / 4
    tags = more.pop("tags", None)
    swept = decode_at(of(scores, 4.0, **more), levels, tags)
    expected = []
    for i, level in enumerate(levels):
        active = threshold(scores, level)
        if everything:
            active = active & more["valid"][..., None] & tags[:, None]
        expected += [(c + i * size[0], *rest) for c, *rest in rows(to_events(active, 4.0, more["durations"]))]
    assert rows(swept) == expected


@given(clip_sizes)
@settings(max_examples=30, deadline=None)
def test_sweep_of_boxes_equals_a_loop(size):
    boxes, levels = BoxDecoder(4.0).boxes(of(curves(size), 1.0)), [0.0, 0.2, 0.5, 0.7]
    expected = [(c + i * size[0], *rest) for i, t in enumerate(levels) for c, *rest in rows(boxes.above(t))]
    assert sorted(rows(boxes_at(boxes, levels, size[0]))) == sorted(expected)


def noisy_system(clips: int = 30, labels: int = 3) -> tuple[Scores, Truth]:
    """Scores at 10 frames a second that follow the events of half of the labels better than those of the others."""
    reference = some_events((clips, 0, labels - 1, 7), 6.0)
    reference = Events.cat([reference, some_events((clips, 0, labels - 1, 8), 6.0)])
    truth = reference.rasterise(clips, labels, 80, 10.0).double()
    noise = torch.rand(clips, 80, labels, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    scores = 0.55 * truth + 0.6 * noise * torch.tensor([0.5, 1.0, 0.8])
    return of(scores), truth_of(reference, clips, labels)


def f1_of(decoder: Decoder, scores: Scores, truth: Truth, count=event_counts, tags=None):
    return count(truth.events, decoder(scores, tags).events, truth.tags.shape[1])


@pytest.mark.parametrize("collar", [0.2, 0.5])
def test_tuned_decoder_equals_a_loop_over_all_settings(collar):
    scores, truth = noisy_system()
    count, levels, medians = partial(event_counts, onset_collar=collar), [0.2, 0.4, 0.5, 0.6], [0.0, 0.3, 0.7]
    decoder = StepDecoder(merge_gap=0.15, min_duration=0.1)
    settings = decoder.candidates(10.0, medians)
    tuned = tune_events(decoder, scores, truth, count, "val", thresholds=levels, settings=settings)
    tried = {}
    for median in medians:
        for level in levels:
            one = dataclasses.replace(decoder, median=median or None, threshold=level)
            tried[median or 0.1, level] = f1_of(one, scores, truth, count).f1
    best = np.max(list(tried.values()), axis=0)
    assert tuned.score == pytest.approx(best, abs=1e-12, nan_ok=True)
    pairs = list(zip(tuned.values["median"], tuned.values["threshold"], strict=True))
    assert [tried[pair][i] for i, pair in enumerate(pairs[:2])] == pytest.approx(best[:2])
    # The last label has no reference: it gets what is best for the mean of the others.
    assert np.isnan(tuned.score[2])
    assert tried[pairs[2]][:2].mean() == pytest.approx(max(v[:2].mean() for v in tried.values()))
    # And the tuned decoder does what the search promises.
    final = f1_of(tuned.apply(decoder), scores, truth, count)
    assert final.f1 == pytest.approx(best, nan_ok=True)
    assert final.macro_f1 == pytest.approx(tuned.macro)


def test_each_label_gets_the_gap_that_is_best_for_it():
    """Class 0 pauses for 0.5 s within an event, class 1 between two events."""
    curve = torch.zeros(4, 60, 2)
    curve[:, 10:20] = curve[:, 25:35] = 0.9
    events = (0, 1.0, 3.5), (1, 1.0, 2.0), (1, 2.5, 3.5)
    reference = Events.of([(clip, *event) for clip in range(4) for event in events])
    truth, tuning = truth_of(reference, 4, 2), Tuning(thresholds="events", gaps=[0.0, 1.0])
    decoder, done = tuning.tune(StepDecoder(), of(curve), truth, event_counts)
    assert decoder.merge_gap == [1.0, 0.0]
    assert done["gaps"] == [0.0, 1.0]
    assert f1_of(decoder, of(curve), truth).f1.tolist() == [1.0, 1.0]
    both = Tuning(thresholds="events", medians=[0.0, 0.3], gaps=[0.0, 1.0])
    assert len(decoder.candidates(10.0, both.medians, both.gaps)) == 4
    with pytest.raises(WsedError, match="3 values of merge_gap for 2 labels"):
        dataclasses.replace(decoder, merge_gap=[0.0, 0.1, 0.2])(of(curve))
    with pytest.raises(WsedError, match=r"gaps needs evaluation\.tuning\.thresholds"):
        Tuning(tags="exact", gaps=[0.5])
    for wrong in ([], [-1.0], [float("nan")], [float("inf")]):
        with pytest.raises(WsedError, match=r"evaluation\.tuning\.gaps must have"):
            Tuning(thresholds="events", gaps=wrong)
    with pytest.raises(WsedError, match="without medians, gaps and tags"):
        Tuning(thresholds="events", gaps=[0.5]).check(BoxDecoder())


def test_tuned_boxes_do_what_the_search_promises():
    scores, truth = noisy_system()
    settings = [s for s in BoxDecoder().candidates(10.0) if s["merge_rel"] == 2.0]
    tuned = tune_events(BoxDecoder(), scores, truth, event_counts, "val", settings=settings)
    assert set(tuned.values) == {"threshold", "window", "merge_abs", "merge_rel"}
    final = f1_of(tuned.apply(BoxDecoder()), scores, truth)
    assert final.f1 == pytest.approx(tuned.score, nan_ok=True)
    assert tuned.macro > 0.3


def test_tags_and_the_decoders_own_median_are_kept():
    scores, truth = noisy_system()
    tags = torch.rand(30, 3, generator=torch.Generator().manual_seed(1)) > 0.5
    decoder = StepDecoder(median=0.5, tags="oracle")
    tuned = tune_events(decoder, scores, truth, event_counts, "val", thresholds=[0.3, 0.5], tags=tags)
    assert set(tuned.values) == {"threshold"}
    final = f1_of(tuned.apply(decoder), scores, truth, tags=tags)
    assert final.f1 == pytest.approx(tuned.score, nan_ok=True)
    with pytest.raises(WsedError, match="oracle"):
        tune_events(decoder, scores, truth, event_counts, "val")


def test_no_clips_no_reference():
    nothing = tune_events(StepDecoder(), of(torch.zeros(0, 5, 2)), truth_of(Events.of([]), 0, 2), event_counts, "none")
    assert np.isnan(nothing.macro)
    assert nothing.values == {"threshold": (0.5, 0.5)}  # nothing can be learned here: those of the decoder
    assert len(decode_at(of(torch.zeros(2, 0, 3)), THRESHOLDS)) == 0
    assert len(merge_gaps(decode_at(of(torch.zeros(2, 1, 3)), [0.1]), 0.2)) == 0


def test_mistakes_are_told():
    nothing = of(torch.zeros(1, 2, 1)), truth_of(Events.of([]), 1, 1)
    with pytest.raises(WsedError, match="rise"):
        decode_at(of(torch.zeros(1, 2, 1)), [0.5, 0.5])
    with pytest.raises(WsedError, match="frame_rate"):
        decode_at(of(torch.zeros(1, 2, 1), 0.0), [0.5])
    with pytest.raises(WsedError, match="hysteresis"):
        tune_events(StepDecoder(low=0.1), *nothing, event_counts, "none")
    with pytest.raises(WsedError, match="at least one threshold"):
        tune_events(StepDecoder(), *nothing, event_counts, "none", thresholds=[])


def test_unknown_classes_of_a_clip_have_no_say():
    """Two clips, of which the second knows nothing of class 1: its detections there are no false alarms."""
    scores, truth = noisy_system()
    known = torch.ones(30, 3, dtype=torch.bool)
    known[15:, 1] = False
    partial_truth = dataclasses.replace(truth, timed=known)
    tuned = tune_events(StepDecoder(), scores, partial_truth, event_counts, "val")
    first = torch.arange(15)
    alone = tune_events(StepDecoder(), scores.select(first), truth.select(first), event_counts, "val")
    assert tuned.values["threshold"][1] == alone.values["threshold"][1]
    assert tuned.score[1] == alone.score[1]
    whole = tune_events(StepDecoder(), scores, truth, event_counts, "val")
    assert tuned.score[0] == whole.score[0]


class _Twice(StepDecoder):
    """A decoder without a search of its own."""

    at = Decoder.at


def test_any_decoder_is_swept_threshold_by_threshold():
    scores, _ = noisy_system()
    slow, fast = (cls(merge_gap=0.2).at(scores, [0.2, 0.4]) for cls in (_Twice, StepDecoder))
    assert rows(slow) == rows(fast)
