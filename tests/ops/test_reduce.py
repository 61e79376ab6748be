import pytest
import torch

from wsed.ops.reduce import masked_mean


def test_mean_of_what_the_mask_holds():
    values = torch.tensor([[1.0, 2.0], [3.0, 40.0]])
    assert masked_mean(values).item() == pytest.approx(11.5)
    assert masked_mean(values, torch.tensor([[True], [False]])).item() == pytest.approx(1.5)
    assert masked_mean(values.bfloat16()).dtype == torch.float32


def test_nothing_to_average_is_a_zero_with_a_graph():
    values = torch.ones(3, requires_grad=True)
    mean = masked_mean(values, torch.zeros(3, dtype=torch.bool))
    mean.backward()
    assert mean.item() == 0
    assert torch.equal(values.grad, torch.zeros(3))


def test_masked_nan_and_infinity_do_not_get_through():
    values = torch.tensor([1.0, float("nan"), float("inf")], requires_grad=True)
    mean = masked_mean(values, torch.tensor([True, False, False]))
    mean.backward()
    assert mean.item() == 1
    assert torch.equal(values.grad, torch.tensor([1.0, 0.0, 0.0]))
