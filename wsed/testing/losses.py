"""The contract of losses."""

from dataclasses import replace

import torch
from torch import Tensor

from wsed.losses.base import Loss
from wsed.testing.inputs import batch, changed, output, take, take_output, tensors
from wsed.types import Batch, Events, Output


def check_loss(loss: Loss) -> None:
    """Check that a loss is 0-d, finite, zero with a graph where nothing is known, and reads only what it declares.

    Also: it leaves its inputs alone, the order of the clips does not matter, and neither padding nor what is unknown
    counts.

    Raises:
        AssertionError: with the promise that was broken.

    >>> from wsed.losses.mil import MIL
    >>> check_loss(MIL())
    """
    of = batch()
    _check_value(loss, output(of), of)
    _check_value(loss, output(of, dtype=torch.bfloat16), of)
    _check_inputs_unchanged(loss, of)
    _check_permutation(loss, of)
    _check_padding(loss, of)
    _check_unknown(loss, of)
    _check_nothing_known(loss, of)
    declared = {name: vars(output(of))[name] for name in loss.needs.output}
    only = changed(Output(valid=output(of).valid, frame_rate=12.0), **declared)
    loss(only, of)  # an undeclared field is None and would fail here


def _check_nothing_known(loss: Loss, of: Batch) -> None:
    nothing = torch.zeros_like(of.tagged)
    unknown = replace(of, tagged=nothing, timed=nothing, events=Events.of([]))
    predicted = output(unknown)
    value = loss(predicted, unknown)
    assert float(value.detach()) == 0.0 or not loss.needs.known, "nothing is known of the clips: the loss must be zero"
    assert value.requires_grad, "the empty case is a zero attached to the graph"
    value.backward()
    _check_gradients(predicted)


def _check_value(loss: Loss, predicted: Output, of: Batch) -> None:
    value = loss(predicted, of)
    assert value.shape == (), f"a loss is 0-d, not {tuple(value.shape)}"
    assert torch.isfinite(value), f"the loss is {float(value.detach())}"
    value.backward()
    _check_gradients(predicted)


def _check_gradients(predicted: Output) -> None:
    for name, value in tensors(predicted).items():
        if value.grad is not None:
            assert torch.isfinite(value.grad).all(), f"the gradient of {name} is not finite"


def _check_inputs_unchanged(loss: Loss, of: Batch) -> None:
    predicted = output(of)
    before = {name: value.clone() for name, value in tensors(predicted).items()}
    tags = of.clip_labels.clone()
    loss(predicted, of)
    assert all(torch.equal(vars(predicted)[name], value) for name, value in before.items()), "the output was changed"
    assert torch.equal(of.clip_labels, tags), "the batch was changed"


def _check_permutation(loss: Loss, of: Batch) -> None:
    predicted, order = output(of), torch.randperm(len(of), generator=torch.Generator().manual_seed(1))
    same = torch.allclose(loss(predicted, of), loss(take_output(predicted, order), take(of, order)), atol=1e-5)
    assert same, "the order of the clips must not matter"


def _check_padding(loss: Loss, of: Batch) -> None:
    predicted = output(of)
    assert predicted.valid is not None
    kept = predicted.valid[..., None]
    names = ("frame_logits", "embeddings", "attention", "activation_map")
    noise = {name: torch.where(kept, vars(predicted)[name], 0.5) for name in names}
    same = torch.allclose(loss(predicted, of), loss(changed(predicted, **noise), of), atol=1e-5)
    assert same, "frames that are not valid must not count: use output.valid"


def _check_unknown(loss: Loss, of: Batch) -> None:
    """Unknown classes of a clip count for nothing: one class of clip 0, one of clip 1, and all of clip 2."""
    hidden = torch.zeros_like(of.tagged)
    hidden[[0, 1], [0, 1]] = True
    hidden[2] = True
    known = replace(of, tagged=of.tagged & ~hidden, timed=of.timed & ~hidden)
    tags = replace(known, clip_labels=torch.where(hidden, 1 - of.clip_labels, of.clip_labels))
    seen = of.events[~hidden[of.events.clip, of.events.label]]
    clip, label = hidden.nonzero().T.tolist()
    other = Events.of((c, i, 0.3, 0.8) for c, i in zip(clip, label, strict=True))
    events = replace(known, events=Events.cat([seen, other]))
    epoch = loss.epoch
    for moment in (epoch, 1000):  # losses may change over training
        loss.start_epoch(moment)
        expected = _value_and_gradients(loss, known)
        message = "{} of a class that is not {} in a clip must not count: use batch.{}"
        assert _same(_value_and_gradients(loss, tags), expected), message.format("the tag", "tagged", "tagged")
        assert _same(_value_and_gradients(loss, events), expected), message.format("the events", "timed", "timed")
    loss.start_epoch(epoch)


def _value_and_gradients(loss: Loss, of: Batch) -> list[Tensor]:
    predicted = output(of)
    value = loss(predicted, of)
    value.backward()
    return [value.detach(), *(v.grad for v in tensors(predicted).values() if v.grad is not None)]


def _same(some: list[Tensor], others: list[Tensor]) -> bool:
    return len(some) == len(others) and all(torch.allclose(a, b, atol=1e-5) for a, b in zip(some, others, strict=True))
