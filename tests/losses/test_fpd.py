"""The frame pairwise distance loss of Tao, Huang et al. 2023 against golden values and a slow reference."""

from itertools import accumulate, combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.losses.fpd import OPTIONS, fpd
from wsed.ops.frame_pairs import frame_categories

FORMULAS = [{"mode": mode} for mode in OPTIONS["mode"]]
FORMULAS += [{"metric": "ip", "sign": sign, "norm_on": on} for sign in OPTIONS["sign"] for on in OPTIONS["norm_on"]]


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


def test_golden_distances(case):
    values, embeddings, _ = case
    for row, (i, j) in enumerate(values["clip_pairs"]):
        for t in range(2):
            pair, same = embeddings[[i, j], t : t + 1], torch.ones(2, 1, 1)
            expected = values["euclidean_d"][row][t]
            assert fpd(pair, same, mode="raw").item() == pytest.approx(expected**2, abs=1e-9)
            expected = values["similarity_1_over_1_plus_d"][row][t]
            assert fpd(pair, same, mode="literal").item() == pytest.approx(expected**2, abs=1e-9)
            found = fpd(pair, same, metric="ip", norm_on="none", alpha=1.0)
            assert found.item() == pytest.approx(1 - values["cosine"][row][t], abs=1e-9)


def test_golden_sums(case):
    values, embeddings, labels = case
    assert values["inputs"]["alpha"] == 0.1
    expected = [({"mode": mode}, values["euclidean_sum"][mode]) for mode in OPTIONS["mode"]]
    expected.append(({"alpha": 0.9}, values["euclidean_sum"]["distance_alpha_0p9"]))
    names = {("literal", "all"): "literal_norm_all", ("literal", "positive"): "literal_norm_positive"}
    names |= {("corrected", on): f"corrected_norm_{on}" for on in ("positive", "all")}
    names[("corrected", "none")] = "corrected_no_norm"
    for (sign, on), name in names.items():
        expected.append(({"metric": "ip", "sign": sign, "norm_on": on}, values["ip_sum"][name]))
    for options, value in expected:
        assert fpd(embeddings, labels, reduction="sum", **options).item() == pytest.approx(value, abs=1e-9), options
        single = fpd(embeddings.float(), labels, reduction="sum", **options)
        assert single.dtype == torch.float32
        assert single.item() == pytest.approx(value, abs=2e-6)  # two units in the last place of 15.8


def test_golden_means_and_gradients(case):
    values, embeddings, labels = case
    for metric, mean, gradient in (
        ("euclidean", "euclidean_distance_mean_over_used_pairs", "grad_euclidean_distance_sum"),
        ("ip", "ip_corrected_mean_over_used_pairs", "grad_ip_corrected_sum"),
    ):
        assert fpd(embeddings, labels, metric=metric).item() == pytest.approx(values[mean], abs=1e-9)
        loss = fpd(embeddings, labels, metric=metric, reduction="sum")
        (found,) = torch.autograd.grad(loss, embeddings)
        torch.testing.assert_close(found, torch.tensor(values[gradient], dtype=torch.float64), atol=1e-9, rtol=0)


def slow_cost(a, b, category, options, alpha):
    """Of one pair, straight from the table of section 8 of the notes on the paper."""
    if options.get("metric") == "ip":
        cosine = (a @ b) / (a.norm() * b.norm())
        away = -cosine if options["sign"] == "corrected" else cosine
        cost = (away + alpha).relu() if category == 1 else (alpha - away).relu()
        normed = options["norm_on"] == "all" or (options["norm_on"] == "positive" and category == 1)
        return cost + (away + 1) ** 2 if normed else cost
    d = (a - b).norm()
    s = 1 / (1 + d)
    positive, negative = {
        "distance": ((1 - s) ** 2, alpha - (1 - s)),
        "similarity": ((1 - s) ** 2, s - alpha),
        "raw": (d**2, alpha - d),
        "literal": (s**2, alpha - s),
    }[options["mode"]]
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


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(FORMULAS),
    st.tuples(*(st.sampled_from(OPTIONS[name]) for name in ("reduction", "silence", "pairs"))),
    st.booleans(),
    st.integers(1, 5),
    st.integers(1, 4),
    st.sampled_from([0.1, 0.5, 0.9]),
    st.integers(0, 10**6),
)
def test_loss_and_gradient_equal_a_loop_over_pairs(options, choice, with_tags, clips, frames, alpha, seed):
    rng = torch.Generator().manual_seed(seed)

    def some(*shape):
        return torch.rand(*shape, generator=rng) < 0.5

    choice = dict(zip(("reduction", "silence", "pairs"), choice, strict=True))
    embeddings = 0.3 * torch.randn(clips, frames, 3, generator=rng, dtype=torch.float64)
    embeddings.requires_grad_()
    labels, strong = some(clips, frames, 2).float(), some(clips)
    valid = some(clips, frames) | some(clips, 1)
    tags = labels.amax(1) if with_tags else None
    loss = fpd(embeddings, labels, valid, tags, strong, **options, **choice, alpha=alpha)
    expected = slow_fpd(embeddings, labels, valid, tags, strong, options, alpha, **choice)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-9)
    (found,), (right,) = (torch.autograd.grad(value, embeddings) for value in (loss, expected))
    torch.testing.assert_close(found, right, atol=1e-8, rtol=1e-6)


@pytest.mark.parametrize("options", FORMULAS, ids=str)
def test_the_gradient_is_that_of_finite_differences(options):
    rng = torch.Generator().manual_seed(3)
    embeddings = (0.2 * torch.randn(4, 3, 2, generator=rng, dtype=torch.float64)).requires_grad_()
    labels = torch.eye(2)[torch.randint(2, (4, 3), generator=rng)]
    for reduction in OPTIONS["reduction"]:
        assert torch.autograd.gradcheck(lambda e: fpd(e, labels, reduction=reduction, **options), embeddings)  # noqa: B023


@pytest.mark.parametrize("options", FORMULAS, ids=str)
@pytest.mark.parametrize("same", [True, False])
def test_a_gradient_step_moves_pairs_the_way_it_should(options, same):
    if options.get("norm_on") == "all" and not same:
        pytest.skip("the hinge and the norm pull against each other")
    near = torch.tensor([[0.05, 0.0, 0.0], [0.003, 0.05, 0.0]])  # and nearly orthogonal: the hinges are active
    embeddings = near[:, None].double().requires_grad_()
    loss = fpd(embeddings, torch.ones(2, 1, 1) if same else torch.eye(2)[:, None], **options)
    loss.backward()

    def distance(x):
        if "mode" in options:
            return torch.dist(*x.squeeze(1)).item()
        return -torch.cosine_similarity(*x.squeeze(1), dim=0).item()

    before, after = distance(embeddings), distance(embeddings - 1e-5 * embeddings.grad)
    literal = "literal" in options.values()
    if options == {"mode": "literal"} and not same:
        assert after == before  # its hinge lets near frames be: see the next test
    else:
        assert (after < before) == (same != literal)


def test_literal_drives_far_negatives_together():
    embeddings = torch.tensor([[[0.0]], [[20.0]]], dtype=torch.float64, requires_grad=True)
    fpd(embeddings, torch.eye(2)[:, None], mode="literal").backward()
    assert embeddings.grad[0].item() < 0 < embeddings.grad[1].item()


def test_similarity_is_distance_of_the_other_margin():
    rng = torch.Generator().manual_seed(0)
    embeddings, labels = torch.randn(5, 7, 3, generator=rng), (torch.rand(5, 7, 3, generator=rng) > 0.6).float()
    one = fpd(embeddings, labels, mode="similarity", alpha=0.3)
    assert one.item() == pytest.approx(fpd(embeddings, labels, alpha=0.7).item(), abs=1e-7)


@pytest.mark.parametrize("options", FORMULAS, ids=str)
@pytest.mark.parametrize("value", [0.0, 1.5])
def test_identical_frames_keep_the_gradient_finite(options, value):
    embeddings = torch.full((4, 3, 5), value, requires_grad=True)
    labels = torch.eye(2)[torch.tensor([0, 0, 1, 1])][:, None].expand(-1, 3, -1)
    loss = fpd(embeddings, labels, **options)
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(embeddings.grad).all()
    if "mode" in options:
        assert embeddings.grad.abs().max() == 0


def test_near_frames_far_from_the_origin_are_told_apart():
    """In float32 the inner products would round away distances below 0.03 here."""
    rng = torch.Generator().manual_seed(0)
    near = 100 + 1e-3 * torch.randn(6, 20, 64, generator=rng)
    labels = torch.eye(3)[torch.arange(6) % 3][:, None].expand(-1, 20, -1)
    for mode in ("distance", "raw"):
        embeddings = near.clone().requires_grad_()
        loss = fpd(embeddings, labels, mode=mode, alpha=0.9)
        loss.backward()
        direct = near.double().requires_grad_()
        d = (direct[:, None] - direct[None] + 1e-30).norm(dim=-1)  # [clip clip frame]
        d = d / (1 + d) if mode == "distance" else d
        kinds = torch.arange(6) % 3
        same = (kinds[:, None] == kinds)[..., None]
        above = torch.ones(6, 6).triu(1)[..., None]
        expected = (torch.where(same, d.square(), (0.9 - d).relu()) * above).sum() / (15 * 20)
        expected.backward()
        assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
        torch.testing.assert_close(embeddings.grad.double(), direct.grad, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("options", [{}, {"metric": "ip"}, {"reduction": "sum"}, {"reduction": "mean_per_category"}])
def test_without_pairs_the_loss_is_a_zero_with_a_graph(options):
    embeddings, labels = torch.randn(3, 4, 2, requires_grad=True), torch.ones(3, 4, 2)
    overlap = torch.tensor([[1.0, 1, 0], [0, 1, 1]])[:, None].expand(-1, 4, -1)
    nowhere = torch.zeros(3, 4, dtype=torch.bool)
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


@pytest.mark.parametrize("options", FORMULAS, ids=str)
def test_frames_that_are_not_valid_may_hold_anything(options):
    rng = torch.Generator().manual_seed(0)
    embeddings, labels = torch.randn(4, 6, 3, generator=rng), torch.eye(2)[torch.arange(4) % 2]
    labels = labels[:, None].expand(-1, 6, -1)
    valid = torch.arange(6) < torch.tensor([6, 3, 5, 0])[:, None]  # clips of different length
    padded = torch.where(valid[..., None], embeddings, torch.nan).requires_grad_()
    loss = fpd(padded, labels, valid, **options)
    loss.backward()
    expected = fpd(embeddings[:3, :5], labels[:3, :5], valid[:3, :5], **options)
    torch.testing.assert_close(loss, expected)
    assert padded.grad[~valid].abs().max() == 0
    assert torch.isfinite(padded.grad).all()


@pytest.mark.parametrize("metric", OPTIONS["metric"])
def test_order_of_clips_and_a_shift_of_time_change_nothing(metric):
    embeddings, labels = torch.randn(5, 6, 3), (torch.rand(5, 6, 2) > 0.5).float()
    loss = fpd(embeddings, labels, metric=metric)
    torch.testing.assert_close(fpd(embeddings.flip(0), labels.flip(0), metric=metric), loss)
    torch.testing.assert_close(fpd(embeddings.roll(2, 1), labels.roll(2, 1), metric=metric), loss)
    shift = {"euclidean": embeddings + 3, "ip": 3 * embeddings}[metric]
    torch.testing.assert_close(fpd(shift, labels, metric=metric), loss)


@pytest.mark.parametrize("metric", OPTIONS["metric"])
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


@pytest.mark.parametrize("metric", OPTIONS["metric"])
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
