"""The GRUs for CPUs and for padded clips against torch's own."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from wsed.ops.recurrent import bidirectional_gru, padded_gru


def pair(dtype=torch.float64, dim=5, hidden=4, seed=0):
    torch.manual_seed(seed)
    gru = nn.GRU(dim, hidden, batch_first=True, bidirectional=True).to(dtype)
    frames = torch.randn(3, 7, dim, dtype=dtype, requires_grad=True)
    return gru, frames


def both(gru, frames, valid, weights, ours=bidirectional_gru):
    """Outputs, and gradients of input and parameters, of torch's GRU and of ours."""
    results = []
    for own in (False, True):
        if own:
            out = ours(gru, frames, valid)
        elif valid is None:
            out = gru(frames)[0]
        else:
            packed = pack_padded_sequence(frames, valid.sum(1), batch_first=True, enforce_sorted=False)
            out = pad_packed_sequence(gru(packed)[0], batch_first=True, total_length=frames.shape[1])[0]
        grads = torch.autograd.grad((out * weights).sum(), [frames, *gru.parameters()])
        results.append([out, *grads])
    return zip(*results, strict=True)


@pytest.mark.parametrize("lengths", [None, (7, 4, 1), (2, 7, 7)])
def test_equal_to_torch_with_gradients(lengths):
    gru, frames = pair()
    valid = None if lengths is None else torch.arange(7) < torch.tensor(lengths)[:, None]
    weights = torch.randn(3, 7, 8, dtype=torch.float64)
    for theirs, ours in both(gru, frames, valid, weights):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


def test_one_frame_and_one_clip():
    gru, frames = pair()
    torch.testing.assert_close(bidirectional_gru(gru, frames[:1, :1]), gru(frames[:1, :1])[0])


def test_the_gradient_is_that_of_differences():
    gru, frames = pair(dim=2, hidden=2)
    valid = torch.arange(7) < torch.tensor([7, 3, 5])[:, None]
    assert torch.autograd.gradcheck(
        lambda x: bidirectional_gru(gru, x, valid), [frames[:, :, :2].detach().requires_grad_()]
    )


def test_bfloat16_goes_through_float32():
    gru, frames = pair(torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        out = bidirectional_gru(gru, frames.bfloat16())
    assert out.dtype == torch.float32
    torch.testing.assert_close(out, gru(frames.bfloat16().float())[0], atol=1e-6, rtol=1e-5)


def test_dropout_after_it_draws_the_mask_it_draws_after_torchs():
    """A mask is drawn in the order of memory: with another layout no run could be repeated."""
    gru, frames = pair()
    masked = []
    for out in (gru(frames)[0], bidirectional_gru(gru, frames)):
        torch.manual_seed(3)
        masked.append(torch.nn.functional.dropout(out, 0.5))
    torch.testing.assert_close(*masked)


def test_padded_clips_are_not_packed():
    gru, frames = pair()
    valid = torch.arange(7) < torch.tensor((7, 4, 1))[:, None]
    weights = torch.randn(3, 7, 8, dtype=torch.float64)
    for theirs, ours in both(gru, frames, valid, weights, padded_gru):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)
