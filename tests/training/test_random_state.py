"""The random states of a GPU are saved and restored with the others, those of each rank's own device."""

import pytest
import torch

from tests.training.small import batches, network, trainer
from wsed import Weighted
from wsed.losses.bce import ClipBCE
from wsed.training.random_state import random_state, set_random_state
from wsed.training.state import KeepState
from wsed.training.task import SEDTask

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice on validation


class FakeGPUs:
    """The generators of two GPUs, as `torch.cuda` gives them."""

    def __init__(self, monkeypatch):
        self.states = {0: torch.tensor([7, 0], dtype=torch.uint8), 1: torch.tensor([9, 1], dtype=torch.uint8)}
        monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: self.states[torch.device(device).index].clone())
        monkeypatch.setattr(torch.cuda, "set_rng_state", self.set)

    def set(self, state, device):
        assert state.device.type == "cpu"
        assert state.dtype == torch.uint8
        self.states[torch.device(device).index] = state.clone()


def test_the_state_of_the_own_gpu_is_kept(monkeypatch):
    gpus = FakeGPUs(monkeypatch)
    state = random_state(torch.device("cuda", 1))
    gpus.states[0][0] = gpus.states[1][0] = 100
    set_random_state(state, torch.device("cuda", 1))
    assert {k: v.tolist() for k, v in gpus.states.items()} == {0: [100, 0], 1: [9, 1]}
    set_random_state(state, torch.device("cpu"))  # resumed without a GPU
    set_random_state(random_state(torch.device("cpu")), torch.device("cuda", 0))  # begun without one
    assert gpus.states[0].tolist() == [100, 0]


def test_a_checkpoint_keeps_the_state_of_the_gpu(monkeypatch, tmp_path):
    """Of a training that goes on after the checkpoint was written and read as Lightning does."""
    gpus = FakeGPUs(monkeypatch)
    task = SEDTask(network(), {"tags": Weighted(ClipBCE())})
    run = trainer(tmp_path)
    run.fit(task, batches())
    with monkeypatch.context() as patched:
        patched.setattr(type(task), "device", torch.device("cuda", 1))
        keep = next(callback for callback in run.callbacks if isinstance(callback, KeepState))
        run.save_checkpoint(tmp_path / "last.ckpt")
        content = torch.load(tmp_path / "last.ckpt", weights_only=True)
        assert content["ranks"][0]["random"]["cuda"].tolist() == [9, 1]
        gpus.states[1][0] = 100
        keep.on_load_checkpoint(run, task, content)
        keep.on_train_start(run, task)
    assert gpus.states[1].tolist() == [9, 1]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_dropout_on_a_gpu_goes_on():
    device = torch.device("cuda", torch.cuda.current_device())
    state = random_state(device)
    first = torch.nn.functional.dropout(torch.ones(1000, device=device))
    torch.rand(3, device=device)
    set_random_state(state, device)
    assert torch.equal(torch.nn.functional.dropout(torch.ones(1000, device=device)), first)
