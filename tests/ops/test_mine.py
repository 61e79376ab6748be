"""Triplets and episodes against slow loops, and against the miners of pytorch-metric-learning."""

from itertools import accumulate

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.errors import WsedError
from wsed.ops.mine import Triplets, all_clips, episode, name_order, one_per_anchor, relations, triplets


def drawn(clips, labels, seed, single=False):
    """Tags, which are known, and distances."""
    draw = torch.Generator().manual_seed(seed)
    tags = (torch.rand(clips, labels, generator=draw) > 0.6).float()
    if single:
        tags = torch.eye(labels)[torch.randint(labels, (clips,), generator=draw)]
    tagged = torch.rand(clips, labels, generator=draw) > 0.1
    tagged &= torch.rand(clips, 1, generator=draw) > 0.1
    distance = torch.rand(clips, clips, generator=draw, dtype=torch.float64)
    return tags, tagged, distance + distance.T


def slow_triplets(tags, tagged, miner, d, margin):
    sets, known = ([set(row.nonzero().flatten().tolist()) for row in mask] for mask in ((tags > 0) & tagged, tagged))
    clips, found = range(len(tags)), []
    for a in clips:
        near = [p for p in clips if p != a and sets[a] & sets[p]]
        apart = [n for n in clips if n != a and known[a] & known[n] and not sets[a] & sets[n]]
        far = [n for n in apart if sets[a] <= known[n] and sets[n] <= known[a]]
        if miner == "hard" and near and far:
            found.append((a, max(near, key=lambda p: d[a, p]), min(far, key=lambda n: d[a, n])))
        elif miner != "hard":
            found += [(a, p, n) for p in near for n in far if miner == "all" or d[a, p] < d[a, n] < d[a, p] + margin]
    return sorted(found)


def rows(found):
    return sorted(zip(*(index.tolist() for index in found), strict=True))


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(["all", "semi_hard", "hard"]), st.integers(1, 9), st.integers(1, 4), st.integers(0, 10**6))
def test_triplets_are_those_of_a_loop(miner, clips, labels, seed):
    tags, tagged, distance = drawn(clips, labels, seed)
    found = triplets(*relations(tags, tagged), miner, distance, margin=0.3)
    assert rows(found) == slow_triplets(tags, tagged, miner, distance, 0.3)
    assert found.anchor.tolist() == sorted(found.anchor.tolist())


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 4), st.integers(0, 10**6))
def test_random_triplets_are_one_an_anchor_and_follow_the_generator(clips, labels, seed):
    tags, tagged, _ = drawn(clips, labels, seed)
    pairs = relations(tags, tagged)
    found, again = (triplets(*pairs, "random", generator=torch.Generator().manual_seed(seed)) for _ in range(2))
    every = slow_triplets(tags, tagged, "all", None, 0)
    assert rows(found) == rows(again)
    assert set(rows(found)) <= set(every)
    assert found.anchor.tolist() == sorted({a for a, _, _ in every})
    torch.manual_seed(seed)
    first = triplets(*pairs, "random")
    torch.manual_seed(seed)
    assert rows(first) == rows(triplets(*pairs, "random"))


def test_triplets_drawn_by_clip_do_not_depend_on_places_and_come_equally_often():
    names = [f"{i}.wav" for i in range(6)]
    tags, order = torch.eye(3)[[0, 0, 0, 1, 1, 2]], torch.randperm(6, generator=torch.Generator().manual_seed(1))
    kept = []
    for epoch in range(400):
        keys = name_order(names, epoch)
        same, other, exists = one_per_anchor(*relations(tags), keys=keys)
        moved = one_per_anchor(*relations(tags[order]), keys=keys[order])
        assert order[moved[0]][moved[2]].tolist() == same[order][exists[order]].tolist()
        assert order[moved[1]][moved[2]].tolist() == other[order][exists[order]].tolist()
        kept.append((int(same[0]), int(other[0])))
    counts = {pair: kept.count(pair) for pair in set(kept)}
    assert set(counts) == {(p, n) for p in (1, 2) for n in (3, 4, 5)}
    assert min(counts.values()) > 35
    assert max(counts.values()) < 100


def test_random_triplets_come_equally_often():
    tags = torch.eye(3)[[0, 0, 0, 1, 1, 2]]
    pairs = relations(tags)
    torch.manual_seed(0)
    drawn = [triplets(*pairs, "random") for _ in range(600)]
    kept = [(int(t.positive[0]), int(t.negative[0])) for t in drawn]  # of anchor 0: 2 positives, 3 negatives
    counts = {pair: kept.count(pair) for pair in set(kept)}
    assert set(counts) == {(p, n) for p in (1, 2) for n in (3, 4, 5)}
    assert min(counts.values()) > 60
    assert max(counts.values()) < 140


@pytest.mark.parametrize("seed", range(5))
def test_miners_are_those_of_pytorch_metric_learning(seed):
    pytest.importorskip("pytorch_metric_learning", reason="the extra metric is not installed")
    from pytorch_metric_learning import distances, miners
    from pytorch_metric_learning.utils.loss_and_miner_utils import get_all_triplets_indices

    torch.manual_seed(seed)
    labels = torch.randint(4, (24,))
    points = torch.randn(24, 5, dtype=torch.float64)
    squared = distances.LpDistance(normalize_embeddings=False, power=2)
    pairs, d = relations(torch.eye(4)[labels]), squared(points)
    assert rows(triplets(*pairs)) == rows(get_all_triplets_indices(labels))
    theirs = miners.TripletMarginMiner(1.5, type_of_triplets="semihard", distance=squared)(points, labels)
    assert rows(triplets(*pairs, "semi_hard", d, 1.5)) == rows(theirs)
    assert len(theirs[0])
    theirs = miners.BatchHardMiner(distance=squared)(points, labels)
    assert rows(triplets(*pairs, "hard", d)) == rows(theirs)


@pytest.mark.parametrize("several", [False, True])
def test_all_triplets_of_512_clips_take_little_more_than_their_indices(several):
    torch.manual_seed(0)
    tags = torch.eye(10)[torch.randint(10, (512,))]
    if several:
        tags = tags.maximum(torch.eye(10)[torch.randint(10, (512,))])
    pairs = relations(tags)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        found = triplets(*pairs)
    sizes = [e.nbytes() for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    assert len(found.anchor) == int((pairs[0].sum(1) * pairs[1].sum(1)).sum()) > 10**7
    assert max(accumulate(sizes)) < 2.5 * sum(index.nbytes for index in found)


def test_what_cannot_be_mined_is_refused():
    pairs = relations(torch.eye(3))
    with pytest.raises(WsedError, match="did you mean semi_hard"):
        triplets(*pairs, "semihard")
    with pytest.raises(WsedError, match="needs the distances"):
        triplets(*pairs, "hard")
    assert [len(index) for index in triplets(*pairs)] == [0, 0, 0]
    assert isinstance(triplets(*pairs, "random"), Triplets)


def slow_episode(tags, tagged, shot, query, order):
    sets = [set(row.nonzero().flatten().tolist()) for row in (tags > 0) & tagged]
    line = sorted(range(len(tags)), key=lambda i: (order[i], i))
    classes = range(tags.shape[1])
    supports = {i for c in classes for i in [j for j in line if c in sets[j]][:shot]}
    present = [c for c in classes if sum(c in sets[i] for i in supports) >= shot]
    rest = [i for i in line if i not in supports]
    queries = {i for c in present for i in [j for j in rest if c in sets[j]][:query]}
    pairs = [{(i, c) for i in which for c in present if c in sets[i]} for which in (supports, queries)]
    return pairs[0], pairs[1]


def true(mask):
    return {tuple(pair) for pair in mask.nonzero().tolist()}


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 12),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from([1, 2, None]),
    st.booleans(),
    st.integers(0, 10**6),
)
def test_episodes_are_those_of_a_loop(clips, labels, shot, query, single, seed):
    tags, tagged, _ = drawn(clips, labels, seed, single)
    order = torch.randint(6, (clips,), generator=torch.Generator().manual_seed(seed))  # with ties
    found = episode(tags, tagged, shot, query, order)
    expected = slow_episode(tags, tagged, shot, query, order.tolist())
    assert (true(found.support), true(found.query)) == expected
    assert not (found.support.any(1) & found.query.any(1)).any()


@pytest.mark.parametrize(("shot", "query"), [(1, 1), (2, 3)])
@pytest.mark.parametrize("by_class", [True, False])
def test_each_class_has_its_supports_and_queries_however_the_batch_is_sorted(shot, query, by_class):
    torch.manual_seed(0)
    label = torch.arange(10).repeat_interleave(shot + query)
    label = label if by_class else label[torch.randperm(len(label))]
    found = episode(torch.eye(10)[label], None, shot, query)
    assert found.support.sum(0).tolist() == [shot] * 10
    assert found.query.sum(0).tolist() == [query] * 10
    assert torch.equal((found.support | found.query).float(), torch.eye(10)[label])


def test_episodes_follow_the_generator_and_every_clip_has_its_turn():
    tags = torch.eye(2)[[0, 0, 0, 1, 1, 1]]
    one, same, *others = (
        episode(tags, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, *range(1, 40))
    )
    assert torch.equal(one.support, same.support)
    assert torch.equal(one.query, same.query)
    for mask in ("support", "query"):
        assert torch.stack([getattr(e, mask) for e in others]).any(0).any(1).all()


def test_a_clip_with_two_tags_counts_for_both():
    tags = torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 1, 1], [0, 0, 1]])
    found = episode(tags, order=torch.arange(4))
    assert found.support.tolist() == [[True, True, False], [False] * 3, [False, True, True], [False] * 3]
    assert found.query.tolist() == [[False] * 3, [True, False, False], [False] * 3, [False, False, True]]


def test_the_order_by_name_is_the_clips_own():
    names = [f"clip_{i}.wav" for i in range(20)]
    order = name_order(names, 3)
    assert order.tolist() == name_order(names[::-1], 3).flip(0).tolist()
    assert order.argsort().tolist() != name_order(names, 4).argsort().tolist()
    assert name_order([], 0).shape == (0,)


def test_one_process_has_all_clips():
    value = torch.randn(3, 2, requires_grad=True)
    assert all_clips(value)[0] is value
