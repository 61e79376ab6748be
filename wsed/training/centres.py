"""The centres of classes, which the metric `embedding` needs, from the embeddings of the training clips."""

from collections.abc import Iterable
from pathlib import Path

import lightning.pytorch as pl

from wsed.metrics.embedding_metric import Embedding
from wsed.ops.reduce import from_first
from wsed.scoring.collect import Collector
from wsed.training.task import SEDTask
from wsed.types import Batch, Output


def learn_centres(embedding: Embedding, trainer: pl.Trainer, task: SEDTask, batches: Iterable[Batch]) -> None:
    """Compute the centres of the metric on rank 0, from the embeddings of the training clips of all ranks.

    Every rank must call it.

    Args:
        embedding: the metric; on rank 0 it gets the centres.
        trainer: gives the precision, and the folder in which the ranks exchange embeddings.
        task: the network that embeds the clips.
        batches: batches of the training clips of this rank.

    Raises:
        WsedError: rank 0 could not compute the centres; on the other ranks, with its message.
    """
    collector = Collector()
    with trainer.precision_plugin.forward_context():  # the same precision as in the evaluation
        for batch in batches:
            moved = batch.to(task.device)
            points = Output(clip_embedding=task(moved).clip_embedding)  # scores would fill the memory
            collector.update(points, moved, task.network.sample_rate)
    gathered = collector.first(Path(trainer.default_root_dir))

    def learn() -> None:
        assert gathered is not None
        embedding.learn_centres(*gathered)

    from_first(learn)
