"""The contract of decoders."""

from dataclasses import replace

import torch

from wsed.decoding.base import Decoder, replaced
from wsed.types import Events
from wsed.values import Detections, Scores

RATE = 10.0


def scores(n_clips: int = 3, n_frames: int = 40, n_labels: int = 2, seed: int = 0) -> Scores:
    """Smooth frame scores in [0, 1] of clips of different lengths, with clip scores."""
    draw = torch.Generator().manual_seed(seed)
    steps = torch.rand(n_clips, n_labels, n_frames // 5 + 1, generator=draw)
    curves = torch.nn.functional.interpolate(steps, n_frames, mode="linear").transpose(1, 2)
    valid = torch.arange(n_frames) < torch.tensor([n_frames - 12 * (i % 2) for i in range(n_clips)])[:, None]
    return Scores.of_padded(curves, RATE, valid=valid, clip_scores=curves.amax(1))


def check_decoder(decoder: Decoder) -> None:
    """Check what `Decoder` promises.

    Events lie in their clips, sorted, with a confidence each; a clip's events do not depend on the other clips; at a
    higher threshold no more time is active; `curves` and `ranked` have the shape of the scores; settings are plain.

    >>> from wsed.decoding import StepDecoder
    >>> check_decoder(StepDecoder(median=0.3))
    """
    of = scores()
    tags = torch.tensor([[True, False], [True, True], [False, False]])
    found = decoder(of, tags)
    _check_events(found, of)
    for i in range(len(of)):
        clip = torch.tensor([i])
        alone, mine = decoder(of.select(clip), tags[clip]), found[found.events.clip == i]
        assert torch.equal(alone.events.onset, mine.events.onset), "the events of a clip depend on other clips"
        assert torch.allclose(alone.confidence, mine.confidence), "the confidence depends on other clips"
    for name, part in (("curves", decoder.curves(of)), ("ranked", decoder.ranked(of, tags))):
        frames, lengths = part.need()
        assert frames.shape == of.need()[0].shape, f"{name} has the shape of the scores"
        assert torch.equal(lengths, of.need()[1]), f"{name} has the frames of the scores"
        assert not frames.isnan().any(), f"{name} holds NaN"
    empty = decoder(of.select(torch.zeros(0, dtype=torch.long)), tags[:0])
    assert len(empty) == 0, "no clips have no events"
    _check_tags(decoder, of, tags)
    _check_thresholds(decoder, of, tags)
    assert type(decoder)(**decoder.values()) == decoder, "values() must give the decoder back"


def _check_events(found: Detections, of: Scores) -> None:
    events = found.events
    assert len(found.confidence) == len(events), "every event has a confidence"
    assert not found.confidence.isnan().any(), "a confidence is NaN"
    assert bool((events.onset < events.offset).all()), "an event must last"
    assert bool((events.onset >= 0).all()), "an event begins before its clip"
    assert bool((events.offset <= of.durations[events.clip] + 1e-9).all()), "an event ends after its clip"
    key = (events.clip * of.n_labels + events.label) * 1e6 + events.onset
    assert bool((key[1:] >= key[:-1]).all()), "events are sorted by clip, label and onset"


def _check_tags(decoder: Decoder, of: Scores, tags: torch.Tensor) -> None:
    """With `tags: oracle` only the true classes have events, and PSDS ranks only them."""
    oracle = replaced(decoder, {"tags": "oracle"})
    found = oracle(of, tags).events
    assert bool(tags[found.clip, found.label].all()), "tags: oracle lets a class through that is not in the clip"
    ranked, _ = oracle.ranked(of, tags).need()
    blocked = of.per_frame(~tags)
    assert bool((ranked[blocked] == -torch.inf).all()), "ranked must be -inf where the tags allow no event"


def _check_thresholds(decoder: Decoder, of: Scores, tags: torch.Tensor) -> None:
    levels = [0.2, 0.5, 0.8]
    free = replaced(decoder, {"low": None}) if "low" in decoder.values() else decoder
    swept = free.at(of, levels, tags)
    before = torch.inf
    for i, level in enumerate(levels):
        alone = replaced(free, {"threshold": level})(of, tags).events
        at = swept[swept.clip // len(of) == i]
        at = replace(at, clip=at.clip % len(of))
        assert torch.equal(at.onset, alone.onset), "at() differs from the decoder at a threshold"
        assert torch.equal(at.offset, alone.offset), "at() differs from the decoder at a threshold"
        active = _seconds(alone)
        assert active <= before + 1e-9, "more is active at a higher threshold"
        before = active


def _seconds(events: Events) -> float:
    return float((events.offset - events.onset).sum())
