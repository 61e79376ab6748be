"""What parts of a training learn from the training set before the first step."""

import lightning.pytorch as pl

from wsed.errors import WsedError
from wsed.learning import TrainingSet, learners
from wsed.training.data import training_set


class LearnFacts(pl.Callback):
    """Lets frontends and losses learn from the training set what they must know before the first step.

    `SEDTask` brings it along; a checkpoint keeps what was learned.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """All ranks learn the same.

        Raises:
            WsedError: a part must see the training set, and the trainer has no data module that offers it.
        """
        learn(pl_module, training_set(trainer))


def learn(task: pl.LightningModule, data: TrainingSet | None) -> None:
    """Let each part of a task that has something to learn see the training set.

    Raises:
        WsedError: there is such a part, and no training set.
    """
    for part in learners(task):
        if data is None:
            raise WsedError(
                f"{type(part).__name__} must see the training set: give the trainer a data module. Without one, call "
                "network.frontend.measure(batches) first, and give losses class_weights.counts"
            )
        part.learn(data)
