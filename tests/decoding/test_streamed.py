"""Scores that come bit by bit are decoded as they are at once, in bounded memory."""

import pytest
import torch

from wsed.decoding import BoxDecoder, StepDecoder
from wsed.decoding.streamed import StreamedDecoder
from wsed.values import Scores

RATE = 10.0
DECODERS = [
    StepDecoder(),
    StepDecoder(threshold=[0.4, 0.6, 0.5], smooth=0.5, median=0.7, merge_gap=0.3, min_duration=0.4),
    StepDecoder(threshold=0.6, low=0.45, merge_gap=0.2),
    StepDecoder(threshold=[0.4, 0.6, 0.5], merge_gap=[0.0, 0.3, 1.0]),
]


def curve(frames, labels=3, seed=0):
    noise = torch.rand(frames + 30, labels, generator=torch.Generator().manual_seed(seed))
    return noise.unfold(0, 6, 1).mean(-1)[:frames]


def streamed(decoder, scores, sizes, every=0.0, duration=None):
    decode, events = StreamedDecoder(decoder, RATE, every), []
    parts = list(torch.split(scores, sizes))
    for part in parts[:-1]:
        events += decode.push(part)
    events += decode.finish(parts[-1], len(scores) / RATE if duration is None else duration)
    return events, decode


def rows(detections):
    events = detections.events
    table = (events.label, events.onset, events.offset, detections.confidence)
    return sorted(zip(*(column.tolist() for column in table), strict=True))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(("size", "every"), [(7, 0.0), (50, 12.0)])
def test_events_are_those_of_decoding_the_whole(decoder, size, every):
    scores = curve(300)
    changes, _ = streamed(decoder, scores, size, every, duration=29.93)
    ended = sorted((c.label, c.onset, c.offset, c.confidence) for c in changes if c.offset is not None)
    whole = rows(decoder(Scores.of_clips(("a",), [scores], RATE, torch.tensor([29.93], dtype=torch.float64))))
    assert len(whole) > 10
    for mine, theirs in zip(ended, whole, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-6)


def test_boxes_of_wide_windows_are_those_of_the_whole():
    """Their windows reach further than the 5 s of other decoders."""
    torch.manual_seed(0)
    steps = torch.tensor([0.1, 0.9]).repeat_interleave(150).repeat(4)[:, None]
    scores, decoder = steps + 0.05 * torch.rand(1200, 1), BoxDecoder(window=20.0)
    changes, _ = streamed(decoder, scores, 50)
    ended = [time for c in changes if c.offset is not None for time in (c.onset, c.offset)]
    whole = decoder(Scores.of_clips(("a",), [scores], RATE)).events
    assert ended == pytest.approx(torch.stack([whole.onset, whole.offset], dim=1).flatten().tolist())


@pytest.mark.parametrize(("size", "every"), [(7, 0.0), (50, 60.0)])
def test_a_class_that_low_keeps_on_stays_on(size, every):
    """An event far longer than the buffer, which is above the threshold only in its first second."""
    scores = torch.full((6000, 2), 0.02)
    scores[100:120], scores[120:5000, 0] = 0.9, 0.3
    changes, _ = streamed(StepDecoder(threshold=0.6, low=0.1), scores, size, every)
    assert sorted(c[:3] for c in changes if c.offset is not None) == [(0, 10.0, 500.0), (1, 10.0, 12.0)]


@pytest.mark.parametrize("every", [0.0, 20.0])
@pytest.mark.parametrize("filters", [{"smooth": 0.5}, {"median": 0.5}, {"smooth": 0.5, "merge_gap": 0.3}])
def test_the_edges_of_a_buffer_switch_nothing(filters, every):
    """At its ends, a filter mirrors the buffer; with hysteresis, a wrong score there lasted for seconds."""
    decoder = StepDecoder(threshold=0.6, low=0.2, **filters)
    noise = torch.randn(1, 2, 4000, generator=torch.Generator().manual_seed(1))
    slow = torch.nn.functional.avg_pool1d(noise, 9, 1, 4)[0].T
    scores = torch.sigmoid(slow / slow.std() * 1.2 - 0.8)
    changes, _ = streamed(decoder, scores, 50, every)
    ended = sorted(tuple(c) for c in changes if c.offset is not None)
    whole = rows(decoder(Scores.of_clips(("a",), [scores], RATE)))
    assert len(whole) > 100
    for mine, theirs in zip(ended, whole, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-6)


def test_each_onset_is_told_before_its_offset():
    changes, _ = streamed(StepDecoder(), curve(100), 1)
    begun = {}
    for change in changes:
        if change.offset is None:
            assert change.label not in begun
            begun[change.label] = change.onset
        else:
            assert begun.pop(change.label) == change.onset
    assert not begun


def test_memory_does_not_grow_with_an_event_that_never_ends():
    scores = torch.cat([torch.zeros(20, 1), torch.full((40_000, 1), 0.9), torch.zeros(20, 1)])
    changes, decode = streamed(StepDecoder(merge_gap=0.2), scores, 500)
    assert [c[:3] for c in changes] == [(0, 2.0, None), (0, 2.0, 4002.0)]
    assert changes[1].confidence == pytest.approx(0.9)
    assert sum(map(len, decode._parts)) < 2000


def test_boxes_are_nearly_those_of_the_whole():
    scores = torch.zeros(900, 1)
    for first, stop in ((100, 130), (300, 380), (600, 615)):
        scores[first:stop] = 0.8
    changes, _ = streamed(BoxDecoder(), scores, 50)
    ended = [(c.onset, c.offset) for c in changes if c.offset is not None]
    assert ended == [(10.0, 13.0), (30.0, 38.0), (60.0, 61.5)]


def test_windows_are_rescaled_and_gated_before_they_are_joined():
    decoder = StepDecoder(rescale_edge=0, tags="clip", smooth=0.3, threshold=0.5)
    frames = torch.tensor([[0.1, 0.3], [0.2, 0.4], [0.3, 0.5]])
    scores = Scores.of_clips(("a",), [frames], 1.0, clip_scores=torch.tensor([[0.9, 0.2]]))
    torch.testing.assert_close(decoder.within(scores).frames, torch.tensor([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]))
    assert decoder.across() == StepDecoder(smooth=0.3, threshold=0.5)
    boxes = BoxDecoder(tags="clip")
    torch.testing.assert_close(boxes.within(scores).frames, frames * torch.tensor([1.0, 0.0]))
    assert boxes.across() == BoxDecoder()
