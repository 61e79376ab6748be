"""Partners of clips among the clips of several processes, which are threads here."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wsed import WsedError, testing
from wsed.augment import MixStyle, Mixup, Noise, SpecAugment
from wsed.augment.base import augmented
from wsed.augment.draws import Draws
from wsed.augment.partners import as_wide, of_partners, partners
from wsed.models import LogMel
from wsed.models.interpolation import mixes
from wsed.ops.clips import take
from wsed.testing.augment import _equal, _sorted
from wsed.testing.ranks import in_ranks
from wsed.types import Events


def clips(n=11):
    """Clips of several lengths, of two sources, with and without events."""
    of = testing.batch(n, n_labels=3)
    rows = [(i, (i + k) % 3, 0.1 * k, 0.1 * k + 0.3) for i in range(n) for k in range(i % 3)]
    return replace(of, events=Events.of(rows), source=torch.arange(n) % 4 // 2)


def seeded():
    return torch.Generator().manual_seed(0)


def of_rank(whole, rank, ranks):
    """A process has each clip after `ranks` others, and pads them to its own longest."""
    part = testing.take(whole, torch.arange(rank, len(whole), ranks))
    return replace(part, audio=part.samples()[:, : int(part.n_samples.max())])


@pytest.mark.parametrize("ranks", [2, 3, 4])
@pytest.mark.parametrize("by_group", [False, True])
def test_partners_are_those_of_one_process(ranks, by_group):
    group = np.arange(11) % 4 // 2
    alone = partners(11, Draws.of("cpu", 3), group if by_group else None)
    rows = torch.arange(11)

    def one(rank, ranks):
        mine = group[rank::ranks]
        other = partners(len(mine), Draws.of("cpu", 3, rank, ranks), mine if by_group else None)
        assert other.total == 11
        return of_partners(rows[rank::ranks], *other.numbers).tolist()

    for rank, received in enumerate(in_ranks(one, ranks)):
        assert received == alone.place[rank::ranks].tolist()


@pytest.mark.parametrize("settings", [{}, {"within_source": True}, {"labels": "hard"}])
@pytest.mark.parametrize("ranks", [2, 3])
def test_mixed_clips_of_any_length_are_those_of_one_process(settings, ranks):
    whole, mixup = clips(12), Mixup(p=0.8, **settings)
    expected = mixup(whole, Draws.of("cpu", 3))
    assert len(expected.events) > len(whole.events)

    def one(rank, ranks):
        return mixup(as_wide(of_rank(whole, rank, ranks)), Draws.of("cpu", 3, rank, ranks))

    for rank, part in enumerate(in_ranks(one, ranks)):
        same = testing.take(expected, torch.arange(rank, len(whole), ranks))
        assert _equal(_sorted(part), _sorted(replace(same, full=part.full)))


@pytest.mark.parametrize("tagged", [(0, 1, 4), (0, 2, 4, 1), (0, 2, 4, 6, 8, 10)])
@pytest.mark.parametrize("views", [[], [SpecAugment(p=1.0), MixStyle(p=1.0), Noise(p=1.0)]])
def test_interpolation_is_that_of_one_process_even_if_one_has_fewer_clips_for_it(tagged, views):
    whole = clips(12)
    known = torch.zeros(12, 3, dtype=torch.bool)
    known[list(tagged)] = True
    whole = replace(whole, tagged=known)
    teacher = testing.output(whole)
    rows = (~known).all(1).nonzero()[:, 0]

    def one(rank, ranks):
        mine, part = torch.arange(rank, 12, ranks), whole
        if ranks > 1:
            part = as_wide(of_rank(whole, rank, ranks))
        draws = Draws.of("cpu", 3, rank, ranks)
        mixed, scores = mixes(part, testing.take_output(teacher, mine), 0.5, draws)
        return augmented(mixed, views, draws, LogMel(sample_rate=8000).raw), scores

    mixed, scores = one(0, 1)
    for rank, (batch, received) in enumerate(in_ranks(one)):
        mine = (rows % 2 == rank).nonzero()[:, 0]
        assert len(batch) == len(mine)
        same = replace(testing.take(mixed, mine), full=batch.full)
        torch.testing.assert_close(batch.features, same.features, atol=1e-4, rtol=1e-5)
        assert _equal(_sorted(replace(batch, features=None)), _sorted(replace(same, features=None)))
        torch.testing.assert_close(received.clip_logits, scores.clip_logits[mine])
        torch.testing.assert_close(received.frame_logits, scores.frame_logits[mine])
        assert torch.equal(received.valid, scores.valid[mine])


def read_as_features(whole):
    """Features of 20 frames per second, padded with silence, which is -5."""
    frames = torch.arange(20) < (whole.n_samples / 400).ceil()[:, None]
    values = torch.where(frames[:, None], torch.randn(len(whole), 4, 20, generator=seeded()), -5.0)
    return replace(whole, audio=None, features=values)


@pytest.mark.parametrize("augment", [Mixup(p=0.8, on="features"), MixStyle(p=1.0), SpecAugment(p=1.0)])
def test_features_of_clips_of_any_length_are_changed_as_in_one_process(augment):
    whole = replace(clips(8), n_samples=torch.tensor([8000, 4000, 6000, 3600, 8000, 4800, 8000, 2400]))
    whole = read_as_features(whole)
    expected = augment(whole, Draws.of("cpu", 3))

    def one(rank, ranks):
        part = take(whole, torch.arange(rank, 8, ranks))
        n_frames = -(-int(part.n_samples.max()) // 400)
        wide = as_wide(replace(part, features=part.features[..., :n_frames]), lambda audio, n: (silence, n))
        return augment(wide, Draws.of("cpu", 3, rank, ranks))

    silence = torch.full((1, 4, 9), -5.0)
    for rank, part in enumerate(in_ranks(one)):
        assert torch.equal(part.features, expected.features[rank::2])
        assert torch.equal(part.n_samples, expected.n_samples[rank::2])


def test_audio_and_features_are_padded_together():
    def one(rank, ranks):
        whole = replace(testing.batch(2), features=torch.zeros(2, 4, 20 - 5 * rank))
        short = replace(whole, audio=whole.audio[:, : 8000 - 2000 * rank], full=True)
        return as_wide(short, lambda audio, n: (torch.full((1, 4, 9), -5.0), n))

    first, second = in_ranks(one)
    assert first.full
    assert not second.full
    assert second.audio.shape == first.audio.shape == (2, 8000)
    assert second.features.shape == first.features.shape == (2, 4, 20)
    assert (second.features[..., 15:] == -5).all()


@pytest.mark.parametrize("view", [SpecAugment(p=1.0), MixStyle(p=1.0)])
def test_mixes_of_features_without_the_longest_clip_are_those_of_one_process(view):
    whole = replace(clips(8), n_samples=torch.tensor([8000, 4000, 6000, 3600, 4800, 4800, 4000, 2400]))
    known = (torch.arange(8) < 1)[:, None].expand(8, 3)
    whole = replace(read_as_features(whole), tagged=known)
    teacher = testing.output(clips(8))

    def one(rank, ranks):
        part = take(whole, torch.arange(rank, 8, ranks))
        n_frames = -(-int(part.n_samples.max()) // 400)
        wide = as_wide(replace(part, features=part.features[..., :n_frames]), lambda audio, n: (silence, n))
        draws = Draws.of("cpu", 3, rank, ranks)
        mixed = mixes(wide, testing.take_output(teacher, torch.arange(rank, 8, ranks)), 0.5, draws)[0]
        return augmented(mixed, [view], draws)

    silence = torch.full((1, 4, 9), -5.0)
    expected = one(0, 1)
    for rank, part in enumerate(in_ranks(one)):
        mine = (torch.arange(1, 8) % 2 == rank).nonzero()[:, 0]
        torch.testing.assert_close(part.features, expected.features[mine])


def test_features_of_several_lengths_without_a_frontend_are_refused():
    def one(rank, ranks):
        return as_wide(replace(testing.batch(2), audio=None, features=torch.zeros(2, 4, 10 + rank)))

    with pytest.raises(WsedError, match=r"set data\.windows"):
        in_ranks(one)


def test_nothing_is_mixed_if_no_process_has_clips_without_tags():
    whole = replace(clips(4), tagged=torch.ones(4, 3, dtype=torch.bool))

    def one(rank, ranks):
        part = of_rank(whole, rank, ranks)
        return mixes(part, testing.output(part), 0.5, Draws.of("cpu", 3, rank, ranks))

    assert in_ranks(one) == [None, None]


def test_an_error_of_one_rank_ends_the_others():
    def one(rank, ranks):
        if rank == 1:
            raise ValueError("of rank 1")
        return partners(3, Draws.of("cpu", 3, rank, ranks))

    with pytest.raises(ValueError, match="of rank 1"):
        in_ranks(one)
