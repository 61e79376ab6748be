"""Every clip once, shared by the processes."""

from dataclasses import replace

import numpy as np
import pytest

from wsed import testing
from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.collate import Collate
from wsed.data.reading.base import Item
from wsed.data.sampling.shards import Filled, ShardSampler, longest_first
from wsed.scoring.collect import Collector
from wsed.types import Labels


@pytest.mark.parametrize("clips", [1, 2, 7, 8, 9, 12])
@pytest.mark.parametrize("batch", [1, 2, 4])
def test_shards_hold_each_clip_once_in_as_many_batches(clips, batch):
    shards = [list(ShardSampler(clips, rank, 3, batch=batch)) for rank in range(3)]
    assert sorted(i for shard in shards for i in shard if i >= 0) == list(range(clips))
    assert len({-(-len(shard) // batch) for shard in shards}) == 1
    for k in range(-(-len(shards[0]) // batch)):  # together, the batches are those of one process
        together = {i for shard in shards for i in shard[k * batch : (k + 1) * batch] if i >= 0}
        assert together == set(range(3 * batch * k, min(3 * batch * (k + 1), clips)))
    for shard in shards:
        fillers = [place for place, i in enumerate(shard) if i < 0]
        assert fillers in ([], [len(shard) - 1])
        assert all(place % batch == 0 for place in fillers)
    assert list(ShardSampler(0)) == []


def test_a_filler_counts_nowhere(tmp_path):
    """Nothing is known of it, its frames do not count, and its scores do not replace those of the clip."""
    clips = [Clip(name, tmp_path / name, "strong", frozenset({"Dog"}), (("Dog", 0.0, 1.0),)) for name in "ab"]
    items = [Item(i, 8000, np.zeros(8000, dtype=np.float32)) for i in range(2)]
    table = ClipTable.of(clips, Labels(["Dog"]))
    batch = Collate(table)([Filled(items)[i] for i in (0, ~1)])
    assert batch.n_samples.tolist() == [8000, 0]
    assert batch.tagged.tolist() == batch.timed.tolist() == [[True], [False]]
    assert not batch.full
    alone = Collate(table)([Filled(items)[~1]])
    assert not alone.full
    assert Collate(table)(items).full
    collector = Collector()
    for part in (batch, alone, Collate(table)(items[1:])):
        collector.update(testing.output(part), part, 8000)
    scores, truth = collector.gather()
    assert scores.clip_ids == ("a", "b")
    assert len(truth) == 2


def test_clips_to_predict_are_read_by_length(tmp_path):
    """By duration where it is known, else by the size of the file; of two ranks both read about as long ones."""
    names = ["b", "a", "c", "absent"]
    for name, size in zip(names[:3], (20, 10, 30), strict=True):
        (tmp_path / name).write_bytes(bytes(size))
    clips = [Clip(name, tmp_path / name, "predict") for name in names]
    assert longest_first(clips) == [2, 0, 1, 3]
    timed = [replace(clip, duration=length) for clip, length in zip(clips, (1.0, 4.0, 2.0, 3.0), strict=True)]
    order = longest_first(timed)
    assert order == [1, 3, 2, 0]
    assert [list(ShardSampler(4, rank, 2, order)) for rank in range(2)] == [[1, 2], [3, 0]]
