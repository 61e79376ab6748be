"""The share of a training step that `wsed fit` spends waiting for data.

    .venv/bin/python experiments/benchmarks/loading.py --root data/domestic

Trains the GLU-CRNN of experiments/cosine_penalty with its 2-core settings for 40 steps. It measures the wait for each
batch and the step itself in the same run, except for the first five steps, in which the reading process starts. It also
measures the time that the reading process needs to read and collate a batch.

Result on 2026-11-21 with 2 idle cores: step 0.49 s, wait 8 ms, 1.6 % of the time; reading a batch takes 64 ms.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch

from wsed.data.clip_table import ClipTable
from wsed.data.collate import Collate
from wsed.data.corpus.desed import DESED
from wsed.data.module import SEDDataModule
from wsed.data.reading.files import ClipDataset
from wsed.losses.base import Weighted
from wsed.losses.cosine_penalty import CosinePenalty
from wsed.losses.mil import MIL
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.network import Composed
from wsed.training.task import SEDTask

STEPS, WARM = 40, 5


class Clock(pl.Callback):
    """Seconds waited for each batch, and seconds spent on it."""

    def __init__(self) -> None:
        self.wait: list[float] = []
        self.step: list[float] = []
        self._mark = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        self._mark = time.perf_counter()

    def on_train_batch_start(self, *_: Any) -> None:
        now = time.perf_counter()
        self.wait.append(now - self._mark)
        self._mark = now

    def on_train_batch_end(self, *_: Any) -> None:
        now = time.perf_counter()
        self.step.append(now - self._mark)
        self._mark = now


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", required=True, type=Path, help="a corpus of `wsed data synth`")
    root = parser.parse_args().root
    data = SEDDataModule(DESED(root, validation=None), {"weak": 32})
    frontend = LogMel(16000, 1024, 640, f_max=8000.0)
    network = Composed(data.labels, lambda n: CRNN(n, "glu", channels=32), frontend=frontend)
    task = SEDTask(network, {"tags": Weighted(MIL()), "apart": Weighted(CosinePenalty(), 0.1)})
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        pl.Trainer(
            max_epochs=1,
            limit_train_batches=STEPS,
            precision="bf16-mixed",
            accelerator="cpu",
            callbacks=[clock],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            default_root_dir=folder,
        ).fit(task, datamodule=data)
    wait, step = statistics.median(clock.wait[WARM:]), statistics.median(clock.step[WARM:])
    share = sum(clock.wait[WARM:]) / (sum(clock.wait[WARM:]) + sum(clock.step[WARM:]))
    print(f"step {step:.3f} s, wait for its batch {wait * 1e3:.1f} ms (medians of {STEPS - WARM})")
    print(f"share of the time spent waiting for data: {share:.1%}")
    print(
        f"reading and collating a batch of 32 x 10 s: {batch_seconds(data.table('train')) * 1e3:.0f} ms of one process"
    )


def batch_seconds(table: ClipTable) -> float:
    """Seconds to read and collate one batch, one thread."""
    torch.set_num_threads(1)
    dataset, collate, seconds = ClipDataset(table, 16000), Collate(table), []
    for first in range(0, 160, 32):
        start = time.perf_counter()
        collate([dataset[i] for i in range(first, first + 32)])
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
