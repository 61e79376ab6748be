"""A training that is interrupted goes on as if nothing had happened: weights, optimiser, random states and metrics."""

import json
import os
import signal
import subprocess
import sys
import time

import lightning.pytorch as pl
import pytest
import torch
import yaml

from wsed.cli.main import main
from wsed.cli.stopped import Stopped
from wsed.cli.training import WsedCLI
from wsed.cli.training import run as train

FRONTEND = {"sample_rate": 8000, "n_fft": 256, "hop_length": 160, "f_max": 4000.0}
ENCODER = {"channels": 4, "gru": 4, "dense": 8, "dropout": 0.3}
SMALL = {
    "model": {
        "network": {
            "encoder": {"class_path": "crnn", "init_args": ENCODER},
            "frontend": {"class_path": "logmel", "init_args": FRONTEND},
        },
        "losses": {"tags": {"loss": "mil"}, "apart": {"loss": "cosine_penalty", "weight": 0.1}},
    },
    "evaluation": {"decoder": {"smooth": 0.1}, "resamples": 20},
    "data": {
        "corpus": {"class_path": "desed", "init_args": {}},
        "batch": {"weak": 2},
        "workers": 0,
        "augment": ["gain", "mixup"],
    },
    "trainer": {"max_epochs": 3, "accelerator": "cpu", "logger": False, "log_every_n_steps": 1},
}
STEPS = 4
"""Of an epoch: 8 clips, 2 a batch."""


@pytest.fixture(scope="module")
def exp(tmp_path_factory, corpus):
    SMALL["data"]["corpus"]["init_args"]["root"] = str(corpus)
    path = tmp_path_factory.mktemp("exp") / "exp.yaml"
    path.write_text(yaml.safe_dump(SMALL))
    return str(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, exp):
    """The run that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    assert main(["fit", "--config", exp, "--trainer.default_root_dir", str(folder)]) == 0
    return folder


class At(pl.Callback):
    """Does something at a step."""

    def __init__(self, step, does):
        self.step, self.does = step, does

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            self.does()


def fit(exp, folder, *args, at=None):
    class Watched(WsedCLI):
        def own_callbacks(self):
            return [*super().own_callbacks(), *([] if at is None else [at])]

    return train(
        ["fit", "--config", exp, "--trainer.default_root_dir", str(folder), "--resume", "auto", *args], Watched
    )


def equal(one, other):
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


PARTS = ("state_dict", "optimizer_states", "lr_schedulers", "ranks", "epoch", "global_step")


def assert_same(folder, whole):
    one, other = (torch.load(f / "checkpoints" / "last.ckpt", weights_only=True) for f in (whole, folder))
    for part in PARTS:
        assert equal(one[part], other[part]), part
    ranking = [next(v for k, v in c["callbacks"].items() if k.startswith("KeepBest")) for c in (one, other)]
    assert ranking[0]["ranking"] == ranking[1]["ranking"]
    one, other = (json.loads((f / "test" / "scores.json").read_text()) for f in (whole, folder))
    assert one == other
    assert not list((folder / "checkpoints").glob(".*"))


def killed(exp, folder, seconds_after, *args, seed=0):
    """Train in another process, which is killed; whether it was not over before."""
    command = [sys.executable, "-m", "wsed.cli.main", "fit", "--config", exp, "--trainer.default_root_dir", str(folder)]
    process = subprocess.Popen([*command, "--resume", "auto", *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith((b"network:", b"epoch")):
            break
    time.sleep(seconds_after)
    ended = process.poll()
    process.kill()
    text = process.communicate()[0].decode()
    assert ended in (None, 0), text
    return ended is None


def test_a_killed_training_goes_on_as_if_nothing_had_happened(exp, whole, tmp_path):
    args = ["--data.workers", "1", "--every_n_train_steps", "1"]
    assert killed(exp, tmp_path, 0.3, *args)
    assert fit(exp, tmp_path, *args) == 0
    assert_same(tmp_path, whole)


@pytest.mark.parametrize("step", [1, STEPS, STEPS + 3, 3 * STEPS])
def test_a_signal_saves_within_an_epoch_and_ends_with_its_status(exp, whole, tmp_path, step):
    number = signal.SIGTERM if step % 2 else signal.SIGUSR1
    with pytest.raises(Stopped, match="go on with --resume auto") as stopped:
        fit(exp, tmp_path, at=At(step, lambda: os.kill(os.getpid(), number)))
    assert stopped.value.status == 128 + number
    last = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert last["global_step"] == step
    assert fit(exp, tmp_path) == 0
    assert_same(tmp_path, whole)
