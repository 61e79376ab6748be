"""Class-balanced batches of clips with several classes: how often each is drawn, over epochs and ranks."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.data.ragged import Ragged
from wsed.data.sampling.balanced import BalancedSampler
from wsed.errors import WsedError

ONE = ("weak",)


def sampler(lists, quota=None, source=None, sources=ONE, **how) -> BalancedSampler:
    source = torch.zeros(len(lists), dtype=torch.long) if source is None else torch.tensor(source)
    return BalancedSampler(Ragged.lists(lists), source, sources, quota or {"weak": 4}, **how)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=6), st.integers(1, 7), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_classes_are_drawn_equally_often_and_each_ones_clips_in_turn(sizes, batch, epoch):
    """With one class a clip, what a clip was drawn for is known."""
    label = [k for k, n in enumerate(sizes) for _ in range(n)]
    drawn = sampler([[k] for k in label], {"weak": batch}, seed=3)
    drawn.set_epoch(epoch)
    batches = list(drawn)
    assert len(batches) == len(drawn) == -(-len(label) // batch)
    assert {len(b) for b in batches} == {batch}
    clips = [i for b in batches for i in b]
    uses = Counter(label[i] for i in clips)
    assert max(uses.values()) - min(uses[k] for k in range(len(sizes))) <= 1
    for k in range(len(sizes)):
        mine = Counter(i for i in clips if label[i] == k)
        most = max(mine.values(), default=0)
        assert most - min((mine[i] for i, own in enumerate(label) if own == k), default=0) <= 1
    rounds = [clips[i : i + len(sizes)] for i in range(0, len(clips) - len(sizes) + 1, len(sizes))]
    assert all(sorted(label[i] for i in turn) == list(range(len(sizes))) for turn in rounds)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 16), st.integers(0, 3))
@settings(max_examples=100, deadline=None)
def test_no_clip_comes_twice_in_a_batch_if_its_class_has_enough(sizes, batch, epoch):
    label = [k for k, n in enumerate(sizes) for _ in range(n)]
    drawn = sampler([[k] for k in label], {"weak": batch}, seed=5)
    drawn.set_epoch(epoch)
    for clips in [clips for _ in range(3) for clips in drawn]:
        for k, size in enumerate(sizes):
            mine = [i for i in clips if label[i] == k]
            assert len(set(mine)) == len(mine) or len(mine) > size or size < -(-batch // len(sizes)) + 1


def test_a_clip_of_several_classes_is_drawn_for_each():
    drawn = sampler([[0, 1, 2], [0], [0], [0], [0], [0], [0], [0]], {"weak": 6})
    uses = Counter(i for b in drawn for i in b)
    assert uses.total() == 12
    assert uses[0] >= 8  # for classes 1 and 2, 4 times each


def test_clips_without_a_class_and_classes_without_a_clip_are_not_drawn():
    drawn = sampler([[], [4], [], [2], [2]], {"weak": 5})
    assert {i for b in drawn for i in b} <= {1, 3, 4}
    with pytest.raises(WsedError, match=r"data\.balanced: source 'weak' has no clip with a class"):
        sampler([[], []])
    with pytest.raises(WsedError, match="'other', but the source has none"):
        sampler([[0]], {"other": 1})


def test_quotas_of_sources_are_met_and_each_is_balanced():
    lists, source = [[0]] * 9 + [[1]] + [[1]] * 5 + [[2]], [0] * 10 + [1] * 6
    drawn = sampler(lists, {"weak": 4, "strong": 2}, source, ("weak", "strong"))
    clips = torch.tensor(list(drawn))
    assert (clips[:, :4] < 10).all()
    assert (clips[:, 4:] >= 10).all()
    assert len(clips) == 3
    assert (clips[:, :4] == 9).sum() == 6  # half of 12
    assert (clips[:, 4:] == 15).sum() == 3


def test_the_order_follows_from_seed_and_epoch():
    lists = [[i % 3, 3] for i in range(30)]
    first = list(sampler(lists, seed=1))
    assert first == list(sampler(lists, seed=1))
    assert first != list(sampler(lists, seed=2))
    later = sampler(lists, seed=1)
    later.set_epoch(1)  # as a resumed run does
    assert list(later) != first
    later.set_epoch(0)
    assert list(later) == first
    assert later.sampler is later  # where Lightning looks for set_epoch


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_together_see_what_one_process_with_the_whole_quota_sees(ranks):
    lists = [[i % 5] if i % 3 else [i % 5, 5] for i in range(70)]
    whole = list(sampler(lists, {"weak": 2 * ranks}, seed=3))
    parts = [list(sampler(lists, {"weak": 2}, seed=3, rank=r, ranks=ranks)) for r in range(ranks)]
    assert len(whole) == len(parts[0]) > 2
    for step, *shares in zip(whole, *parts, strict=True):
        assert sorted(step) == sorted(i for share in shares for i in share)
        assert [len(share) for share in shares] == [2] * ranks
