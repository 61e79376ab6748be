"""What a user is told of an error."""

import os
import signal
import sys

import pytest
import torch
from lightning.fabric.utilities import device_parser
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Trainer
from torch.utils.data import DataLoader

from wsed.cli.messages import user_error
from wsed.errors import WsedError


def test_our_own_message_is_found_in_the_chain():
    error = RuntimeError("a worker ended")
    error.__cause__ = WsedError("take another folder")
    assert user_error(error) is error.__cause__


def test_an_error_that_is_its_own_cause_is_no_endless_search():
    first, second = ValueError("full"), ValueError("again")
    first.__context__, second.__context__ = second, first
    assert user_error(first) is first
    disk = OSError("No space left on device")
    disk.__context__ = second
    first.__context__ = disk
    assert str(user_error(disk)) == "No space left on device"


@pytest.mark.parametrize("error", [ValueError("a mistake of ours"), KeyError("momentum")])
def test_a_mistake_of_ours_keeps_its_traceback(error):
    assert user_error(error) is error


def test_more_gpus_than_there_are(monkeypatch):
    monkeypatch.setattr(device_parser, "_get_all_available_gpus", lambda **_: [0, 1])
    with pytest.raises(MisconfigurationException) as caught:
        device_parser._parse_gpu_ids(4, include_cuda=True)
    said = str(user_error(caught.value))
    assert said.startswith("trainer.devices asks for the GPUs 0, 1, 2, 3, but torch sees only 0, 1 here")
    assert said.endswith("set --trainer.devices 2, or auto for all")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize("accelerator", ["gpu", "cuda"])
def test_a_gpu_where_there_is_none(accelerator):
    with pytest.raises(MisconfigurationException) as caught:
        Trainer(accelerator=accelerator, logger=False)
    assert str(user_error(caught.value)).endswith("set --trainer.accelerator cpu")


class Dying:
    """Clips for which the memory does not suffice."""

    def __len__(self):
        return 1

    def __getitem__(self, index):
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
@pytest.mark.parametrize("start", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_a_reading_process_that_dies(start):
    with pytest.raises(RuntimeError) as caught:
        next(iter(DataLoader(Dying(), num_workers=1, multiprocessing_context=start)))
    said = str(user_error(caught.value))
    assert said.startswith("a process that reads clips has died")
    assert "lower data.workers" in said
