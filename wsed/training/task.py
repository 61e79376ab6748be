"""`SEDTask`: it trains any network with any weighted sum of losses."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import WeightAveraging
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from wsed.errors import WsedError
from wsed.losses.base import Weighted
from wsed.models.base import Encoder, Network, NetworkFactory
from wsed.models.encoders.pretrained import random_and_frozen
from wsed.ops.reduce import count, world_size
from wsed.training.arguments import check_batch, check_terms, warn_of_moved
from wsed.training.facts import LearnFacts
from wsed.training.finite import CheckLoss
from wsed.training.gradients import CheckGradients, needs_all
from wsed.training.mean import Mean
from wsed.training.parts import Group, Held, Part, parameter_groups
from wsed.training.saving import CheckResume, check_labels, checkpoint_facts
from wsed.training.schedules import check_schedule, interval
from wsed.training.state import KeepState
from wsed.types import Batch, Labels, Needs, Output

OptimizerFactory = Callable[[Iterable[nn.Parameter] | Iterable[Group]], Optimizer]
SchedulerFactory = Callable[[Optimizer], LRScheduler]

REMEDIES = {
    "teacher": "make it the student of the network mean_teacher",
    "mixed": "set interpolate of the network mean_teacher to 0.2",
}
"""How to get the fields of the output that no head provides, for messages."""


def adam(parameters: Iterable[nn.Parameter] | Iterable[Group]) -> Optimizer:
    """The default optimiser: Adam with a learning rate of 1e-3."""
    return torch.optim.Adam(parameters, lr=1e-3)


STAGES = ("train", "val", "test")
"""Prefixes of the names of logged losses."""


class SEDTask(pl.LightningModule):
    """Trains a network with a weighted sum of losses.

    Everything else is done by callbacks: `Evaluation` computes metrics, tunes the decoder and writes reports.

    Args:
        network: a network, or a factory that builds one from the labels, as in YAML.
        losses: the losses with their weights, by names that you choose; their weighted sum is minimised.
        optimizer: factory that builds the optimiser from the parameters; Adam with a rate of 1e-3 by default.
        lr_scheduler: factory that builds the schedule from the optimiser; it is stepped each epoch, or each
            step for schedules such as `WarmUp`. None: no schedule.
        labels: the classes; needed if `network` is a factory.
        parts: groups of parameters, chosen by name, with their own learning rate or weight decay, or frozen at first.
        compile: compile the encoders by `torch.compile`. The first step takes a minute longer, and so does the first
            with clips of another length.
        moved: arguments that the task of wsed 0.1 had; they warn that `Evaluation` has them now, and do nothing.

    Raises:
        WsedError: there is no loss, a loss reads a field of the output that the network does not provide, or an
            argument is unknown.

    >>> from wsed.losses import MIL
    >>> from wsed.models import Composed
    >>> task = SEDTask(Composed.example(Labels(["Dog"])), {"tags": Weighted(MIL())})
    >>> task.needs["tags"].known
    frozenset({'tagged'})
    """

    def __init__(
        self,
        network: Network | NetworkFactory,
        losses: Mapping[str, Weighted],
        optimizer: OptimizerFactory = adam,
        lr_scheduler: SchedulerFactory | None = None,
        labels: Labels | None = None,
        parts: Sequence[Part] = (),
        compile: bool = False,
        **moved: object,
    ) -> None:
        super().__init__()
        warn_of_moved(moved)
        if not isinstance(network, Network):
            if labels is None:
                raise WsedError("SEDTask needs labels to build the network; pass labels, or a network")
            network = network(labels)
        self.network: Network = network
        check_terms(losses)
        self.terms = dict(losses)
        self.losses = nn.ModuleDict({name: term.loss for name, term in losses.items()})
        several = [f"loss_{name}" for name in losses] if len(losses) > 1 else []
        self.means = nn.ModuleDict({f"{s}/{name}": Mean() for s in STAGES for name in ("loss", *several)})
        self.needs: dict[str, Needs] = {name: term.loss.needs for name, term in losses.items()}
        for term in losses.values():
            term.loss.name_classes(network.labels)
        self.trained_steps = 0  # number of steps of the loaded checkpoint
        self._optimizer, self._lr_scheduler, self.parts = optimizer, lr_scheduler, tuple(parts)
        self._held = Held()
        self._check()
        if compile:
            for module in self.network.modules():
                if isinstance(module, Encoder):
                    module.compile()  # in place, so that the names of the weights stay

    def forward(self, batch: Batch) -> Output:
        """The output of the network for a batch."""
        check_batch(batch)
        output: Output = self.network(batch)
        return output

    def configure_callbacks(self) -> list[pl.Callback]:
        """The callbacks that every training needs, except those that the trainer has already."""
        present = {type(callback) for callback in self.trainer.callbacks}  # type: ignore[attr-defined]
        needed = (CheckResume(), LearnFacts(), CheckLoss(), CheckGradients(), KeepState())
        return [callback for callback in needed if type(callback) not in present]

    def setup(self, stage: str) -> None:
        """After a training that averages the weights, evaluate their mean: checkpoints hold it as the network."""
        self._held.release()  # of a training that was interrupted
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            if stage != "fit" and isinstance(callback, WeightAveraging):
                callback._average_model = None  # else Lightning would load the weights of the last step in its place

    def on_fit_start(self) -> None:
        """Report what the network computes and no loss reads, and what stays random."""
        if names := random_and_frozen(self.network):
            rank_zero_warn(
                f"{' and '.join(names)}: the weights are random and are not trained; give `pretrained`, unless this is "
                "meant as a control"
            )
        reads = frozenset[str]().union(*(need.output for need in self.needs.values()))
        if "teacher" in self.network.provides and not reads & {"teacher", "mixed"}:
            rank_zero_info(f"the teacher is not used: no loss reads it (losses: {', '.join(self.needs)})")
        if "mixed" in self.network.provides and "mixed" not in reads:
            rank_zero_info(
                f"interpolate costs time and is not used: no loss reads its mixes (losses: {', '.join(self.needs)})"
            )

    def on_train_start(self) -> None:
        """Start the epoch, also if a training is resumed within it."""
        self.on_train_epoch_start()

    def on_train_epoch_start(self) -> None:
        """Tell the losses the epoch, and hold the weights that are still frozen (`Part.frozen_epochs`)."""
        for term in self.terms.values():
            term.loss.start_epoch(self.current_epoch)
        whole = isinstance(self.trainer.strategy, SingleDeviceStrategy | DDPStrategy)  # others cut weights into shards
        graph = whole and not needs_all(self.trainer)
        self._held.start_epoch(self, self.trainer.optimizers, self.current_epoch, graph)

    def on_train_end(self) -> None:
        """Leave nothing frozen behind."""
        self._held.release()

    def training_step(self, batch: Batch, _index: int) -> Tensor:
        """The weighted sum of the losses; each is logged under its name."""
        return self._objective(self(batch), batch, "train")

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Keep the step from the weights that are held."""
        self._held.drop_gradients()

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Take an optimiser step, then call `Network.after_step`."""
        super().optimizer_step(*args, **kwargs)
        self.network.after_step()

    def validation_step(self, batch: Batch, _index: int) -> dict[str, Output]:
        """Log the losses and return the output for callbacks."""
        return self._evaluate(batch, "val")

    def test_step(self, batch: Batch, _index: int) -> dict[str, Output]:
        """Log the losses and return the output for callbacks."""
        return self._evaluate(batch, "test")

    def predict_step(self, batch: Batch, _index: int) -> dict[str, Output]:
        """Return the output for callbacks."""
        return {"output": self(batch)}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Build the optimiser of all parameters, and its schedule."""
        groups = parameter_groups(self.named_parameters(), self.parts) if self.parts else self.parameters()
        optimizer = self._optimizer(groups)
        if self._lr_scheduler is None:
            return optimizer
        scheduler = self._lr_scheduler(optimizer)
        check_schedule(scheduler, own_rates=any(part.lr is not None for part in self.parts))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": interval(scheduler)}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the facts that are needed to use the network."""
        checkpoint["wsed"] = checkpoint_facts(self.network, self.trainer)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse a checkpoint with other classes."""
        check_labels(checkpoint, self.network.labels)
        self.trained_steps = checkpoint.get("global_step", 0)

    def _objective(self, output: Output, batch: Batch, stage: str) -> Tensor:
        values = {name: term.loss(output, batch) for name, term in self.terms.items()}
        total = torch.stack([self.terms[name].at(self.global_step) * value for name, value in values.items()]).sum()
        several = {f"{stage}/loss_{name}": value for name, value in values.items()} if len(values) > 1 else {}
        clips: int | Tensor = len(batch)
        if stage != "train" and world_size() > 1:
            clips = count(batch.n_samples > 0)  # without fillers, of all ranks
        for name, value in {f"{stage}/loss": total, **several}.items():
            mean = self.means[name]
            assert isinstance(mean, Mean)
            mean.update(value, clips)
            self.log(name, mean, on_step=False, on_epoch=True, metric_attribute=f"means.{name}")
        return total

    def _evaluate(self, batch: Batch, stage: str) -> dict[str, Output]:
        output = self(batch)
        self._objective(output.trained or output, batch, stage)
        return {"output": output}

    def _check(self) -> None:
        if not self.losses:
            raise WsedError("model.losses is empty: give at least one, e.g. losses: {tags: {loss: mil}}")
        for name, need in self.needs.items():
            missing = need.output - self.network.provides
            if missing:
                remedy = next((REMEDIES[field] for field in REMEDIES if field in missing), "use a head that does")
                raise WsedError(
                    f"loss {name!r} reads {', '.join(sorted(missing))}, which the network does not provide "
                    f"(it provides {', '.join(sorted(self.network.provides))}); {remedy}, or drop the loss"
                )
