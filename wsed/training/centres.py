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
    """Compute the centres of the metric on rank 0, from the embeddings of the training clips of all ranks."""
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
