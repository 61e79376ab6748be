"""Clips, collate and sampler: what a batch holds."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.collate import Collate
from wsed.data.corpus.desed_layout import read_clips
from wsed.data.reading.files import ClipDataset
from wsed.data.sampling.quota import QuotaSampler
from wsed.data.sampling.shards import ShardSampler
from wsed.errors import WsedError
from wsed.types import Labels

LABELS = Labels(["high", "low"])
SOURCE = torch.tensor([0] * 10 + [1] * 4)
SOURCES = ("weak", "strong")


def test_a_batch_says_what_is_known(corpus):
    clips = (
        read_clips(corpus, "train/weak", "weak")[:3] + read_clips(corpus, "train/strong", "strong", "train/weak")[:3]
    )
    table = ClipTable.of(clips, LABELS)
    batch = Collate(table)([ClipDataset(table, 8000)[i] for i in (1, 4)])
    assert batch.clip_ids == ("train_1.wav", "train_1.wav")
    assert batch.sources == ("weak", "strong")
    assert batch.tagged.all()
    assert batch.timed.tolist() == [[False] * len(LABELS), [True] * len(LABELS)]
    assert batch.clip_labels.tolist() == [[1, 0], [1, 0]]
    assert batch.events.clip.tolist() == [1]
    assert batch.events.onset.tolist() == [0.25]
    assert batch.audio.shape == (2, 8000)
    assert batch.audio.dtype == torch.float32


def test_shorter_clips_are_padded_with_zeros(corpus):
    table = ClipTable.of(read_clips(corpus, "train/weak", "weak")[:2], LABELS)
    whole, short = ClipDataset(table, 8000)[0], ClipDataset(replace(table, end=0.5), 8000)[1]
    batch = Collate(table)([whole, short])
    assert batch.n_samples.tolist() == [8000, 4000]
    assert not batch.audio[1, 4000:].any()


def test_an_unknown_label_names_its_clip(corpus):
    with pytest.raises(WsedError, match=r"train_1.wav \(weak\) has the label 'high'.*data.corpus.labels .low.: add"):
        ClipTable.of(read_clips(corpus, "train/weak", "weak"), Labels(["low"]))


def test_what_begins_after_the_part_that_is_read_is_no_tag():
    events = (("high", 1.0, 2.0), ("high", 20.0, 21.0), ("low", 20.0, 21.0))
    clip = Clip("a.wav", Path("a.wav"), "strong", frozenset(LABELS), events, 60.0)
    assert ClipTable.of([clip], LABELS).tags.tolist() == [[1.0, 1.0]]
    assert ClipTable.of([clip], LABELS, end=10.0).tags.tolist() == [[1.0, 0.0]]


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


def test_ranks_together_see_what_one_process_with_the_whole_quota_sees():
    whole = list(QuotaSampler(SOURCE, SOURCES, {"weak": 4, "strong": 2}, seed=3))
    parts = [list(QuotaSampler(SOURCE, SOURCES, {"weak": 2, "strong": 1}, seed=3, rank=r, ranks=2)) for r in (0, 1)]
    for step, first, second in zip(whole, *parts, strict=True):
        assert sorted(step) == sorted(first + second)


def test_quotas_that_cannot_be_met_are_refused():
    with pytest.raises(WsedError, match="2 clips of source 'unlabelled', which has none"):
        QuotaSampler(SOURCE, SOURCES, {"unlabelled": 2})
    with pytest.raises(WsedError, match="no clips at all"):
        QuotaSampler(SOURCE, SOURCES, {"weak": 0})


def test_shards_cover_all_clips_in_equal_numbers():
    shards = [list(ShardSampler(7, rank, 3)) for rank in range(3)]
    assert {len(s) for s in shards} == {3}
    assert {i for s in shards for i in s} == set(range(7))
    assert list(ShardSampler(0)) == []
