"""Batches by quota."""

import pytest
import torch

from wsed.data.sampling.quota import QuotaSampler
from wsed.errors import WsedError

SOURCE = torch.tensor([0] * 10 + [1] * 4)
SOURCES = ("weak", "strong")


def batches(**how):
    sampler = QuotaSampler(SOURCE, SOURCES, {"weak": 3, "strong": 2}, **how)
    return sampler, list(sampler)


def test_every_batch_meets_its_quota_and_an_epoch_sees_every_clip():
    sampler, steps = batches(seed=1)
    assert len(steps) == len(sampler) == 4
    for step in steps:
        assert [int(SOURCE[i]) for i in step] == [0, 0, 0, 1, 1]
    assert {i for step in steps for i in step} == set(range(14))


def test_the_order_follows_from_seed_and_epoch():
    first, again = batches(seed=1)[1], batches(seed=1)[1]
    assert first == again
    assert first != batches(seed=2)[1]
    sampler, _ = batches(seed=1)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first
    assert sampler.sampler is sampler  # where Lightning looks for set_epoch


def test_a_training_that_goes_on_has_the_rest_of_its_epoch_although_a_loader_looks_ahead():
    whole = QuotaSampler(SOURCE, SOURCES, {"weak": 3, "strong": 2}, seed=1)
    epochs = []
    for epoch in (0, 1):
        whole.set_epoch(epoch)
        epochs.append(list(whole))
    sampler = QuotaSampler(SOURCE, SOURCES, {"weak": 3, "strong": 2}, seed=1)
    sampler.go_on(epoch=1, done=2)
    iter(sampler)  # torch makes an iterator that it does not use
    ahead = iter(sampler)
    first = next(ahead)  # fetched by a reading process before `set_epoch` is called
    sampler.set_epoch(1)
    assert [first, *ahead] == epochs[1][2:]
    sampler.set_epoch(0)
    assert list(sampler) == epochs[0]
    assert len(sampler) == 4


def test_ranks_together_see_what_one_process_with_the_whole_quota_sees():
    whole = list(QuotaSampler(SOURCE, SOURCES, {"weak": 4, "strong": 2}, seed=3))
    parts = [list(QuotaSampler(SOURCE, SOURCES, {"weak": 2, "strong": 1}, seed=3, rank=r, ranks=2)) for r in (0, 1)]
    for step, first, second in zip(whole, *parts, strict=True):
        assert sorted(step) == sorted(first + second)


def test_quotas_that_cannot_be_met_are_refused():
    with pytest.raises(WsedError, match="2 clips of source 'unlabelled', but the source has none"):
        QuotaSampler(SOURCE, SOURCES, {"unlabelled": 2})
    with pytest.raises(WsedError, match="has no clips"):
        QuotaSampler(SOURCE, SOURCES, {"weak": 0})
