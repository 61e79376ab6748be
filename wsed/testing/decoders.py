"""The contract of decoders."""

from dataclasses import replace

import torch

from wsed.decoding.base import Decoder, replaced
from wsed.types import Events
from wsed.values import Detections, Scores

RATE = 10.0


def scores(n_clips: int = 3, n_frames: int = 40, n_labels: int = 2, seed: int = 0) -> Scores:
    """Smooth frame scores in [0, 1] of clips with different lengths, with clip scores.

    >>> scores(n_clips=2).need_frames()[1].tolist()
    [40, 28]
    """
    draw = torch.Generator().manual_seed(seed)
    steps = torch.rand(n_clips, n_labels, n_frames // 5 + 1, generator=draw)
    curves = torch.nn.functional.interpolate(steps, n_frames, mode="linear").transpose(1, 2)
    valid = torch.arange(n_frames) < torch.tensor([n_frames - 12 * (i % 2) for i in range(n_clips)])[:, None]
    return Scores.of_padded(curves, RATE, valid=valid, clip_scores=curves.amax(1))


def check_decoder(decoder: Decoder) -> None:
    """Check the contract of a `Decoder`.

    Events lie in their clips, are sorted and have a confidence. The events of a clip do not depend on other clips. At a
    higher threshold, no more time is active. `curves` and `ranked` have the shape of the scores. Settings are plain
    values.

    Raises:
        AssertionError: a rule is broken; the message names it.

    >>> from wsed.decoding import StepDecoder
    >>> check_decoder(StepDecoder(median=0.3))
    """
    inputs = scores()
    tags = torch.tensor([[True, False], [True, True], [False, False]])
    detections = decoder(inputs, tags)
    _check_events(detections, inputs)
    for i in range(len(inputs)):
        clip = torch.tensor([i])
        alone, mine = decoder(inputs.select(clip), tags[clip]), detections[detections.events.clip == i]
        assert torch.equal(alone.events.onset, mine.events.onset), "the events of a clip depend on other clips"
        assert torch.allclose(alone.confidence, mine.confidence), "the confidence depends on other clips"
    for name, part in (("curves", decoder.curves(inputs)), ("ranked", decoder.ranked(inputs, tags))):
        frames, lengths = part.need_frames()
        assert frames.shape == inputs.need_frames()[0].shape, f"{name} has the shape of the scores"
        assert torch.equal(lengths, inputs.need_frames()[1]), f"{name} has the frames of the scores"
        assert not frames.isnan().any(), f"{name} holds NaN"
    empty = decoder(inputs.select(torch.zeros(0, dtype=torch.long)), tags[:0])
    assert len(empty) == 0, "no clips have no events"
    _check_tags(decoder, inputs, tags)
    _check_thresholds(decoder, inputs, tags)
    assert type(decoder)(**decoder.values()) == decoder, "values() must give the decoder back"


def _check_events(detections: Detections, inputs: Scores) -> None:
    events = detections.events
    assert len(detections.confidence) == len(events), "every event has a confidence"
    assert not detections.confidence.isnan().any(), "a confidence is NaN"
    assert bool((events.onset < events.offset).all()), "an event must last"
    assert bool((events.onset >= 0).all()), "an event begins before its clip"
    assert bool((events.offset <= inputs.durations[events.clip] + 1e-9).all()), "an event ends after its clip"
    key = (events.clip * inputs.n_labels + events.label) * 1e6 + events.onset
    assert bool((key[1:] >= key[:-1]).all()), "events are sorted by clip, label and onset"


def _check_tags(decoder: Decoder, inputs: Scores, tags: torch.Tensor) -> None:
    """Check that with `tags: oracle` only the true classes have events and are ranked by PSDS."""
    oracle = replaced(decoder, {"tags": "oracle"})
    detections = oracle(inputs, tags).events
    assert bool(tags[detections.clip, detections.label].all()), (
        "tags: oracle lets a class through that is not in the clip"
    )
    ranked, _ = oracle.ranked(inputs, tags).need_frames()
    blocked = inputs.per_frame(~tags)
    assert bool((ranked[blocked] == -torch.inf).all()), "ranked must be -inf where the tags allow no event"


def _check_thresholds(decoder: Decoder, inputs: Scores, tags: torch.Tensor) -> None:
    levels = [0.2, 0.5, 0.8]
    free = replaced(decoder, {"low": None}) if "low" in decoder.values() else decoder
    swept = free.at(inputs, levels, tags)
    before = torch.inf
    for i, level in enumerate(levels):
        alone = replaced(free, {"threshold": level})(inputs, tags).events
        at = swept[swept.clip // len(inputs) == i]
        at = replace(at, clip=at.clip % len(inputs))
        assert torch.equal(at.onset, alone.onset), "at() differs from the decoder at a threshold"
        assert torch.equal(at.offset, alone.offset), "at() differs from the decoder at a threshold"
        active = _seconds(alone)
        assert active <= before + 1e-9, "more is active at a higher threshold"
        before = active


def _seconds(events: Events) -> float:
    return float((events.offset - events.onset).sum())
