"""Batches balanced by class: what each holds, over epochs and ranks."""

from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.data.sampling.episodes import ClassSampler
from wsed.errors import WsedError

LABEL = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 0])  # 5, 4 and 3 clips


def classes_of(batch):
    return Counter(LABEL[batch].tolist())


@given(st.lists(st.integers(2, 9), min_size=1, max_size=6), st.integers(1, 6), st.integers(1, 4), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_each_batch_holds_its_classes_and_no_clip_comes_twice(sizes, classes, per_class, epoch):
    label = torch.tensor([k for k, n in enumerate(sizes) for _ in range(n)])
    if classes > len(sizes) or per_class > min(sizes):
        with pytest.raises(WsedError, match="cannot be made of"):
            ClassSampler(label, classes, per_class)
        return
    sampler = ClassSampler(label, classes, per_class, seed=5)
    sampler.set_epoch(epoch)
    batches = list(sampler)
    assert len(batches) == len(sampler) == min(sizes) // per_class * len(sizes) // classes > 0
    for batch in batches:
        assert sorted(Counter(label[batch].tolist()).values()) == [per_class] * classes
    seen = [i for batch in batches for i in batch]
    assert len(set(seen)) == len(seen)
    uses = [Counter(label[seen].tolist()).get(k, 0) for k in range(len(sizes))]
    assert max(uses) - min(uses) <= per_class


def test_the_order_follows_from_seed_and_epoch():
    first = list(ClassSampler(LABEL, 3, seed=1))
    assert first == list(ClassSampler(LABEL, 3, seed=1))
    assert first != list(ClassSampler(LABEL, 3, seed=2))
    sampler = ClassSampler(LABEL, 3, seed=1)
    sampler.set_epoch(1)  # as a resumed run does
    later = list(sampler)
    assert later != first
    assert later == list(sampler)
    assert sampler.sampler is sampler  # where Lightning looks for set_epoch


def test_epochs_reach_all_clips_of_larger_classes():
    sampler = ClassSampler(LABEL, 3)
    seen = set()
    for epoch in range(30):
        sampler.set_epoch(epoch)
        seen |= {i for batch in sampler for i in batch}
    assert seen == set(range(len(LABEL)))


def test_batches_of_fewer_classes_meet_all_pairs():
    sampler = ClassSampler(LABEL.repeat(10), 2)
    pairs = Counter(frozenset(LABEL.repeat(10)[batch].tolist()) for batch in sampler)
    assert len(sampler) == 45
    assert set(pairs) == {frozenset(p) for p in ((0, 1), (0, 2), (1, 2))}


@pytest.mark.parametrize("classes", [2, 3])
def test_ranks_together_see_what_one_process_with_all_clips_of_a_class_sees(classes):
    label = LABEL.repeat(4)
    whole = list(ClassSampler(label, classes, per_class=4, seed=3))
    parts = [list(ClassSampler(label, classes, per_class=2, seed=3, rank=r, ranks=2)) for r in (0, 1)]
    assert len(whole) > 2
    for step, first, second in zip(whole, *parts, strict=True):
        assert sorted(step) == sorted(first + second)
        assert not set(first) & set(second)
        for part in (first, second):
            assert list(Counter(label[part].tolist()).values()) == [2] * classes


def test_all_ranks_count_for_what_a_class_must_have():
    assert classes_of(next(iter(ClassSampler(LABEL, 3, 3)))) == {0: 3, 1: 3, 2: 3}
    with pytest.raises(WsedError, match=r"3 classes with 4 clips each \(over all processes\).*smallest has 3"):
        ClassSampler(LABEL, 3, 2, ranks=2)
    with pytest.raises(WsedError, match="0 classes, of which the smallest has 0"):
        ClassSampler(LABEL[:0], 1)
