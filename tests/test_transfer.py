"""Small tensors that are sent together."""

import pytest
import torch

from wsed import testing
from wsed.ops.clips import labels_on_cpu
from wsed.testing.accelerator import DEVICE, Accelerator
from wsed.transfer import LARGE, on_cpu, sent


def test_one_transfer_keeps_types_and_shapes():
    given = [
        torch.tensor([True, False, True]),
        torch.rand(2, 3),
        torch.arange(5),
        torch.tensor(2.5, dtype=torch.float64),
        torch.empty(0, dtype=torch.long),
        torch.rand(3).half(),
        torch.rand(4, 2).t(),
    ]
    with Accelerator() as accelerator:
        moved = sent(given, DEVICE)
        assert accelerator.transfers == 1
        assert sent([], DEVICE) == []
        assert sent(moved, DEVICE)[1] is moved[1]
    for tensor, there in zip(given, moved, strict=True):
        assert there.device.type == DEVICE
        assert there.dtype == tensor.dtype
        assert torch.equal(there.hidden, tensor)


def test_values_stay_known_until_they_change():
    given = torch.arange(3)
    with Accelerator() as accelerator:
        (there,) = sent([given], DEVICE)
        assert on_cpu(there) is given
        assert accelerator.waits == []
        there.add_(1)
        assert on_cpu(there).tolist() == [1, 2, 3]
        assert accelerator.waits == ["_to_copy"]


def test_a_change_on_the_cpu_does_not_reach_what_was_sent():
    given = torch.arange(3)
    with Accelerator():
        (there,) = sent([given], DEVICE)
        given.add_(1)
        assert on_cpu(there).tolist() == [0, 1, 2]


@pytest.mark.parametrize(("device", "wanted"), [("cuda", True), ("mps", False), ("cpu", False)])
def test_only_a_cuda_device_is_not_waited_for(device, wanted, monkeypatch):
    asked = []
    monkeypatch.setattr(torch.Tensor, "to", lambda tensor, *_, non_blocking: asked.append(non_blocking) or tensor)
    large = torch.zeros(LARGE // 4)
    sent([large], device)
    sent([large], device, non_blocking=False)
    assert asked == [wanted, False]


def test_the_labels_of_a_batch_are_known_on_the_cpu():
    of = testing.batch()
    with Accelerator() as accelerator:
        labels = labels_on_cpu(of.to(DEVICE))
        assert accelerator.transfers == 1
    assert accelerator.waits == []
    assert labels.clip_labels is of.clip_labels
    assert labels.events.onset is of.events.onset
    assert labels.samples().shape == of.samples().shape
