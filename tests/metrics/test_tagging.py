"""Tagging scores against scikit-learn, sed_scores_eval, loops and the golden values of M&mnet."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.errors import WsedError
from wsed.metrics import Counts, average_precision
from wsed.metrics.tagging import (
    ap,
    auroc,
    d_prime,
    f1_averages,
    partial_auroc,
    ranking_scores,
    ranking_statistic,
    tag_f1,
    tagging_scores,
)

cases = st.tuples(st.integers(2, 30), st.integers(0, 10_000), st.sampled_from([2, 5, 1000]))


def drawn(clips: int, seed: int, distinct: int, labels: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """With a positive and a negative of each class; few distinct scores give many ties."""
    draw = np.random.default_rng(seed)
    true = draw.random((clips, labels)) > 0.6
    true[0], true[1] = True, False
    return torch.from_numpy(true), torch.from_numpy(draw.integers(0, distinct, (clips, labels)) / distinct)


@given(cases)
@settings(max_examples=60, deadline=None)
def test_areas_are_those_of_scikit_learn(case):
    sklearn = pytest.importorskip("sklearn.metrics")
    true, score = drawn(*case)
    x, y = true[:, 0].numpy(), score[:, 0].numpy()
    assert ranking_scores(true, score, auroc)[0, 0] == pytest.approx(sklearn.roc_auc_score(x, y), abs=1e-12)
    assert ranking_scores(true, score, ap)[0, 0] == pytest.approx(sklearn.average_precision_score(x, y), abs=1e-12)
    for limit in (0.1, 0.37, 0.5, 1.0):
        ours = ranking_scores(true, score, partial(partial_auroc, max_fpr=limit, convention="sklearn"))
        assert ours[0, 0] == pytest.approx(sklearn.roc_auc_score(x, y, max_fpr=limit), abs=1e-12)


@given(cases, st.sampled_from([0.1, 0.37, 1.0]))
@settings(max_examples=60, deadline=None)
def test_partial_area_of_dcase_equals_a_loop(case, limit):
    true, score = drawn(*case)
    pairs = sorted(zip(score[:, 0].tolist(), true[:, 0].tolist(), strict=True), reverse=True)
    n_true, total, height, rate = sum(t for _, t in pairs), 0.0, 0.0, 0.0
    for cut in sorted({s for s, _ in pairs}, reverse=True):
        n_false = len(pairs) - n_true
        new_rate = sum(s >= cut and not t for s, t in pairs) / n_false
        total += height * (min(new_rate, limit) - min(rate, limit))
        height, rate = sum(s >= cut and t for s, t in pairs) / n_true, new_rate
    ours = ranking_scores(true, score, partial(partial_auroc, max_fpr=limit))
    assert ours[0, 0] == pytest.approx(total / limit, abs=1e-12)


@pytest.mark.parametrize("limit", [0.1, 0.5])
@pytest.mark.parametrize("distinct", [4, 1000])
def test_partial_area_is_that_of_sed_scores_eval(limit, distinct):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clip_based = pytest.importorskip("sed_scores_eval").clip_based
        frame = pytest.importorskip("sed_scores_eval.base_modules.scores").create_score_dataframe
    true, score = drawn(60, 3, distinct, labels=3)
    names = ["a", "b", "c"]
    table = {str(i): frame(s.numpy()[None], timestamps=[0.0, 1.0], event_classes=names) for i, s in enumerate(score)}
    tags = {str(i): [n for n, yes in zip(names, t.tolist(), strict=True) if yes] for i, t in enumerate(true)}
    theirs, _ = clip_based.auroc(table, tags, max_fpr=limit)
    ours = tagging_scores(true, score, max_fpr=limit)
    assert ours.pauroc == pytest.approx([theirs[n] for n in names], abs=1e-9)
    assert ours.macro_pauroc == pytest.approx(theirs["mean"], abs=1e-9)


def test_all_averages_are_those_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.metrics")
    true, score = drawn(80, 1, 50, labels=4)
    ours, x, y = tagging_scores(true, score, convention="sklearn"), true.numpy(), score.numpy()
    for average in ("macro", "micro"):
        values = ours.summary()
        assert values[f"{average}_ap"] == pytest.approx(sklearn.average_precision_score(x, y, average=average))
        assert values[f"{average}_auroc"] == pytest.approx(sklearn.roc_auc_score(x, y, average=average))
    assert ours.micro_pauroc == pytest.approx(sklearn.roc_auc_score(x.ravel(), y.ravel(), max_fpr=0.1))
    assert ours.ap == pytest.approx(average_precision(true, score), abs=1e-12)
    assert ours.n_positive.tolist() == x.sum(0).tolist()
    assert ours.n_clips == 80
    assert np.isfinite(ours.macro_d_prime)


@given(cases)
@settings(max_examples=40, deadline=None)
def test_a_weight_is_a_repetition(case):
    true, score = drawn(*case, labels=2)
    weights = np.random.default_rng(case[1]).integers(0, 4, (3, len(true))).astype(float)
    for ranking in (ap, auroc, partial_auroc):
        ours = ranking_scores(true, score, ranking, weights)
        for row, weight in zip(ours, weights, strict=True):
            index = torch.from_numpy(np.repeat(np.arange(len(true)), weight.astype(int)))
            if len(index):
                alone = ranking_scores(true[index], score[index], ranking)[0]
                assert row == pytest.approx(alone, abs=1e-12, nan_ok=True)
            else:
                assert np.isnan(row).all()
    pooled = ranking_statistic(true, score, auroc, "micro")(weights)
    assert pooled == pytest.approx(
        ranking_scores(true.reshape(-1, 1), score.reshape(-1, 1), auroc, weights.repeat(2, axis=1))[:, 0], nan_ok=True
    )
    macro = ranking_statistic(true, score, ap)(np.ones((1, len(true))))
    assert macro[0] == pytest.approx(tagging_scores(true, score).macro_ap)


def test_classes_without_positives_or_negatives():
    true = torch.tensor([[1, 0, 1], [0, 0, 1], [1, 0, 1]], dtype=torch.bool)
    scores = tagging_scores(true, torch.tensor([[0.9, 0.1, 0.2], [0.5, 0.2, 0.2], [0.7, 0.3, 0.2]]))
    assert scores.ap == pytest.approx([1.0, np.nan, 1.0], nan_ok=True)
    assert scores.auroc == pytest.approx([1.0, np.nan, np.nan], nan_ok=True)
    assert scores.pauroc == pytest.approx([1.0, np.nan, np.nan], nan_ok=True)
    assert (scores.macro_ap, scores.macro_auroc, scores.macro_pauroc) == (1.0, 1.0, 1.0)
    assert scores.d_prime[0] == np.inf
    nothing = tagging_scores(torch.zeros(2, 1, dtype=torch.bool), torch.zeros(2, 1))
    assert all(np.isnan(v) for v in nothing.summary().values())


def test_constant_scores_are_chance():
    true, _ = drawn(20, 0, 2)
    scores = tagging_scores(true, torch.full((20, 1), 0.3), convention="sklearn")
    assert (scores.macro_auroc, scores.macro_d_prime) == (0.5, 0.0)
    assert scores.macro_pauroc == pytest.approx(0.5)
    assert scores.macro_ap == pytest.approx(float(true.double().mean()))


def test_scores_that_are_no_numbers_are_refused():
    true, scores = torch.eye(2, dtype=torch.bool), torch.tensor([[0.1, 0.2], [0.3, torch.nan]])
    with pytest.raises(WsedError, match="scores of clip 1 hold NaN"):
        tagging_scores(true, scores)


def test_d_prime():
    values = d_prime(np.array([0.5, 0.9213503964748575, 1.0]))  # Phi(2 / sqrt 2)
    assert values == pytest.approx([0.0, 2.0, np.inf], abs=1e-12)


def test_golden_f1_averages(golden):
    g = golden("mmnet_metrics")
    true, score = torch.tensor(g["y"]).bool(), torch.tensor(g["p"], dtype=torch.float64)
    scores = tagging_scores(true, score)
    assert scores.ap == pytest.approx(g["AP"], abs=1e-12)
    assert scores.auroc == pytest.approx(g["AUC"], abs=1e-12)
    assert (scores.macro_ap, scores.macro_auroc) == pytest.approx((g["mAP"], g["AUC_macro"]), abs=1e-12)
    cut = torch.tensor([row[0] for row in g["best_per_class_threshold_F1_R_P"]], dtype=torch.float64)
    three = tag_f1(true, score > cut)
    expected = (g["micro_at_those_thresholds"]["F1"], g["macro"]["F1"], g["macro"]["harmonic_of_macro_P_R"])
    assert (three["micro"], three["macro_f_mean"], three["macro_f_harmonic"]) == pytest.approx(expected, abs=1e-12)


def test_official_file_loop_forgives_silent_clips():
    true = torch.tensor([[1, 0], [0, 1], [1, 1]], dtype=torch.bool)
    said = torch.tensor([[1, 0], [0, 0], [1, 1]], dtype=torch.bool)
    assert tag_f1(true, said)["micro"] == pytest.approx(6 / 7)
    loop = said.any(1)  # as the organisers' script of DCASE 2017 task 4: clips without a prediction are passed over
    assert tag_f1(true[loop], said[loop])["micro"] == 1.0


def test_averages_without_a_hit_or_a_reference():
    zeros = np.zeros(2, dtype=np.int64)
    assert f1_averages(Counts(zeros, zeros + 1, zeros)) == {"micro": 0, "macro_f_mean": 0, "macro_f_harmonic": 0}
    assert all(np.isnan(v) for v in f1_averages(Counts(zeros, zeros, zeros)).values())


def test_mistakes_are_told():
    true, score = drawn(5, 0, 5)
    with pytest.raises((WsedError, TypeError)):
        tagging_scores(true, score[:4])
    with pytest.raises(WsedError, match="at least one clip"):
        tagging_scores(true[:0], score[:0])
    with pytest.raises(WsedError, match="max_fpr"):
        tagging_scores(true, score, max_fpr=0.0)


@pytest.mark.parametrize("infinite", [-np.inf, np.inf])
def test_infinite_scores_tie(infinite):
    """As large finite ones do, whatever the order of the clips."""
    true = torch.tensor([[True], [False], [False], [True], [False]])
    score = torch.tensor([[0.0], [infinite], [infinite], [infinite], [-0.5]], dtype=torch.float64)
    finite = score.clamp(-1e3, 1e3)
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 3, 1]):
        for ranking in (ap, auroc, partial_auroc):
            expected = ranking_scores(true, finite, ranking)
            assert ranking_scores(true[order], score[order], ranking).tolist() == expected.tolist()
