"""Weights of a GRU in the order of ONNX."""

import torch

from wsed.ops.recurrent import _onnx_gates


def test_gates_are_update_reset_new():
    torch_order = torch.arange(6.0).view(6, 1)  # reset, update and new, two rows each
    assert _onnx_gates(torch_order).flatten().tolist() == [2, 3, 0, 1, 4, 5]
