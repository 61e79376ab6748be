"""The published decoder's way of counting: golden values, a loop over frames, and the contract of decoders."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.cosine_penalty.readings import MiscountingDecoder, borders
from tests.decoding.test_step_decoder import GOLDEN, of, rows, scores_of
from tests.decoding.test_steps import column, random_scores, sizes
from wsed import testing
from wsed.decoding import StepDecoder, tune_events
from wsed.metrics import event_counts
from wsed.types import Events
from wsed.values import Truth

ENDLESS = torch.tensor([torch.inf])
PUBLISHED = MiscountingDecoder(rescale_edge=3, smooth=19 * 10 / 431, threshold=0.03)


def frames_of(scores, low, high):
    """The events of one clip and class, in frames: at one frame a second."""
    decoder = MiscountingDecoder(threshold=high, low=low if low < high else None)
    events = decoder(of(scores, 1.0, durations=ENDLESS)).events
    return [[int(a), int(b)] for a, b in zip(events.onset, events.offset, strict=True)]


@pytest.mark.parametrize("gap", [0.0, 0.2])
@pytest.mark.parametrize("name", sorted(GOLDEN["cases"]))
def test_golden_events(name, gap):
    case = GOLDEN["cases"][name]
    expected: list[list[float]] = []
    for first, stop in case["frames_legacy"]:
        if expected and first * 10 / 431 - expected[-1][1] < gap:
            expected[-1][1] = stop * 10 / 431
        else:
            expected.append([first * 10 / 431, stop * 10 / 431])
    decoder = dataclasses.replace(PUBLISHED, merge_gap=gap)
    whole = of(column(case["curve"]), 43.1, durations=ENDLESS)
    assert [row[2:] for row in rows(decoder(whole))] == [pytest.approx(span, abs=1e-9) for span in expected]
    # An event that the published decoder lets run on beyond the clip is cut there, like every other.
    cut = decoder(of(column(case["curve"]), 43.1, durations=torch.tensor([10.0])))
    assert all(offset <= 10.0 for *_, offset in rows(cut))


def miscounted(curve, low, high):
    """The published decoder's rules, frame by frame: runs of [on, length], added up."""
    runs = [[curve[0] > high, 1]]
    for score in curve:
        on, run = score > high, runs[-1]
        if on or score <= low:
            if on == run[0]:
                run[1] += 1
            else:
                runs.append([on, int(on)])
    ends = np.cumsum([length for _, length in runs]).tolist()
    return [[end - length, end] for (on, length), end in zip(runs, ends, strict=True) if on]


@given(sizes, st.sampled_from([(0.4, 0.4), (0.0, 0.0), (0.2, 0.6), (0.0, 0.8), (-1.0, 0.5)]))
@settings(max_examples=150, deadline=None)
def test_events_equal_a_loop(size, limits):
    scores, (low, high) = random_scores(*size), limits
    decoder = MiscountingDecoder(threshold=high, low=low if low < high else None)
    expected = []
    for clip in range(scores.shape[0]):
        for label in range(scores.shape[2]):
            expected += [(clip, label, *run) for run in miscounted(scores[clip, :, label].tolist(), low, high)]
    found = decoder(of(scores, 1.0, durations=ENDLESS.expand(len(scores))))
    assert rows(found) == expected


def test_event_k_is_shifted_by_one_minus_k():
    runs = [(2, 5), (8, 9), (11, 14), (20, 30)]
    active = torch.zeros(1, 30, 1)
    for first, stop in runs:
        active[0, first:stop] = 1.0
    moved = [[first + 1 - k, stop + 1 - k] for k, (first, stop) in enumerate(runs)]
    assert frames_of(active, 0.5, 0.5) == moved
    active[0, :2] = 1.0
    assert frames_of(active, 0.5, 0.5) == [[0, 6], *moved[1:]]


def test_frames_between_low_and_high_are_not_counted():
    scores = column([0.3, 0.9, 0.3, 0.3, 0.9, 0.0, 0.3, 0.0, 0.9])
    # Frame 0 counts once though it lies between; 2 and 3 do not, nor do 5 (switches off) and 6: one frame off, not 3.
    assert frames_of(scores, 0.1, 0.5) == [[1, 3], [4, 5]]
    assert borders(torch.zeros(2, 0, 3), 0.1, 0.5).tolist() == [[[0] * 3]] * 2


def test_one_threshold_a_label_tags_and_padding():
    lengths = torch.tensor([80, 31, 6])
    valid, scores = torch.arange(80)[None] < lengths[:, None], scores_of()
    tags = torch.tensor([[True, False], [True, True], [True, True]])
    decoder = MiscountingDecoder(smooth=0.3, threshold=[0.6, 0.5], low=0.4, tags="oracle")
    endless = ENDLESS.expand(3)
    together = decoder(of(scores, valid=valid, durations=endless), tags)
    alone = [
        decoder(of(scores[i : i + 1, :n], durations=endless[:1]), tags[i : i + 1])
        for i, n in enumerate(lengths.tolist())
    ]
    assert rows(together) == [(i, *row[1:]) for i, events in enumerate(alone) for row in rows(events)]
    exact = StepDecoder(**decoder.values())(of(scores, valid=valid, durations=endless), tags)
    assert len(exact) == len(together) > 3
    assert rows(exact) != rows(together)


@pytest.mark.parametrize("shape", [(0, 20, 2), (2, 0, 2), (2, 1, 2)], ids=["no clips", "no frames", "one frame"])
def test_hardly_any_scores_give_no_events(shape):
    decoder = MiscountingDecoder(rescale_edge=3, smooth=0.5, median=0.3, low=0.2, merge_gap=0.2, min_duration=0.1)
    assert len(decoder(of(torch.rand(*shape)))) == 0


@pytest.mark.parametrize("decoder", [MiscountingDecoder(), MiscountingDecoder(median=0.3, threshold=[0.3, 0.6])])
def test_it_keeps_the_contract_of_decoders(decoder):
    testing.check_decoder(decoder)


def test_thresholds_are_searched_with_its_counting():
    scores, tags = of(scores_of(clips=6), durations=torch.full((6,), 8.0)), torch.ones(6, 2, dtype=torch.bool)
    truth = Truth.of_events(Events.of([(i, i % 2, 2.0, 5.0) for i in range(6)]), 6, 2)
    levels = [0.3, 0.6, 0.9]
    tuned = tune_events(MiscountingDecoder(smooth=0.5), scores, truth, event_counts, "validation", thresholds=levels)
    best = tuned.apply(MiscountingDecoder(smooth=0.5))
    assert isinstance(best, MiscountingDecoder)
    macro = event_counts(truth.events, best(scores, tags).events, 2).macro_f1
    each = [MiscountingDecoder(smooth=0.5, threshold=level)(scores, tags).events for level in levels]
    assert macro >= max(event_counts(truth.events, events, 2).macro_f1 for events in each)
