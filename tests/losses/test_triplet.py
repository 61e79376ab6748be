"""The triplet loss of Turpault et al. 2020 against golden values, slow loops, and pytorch-metric-learning."""

import math
from dataclasses import replace
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed import Needs, WsedError, testing
from wsed.losses import functional as F
from wsed.losses.metric_learning import MetricLearning
from wsed.losses.prototypical import Prototypical
from wsed.losses.triplet import Triplet, distances, hinge
from wsed.ops.mine import episode, name_order, relations

ONE_EACH = ((0, 1, 2), (3, 4, 5), (6, 7, 8))
"""Anchors, positives and negatives of the golden values, one after the other."""


def doubles(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def golden_triplets(golden):
    values = golden("waa_triplet")
    clips = torch.cat([doubles(values["inputs"][k]) for k in ("anchor", "positive", "negative")])
    return values, clips.requires_grad_()


def near_and_far(clips, **options):
    d = distances(clips, **options)
    anchor, positive, negative = (torch.tensor(i) for i in ONE_EACH)
    return d[anchor, positive], d[anchor, negative]


@pytest.mark.parametrize(("squared", "name"), [(True, "squared_l2"), (False, "l2_eps1e_8")])
def test_golden_distances_and_hinges(golden_triplets, squared, name):
    values, clips = golden_triplets
    near, far = near_and_far(clips, squared=squared)
    costs = hinge(near, far, values["inputs"]["margin"])
    for found, key in ((near, "d_pos"), (far, "d_neg"), (costs, "hinge")):
        torch.testing.assert_close(found, doubles(values[name][key]), atol=1e-9, rtol=0)
    assert costs.mean().item() == pytest.approx(values[name]["mean"], abs=1e-9)
    assert costs.sum().item() == pytest.approx(values[name].get("sum", 3 * values[name]["mean"]), abs=1e-9)
    assert (costs > 0).sum() == values[name].get("active", 2)


def test_golden_unit_vectors(golden_triplets):
    values, clips = golden_triplets
    units = torch.cat([doubles(values["normalised"][k]) for k in ("anchor", "positive", "negative")])
    torch.testing.assert_close(distances(clips), distances(units, normalize="none"), atol=1e-9, rtol=0)
    torch.testing.assert_close(torch.nn.functional.normalize(clips, dim=1), units, atol=1e-9, rtol=0)


def test_golden_swap_by_pytorch_metric_learning(golden_triplets):
    """The nearer of anchor and positive to the negative counts: a loss of theirs, with parts named as in YAML."""
    pytest.importorskip("pytorch_metric_learning", reason="the extra metric is not installed")
    values, clips = golden_triplets
    parts = {"distance": {"class_path": "LpDistance"}, "reducer": {"class_path": "DoNothingReducer"}}
    loss = MetricLearning("TripletMarginLoss", {"margin": values["inputs"]["margin"], "swap": True, **parts}).criterion
    found = loss(clips, indices_tuple=tuple(torch.tensor(i) for i in ONE_EACH))["loss"]["losses"]
    torch.testing.assert_close(found, doubles(values["swap"]["hinge"]), atol=1e-6, rtol=0)  # no 1e-8 under their root


def test_golden_gradients(golden_triplets):
    values, clips = golden_triplets
    hinge(*near_and_far(clips), values["inputs"]["margin"]).sum().backward()
    expected = doubles(values["grad_sum_squared_all"]).flatten(0, 1)
    torch.testing.assert_close(clips.grad, expected, atol=1e-9, rtol=0)


def slow_distance(a, b, squared):
    square = sum((i - j) ** 2 for i, j in zip(a, b, strict=True))
    return square if squared else math.sqrt(square + 1e-8)


def slow_triplet(points, tags, tagged, miner, margin, squared, normalize, reduction, ratio=False):
    points = [row.tolist() for row in points]
    if normalize == "final":
        points = [[x / math.hypot(*row) for x in row] for row in points]
    sets, known = ([set(row.nonzero().flatten().tolist()) for row in mask] for mask in ((tags > 0) & tagged, tagged))
    costs = []
    for a in range(len(points)):
        d = {i: slow_distance(points[a], points[i], squared) for i in range(len(points)) if i != a}
        near = [d[i] for i in d if sets[a] & sets[i]]
        apart = [i for i in d if known[a] & known[i] and not sets[a] & sets[i]]
        far = [d[i] for i in apart if sets[a] <= known[i] and sets[i] <= known[a]]
        pairs = [(p, n) for p in near for n in far]
        if miner == "semi_hard":
            pairs = [(p, n) for p, n in pairs if p < n < p + margin]
        if miner == "hard" and pairs:
            pairs = [(max(near), min(far))]
        costs += [2 / (1 + math.exp(n - p)) ** 2 if ratio else max(0.0, p - n + margin) for p, n in pairs]
    count = {"mean": len(costs), "sum": 1, "mean_active": sum(c > 0 for c in costs)}[reduction]
    return sum(costs) / max(1, count)


TRIPLETS = st.tuples(
    st.sampled_from(["all", "semi_hard", "hard"]),
    st.booleans(),
    st.sampled_from(["final", "none"]),
    st.sampled_from(["mean", "sum", "mean_active"]),
    st.integers(1, 10),
    st.integers(1, 4),
    st.sampled_from([0.0, 0.3, 1.0]),
    st.integers(0, 10**6),
)


def equals_a_loop(function, miner, squared, normalize, reduction, clips, labels, margin, seed, ratio=False):
    draw = torch.Generator().manual_seed(seed)
    points = torch.randn(clips, 3, generator=draw, dtype=torch.float64)
    tags = (torch.rand(clips, labels, generator=draw) > 0.6).float()
    tagged = torch.rand(clips, labels, generator=draw) > 0.1
    tagged &= torch.rand(clips, 1, generator=draw) > 0.1
    options = {"squared": squared, "normalize": normalize, "reduction": reduction}
    loss = partial(function, miner=miner, margin=margin, **options)
    expected = slow_triplet(points, tags, tagged, miner, margin, **options, ratio=ratio)
    assert loss(points, tags, tagged).item() == pytest.approx(expected, rel=1e-9, abs=1e-9)
    single = loss(points.float(), tags, tagged)
    assert single.dtype == torch.float32
    if reduction != "mean_active":  # a cost of zero may be one by rounding
        assert single.item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


@settings(max_examples=150, deadline=None)
@given(TRIPLETS)
def test_triplet_equals_a_loop(case):
    equals_a_loop(F.triplet, *case)


def one_tag(clips=24, labels=4, dim=5, seed=0):
    draw = torch.Generator().manual_seed(seed)
    label = torch.randint(labels, (clips,), generator=draw)
    return torch.randn(clips, dim, generator=draw, dtype=torch.float64), label, torch.eye(labels)[label]


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("reduction", ["mean", "mean_active"])
def test_triplet_is_that_of_pytorch_metric_learning(squared, reduction):
    pytest.importorskip("pytorch_metric_learning", reason="the extra metric is not installed")
    from pytorch_metric_learning import distances, losses, reducers

    points, label, tags = one_tag()
    reducer = reducers.MeanReducer() if reduction == "mean" else reducers.AvgNonZeroReducer()
    theirs = losses.TripletMarginLoss(0.3, distance=distances.LpDistance(power=1 + squared), reducer=reducer)
    leaves = [points.clone().requires_grad_() for _ in range(2)]
    values = [F.triplet(leaves[0], tags, squared=squared, reduction=reduction), theirs(leaves[1], label)]
    for value in values:
        value.backward()
    torch.testing.assert_close(values[0], values[1], atol=1e-7, rtol=0)
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad, atol=1e-6, rtol=0)


@pytest.mark.parametrize("miner", ["all", "semi_hard", "hard"])
def test_the_gradient_of_triplet_is_that_of_finite_differences(miner):
    points, _, tags = one_tag(8, 3)
    points.requires_grad_()
    for options in ({}, {"squared": False}, {"normalize": "none"}):
        loss = partial(F.triplet, tags=tags, miner=miner, **options)
        assert loss(points) > 0
        assert torch.autograd.gradcheck(loss, points)


def test_random_triplets_average_to_all_of_them():
    points, _, _ = one_tag(12)
    tags = torch.eye(4)[torch.arange(12) % 4]
    draw = torch.Generator().manual_seed(0)
    drawn = torch.stack([F.triplet(points, tags, miner="random", generator=draw) for _ in range(500)])
    standard_error = drawn.std() / 500**0.5
    assert abs(drawn.mean() - F.triplet(points, tags)) < 4 * standard_error
    assert drawn.std() > 0.01


def test_triplet_ignores_rotation_and_length_and_a_step_lowers_it():
    points, _, tags = one_tag()
    value = F.triplet(points, tags)
    turned = torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))[0]
    lengths = torch.rand(24, 1, dtype=torch.float64) + 0.1
    torch.testing.assert_close(F.triplet(lengths * points @ turned, tags), value)
    leaf = points.clone().requires_grad_()
    F.triplet(leaf, tags).backward()
    assert F.triplet(points - 0.1 * leaf.grad, tags) < value


def test_512_clips_with_several_tags_take_memory_of_their_square_only():
    torch.manual_seed(0)
    points = torch.randn(512, 130, requires_grad=True)
    tags = (torch.rand(512, 10) > 0.8).float()
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = F.triplet(points, tags)
    positive, negative = relations(tags)
    n_triplets = int((positive.sum(1) * negative.sum(1)).sum())
    assert n_triplets > 10**7
    assert sum(kept.values()) < 8 * 8 * 512**2  # eight such matrices
    loss.backward()
    assert torch.isfinite(points.grad).all()


def labelled(labels=3, per_class=3, dim=5):
    """A batch with one tag per clip, and an output."""
    n = labels * per_class
    of = testing.batch(n, labels)
    of = replace(of, clip_labels=torch.eye(labels)[torch.arange(n) % labels])
    return of, testing.output(of, dim=dim)


def test_the_losses_are_the_functions_of_the_clip_embedding():
    of, output = labelled()
    e = output.clip_embedding
    for options in ({}, {"miner": "hard", "squared": False, "reduction": "mean_active"}):
        torch.testing.assert_close(Triplet(**options)(output, of), F.triplet(e, of.clip_labels, **options))
    loss = Prototypical("euclidean", shot=2, query=1)
    values = []
    for epoch in range(6):
        loss.start_epoch(epoch)
        parts = episode(of.clip_labels, of.tagged, 2, 1, name_order(of.clip_ids, epoch))
        values.append(loss(output, of).item())
        assert values[-1] == pytest.approx(F.prototypical(e, parts, distance="euclidean").item())
    assert len(set(values)) > 1


@pytest.mark.parametrize("options", [{"miner": "hard"}, {"miner": "semi_hard"}, {"squared": False}])
def test_options_keep_the_contract(options):
    testing.check_loss(Triplet(**options))
    testing.check_loss(Triplet(normalize="none", reduction="sum", **options))


@pytest.mark.parametrize("build", [Triplet, partial(Triplet, "random"), partial(Triplet, "hard"), Prototypical])
def test_batches_without_pairs_give_a_zero_with_a_graph(build):
    of, output = labelled()
    leaf = output.clip_embedding
    one_class = torch.eye(3)[torch.zeros(9, dtype=torch.long)]
    known, unknown = torch.ones(9, 9, dtype=torch.bool), torch.zeros(9, 9, dtype=torch.bool)
    alone = replace(of, clip_labels=torch.eye(9), tagged=known, timed=unknown)
    same, none = replace(of, clip_labels=one_class), replace(of, clip_labels=torch.zeros(9, 3))
    for batch in (same, none, alone):
        leaf.grad = None
        loss = build()(output, batch)
        loss.backward()
        assert loss.item() == 0
        assert leaf.grad.abs().max() == 0


def test_embeddings_that_are_all_alike_keep_gradients_finite():
    of, output = labelled()
    for fill in (0.0, 1.0):
        for loss in (Triplet(), Triplet(squared=False), Triplet("hard"), Prototypical(), Prototypical("euclidean")):
            leaf = torch.full_like(output.clip_embedding, fill).requires_grad_()
            value = loss(replace(output, clip_embedding=leaf), of)
            value.backward()
            assert torch.isfinite(value)
            assert torch.isfinite(leaf.grad).all()


@pytest.mark.parametrize("loss", [Triplet(), Prototypical()])
def test_autocast_to_bfloat16_changes_nothing(loss):
    of, output = labelled(dim=130)
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(output, of)
    assert inside.item() == pytest.approx(loss(output, of).item(), abs=1e-7)


def test_needs_say_how_many_clips_of_how_many_classes():
    joined = Triplet().needs | Prototypical(shot=3, query=2).needs
    assert joined == Needs(frozenset({"clip_embedding"}), frozenset({"tagged"}), classes=2, per_class=5)
    assert Prototypical(query=None).needs.per_class == Triplet().needs.per_class == 2


def test_settings_that_cannot_work_are_refused():
    with pytest.raises(WsedError, match="did you mean semi_hard"):
        Triplet("semi-hard")
    with pytest.raises(WsedError, match="unknown normalize 'per_step'"):
        Triplet(normalize="per_step")
    with pytest.raises(WsedError, match="margin must be 0 or more"):
        Triplet(margin=-0.1)
    with pytest.raises(WsedError, match="did you mean sqeuclidean"):
        Prototypical("seuclidean")
    with pytest.raises(WsedError, match="1 or more, not 0 and 1"):
        Prototypical(shot=0)
