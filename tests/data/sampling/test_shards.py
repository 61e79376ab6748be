"""Every clip once, shared by the processes."""

from wsed.data.sampling.shards import ShardSampler


def test_shards_cover_all_clips_in_equal_numbers():
    shards = [list(ShardSampler(7, rank, 3)) for rank in range(3)]
    assert {len(s) for s in shards} == {3}
    assert {i for s in shards for i in s} == set(range(7))
    assert list(ShardSampler(0)) == []
