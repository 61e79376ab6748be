"""Every clip once, shared by the processes."""

from dataclasses import replace

from wsed.data.clip import Clip
from wsed.data.sampling.shards import ShardSampler, longest_first


def test_shards_cover_all_clips_in_equal_numbers():
    shards = [list(ShardSampler(7, rank, 3)) for rank in range(3)]
    assert {len(s) for s in shards} == {3}
    assert {i for s in shards for i in s} == set(range(7))
    assert list(ShardSampler(0)) == []


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
