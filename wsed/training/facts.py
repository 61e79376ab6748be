"""What frontends and losses learn from the training set before training."""

import lightning.pytorch as pl

from wsed.errors import WsedError
from wsed.losses.base import Loss
from wsed.models.base import Frontend
from wsed.training.data import TrainingSet, training_set


class LearnFacts(pl.Callback):
    """Lets frontends measure the training set and tells losses how common classes are, before the first step.

    `SEDTask` brings it along; a checkpoint keeps what was learnt.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """All ranks learn the same.

        Raises:
            WsedError: something must see the training set, and the trainer has no data module that offers it.
        """
        data = training_set(trainer)
        fit_frontends(pl_module, data)
        count_labels(pl_module, data)


def fit_frontends(task: pl.LightningModule, data: TrainingSet | None) -> None:
    """Let frontends see the training set that must, unless a checkpoint brought what they know of it.

    Raises:
        WsedError: one must, and there is no data module.
    """
    frontends = [part for part in task.modules() if isinstance(part, Frontend)]
    within = {id(inner) for part in frontends for inner in part.modules() if inner is not part}
    for frontend in frontends:
        if frontend.fitted or id(frontend) in within:  # one within another is the other's affair
            continue
        if data is None:
            raise WsedError(
                f"the frontend {type(frontend).__name__} must see the training set: give the trainer a data "
                "module, or call network.frontend.fit(batches) first"
            )
        frontend.fit(data.train_dataloader())


def count_labels(task: pl.LightningModule, data: TrainingSet | None) -> None:
    """Tell losses that weigh classes how common they are in the training set.

    Raises:
        WsedError: a loss does, and there is no data module.
    """
    waiting = [loss for loss in task.modules() if isinstance(loss, Loss) and loss.uncounted]
    if not waiting:
        return
    if data is None:
        raise WsedError(
            "a loss weighs classes by how common they are: give the trainer a SEDDataModule, or the loss "
            "class_weights.counts"
        )
    for loss in waiting:
        loss.count(data.label_counts())
