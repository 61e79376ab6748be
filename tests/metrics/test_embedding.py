"""Embedding quality against golden values, slow loops and scikit-learn."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.errors import WsedError
from wsed.metrics import embedding, tag_f1
from wsed.metrics.embedding import centre_accuracy, class_centres, scatter_ratio, silhouette


def doubles(values):
    return torch.tensor(values, dtype=torch.float64)


def test_golden_centre_accuracy(golden):
    values = golden("waa_metrics")["centre"]
    x, y = doubles(values["x"]), torch.eye(3)[values["y"]]
    centres = class_centres(x, y)
    torch.testing.assert_close(centres, doubles(values["centres"]), atol=1e-9, rtol=0)
    assert centre_accuracy(x, y, centres) == pytest.approx(values["mean_over_examples"], abs=1e-9)
    assert centre_accuracy(x, y, centres, macro=True) == pytest.approx(values["mean_over_classes"], abs=1e-9)
    hits = [centre_accuracy(x[i : i + 1], y[i : i + 1], centres) for i in range(len(x))]
    assert hits == [float(c == k) for c, k in zip(values["nearest"], values["y"], strict=True)]
    for c, share in enumerate(values["per_class"]):
        assert centre_accuracy(x[y[:, c] > 0], y[y[:, c] > 0], centres) == pytest.approx(share)


def test_golden_centre_accuracy_of_unbalanced_classes(golden):
    values = golden("waa_metrics")["centre"]
    kept = values["unbalanced"]["index"]
    x, y = doubles(values["x"])[kept], torch.eye(3)[values["y"]][kept]
    centres = class_centres(x, y)
    torch.testing.assert_close(centres, doubles(values["unbalanced"]["centres"]), atol=1e-9, rtol=0)
    for name, macro in (("mean_over_examples", False), ("mean_over_classes", True)):
        assert centre_accuracy(x, y, centres, macro=macro) == pytest.approx(values["unbalanced"][name], abs=1e-9)


def test_golden_macro_f_of_tags(golden):
    values = golden("waa_metrics")["tagging_f"]
    y, p = torch.tensor(values["y"]) > 0, torch.tensor(values["p"])
    assert tag_f1(y, p > 0.5)["macro_f_mean"] == pytest.approx(values["macro"], abs=1e-9)
    said, counts = p > 0.5, [values["tp"], values["fp"], values["fn"]]
    assert [x.sum(0).tolist() for x in (said & y, said & ~y, ~said & y)] == counts
    for c, f1 in enumerate(values["f_per_class"]):
        assert tag_f1(y[:, c : c + 1], said[:, c : c + 1])["macro_f_mean"] == pytest.approx(f1, abs=1e-9)
    assert tag_f1(y, p > 1)["macro_f_mean"] == values["all_zero_prediction_macro"]


def drawn(clips, labels, seed, single=True):
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(clips, 3, generator=draw, dtype=torch.float64)
    if single:
        return x, torch.eye(labels)[torch.randint(labels, (clips,), generator=draw)]
    return x, (torch.rand(clips, labels, generator=draw) > 0.6).float()


def slow_accuracy(x, y, centres, macro):
    right = {c: [] for c in range(y.shape[1])}
    for point, tags in zip(x, y, strict=True):
        d = [math.inf if c.isnan().any() else float((point - c).square().sum()) for c in centres]
        hit = bool(tags[d.index(min(d))])
        mine = tags.nonzero().flatten().tolist()
        for c in mine if macro else mine[:1]:
            right[c].append(hit)
    if macro:
        shares = [sum(r) / len(r) for r in right.values() if r]
        return sum(shares) / len(shares) if shares else math.nan
    flat = [hit for hits in right.values() for hit in hits]
    return sum(flat) / len(flat) if flat else math.nan


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 15), st.integers(1, 4), st.integers(0, 10**6), st.booleans(), st.booleans())
def test_centre_accuracy_equals_a_loop(clips, labels, seed, single, macro):
    x, y = drawn(clips, labels, seed, single)
    trained, its_tags = drawn(2 * clips, labels, seed + 1, single)
    centres = class_centres(trained, its_tags)
    expected = slow_accuracy(x, y, centres, macro)
    assert centre_accuracy(x, y, centres, macro=macro) == pytest.approx(expected, nan_ok=True)


def test_a_class_without_clips_has_no_centre_and_is_nearest_to_nothing():
    x = doubles([[0.0, 0], [4, 0], [0.1, 0]])
    y = torch.tensor([[1.0, 0, 0], [0, 0, 1], [0, 1, 0]])
    centres = class_centres(x[:2], y[:2])
    assert centres[1].isnan().all()
    assert centre_accuracy(x, y, centres) == pytest.approx(2 / 3)
    assert centre_accuracy(x, y, centres, macro=True) == pytest.approx(2 / 3)
    assert math.isnan(centre_accuracy(x, torch.zeros(3, 3), centres))


def test_embeddings_of_any_kind_are_taken():
    x, y = drawn(20, 3, 0)
    exact = centre_accuracy(x, y, class_centres(x, y))
    rough = x.bfloat16().requires_grad_()
    assert centre_accuracy(rough, y, class_centres(rough, y)) == pytest.approx(exact, abs=0.2)


def slow_scatter(x, y):
    classes = [x[y[:, c] > 0] for c in range(y.shape[1]) if y[:, c].any()]
    within = sum(float((c - c.mean(0)).square().sum()) for c in classes)
    between = sum(len(c) * float((c.mean(0) - x.mean(0)).square().sum()) for c in classes)
    return (within + between) / within


@settings(max_examples=40, deadline=None)
@given(st.integers(5, 30), st.integers(1, 4), st.integers(0, 10**6))
def test_scatter_ratio_equals_its_definition(clips, labels, seed):
    x, y = drawn(clips, labels, seed)
    assert scatter_ratio(x, y) == pytest.approx(slow_scatter(x, y))
    assert scatter_ratio(3 * x + 7, y) == pytest.approx(slow_scatter(x, y))


def test_scatter_of_points_and_of_nothing():
    y = torch.eye(2)[[0, 0, 1]]
    assert scatter_ratio(doubles([[0.0], [0], [1]]), y) == math.inf
    assert math.isnan(scatter_ratio(torch.zeros(0, 2), torch.zeros(0, 2)))
    assert math.isnan(silhouette(torch.zeros(0, 2), torch.zeros(0, 2)))


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 40), st.integers(2, 5), st.integers(0, 10**6), st.sampled_from([0.0, 1e6]))
def test_silhouette_is_that_of_scikit_learn(clips, labels, seed, far):
    sklearn = pytest.importorskip("sklearn.metrics")
    x, y = drawn(clips, labels, seed)
    label = y.argmax(1)
    n = len(label.unique())
    if 2 <= n < clips:
        assert silhouette(x + far, y) == pytest.approx(sklearn.silhouette_score(x.numpy(), label.numpy()), abs=1e-6)
    elif n < 2:
        assert math.isnan(silhouette(x, y))


def test_silhouette_in_blocks_is_the_same(monkeypatch):
    x, y = drawn(50, 4, 0)
    whole = silhouette(x, y)
    monkeypatch.setattr(embedding, "BLOCK", 120)
    assert silhouette(x, y) == pytest.approx(whole)
    apart = silhouette(x + 100 * y.argmax(1, keepdim=True), y)
    assert apart > 0.9 > whole


def test_silhouette_of_points_that_are_all_alike_is_zero():
    assert silhouette(torch.ones(4, 2), torch.eye(2)[[0, 0, 1, 1]]) == 0
    assert silhouette(torch.eye(3), torch.eye(3)) == 0


@pytest.mark.parametrize("metric", [scatter_ratio, silhouette])
@pytest.mark.parametrize("tags", [[[1.0, 1], [1, 0]], [[0.0, 0], [1, 0]]])
def test_clips_of_several_classes_or_none_are_refused(metric, tags):
    with pytest.raises(WsedError, match="exactly one class each"):
        metric(torch.ones(2, 3), torch.tensor(tags))
