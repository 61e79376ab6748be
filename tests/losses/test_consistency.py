"""The consistency of a student with its teacher."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from wsed import WsedError, testing
from wsed.data.checks import check_known
from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.losses import Consistency, InterpolationConsistency
from wsed.losses.functional import consistency
from wsed.types import Labels, Output


def test_values_by_hand():
    student, teacher = torch.tensor([[0.2, 0.9]]), torch.tensor([[0.4, 0.9]])
    assert consistency(student, teacher).item() == pytest.approx(0.02)
    assert consistency(student, teacher, torch.tensor([[False, True]])).item() == 0
    wanted = torch.nn.functional.binary_cross_entropy(student, teacher)
    torch.testing.assert_close(consistency(student, teacher, cost="bce"), wanted)


def test_no_gradient_flows_into_the_teacher():
    student, teacher = (torch.rand(2, 3, requires_grad=True) for _ in range(2))
    consistency(student, teacher).backward()
    assert student.grad is not None
    assert teacher.grad is None


@pytest.mark.parametrize("scores", ["frame", "clip", "both"])
@pytest.mark.parametrize("cost", ["mse", "bce"])
def test_it_keeps_the_contract(scores, cost):
    testing.check_loss(Consistency(scores, cost))


def test_both_is_the_sum_and_clips_without_labels_count():
    of = testing.batch()
    output = testing.output(of)
    parts = [Consistency(scores)(output, of) for scores in ("frame", "clip")]
    torch.testing.assert_close(Consistency()(output, of), sum(parts))
    unknown = replace(of, tagged=torch.zeros_like(of.tagged), timed=torch.zeros_like(of.timed))
    torch.testing.assert_close(Consistency()(output, unknown), sum(parts))


def test_an_equal_teacher_costs_nothing_and_a_missing_one_neither():
    of = testing.batch()
    output = testing.output(of)
    same = Output(frame_logits=output.frame_logits.detach(), clip_logits=output.clip_logits.detach())
    assert Consistency()(replace(output, teacher=same), of).item() == 0
    value = Consistency()(replace(output, teacher=None), of)
    assert value.item() == 0
    assert value.requires_grad


def test_it_asks_for_a_teacher_and_scores_of_one_shape():
    assert Consistency("clip").needs.output == {"clip_logits", "teacher"}
    with pytest.raises(WsedError, match="one shape"):
        consistency(torch.rand(2, 3), torch.rand(2, 4))
    with pytest.raises(WsedError, match="mse"):
        consistency(torch.rand(2, 3), torch.rand(2, 3), cost="l1")


def test_mixes_are_compared_with_the_mixes_of_the_teachers_scores():
    of = testing.batch()
    output = testing.output(of)
    mixed = replace(output.mixed, teacher=None)
    wanted = Consistency()(replace(mixed, teacher=output.mixed.teacher), of)
    torch.testing.assert_close(InterpolationConsistency()(output, of), wanted)
    assert InterpolationConsistency("frame").needs.output == {"frame_logits", "mixed"}
    nothing = InterpolationConsistency()(replace(output, mixed=None), of)
    assert nothing.item() == 0
    assert nothing.requires_grad


@pytest.mark.parametrize("loss", [Consistency(), InterpolationConsistency()])
def test_clips_without_labels_are_asked_for(loss):
    labels, path = Labels(["Dog"]), Path("a.wav")
    weak, other = Clip("a.wav", path, "weak", frozenset({"Dog"})), Clip("b.wav", path, "unlabelled")
    table = ClipTable.of([weak, other], labels)
    check_known({"same": loss.needs}, table, torch.tensor([True, True]), {"weak": 1, "unlabelled": 1})
    message = r"loss 'same' needs clips with no labels, and none of the sources of data.batch \{'weak': 2\} has them"
    with pytest.raises(WsedError, match=message):
        check_known({"same": loss.needs}, table, torch.tensor([True, False]), {"weak": 2})
