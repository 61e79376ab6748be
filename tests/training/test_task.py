"""SEDTask in plain Python: what happens in a step."""

import re
import traceback
from functools import partial

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.utils._python_dispatch import TorchDispatchMode

import wsed
from tests.training.small import LABELS, batches, network, trainer
from wsed import Weighted, WsedError
from wsed.losses.consistency import Consistency, InterpolationConsistency
from wsed.losses.cosine_penalty import CosinePenalty
from wsed.losses.mil import MIL
from wsed.losses.schedule import Ramp
from wsed.models.base import Encoder
from wsed.models.teacher import MeanTeacher
from wsed.ops import host

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice on workers and logging

SGD = partial(torch.optim.SGD, lr=0.1)


def test_a_training_needs_no_callback(tmp_path):
    task = wsed.SEDTask(network(), {"tags": Weighted(MIL())})
    before = [p.detach().clone() for p in task.parameters()]
    trainer(tmp_path).fit(task, batches())
    assert any(not torch.equal(old, new) for old, new in zip(before, task.parameters(), strict=True))


def test_compile_keeps_the_names_of_the_weights():
    plain, compiled = (wsed.SEDTask(network(), {"tags": Weighted(MIL())}, compile=flag) for flag in (False, True))
    assert list(plain.state_dict()) == list(compiled.state_dict())
    encoders = [m for m in compiled.modules() if isinstance(m, Encoder)]
    assert encoders
    assert all(m._compiled_call_impl is not None for m in encoders)
    assert all(m._compiled_call_impl is None for m in plain.modules())


@pytest.mark.slow
def test_a_compiled_encoder_trains_like_a_plain_one(tmp_path):
    weights = []
    for compiled in (False, True):
        pl.seed_everything(0)
        without_dropout = network()
        without_dropout.encoder.dropout.p = 0.0  # a compiled one draws other numbers
        task = wsed.SEDTask(without_dropout, {"tags": Weighted(MIL())}, optimizer=SGD, compile=compiled)
        trainer(tmp_path / str(compiled)).fit(task, batches())
        weights.append(torch.cat([p.detach().flatten() for p in task.parameters()]))
    torch.testing.assert_close(*weights, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("accumulate", "steps"), [(1, 4), (2, 2)])
def test_a_mean_teacher_moves_once_per_optimiser_step(tmp_path, accumulate, steps):
    system = MeanTeacher(LABELS, network, decay=0.5)
    task = wsed.SEDTask(system, {"tags": Weighted(MIL())}, optimizer=SGD)
    trainer(tmp_path, accumulate_grad_batches=accumulate).fit(task, batches(4))
    assert int(system.steps) == steps


class Syncs(TorchDispatchMode):
    """Notes what reads a tensor's values, for which the host waits for the device."""

    READS = ("_local_scalar_dense", "nonzero", "masked_select", "equal", "unique", "is_nonzero")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        by_mask = name == "index" and any(i is not None and i.dtype == torch.bool for i in args[1])
        if by_mask or any(name.startswith(read) for read in self.READS):
            place = [f"{f.filename}:{f.lineno}" for f in traceback.extract_stack() if "/wsed/" in f.filename]
            self.seen.append((name, place[-1]))
        return function(*args, **(kwargs or {}))


class Watch(pl.Callback):
    """Counts the reads of each step, from its first hook to its last."""

    def __init__(self):
        self.syncs = {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.mode = Syncs()
        self.mode.__enter__()

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.mode.__exit__(None, None, None)
        self.syncs[batch_idx] = self.mode.seen


def test_a_step_that_does_not_log_does_not_wait_for_the_device(tmp_path, monkeypatch):
    monkeypatch.setattr(host, "on_cpu", lambda tensor: False)  # the CPU is taken for an accelerator
    losses = {"tags": Weighted(MIL(), Ramp(1.0, 10)), "apart": Weighted(CosinePenalty(), 0.1)}
    task, watch = wsed.SEDTask(MeanTeacher(LABELS, network), losses, optimizer=SGD), Watch()

    class Last(wsed.SEDTask):
        """So that the callback that watches ends after the task's own."""

        def configure_callbacks(self):
            return [*super().configure_callbacks(), watch]

    task.__class__ = Last
    trainer(tmp_path, log_every_n_steps=3).fit(task, batches(4))
    assert watch.syncs[0] == watch.syncs[1] == watch.syncs[3] == []
    assert watch.syncs[2]  # it logs, and looks whether the losses were finite


class Breaks(MIL):
    """Not finite from its fourth call on."""

    calls = 0

    def forward(self, output, batch):
        self.calls += 1
        return super().forward(output, batch) * (float("nan") if self.calls > 3 else 1.0)


@pytest.mark.parametrize("every", [1, 50])
def test_a_loss_that_is_not_finite_ends_the_training_before_a_checkpoint(tmp_path, every):
    task = wsed.SEDTask(network(), {"tags": Weighted(Breaks())}, optimizer=SGD)
    keep = ModelCheckpoint(tmp_path, "last", every_n_train_steps=3, enable_version_counter=False)
    again = trainer(tmp_path, enable_checkpointing=True, callbacks=[keep], log_every_n_steps=every)
    with pytest.raises(WsedError, match="the training loss is nan at step 3; lower the learning rate"):
        again.fit(task, batches(8))
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 3
    assert all(value.isfinite().all() for value in saved["state_dict"].values())


def test_a_weight_may_be_a_schedule_over_steps(tmp_path):
    seen = []

    class Note(MIL):
        def forward(self, output, batch):
            return 0 * super().forward(output, batch) + 1

    class Task(wsed.SEDTask):
        def training_step(self, batch, index):
            loss = super().training_step(batch, index)
            seen.append(loss.item())
            return loss

    losses = {"one": Weighted(Note(), Ramp(2.0, steps=2)), "other": Weighted(Note())}
    trainer(tmp_path).fit(Task(network(), losses, optimizer=SGD), batches(4))
    assert seen == [1, 2, 3, 3]
    assert Ramp(1.0, 10, shape="exponential")(5) == pytest.approx(torch.tensor(-1.25).exp().item())
    with pytest.raises(WsedError, match="1 step or more"):
        Ramp(1.0, 0)


def test_a_network_by_factory_needs_labels():
    with pytest.raises(WsedError, match="needs labels to build the network"):
        wsed.SEDTask(network, {"tags": Weighted(MIL())})
    assert wsed.SEDTask(network, {"tags": Weighted(MIL())}, labels=LABELS).network.labels == LABELS


def test_consistency_without_a_teacher_or_mixes_is_told_what_to_set():
    plain, taught = network(), MeanTeacher(LABELS, network)
    with pytest.raises(WsedError, match=r"reads teacher, .*make it the student of the network mean_teacher"):
        wsed.SEDTask(plain, {"same": Weighted(Consistency())})
    with pytest.raises(WsedError, match="set interpolate of the network mean_teacher"):
        wsed.SEDTask(taught, {"same": Weighted(InterpolationConsistency())})
    wsed.SEDTask(MeanTeacher(LABELS, network, interpolate=0.2), {"a": Weighted(InterpolationConsistency())})


def test_a_teacher_that_no_loss_reads_is_told(monkeypatch):
    told: list[str] = []
    monkeypatch.setattr("wsed.training.task.rank_zero_info", told.append)
    for losses in ({"tags": Weighted(MIL())}, {"tags": Weighted(MIL()), "same": Weighted(Consistency())}):
        wsed.SEDTask(MeanTeacher(LABELS, network), losses).on_fit_start()
    assert told == ["the teacher is not used: no loss reads it (losses: tags)"]
    wsed.SEDTask(MeanTeacher(LABELS, network, interpolate=0.2), {"same": Weighted(Consistency())}).on_fit_start()
    assert told[1:] == ["interpolate costs time and is not used: no loss reads its mixes (losses: same)"]


@pytest.mark.parametrize("name", ["a.b", "", "keys", "type", "training", 1])
def test_a_loss_needs_a_name_that_torch_can_use(name):
    with pytest.raises(WsedError, match=f"losses: {re.escape(repr(name))} cannot be the name of a loss"):
        wsed.SEDTask(network(), {name: Weighted(MIL())})


def test_compile_is_among_the_arguments_that_a_message_names():
    with pytest.raises(WsedError, match=r"no argument 'compil'.*did you mean compile"):
        wsed.SEDTask(network(), {"tags": Weighted(MIL())}, compil=True)
