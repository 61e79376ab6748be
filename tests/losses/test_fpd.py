"""The frame pairwise distance loss of Tao, Huang et al. 2023 against golden values and a slow reference."""

from itertools import accumulate, combinations
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.losses.fpd import Metric, Pairs, Reduction, fpd
from wsed.ops.frame_pairs import Silence, frame_categories

METRICS = get_args(Metric)
SUM = {"reduction": "sum", "silence": "ignore"}
CHOICES = {"reduction": get_args(Reduction), "silence": get_args(Silence), "pairs": get_args(Pairs)}


@pytest.fixture
def case(golden):
    values = golden("fpd_loss")
    embeddings = torch.tensor(values["inputs"]["embeddings"], dtype=torch.float64, requires_grad=True)
    return values, embeddings, torch.tensor(values["inputs"]["frame_labels"])


def rows(categories, pairs):
    return [categories[:, i, j].tolist() for i, j in pairs]


def test_golden_categories(case):
    values, _, labels = case
    valid = torch.ones(labels.shape[:2], dtype=torch.bool)
    categories = frame_categories(labels, valid)
    assert rows(categories, values["clip_pairs"]) == values["category"]
    counts = values["counts"]
    assert (categories == 1).sum() == counts["positive"]
    assert (categories == -1).sum() == counts["negative"]
    assert categories.tril().abs().sum() == 0
    silent = frame_categories(labels, valid, silence="negative")
    assert rows(silent, values["clip_pairs"]) == values["silence_policies"]["category_if_silence_negative"]


def test_golden_sums(case):
    values, embeddings, labels = case
    assert values["inputs"]["alpha"] == 0.1
    expected = [({}, values["euclidean_sum"]["similarity"])]
    expected.append(({"alpha": 0.9}, values["euclidean_sum"]["distance"]))  # the same formula with 1 - alpha
    expected.append(({"metric": "ip"}, values["ip_sum"]["corrected_norm_positive"]))
    for options, value in expected:
        assert fpd(embeddings, labels, **SUM, **options).item() == pytest.approx(value, abs=1e-9), options
        single = fpd(embeddings.float(), labels, **SUM, **options)
        assert single.dtype == torch.float32
        assert single.item() == pytest.approx(value, abs=2e-6)  # two units in the last place of 15.8


def test_golden_means_and_gradients(case):
    values, embeddings, labels = case
    for metric, alpha, mean, gradient in (
        ("euclidean", 0.9, "euclidean_distance_mean_over_used_pairs", "grad_euclidean_distance_sum"),
        ("ip", 0.1, "ip_corrected_mean_over_used_pairs", "grad_ip_corrected_sum"),
    ):
        found = fpd(embeddings, labels, metric=metric, alpha=alpha, silence="ignore")
        assert found.item() == pytest.approx(values[mean], abs=1e-9)
        loss = fpd(embeddings, labels, metric=metric, alpha=alpha, **SUM)
        (found,) = torch.autograd.grad(loss, embeddings)
        torch.testing.assert_close(found, torch.tensor(values[gradient], dtype=torch.float64), atol=1e-9, rtol=0)


def slow_cost(a, b, category, options, alpha):
    """Of one pair, straight from the table of section 8 of the notes on the paper."""
    if options.get("metric") == "ip":
        cosine = (a @ b) / (a.norm() * b.norm())
        away = cosine if options.get("sign") == "literal" else -cosine
        cost = (away + alpha).relu() if category == 1 else (alpha - away).relu()
        on = options.get("norm_on", "positive")
        normed = on == "all" or (on == "positive" and category == 1)
        return cost + (away + 1) ** 2 if normed else cost
    d = (a - b).norm()
    s = 1 / (1 + d)
    positive, negative = {
        "distance": ((1 - s) ** 2, alpha - (1 - s)),
        "similarity": ((1 - s) ** 2, s - alpha),
        "raw": (d**2, alpha - d),
        "literal": (s**2, alpha - s),
    }[options.get("mode", "similarity")]
    return positive if category == 1 else negative.relu()


def slow_category(one, other, silence):
    if not one and not other:
        return 1 if silence == "background" else 0
    if silence == "ignore" and not (one and other):
        return 0
    return 1 if one == other else 0 if one & other else -1


def slow_fpd(embeddings, labels, valid, tags, strong, options, alpha, reduction, silence, pairs):
    def classes(row):
        return set(row.nonzero().flatten().tolist())

    costs = {1: [], -1: []}
    for i, j in combinations(range(len(embeddings)), 2):
        kind = {0: "real", 1: "cross", 2: "synthetic"}[int(strong[i]) + int(strong[j])]
        if pairs not in ("all", kind):
            continue
        for t in range(embeddings.shape[1]):
            category = slow_category(classes(labels[i, t]), classes(labels[j, t]), silence)
            if tags is not None:
                one, other = classes(tags[i]), classes(tags[j])
                category = 0 if (category == 1 and one != other) or (category == -1 and one & other) else category
            if category and valid[i, t] and valid[j, t]:
                costs[category].append(slow_cost(embeddings[i, t], embeddings[j, t], category, options, alpha))
    none = embeddings.sum() * 0
    positive, negative = (sum(costs[c], none) for c in (1, -1))
    n, m = len(costs[1]), len(costs[-1])
    if reduction == "mean":
        return (positive + negative) / max(1, n + m)
    return positive + negative if reduction == "sum" else positive / max(1, n) + negative / max(1, m)


CASES = st.tuples(
    st.tuples(*(st.sampled_from(values) for values in CHOICES.values())),
    st.booleans(),
    st.integers(1, 5),
    st.integers(1, 4),
    st.sampled_from([0.1, 0.5, 0.9]),
    st.integers(0, 10**6),
)


def equals_a_loop(loss, options, choice, with_tags, clips, frames, alpha, seed):
    """`loss` with these options, and its gradient, are those of a loop over the pairs."""
    rng = torch.Generator().manual_seed(seed)

    def some(*shape):
        return torch.rand(*shape, generator=rng) < 0.5

    choice = dict(zip(CHOICES, choice, strict=True))
    embeddings = 0.3 * torch.randn(clips, frames, 3, generator=rng, dtype=torch.float64)
    embeddings.requires_grad_()
    labels, strong = some(clips, frames, 2).float(), some(clips)
    valid = some(clips, frames) | some(clips, 1)
    tags = labels.amax(1) if with_tags else None
    value = loss(embeddings, labels, valid, tags, strong, **options, **choice, alpha=alpha)
    expected = slow_fpd(embeddings, labels, valid, tags, strong, options, alpha, **choice)
    assert value.item() == pytest.approx(expected.item(), abs=1e-9)
    (found,), (right,) = (torch.autograd.grad(value, embeddings) for value in (value, expected))
    torch.testing.assert_close(found, right, atol=1e-8, rtol=1e-6)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(METRICS), CASES)
def test_loss_and_gradient_equal_a_loop_over_pairs(metric, values):
    equals_a_loop(fpd, {"metric": metric}, *values)


def has_the_gradient_of_finite_differences(loss, options):
    rng = torch.Generator().manual_seed(3)
    embeddings = (0.2 * torch.randn(4, 3, 2, generator=rng, dtype=torch.float64)).requires_grad_()
    labels = torch.eye(2)[torch.randint(2, (4, 3), generator=rng)]
    for reduction in CHOICES["reduction"]:
        assert torch.autograd.gradcheck(lambda e: loss(e, labels, reduction=reduction, **options), embeddings)  # noqa: B023


@pytest.mark.parametrize("metric", METRICS)
def test_the_gradient_is_that_of_finite_differences(metric):
    has_the_gradient_of_finite_differences(fpd, {"metric": metric})


def step(loss, options, same):
    """How far apart two near frames are before and after a gradient step, in the sense of the metric."""
    near = torch.tensor([[0.05, 0.0, 0.0], [0.003, 0.05, 0.0]])  # and nearly orthogonal: the hinges are active
    embeddings = near[:, None].double().requires_grad_()
    loss(embeddings, torch.ones(2, 1, 1) if same else torch.eye(2)[:, None], **options).backward()

    def apart(x):
        if options.get("metric") == "ip":
            return -torch.cosine_similarity(*x.squeeze(1), dim=0).item()
        return torch.dist(*x.squeeze(1)).item()

    return apart(embeddings), apart(embeddings - 1e-5 * embeddings.grad)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("same", [True, False])
def test_a_gradient_step_moves_pairs_the_way_it_should(metric, same):
    before, after = step(fpd, {"metric": metric}, same)
    assert (after < before) == same


def keeps_the_gradient_of_identical_frames_finite(loss, options, value):
    embeddings = torch.full((4, 3, 5), value, requires_grad=True)
    labels = torch.eye(2)[torch.tensor([0, 0, 1, 1])][:, None].expand(-1, 3, -1)
    cost = loss(embeddings, labels, **options)
    cost.backward()
    assert torch.isfinite(cost)
    assert torch.isfinite(embeddings.grad).all()
    if options.get("metric") != "ip":
        assert embeddings.grad.abs().max() == 0


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("value", [0.0, 1.5])
def test_identical_frames_keep_the_gradient_finite(metric, value):
    keeps_the_gradient_of_identical_frames_finite(fpd, {"metric": metric}, value)


def tells_near_frames_apart(loss, options):
    """In float32 the inner products would round away distances below 0.03 here."""
    rng = torch.Generator().manual_seed(0)
    near = 100 + 1e-3 * torch.randn(6, 20, 64, generator=rng)
    labels = torch.eye(3)[torch.arange(6) % 3][:, None].expand(-1, 20, -1)
    embeddings = near.clone().requires_grad_()
    value = loss(embeddings, labels, alpha=0.9 if options.get("mode") == "raw" else 0.1, **options)
    value.backward()
    direct = near.double().requires_grad_()
    d = (direct[:, None] - direct[None] + 1e-30).norm(dim=-1)  # [clip clip frame]
    d = d if options.get("mode") == "raw" else d / (1 + d)
    kinds = torch.arange(6) % 3
    same = (kinds[:, None] == kinds)[..., None]
    above = torch.ones(6, 6).triu(1)[..., None]
    expected = (torch.where(same, d.square(), (0.9 - d).relu()) * above).sum() / (15 * 20)
    expected.backward()
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)
    torch.testing.assert_close(embeddings.grad.double(), direct.grad, rtol=1e-5, atol=1e-9)


def test_near_frames_far_from_the_origin_are_told_apart():
    tells_near_frames_apart(fpd, {})


@pytest.mark.parametrize("options", [{}, {"metric": "ip"}, {"reduction": "sum"}, {"reduction": "mean_per_category"}])
def test_without_pairs_the_loss_is_a_zero_with_a_graph(options):
    embeddings, labels = torch.randn(3, 4, 2, requires_grad=True), torch.ones(3, 4, 2)
    overlap = torch.tensor([[1.0, 1, 0], [0, 1, 1]])[:, None].expand(-1, 4, -1)
    nowhere = torch.zeros(3, 4, dtype=torch.bool)
    options = {"silence": "ignore", **options}
    for found in (
        fpd(embeddings, labels, nowhere, **options),
        fpd(embeddings, 0 * labels, **options),
        fpd(embeddings[:1], labels[:1], **options),
        fpd(embeddings[:0], labels[:0], **options),
        fpd(embeddings[:, :0], labels[:, :0], **options),
        fpd(embeddings[:2], overlap, **options),
        fpd(embeddings, labels, strong=nowhere[:, 0], pairs="synthetic", **options),
    ):
        (gradient,) = torch.autograd.grad(found, embeddings)
        assert found.item() == 0
        assert gradient.abs().max() == 0


def test_negative_pairs_are_pushed_to_a_distance_of_9_and_silence_teaches_borders():
    """What the defaults are for: embeddings of a network start some units apart, and most frames are silent."""
    far = torch.tensor([[[0.0]], [[5.0]]], dtype=torch.float64, requires_grad=True)
    dog_and_cat, dog_and_silence = torch.eye(2)[:, None], torch.tensor([[[1.0]], [[0.0]]])
    for labels in (dog_and_cat, dog_and_silence):
        loss = fpd(far, labels)
        assert loss.item() == pytest.approx(1 / 6 - 0.1)
        (gradient,) = torch.autograd.grad(loss, far)
        assert gradient.flatten().tolist() == pytest.approx([1 / 36, -1 / 36])  # a step drives them apart
        assert fpd(2 * far, labels) == 0
    assert fpd(far, dog_and_silence, silence="ignore") == 0


def does_not_look_at_frames_that_are_not_valid(loss, options):
    rng = torch.Generator().manual_seed(0)
    embeddings, labels = torch.randn(4, 6, 3, generator=rng), torch.eye(2)[torch.arange(4) % 2]
    labels = labels[:, None].expand(-1, 6, -1)
    valid = torch.arange(6) < torch.tensor([6, 3, 5, 0])[:, None]  # clips of different length
    padded = torch.where(valid[..., None], embeddings, torch.nan).requires_grad_()
    value = loss(padded, labels, valid, **options)
    value.backward()
    expected = loss(embeddings[:3, :5], labels[:3, :5], valid[:3, :5], **options)
    torch.testing.assert_close(value, expected)
    assert padded.grad[~valid].abs().max() == 0
    assert torch.isfinite(padded.grad).all()


@pytest.mark.parametrize("metric", METRICS)
def test_frames_that_are_not_valid_may_hold_anything(metric):
    does_not_look_at_frames_that_are_not_valid(fpd, {"metric": metric})


@pytest.mark.parametrize("metric", METRICS)
def test_order_of_clips_and_a_shift_of_time_change_nothing(metric):
    embeddings, labels = torch.randn(5, 6, 3), (torch.rand(5, 6, 2) > 0.5).float()
    loss = fpd(embeddings, labels, metric=metric)
    torch.testing.assert_close(fpd(embeddings.flip(0), labels.flip(0), metric=metric), loss)
    torch.testing.assert_close(fpd(embeddings.roll(2, 1), labels.roll(2, 1), metric=metric), loss)
    shift = {"euclidean": embeddings + 3, "ip": 3 * embeddings}[metric]
    torch.testing.assert_close(fpd(shift, labels, metric=metric), loss)


@pytest.mark.parametrize("metric", METRICS)
def test_autocast_to_bfloat16_changes_nothing(metric):
    embeddings, labels = torch.randn(4, 50, 8), (torch.rand(4, 50, 300) > 0.5).float()
    labels[1] = labels[0]
    labels[1, :, 0] = 1 - labels[0, :, 0]  # 150 classes shared: bfloat16 would take the sets for equal
    with torch.autocast("cpu", torch.bfloat16):
        inside = fpd(embeddings, labels, metric=metric)
    assert inside.item() == fpd(embeddings, labels, metric=metric).item()
    half = embeddings.bfloat16().requires_grad_()
    loss = fpd(half, labels, metric=metric)
    loss.backward()
    assert loss.dtype == torch.float32
    assert half.grad.dtype == torch.bfloat16
    assert loss.item() == fpd(embeddings.bfloat16().float(), labels, metric=metric).item()


@pytest.mark.parametrize("metric", METRICS)
def test_nothing_of_the_size_of_the_pairs_is_held(metric):
    clips, frames, dim = 32, 400, 128
    embeddings = torch.randn(clips, frames, dim, requires_grad=True)
    labels = torch.eye(4)[torch.arange(clips) % 4][:, None].expand(-1, frames, -1).clone()
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        fpd(embeddings, labels, metric=metric).backward()
    sizes = [e.nbytes() for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"]
    matrices, pairs = frames * clips * clips * 4, clips * (clips - 1) // 2 * frames * dim * 4
    assert max(accumulate(sizes)) < embeddings.nbytes + 6 * matrices < 0.2 * pairs
