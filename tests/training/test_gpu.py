"""Trainings on a GPU: steps do not wait for it, killed ones go on to equal bits, compilation changes no gradients."""

import os
import random
import signal
import subprocess
import sys
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import lightning.pytorch as pl
import pytest
import torch
import torch.distributed as dist
import yaml

from tests.cli.test_resume import SMALL, assert_same
from tests.distributed.ranks import free_port
from wsed import Labels, testing
from wsed.cli.training import WsedCLI
from wsed.cli.training import run as train
from wsed.losses.bce import FrameBCE
from wsed.losses.fpd import FPD
from wsed.losses.mil import MIL
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.network import Composed
from wsed.ops import frame_pairs, mine
from wsed.ops.exchange import Processes

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")]

GPU = ["--trainer.accelerator", "gpu", "--trainer.devices", "1"]
AUGMENT = ["gain", "mixup", {"class_path": "noise", "init_args": {}}, "mixstyle", "spec_augment"]


@pytest.fixture(scope="module")
def exp(tmp_path_factory, corpus):
    """A GLU-CRNN with dropout, and augmentations of audio and of features."""
    data = {**SMALL["data"], "corpus": {"class_path": "desed", "init_args": {"root": str(corpus)}}, "augment": AUGMENT}
    path = tmp_path_factory.mktemp("exp") / "exp.yaml"
    path.write_text(yaml.safe_dump({**SMALL, "data": data}))
    return str(path)


def fit(exp, folder, *args, seconds=None):
    """Train in a process of its own, killed after some seconds; its status."""
    program = "import sys; from wsed.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "fit", "--config", exp, *GPU, "--trainer.deterministic", "true"]
    command += ["--trainer.default_root_dir", str(folder), "--resume", "auto", "--every_n_train_steps", "1", *args]
    environment = {**os.environ, "WSED_TYPECHECK": "0"}
    log = Path(f"{folder}.log")
    with log.open("a") as file, subprocess.Popen(command, stdout=file, stderr=file, env=environment) as job:
        if seconds is not None:
            time.sleep(seconds)
            job.send_signal(signal.SIGKILL)
        return job.wait()


def test_kills_change_nothing(exp, tmp_path):
    """Weights, optimiser, random states and metrics are those of a training that nobody killed."""
    whole = tmp_path / "whole"
    assert fit(exp, whole) == 0, (tmp_path / "whole.log").read_text()[-3000:]
    start = time.monotonic()
    assert fit(exp, tmp_path / "again") == 0
    seconds = time.monotonic() - start
    assert_same(tmp_path / "again", whole)
    draw = random.Random(0)

    def killed(moment):
        """The status of a training that is killed at a moment (s), and of the one that goes on."""
        folder = tmp_path / f"{moment}"
        return fit(exp, folder, seconds=moment), fit(exp, folder)

    moments = [draw.uniform(0.5, 1.1) * seconds for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        kills = 0
        for moment, (first, second) in zip(moments, pool.map(killed, moments), strict=True):
            assert second == 0, (tmp_path / f"{moment}.log").read_text()[-3000:]
            assert_same(tmp_path / f"{moment}", whole)
            kills += first == -signal.SIGKILL
    print(f"{kills} of {len(moments)} trainings of {seconds:.1f} s were killed, all ended as the one that was not")
    assert kills >= len(moments) // 2


class Waits(pl.Callback):
    """Where the CPU waits for the GPU in steps that log nothing, after the first three."""

    def __init__(self):
        self.found = []

    def on_train_batch_start(self, trainer, task, batch, index):
        if index >= 3:
            torch.cuda.set_sync_debug_mode("warn")

    def on_train_batch_end(self, *_):
        torch.cuda.set_sync_debug_mode("default")

    def note(self, message, *_args, **_more):
        if "called a synchronizing" in str(message):  # not the notice that the mode is new
            frames = [f for f in traceback.extract_stack()[:-1] if "warnings.py" not in f.filename]
            self.found.append("\n".join(f"{f.filename}:{f.lineno} {f.name}" for f in frames[-6:]))


def test_a_step_does_not_wait(exp, tmp_path, monkeypatch):
    waits = Waits()

    class Watched(WsedCLI):
        def own_callbacks(self):
            return [*super().own_callbacks(), waits]

    command = ["fit", "--config", exp, *GPU, "--trainer.default_root_dir", str(tmp_path), "--data.batch", "{weak: 1}"]
    command += ["--trainer.max_epochs", "1", "--trainer.log_every_n_steps", "1000", "--test_after_fit", "false"]
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", waits.note)
        train(command, Watched)
    assert not waits.found, "\n\n".join(dict.fromkeys(waits.found))


def test_the_waits_would_be_found(monkeypatch):
    waits = Waits()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", waits.note)
        waits.on_train_batch_start(None, None, None, 3)
        torch.ones(3, device="cuda").sum().item()
        waits.on_train_batch_end()
    assert waits.found


@pytest.mark.parametrize("losses", [[MIL()], [FrameBCE(), FPD(wps="none")]], ids=["mil", "fpd"])
def test_a_compiled_encoder_gives_the_same_gradients(losses, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    batch, found = testing.batch(8, 4, 2, 16000).to("cuda"), []
    batch = replace(batch, timed=torch.ones_like(batch.timed))
    for compiled in (False, True):
        torch.manual_seed(0)
        network = Composed(Labels("abcd"), CRNN, frontend=LogMel(16000)).cuda().train()
        for module in network.modules():
            if hasattr(module, "rate"):
                module.rate = 0.0
        if compiled:
            network.encoder.compile()
        output = network(batch)
        sum(loss.cuda()(output, batch) for loss in losses).backward()
        found.append({name: p.grad for name, p in network.named_parameters() if p.grad is not None})
    for name, gradient in found[0].items():
        torch.testing.assert_close(found[1][name], gradient, rtol=1e-3, atol=1e-5 * float(gradient.abs().max() + 1))


@pytest.fixture
def nccl(monkeypatch):
    """A group of this process alone, by NCCL, as Lightning makes one."""
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    monkeypatch.setenv("MASTER_PORT", str(free_port()))
    torch.cuda.set_device(0)
    dist.init_process_group("nccl", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


TYPES = (torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.int8, torch.bool)


def test_nccl_exchanges_all_types(nccl, monkeypatch):
    """One GPU cannot hold two processes of NCCL; types and shapes are those of several, the partner is this one."""
    monkeypatch.setattr("wsed.ops.exchange.world_size", lambda: 2)  # which one process would shortcut
    monkeypatch.setattr(frame_pairs, "world_size", lambda: 1)
    values = [torch.randint(0, 2, (5, 4, 3), device="cuda").to(dtype) for dtype in TYPES]
    for value, shared in zip(values, frame_pairs.share_frames(*values), strict=True):
        assert torch.equal(shared, value)
        assert torch.equal(frame_pairs.gather_clips(value), value)
        assert torch.equal(mine._AllClips.forward(value, [5]), value)
        for rows in (value, value.cpu()):  # tensors on the CPU go by gloo
            assert torch.equal(Processes().sent(rows, [5], [5]), rows)
