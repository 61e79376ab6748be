"""The contract of losses."""

from dataclasses import replace

import torch
from torch import Tensor

from wsed.losses.base import Loss
from wsed.testing.inputs import batch, changed, output, take, take_output, tensors
from wsed.types import Batch, Events, Output


def check_loss(loss: Loss) -> None:
    """Check the contract of a `Loss`.

    It is 0-d and finite, and reads only the fields that it declares. If nothing is known, it is a zero attached to the
    graph. It does not change its inputs. The order of clips, padding and unknown classes do not change its value.

    Raises:
        AssertionError: a rule is broken; the message names it.

    >>> from wsed.losses.mil import MIL
    >>> check_loss(MIL())
    """
    inputs = batch()
    _check_value(loss, output(inputs), inputs)
    _check_value(loss, output(inputs, dtype=torch.bfloat16), inputs)
    _check_inputs_unchanged(loss, inputs)
    _check_permutation(loss, inputs)
    _check_padding(loss, inputs)
    _check_unknown(loss, inputs)
    _check_nothing_known(loss, inputs)
    declared = {name: vars(output(inputs))[name] for name in loss.needs.output}
    only = changed(Output(valid=output(inputs).valid, frame_rate=12.0), **declared)
    loss(only, inputs)  # fails if the loss reads an undeclared field, which is None


def _check_nothing_known(loss: Loss, inputs: Batch) -> None:
    nothing = torch.zeros_like(inputs.tagged)
    unknown = replace(inputs, tagged=nothing, timed=nothing, events=Events.of([]))
    predicted = output(unknown)
    value = loss(predicted, unknown)
    by_labels = loss.needs.known - {"unlabelled"}
    assert float(value.detach()) == 0.0 or not by_labels, "nothing is known of the clips: the loss must be zero"
    assert value.requires_grad, "the empty case is a zero attached to the graph"
    value.backward()
    _check_gradients(predicted)


def _check_value(loss: Loss, predicted: Output, inputs: Batch) -> None:
    value = loss(predicted, inputs)
    assert value.shape == (), f"a loss is 0-d, not {tuple(value.shape)}"
    assert torch.isfinite(value), f"the loss is {float(value.detach())}"
    value.backward()
    _check_gradients(predicted)


def _check_gradients(predicted: Output) -> None:
    for name, value in tensors(predicted).items():
        if value.grad is not None:
            assert torch.isfinite(value.grad).all(), f"the gradient of {name} is not finite"


def _check_inputs_unchanged(loss: Loss, inputs: Batch) -> None:
    predicted = output(inputs)
    before = {name: value.clone() for name, value in tensors(predicted).items()}
    tags = inputs.clip_labels.clone()
    loss(predicted, inputs)
    assert all(torch.equal(vars(predicted)[name], value) for name, value in before.items()), "the output was changed"
    assert torch.equal(inputs.clip_labels, tags), "the batch was changed"


def _check_permutation(loss: Loss, inputs: Batch) -> None:
    predicted, order = output(inputs), torch.randperm(len(inputs), generator=torch.Generator().manual_seed(1))
    same = torch.allclose(loss(predicted, inputs), loss(take_output(predicted, order), take(inputs, order)), atol=1e-5)
    assert same, "the order of the clips must not matter"


def _check_padding(loss: Loss, inputs: Batch) -> None:
    predicted = output(inputs)
    assert predicted.valid is not None
    kept = predicted.valid[..., None]
    names = ("frame_logits", "embeddings", "attention", "activation_map")
    noise = {name: torch.where(kept, vars(predicted)[name], 0.5) for name in names}
    same = torch.allclose(loss(predicted, inputs), loss(changed(predicted, **noise), inputs), atol=1e-5)
    assert same, "frames that are not valid must not count: use output.valid"


def _check_unknown(loss: Loss, inputs: Batch) -> None:
    """Check that unknown classes do not count: one class of clip 0, one of clip 1, and all classes of clip 2."""
    hidden = torch.zeros_like(inputs.tagged)
    hidden[[0, 1], [0, 1]] = True
    hidden[2] = True
    known = replace(inputs, tagged=inputs.tagged & ~hidden, timed=inputs.timed & ~hidden)
    tags = replace(known, clip_labels=torch.where(hidden, 1 - inputs.clip_labels, inputs.clip_labels))
    visible = inputs.events[~hidden[inputs.events.clip, inputs.events.label]]
    clip, label = hidden.nonzero().T.tolist()
    other = Events.of((c, i, 0.3, 0.8) for c, i in zip(clip, label, strict=True))
    events = replace(known, events=Events.cat([visible, other]))
    epoch = loss.epoch
    for moment in (epoch, 1000):  # losses may change over training
        loss.start_epoch(moment)
        expected = _value_and_gradients(loss, known)
        message = "{} of a class that is not {} in a clip must not count: use batch.{}"
        assert _same(_value_and_gradients(loss, tags), expected), message.format("the tag", "tagged", "tagged")
        assert _same(_value_and_gradients(loss, events), expected), message.format("the events", "timed", "timed")
    loss.start_epoch(epoch)


def _value_and_gradients(loss: Loss, inputs: Batch) -> list[Tensor]:
    predicted = output(inputs)
    value = loss(predicted, inputs)
    value.backward()
    return [value.detach(), *(v.grad for v in tensors(predicted).values() if v.grad is not None)]


def _same(some: list[Tensor], others: list[Tensor]) -> bool:
    return len(some) == len(others) and all(torch.allclose(a, b, atol=1e-5) for a, b in zip(some, others, strict=True))
