"""Weights that no loss trains: told in one process, refused in one line where processes wait for every gradient."""

import os
import subprocess
import sys
from functools import partial
from types import SimpleNamespace

import pytest
import torch
import yaml
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy

import wsed
from tests.cli.test_resume import SMALL
from tests.conftest import ROOT
from tests.training.small import LABELS, batches, network, trainer
from wsed import Weighted, WsedError
from wsed.losses.bce import ClipBCE
from wsed.losses.mil import MIL
from wsed.models.systems import TagGated
from wsed.training.gradients import CheckGradients, untrained

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice on workers and logging
TAGS, BOTH = {"tags": Weighted(MIL())}, {"tags": Weighted(MIL()), "gate": Weighted(ClipBCE())}


def gated():
    """A detector and a tagger without a checkpoint, so that the tagger is to be trained along."""
    return TagGated(LABELS, network, network)


@pytest.mark.parametrize(("losses", "expected"), [(TAGS, ["network.tagger"]), (BOTH, [])])
def test_a_tagger_that_no_loss_trains_is_told(losses, expected, tmp_path, monkeypatch):
    told: list[str] = []
    monkeypatch.setattr("wsed.training.gradients.rank_zero_info", told.append)
    task = wsed.SEDTask(gated(), losses, optimizer=partial(torch.optim.SGD, lr=0.1))
    trainer(tmp_path).fit(task, batches())
    assert told == [f"no loss trains {part}: the weights stay as they are" for part in expected]


@pytest.mark.parametrize(
    ("strategy", "refused"),
    [(DDPStrategy(), True), (DDPStrategy(find_unused_parameters=True), False), (SingleDeviceStrategy("cpu"), False)],
    ids=["ddp", "ddp_find_unused_parameters_true", "one"],
)
def test_processes_that_wait_for_every_gradient_refuse_it(strategy, refused):
    task, place = wsed.SEDTask(gated(), TAGS), SimpleNamespace(strategy=strategy)
    batch = next(iter(batches(1)))
    TAGS["tags"].loss(task(batch), batch).backward()
    check = CheckGradients()
    if refused:
        with pytest.raises(WsedError, match=r"no loss trains network\.tagger, .*a tagger: by pretrained"):
            check.on_after_backward(place, task)
    else:
        check.on_after_backward(place, task)
    check.on_after_backward(place, task)  # it looks once


def test_frozen_weights_and_single_ones_are_told_apart():
    task = wsed.SEDTask(gated(), TAGS)
    task.network.tagger.requires_grad_(requires_grad=False)
    for weight in task.parameters():
        weight.grad = torch.zeros_like(weight)
    assert untrained(task) == []
    names = [name for name, weight in task.named_parameters() if weight.requires_grad]
    dict(task.named_parameters())[names[0]].grad = None
    (only,) = untrained(task)
    assert names[0].startswith(only)


@pytest.mark.slow
@pytest.mark.parametrize("trained", [False, True])
def test_two_processes(trained, corpus, tmp_path):
    """One line and no traceback where nothing trains the tagger; else both parts are trained."""
    config = yaml.safe_load(yaml.safe_dump(SMALL))
    part = {name: config["model"]["network"][name] for name in ("encoder", "frontend")}
    parts = {"detector": {**part, "head": "framewise"}, "tagger": {**part, "head": "tagging"}}
    config["model"]["network"] = {"class_path": "tag_gated", "init_args": parts}
    config["model"]["losses"] = {"tags": {"loss": "mil"}, **({"gate": {"loss": "clip_bce"}} if trained else {})}
    config["data"]["corpus"]["init_args"]["root"] = str(corpus)
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "wsed.cli.main", "fit", "--config", "exp.yaml", "--trainer.devices", "2"]
    command += ["--trainer.strategy", "ddp", "--trainer.max_epochs", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    said = done.stdout + done.stderr
    assert done.returncode == (0 if trained else 2), said
    assert "Traceback" not in said
    assert ("no loss trains network.tagger, and trainer.strategy ddp" in said) is not trained
