"""`LearnFacts`: frontends and losses learn from the training set before the first step."""

import lightning.pytorch as pl

from wsed.errors import WsedError
from wsed.learning import TrainingSet, learners
from wsed.training.data import training_set


class LearnFacts(pl.Callback):
    """Lets frontends and losses learn from the training set before the first step, for example statistics.

    `SEDTask` adds this callback to its trainer. Checkpoints hold what was learned.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let all parts of the task learn; all ranks learn the same.

        Raises:
            WsedError: a part must learn from the training set, but the trainer has no data module with one.
        """
        learn(pl_module, training_set(trainer))


def learn(task: pl.LightningModule, data: TrainingSet | None) -> None:
    """Let each part of a task learn from the training set, if it has not yet.

    Raises:
        WsedError: there is such a part, but no training set.
    """
    for part in learners(task):
        if data is None:
            raise WsedError(
                f"{type(part).__name__} must see the training set: give the trainer a data module. Without one, call "
                "network.frontend.measure(batches) first, and give losses class_weights.counts"
            )
        part.learn(data)
