"""The losses of Pellegrini & Cances 2019 against golden values."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from wsed import WsedError, testing
from wsed.losses import functional as F
from wsed.losses.cosine_penalty import CosinePenalty, cosine_similarity
from wsed.losses.kl_penalty import KLPenalty, kl_similarity
from wsed.types import Labels


@pytest.fixture
def case(golden):
    values = golden("cosine_loss")
    tags = torch.tensor(values["inputs"]["y"], dtype=torch.float64)
    scores = torch.tensor(values["inputs"]["p"], dtype=torch.float64, requires_grad=True)
    return values, scores, tags


def test_golden_values(case):
    values, p, y = case
    assert F.mil(p, y).item() == pytest.approx(values["mil_only_mean_BC"], abs=1e-9)
    assert F.mmm(p, y).item() == pytest.approx(values["mmm"]["loss_mean_BC_of_sum"], abs=1e-9)
    assert F.false_strong(p, y).item() == pytest.approx(values["fsl_mean_BTC"], abs=1e-9)
    assert F.cosine_penalty(p, y).item() == pytest.approx(np.mean(values["penalty"]), abs=1e-9)


def test_golden_loss_and_gradient(case):
    values, p, y = case
    loss = F.mil(p, y) + values["inputs"]["alpha"] * F.cosine_penalty(p, y)
    assert loss.item() == pytest.approx(values["loss_mean_BC"], abs=1e-9)
    loss.backward()
    expected = torch.tensor(values["grad_of_loss_mean_BC"], dtype=torch.float64)
    torch.testing.assert_close(p.grad, expected, atol=1e-9, rtol=0)


def test_golden_similarities(case):
    values, p, y = case
    for similarity, expected in (
        (cosine_similarity, values["cosine_matrix"]),
        (kl_similarity, values["kl_design"]["similarity"]),
    ):
        expected = torch.tensor(expected, dtype=torch.float64)
        torch.testing.assert_close(similarity(p.detach()), expected, atol=1e-9, rtol=0)
        torch.testing.assert_close(similarity(p.detach().float()).double(), expected, atol=1e-6, rtol=0)
    assert F.kl_penalty(p, y).item() == pytest.approx(np.mean(values["kl_design"]["penalty"]), abs=1e-9)


def test_golden_reductions(case):
    values, p, y = case
    total = 3 * F.mil(p, y) + values["inputs"]["alpha"] * F.cosine_penalty(p, y, reduction="sum_classes")
    assert total.item() == pytest.approx(values["loss_sumC_meanB"], abs=1e-9)
    once = F.cosine_penalty(p, y, reduction="sum_classes", count_pairs="unordered")
    assert once.item() == pytest.approx(np.mean(values["penalty_each_pair_once_sum_per_clip"]), abs=1e-9)
    once = F.kl_penalty(p, y, count_pairs="unordered")
    assert once.item() == pytest.approx(np.mean(values["kl_design"]["penalty"]) / 2, abs=1e-9)


@pytest.mark.parametrize(("loss", "penalty"), [(CosinePenalty, F.cosine_penalty), (KLPenalty, F.kl_penalty)])
def test_the_loss_is_the_function_of_the_frame_scores(loss, penalty):
    of = testing.batch()
    output = testing.output(of)
    expected = penalty(output.frame_scores, of.clip_labels, output.valid, of.tagged, count_pairs="unordered")
    assert loss(count_pairs="unordered")(output, of).item() == pytest.approx(expected.item(), abs=1e-7)


@pytest.mark.parametrize("loss", [CosinePenalty, KLPenalty])
def test_pairs_of_classes_that_truly_overlap_are_exempt(loss):
    """Three classes with one curve: each of the three pairs costs 2 / 3, of which one is left out."""
    of = replace(testing.batch(2), clip_labels=torch.ones(2, 3), tagged=torch.ones(2, 3, dtype=torch.bool))
    output = replace(testing.output(of), frame_logits=torch.zeros(2, 12, 3), valid=None)
    every, fewer = loss(), loss(exempt=[["Cat", "Dog"]])
    fewer.name_classes(Labels(["Dog", "Bird", "Cat"]))
    assert every(output, of).item() == pytest.approx(2.0)
    assert fewer(output, of).item() == pytest.approx(4 / 3)
    tags = torch.tensor([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])  # Dog and Cat; Dog and Bird
    two = replace(of, clip_labels=tags)
    assert fewer(output, two).item() == pytest.approx(2 / 3 / 2)


def test_exempt_names_known_classes():
    with pytest.raises(WsedError, match="not a pair of two different classes"):
        CosinePenalty(exempt=[["Dog", "Dog"]])
    loss = CosinePenalty(exempt=[["Dog", "Cet"]])
    with pytest.raises(WsedError, match=r"unknown class 'Cet'.*Cat"):
        loss.name_classes(Labels(["Dog", "Cat"]))
    with pytest.raises(WsedError, match="call name_classes"):
        loss(testing.output(testing.batch()), testing.batch())
