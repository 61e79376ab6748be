"""Partners of clips among the clips of several processes, which are threads here."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wsed import testing
from wsed.augment import Mixup, Noise
from wsed.augment.draws import Draws
from wsed.augment.partners import as_wide, of_partners, partners
from wsed.data.augmenting import augment_batch
from wsed.models.interpolation import mixes
from wsed.testing.augment import _equal, _sorted
from wsed.testing.ranks import in_ranks
from wsed.types import Events


def clips(n=11):
    """Clips of several lengths, of two sources, with and without events."""
    of = testing.batch(n, n_labels=3)
    rows = [(i, (i + k) % 3, 0.1 * k, 0.1 * k + 0.3) for i in range(n) for k in range(i % 3)]
    return replace(of, events=Events.of(rows), source=torch.arange(n) % 4 // 2)


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
        assert other.own.tolist() == rows[rank::ranks].tolist()
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


def test_noise_for_clips_of_any_length_is_that_of_one_process():
    whole = clips(12)
    expected = augment_batch(whole, [Noise(p=1.0)], None, 3)

    def one(rank, ranks):
        return augment_batch(of_rank(whole, rank, ranks), [Noise(p=1.0)], None, 3, rank=rank, ranks=ranks)

    for rank, part in enumerate(in_ranks(one)):
        assert torch.equal(part.audio, expected.audio[rank::2])


@pytest.mark.parametrize("tagged", [(0, 1, 4), (0, 2, 4, 6, 8, 10)])
def test_interpolation_is_that_of_one_process_even_if_one_has_no_clip_for_it(tagged):
    whole = clips()
    known = torch.zeros(11, 3, dtype=torch.bool)
    known[list(tagged)] = True
    whole = replace(whole, tagged=known)
    teacher = testing.output(whole)
    rows = (~known).all(1).nonzero()[:, 0]
    mixed, scores = mixes(whole, teacher, 0.5, Draws.of("cpu", 3))

    def one(rank, ranks):
        mine, part = torch.arange(rank, 11, ranks), as_wide(of_rank(whole, rank, ranks))
        return mixes(part, testing.take_output(teacher, mine), 0.5, Draws.of("cpu", 3, rank, ranks))

    for rank, result in enumerate(in_ranks(one)):
        mine = (rows % 2 == rank).nonzero()[:, 0]
        assert (result is None) == (len(mine) == 0)
        if result is not None:
            same = replace(testing.take(mixed, mine), full=result[0].full)
            assert _equal(_sorted(result[0]), _sorted(same))
            torch.testing.assert_close(result[1].clip_logits, scores.clip_logits[mine])
            torch.testing.assert_close(result[1].frame_logits, scores.frame_logits[mine])
            assert torch.equal(result[1].valid, scores.valid[mine])


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

    with pytest.raises(Exception, match=r"of rank 1|^$"):
        in_ranks(one)
