"""Settings of the optimiser by part."""

import math
from functools import partial

import pytest
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from torch.utils.data import DataLoader

import wsed
from tests.training.small import LABELS, batches, network, trainer
from wsed import Weighted, WsedError, testing
from wsed.losses.mil import MIL
from wsed.models.teacher import MeanTeacher
from wsed.training.parts import Part, parameter_groups
from wsed.training.schedules import Piecewise, WarmUp

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice on workers and logging

SGD = partial(torch.optim.SGD, lr=0.1)


def names(n_layers=3):
    layers = {f"encoder.layers.{i}.weight": torch.nn.Parameter(torch.zeros(1)) for i in range(n_layers)}
    return {**layers, "head.weight": torch.nn.Parameter(torch.zeros(1))}


def test_rates_fall_by_layer_from_the_top():
    groups = parameter_groups(names().items(), [Part(r"layers\.(\d+)", lr=0.4, weight_decay=0.01, layer_decay=0.5)])
    rates = {group.get("lr"): len(group["params"]) for group in groups}
    assert rates == {None: 1, 0.1: 1, 0.2: 1, 0.4: 1}
    assert [group.get("weight_decay") for group in groups] == [None, 0.01, 0.01, 0.01]


def test_a_parameter_is_of_the_first_part_that_names_it():
    groups = parameter_groups(names().items(), [Part(r"layers\.2", lr=1.0), Part("encoder", lr=2.0)])
    assert [(len(group["params"]), group.get("lr")) for group in groups] == [(1, None), (1, 1.0), (2, 2.0)]


def test_a_part_waits_and_then_learns(tmp_path):
    seen = []

    class Look(wsed.SEDTask):
        def on_train_epoch_end(self):
            seen.append([p.detach().clone() for p in self.network.encoder.parameters()])

    task = Look(network(), {"tags": Weighted(MIL())}, SGD, parts=[Part("encoder", frozen_epochs=2, weight_decay=0.1)])
    start = [p.detach().clone() for p in task.network.encoder.parameters()]
    head = [p.detach().clone() for p in task.network.heads.parameters()]
    trainer(tmp_path, max_epochs=3).fit(task, batches(2))
    same = [all(torch.equal(a, b) for a, b in zip(start, epoch, strict=True)) for epoch in seen]
    assert same == [True, True, False]
    assert not all(torch.equal(a, b) for a, b in zip(head, task.network.heads.parameters(), strict=True))


class Frozen(wsed.SEDTask):
    """Notes the state of the encoder at each step: its sum, whether it is in train mode, and what is trained of it."""

    def __init__(self, **settings):
        super().__init__(network(), {"tags": Weighted(MIL())}, SGD, **settings)
        self.seen = []

    def on_train_batch_end(self, *args):
        encoder = self.network.encoder
        total = float(sum(value.double().sum() for value in encoder.state_dict().values()))
        trained = sum(weight.grad is not None for weight in encoder.parameters())
        self.seen.append((total, {part.training for part in encoder.modules()}, trained))


PARTS = (Part("encoder", frozen_epochs=2),)


def test_statistics_of_a_part_that_waits_stay_and_no_gradient_is_computed_for_it(tmp_path):
    task = Frozen(parts=PARTS)
    never = task.network.encoder.gru.weight_ih_l0.requires_grad_(requires_grad=False)
    graph = []
    task.network.encoder.register_forward_hook(lambda _, inputs, output: graph.append(output.frames.requires_grad))
    trainer(tmp_path, max_epochs=3).fit(task, batches(2), batches(1))  # validation does not end the waiting
    trained = sum(weight.requires_grad for weight in task.network.encoder.parameters())
    totals, modes, gradients = zip(*task.seen, strict=True)
    assert len(set(totals[:4])) == 1
    assert len(set(totals)) == 3
    assert list(modes) == [{False}] * 4 + [{True}] * 2
    assert list(gradients) == [0] * 4 + [trained] * 2
    assert [of for of in graph if of] == [True] * 2
    assert not never.requires_grad


def test_a_training_that_ends_with_a_part_held_gives_it_back(tmp_path):
    task = Frozen(parts=PARTS)
    trainer(tmp_path).fit(task, batches(2))
    assert all(weight.requires_grad for weight in task.network.encoder.parameters())
    assert all(part.training for part in task.network.encoder.modules())


def test_a_training_that_is_resumed_within_an_epoch_goes_on_as_the_whole_one(tmp_path):
    whole, resumed = Frozen(parts=PARTS), Frozen(parts=PARTS)
    loader = DataLoader([testing.batch(4)] * 2, batch_size=None)
    saving = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
    settings = {"max_epochs": 3, "enable_checkpointing": True}
    trainer(tmp_path, **settings, callbacks=[EMAWeightAveraging(), saving]).fit(whole, loader)
    path = {"ckpt_path": tmp_path / "step=3.ckpt", "weights_only": True}  # between the two batches of a frozen epoch
    trainer(tmp_path / "b", **settings, callbacks=[EMAWeightAveraging()]).fit(resumed, loader, **path)
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)
    assert resumed.seen == whole.seen[3:]


@pytest.mark.parametrize("pattern", ["network.teacher", "blocks"])
def test_a_part_that_is_never_trained_is_refused(tmp_path, pattern):
    system = MeanTeacher(LABELS, network)
    system.student.encoder.blocks.requires_grad_(requires_grad=False)
    task = wsed.SEDTask(system, {"tags": Weighted(MIL())}, parts=[Part(pattern, lr=0.1)])
    with pytest.raises(WsedError, match=f"pattern '{pattern}' is found only in names of parameters that are never"):
        trainer(tmp_path).fit(task, batches(2))


def test_no_epoch_without_training(tmp_path):
    with pytest.raises(WsedError, match="frozen_epochs leaves nothing to train in epoch 0"):
        trainer(tmp_path).fit(Frozen(parts=[Part(".", frozen_epochs=1)]), batches(2))


def test_a_warm_up_takes_a_step_per_step(tmp_path):
    schedule = partial(WarmUp, warmup=4, steps=8)
    task = wsed.SEDTask(network(), {"tags": Weighted(MIL())}, SGD, schedule, parts=[Part("encoder", lr=0.2)])
    run = trainer(tmp_path, max_epochs=3)
    run.fit(task, batches(2))
    share = schedule(torch.optim.SGD(names().values(), lr=1)).factor(6)
    assert [group["lr"] for group in run.optimizers[0].param_groups] == pytest.approx([0.1 * share, 0.2 * share])


@pytest.mark.parametrize(
    "schedule",
    [
        partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=100),
        partial(torch.optim.lr_scheduler.CyclicLR, base_lr=1e-4, max_lr=0.1),
    ],
)
def test_a_schedule_that_counts_steps_is_not_stepped_per_epoch(tmp_path, schedule):
    task = wsed.SEDTask(network(), {"tags": Weighted(MIL())}, SGD, schedule)
    with pytest.raises(WsedError, match=r"(OneCycleLR|CyclicLR) counts steps.*use wsed.training.schedules.WarmUp"):
        trainer(tmp_path).fit(task, batches(2))


def test_a_schedule_that_replaces_the_rates_of_parts_is_refused():
    schedule = partial(Piecewise, rates={0: 1e-3, 2: 1e-4})

    def task(part: Part) -> wsed.SEDTask:
        return wsed.SEDTask(network(), {"tags": Weighted(MIL())}, SGD, schedule, parts=[part])

    with pytest.raises(
        WsedError, match=r"Piecewise sets one rate .* replace every lr of model.parts; use torch.*MultiSt"
    ):
        task(Part("encoder", lr=1e-6)).configure_optimizers()
    task(Part("encoder", weight_decay=0.0, frozen_epochs=1)).configure_optimizers()


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [("constant", [0.5, 1, 1, 1]), ("cosine", [0.5, 1, 1, 0.55]), ("falling", [0.5, 1, 1, 0.1**0.5, 0.1, 0.1])],
)
def test_shapes(shape, wanted):
    schedule = WarmUp(torch.optim.SGD(names().values(), lr=1), warmup=2, steps=4, shape=shape, last=0.1)
    assert [schedule.factor(step) for step in range(len(wanted))] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: parameter_groups(names().items(), [Part("encodr")]), "is found in no name.*encoder.layers.0"),
        (lambda: parameter_groups(names().items(), [Part("e"), Part("encoder")]), "'encoder' is found in no name"),
        (lambda: Part("(encoder"), "not a regular expression"),
        (lambda: Part("encoder", layer_decay=0.5), "needs lr"),
        (lambda: Part("encoder", frozen_epochs=-1), "frozen_epochs must be 0 or more, not -1"),
        (lambda: Part("encoder", lr=-1e-3), r"of pattern 'encoder', lr must be 0 or more, not -0\.001"),
        (lambda: Part("encoder", lr=math.nan), "lr must be 0 or more, not nan"),
        (lambda: Part("encoder", weight_decay=-0.1), "weight_decay must be 0 or more"),
        (lambda: Part(r"(\d)", lr=0.1, layer_decay=1.5), r"layer_decay must be above 0 and at most 1, not 1\.5"),
        (lambda: WarmUp(torch.optim.SGD(names().values(), lr=1), warmup=5, steps=4), "must hold, not warmup 5"),
        (lambda: WarmUp(torch.optim.SGD(names().values(), lr=1), 2, 4, "falling"), "falling needs last above 0"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(WsedError, match=message):
        make()
