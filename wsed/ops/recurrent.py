"""Bidirectional GRUs: one that is fast on a CPU, and one for padded clips on an accelerator.

torch unrolls a GRU into about thirty small operations per frame and direction. On a CPU, that takes a third of a
training step of the network of Pellegrini and Cances (2019). `bidirectional_gru` runs both directions together and
computes everything that does not depend on the previous state for all frames at once: six operations per frame forward,
three backward.
"""

import sys
import warnings
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

Gates = Float[Tensor, "direction frame clip gate"]


def bidirectional(
    gru: nn.GRU, frames: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"] | None = None
) -> Float[Tensor, "clip frame both"]:
    """The output of a bidirectional `nn.GRU` with one layer, in the quickest way on its device, also for export.

    Args:
        gru: the layer whose weights are used; `batch_first`, with bias.
        frames: the input.
        valid: frames that hold signal, which come first in each clip; all if None.

    >>> gru = nn.GRU(4, 8, batch_first=True, bidirectional=True)
    >>> bidirectional(gru, torch.randn(2, 10, 4)).shape
    torch.Size([2, 10, 16])
    """
    if "torch.onnx" in sys.modules and torch.onnx.is_in_onnx_export():  # importing it takes a fifth of a second
        return exported_gru(gru, frames)
    if frames.device.type == "cpu":
        return bidirectional_gru(gru, frames, valid)
    if valid is None:
        return gru(frames)[0]  # type: ignore[no-any-return]
    return padded_gru(gru, frames, valid)


def bidirectional_gru(
    gru: nn.GRU, frames: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"] | None = None
) -> Float[Tensor, "clip frame both"]:
    """The output of a bidirectional `nn.GRU` with one layer, at least in float32.

    Output and gradient equal those of torch up to rounding, and the output has the same memory layout.

    Args:
        gru: the layer whose weights are used; `batch_first`, with bias.
        frames: the input.
        valid: frames that hold signal, which come first in each clip; all if None. The output of other frames is zero,
            and the backward direction starts at the last valid frame, as with packed sequences.

    >>> gru = nn.GRU(4, 8, batch_first=True, bidirectional=True)
    >>> frames = torch.randn(2, 10, 4)
    >>> torch.allclose(bidirectional_gru(gru, frames), gru(frames)[0], atol=1e-6)
    True
    """
    frames = frames.to(torch.promote_types(frames.dtype, torch.float32))
    sides = [[getattr(gru, f"{name}_l0{side}") for side in ("", "_reverse")] for name in NAMES]
    w_ih, w_hh, b_ih, b_hh = (torch.stack(side).to(frames.dtype) for side in sides)
    turn = _turn(frames, valid)
    with torch.autocast(frames.device.type, enabled=False):
        both = torch.stack([frames, frames.gather(1, turn.expand_as(frames))])
        inputs = torch.einsum("dcfi,dgi->dfcg", both, w_ih) + b_ih[:, None, None]
        there, back = _Recurrence.apply(inputs, w_hh, b_hh)
        result = torch.cat([there, back.gather(0, turn.transpose(0, 1).expand_as(back))], dim=2)
    if valid is not None:
        result = result * valid.T[..., None]
    return result.transpose(0, 1)  # the memory layout of torch, so that dropout draws the same mask


def padded_gru(
    gru: nn.GRU, frames: Float[Tensor, "clip frame dim"], valid: Bool[Tensor, "clip frame"]
) -> Float[Tensor, "clip frame both"]:
    """The output of a bidirectional `nn.GRU` with one layer for clips of different lengths, as with packed sequences.

    Packing needs the lengths on the CPU, which would have to wait for the accelerator. Instead, each direction runs
    separately, and the backward direction reads the frames of each clip in reverse order.

    Args:
        gru: the layer whose weights are used; `batch_first`, with bias.
        frames: the input.
        valid: frames that hold signal, which come first in each clip. The output of other frames is zero.

    >>> gru = nn.GRU(4, 8, batch_first=True, bidirectional=True)
    >>> valid = torch.tensor([[True, True, False]])
    >>> padded_gru(gru, torch.randn(1, 3, 4), valid)[0, 2].count_nonzero()
    tensor(0)
    """
    turn = _turn(frames, valid)
    sides = frames, frames.gather(1, turn.expand_as(frames))
    there, back = (_one_direction(gru, *side) for side in zip(sides, ("", "_reverse"), strict=True))
    return torch.cat([there, back.gather(1, turn.expand_as(back))], dim=2) * valid[..., None]


def exported_gru(gru: nn.GRU, frames: Float[Tensor, "clip frame dim"]) -> Float[Tensor, "clip frame both"]:
    """The operator GRU of ONNX in place of a bidirectional `nn.GRU` with one layer; only while torch exports.

    Torch unrolls a GRU when it exports, so that the number of frames would be fixed.
    """
    sides = [[getattr(gru, f"{name}_l0{side}") for side in ("", "_reverse")] for name in NAMES]
    w_ih, w_hh, b_ih, b_hh = (torch.stack([_onnx_gates(each) for each in side]) for side in sides)
    there_and_back: Tensor = torch.onnx.ops.symbolic(
        "GRU",
        (frames.transpose(0, 1), w_ih, w_hh, torch.cat([b_ih, b_hh], dim=1)),
        {"hidden_size": gru.hidden_size, "direction": "bidirectional", "linear_before_reset": 1},
        dtype=frames.dtype,
        shape=(frames.shape[1], 2, frames.shape[0], gru.hidden_size),
    )
    return there_and_back.permute(2, 0, 1, 3).flatten(2)


def _onnx_gates(weights: Tensor) -> Tensor:
    """Gates in the order of ONNX (update, reset, new) from that of torch (reset, update, new)."""
    reset, update, new = weights.chunk(3)
    return torch.cat([update, reset, new])


def _one_direction(gru: nn.GRU, frames: Tensor, side: str) -> Tensor:
    weights = [getattr(gru, f"{name}_l0{side}") for name in NAMES]
    start = frames.new_zeros(1, len(frames), gru.hidden_size)
    with warnings.catch_warnings():
        # cuDNN warns that it copies the weights of one direction into their own buffer
        warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")
        result: Tensor = torch.gru(frames, start, weights, True, 1, 0.0, gru.training, False, True)[0]
    return result


NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _turn(frames: Tensor, valid: Tensor | None) -> Int[Tensor, "clip frame 1"]:
    """Indices that reverse the valid frames of each clip and leave the padding at the end."""
    n_clips, n_frames = frames.shape[:2]
    frame = torch.arange(n_frames, device=frames.device).expand(n_clips, -1)
    if valid is None:
        return frame.flip(1)[..., None]
    length = valid.sum(1, keepdim=True)
    return torch.where(frame < length, length - 1 - frame, frame)[..., None]


class _Recurrence(torch.autograd.Function):
    """From the input part of the gates, `[direction frame clip 3 * dim]`, to the states."""

    @staticmethod
    def forward(ctx: Any, inputs: Gates, w_hh: Tensor, b_hh: Tensor) -> Tensor:
        n_sides, n_frames, n_clips, width = inputs.shape
        dim = width // 3
        states = inputs.new_zeros(n_sides, n_frames + 1, n_clips, dim)
        recurrent, gates = torch.empty_like(inputs), inputs.clone()
        weight, bias = w_hh.transpose(1, 2), b_hh[:, None]
        update, new = gates[..., : 2 * dim], gates[..., 2 * dim :]
        for t in range(n_frames):
            before, hidden = states[:, t], recurrent[:, t]
            torch.baddbmm(bias, before, weight, out=hidden)
            both = update[:, t].add_(hidden[..., : 2 * dim]).sigmoid_()  # reset, then update
            candidate = new[:, t].addcmul_(both[..., :dim], hidden[..., 2 * dim :]).tanh_()
            torch.lerp(candidate, before, both[..., dim:], out=states[:, t + 1])
        ctx.save_for_backward(gates, states, recurrent[..., 2 * dim :], w_hh)
        return states[:, 1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gates, states, hidden_new, w_hh = ctx.saved_tensors
        n_sides, n_frames, n_clips, dim = grads[0].shape
        reset, update, new = gates.split(dim, dim=3)
        # Derivatives of the next state by the candidate (before tanh), by the gates (before sigmoid) and by `hidden`.
        to_new = (1 - update) * (1 - new * new)
        to_update = (states[:, :-1] - new) * update * (1 - update)
        to_reset = to_new * hidden_new * reset * (1 - reset)
        slopes = torch.stack([to_reset, to_update, to_new * reset], dim=3)
        grad = grads[0].contiguous().clone()
        for t in range(n_frames - 1, 0, -1):
            now = grad[:, t]
            back = (now[:, :, None] * slopes[:, t]).view(n_sides, n_clips, 3 * dim)
            grad[:, t - 1].addcmul_(now, update[:, t]).baddbmm_(back, w_hh)
        hidden = (grad[:, :, :, None] * slopes).view(n_sides, n_frames * n_clips, 3 * dim)
        inputs = torch.cat([hidden.view(n_sides, n_frames, n_clips, 3 * dim)[..., : 2 * dim], grad * to_new], dim=3)
        before = states[:, :-1].reshape(n_sides, n_frames * n_clips, dim)
        return inputs, hidden.transpose(1, 2) @ before, hidden.sum(1)
