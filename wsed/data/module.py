"""The base of all corpora: a LightningDataModule that serves what the task's losses need."""

import os
import threading
import time
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.collate import Collate
from wsed.data.reading.files import ClipDataset, Item
from wsed.data.sampling.balanced import BalancedSampler
from wsed.data.sampling.quota import QuotaSampler
from wsed.data.sampling.shards import ShardSampler
from wsed.data.sound_files import split_present
from wsed.errors import WsedError
from wsed.registry import Registry
from wsed.types import Labels, Needs

DATA: "Registry[type[SEDDataModule]]" = Registry("data", "wsed.data")

FACTS = {
    "tagged": "clip tags",
    "timed": "events with onset and offset",
    "only_tagged": "clip tags and without events",
}
"""What `Needs.known` may name, in words."""


class EndWith:
    """Ends a reading process when the training that started it is gone: one killed with SIGKILL cannot do it."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def __call__(self, _worker: int) -> None:
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            try:
                os.kill(self.pid, 0)  # asks whether it is there
            except ProcessLookupError:
                os._exit(1)
            time.sleep(2)


class SEDDataModule(pl.LightningDataModule):
    """Serves batches by quota for training, and every clip once for validation, test and prediction.

    A corpus gives `labels` and overrides `read(stage)`, which lists the clips of `train`, `validation`, `test` or
    `predict` without reading audio. Clips without a readable sound file are left out and named in
    `missing_<stage>.tsv` in the run's folder.

    Args:
        labels: the classes.
        batch: clips of each source in a training batch, per process: `{weak: 32}`.
        eval_batch: clips in a batch of validation, test and prediction.
        duration: seconds read of each clip; None for all of it (then clips of one batch should be of similar length).
        max_missing: greatest share of clips that may be missing or unreadable.
        workers: processes that read audio; 0 reads in the main process.
        seed: of the order of the training clips; None takes that of `seed_everything`.
        sample_rate: Hz; None takes the network's.
        keep_audio: each clip is read once and then kept in memory, by every process that reads (0.64 MB a clip of 10 s
            at 16 kHz); for small corpora, with `workers: 0`.
        balanced: classes take turns in giving training clips, see `BalancedSampler`; else each clip comes once.
    """

    def __init__(
        self,
        labels: Sequence[str],
        batch: Mapping[str, int],
        eval_batch: int = 32,
        duration: float | None = 10.0,
        max_missing: float = 0.05,
        workers: int = 1,
        seed: int | None = None,
        sample_rate: int | None = None,
        keep_audio: bool = False,
        balanced: bool = False,
    ) -> None:
        super().__init__()
        for name, value, least in (("eval_batch", eval_batch, 1), ("workers", workers, 0)):
            if value < least:
                raise WsedError(f"data.{name} must be {least} or more, not {value}")
        if not 0 <= max_missing <= 1 or (duration is not None and duration <= 0):
            raise WsedError(f"data.max_missing must lie in [0, 1] ({max_missing}), data.duration above 0 ({duration})")
        self.labels = Labels(labels)
        if not len(self.labels):
            raise WsedError("data.labels is empty, and the corpus names no classes: list the classes there")
        self.batch, self.balanced, self.eval_batch, self.duration = dict(batch), balanced, eval_batch, duration
        self.max_missing, self.workers = max_missing, workers
        self.seed = int(os.environ.get("PL_GLOBAL_SEED", "0")) if seed is None else seed
        self.sample_rate, self.keep_audio = sample_rate, keep_audio
        self._tables: dict[str, ClipTable] = {}
        self._datasets: dict[str, ClipDataset] = {}

    def read(self, stage: str) -> list[Clip]:
        """The clips of a stage and what is known of them."""
        raise NotImplementedError

    def setup(self, stage: str | None = None) -> None:
        """List the clips of what is about to run, and refuse what the losses cannot be served with."""
        stages = {"fit": ["train", "validation"], "validate": ["validation"], "test": ["test"], "predict": ["predict"]}
        for name in stages.get(stage or "", list({s: None for v in stages.values() for s in v})):
            if name in self._tables:
                continue
            speaks = self.trainer is None or self.trainer.is_global_zero
            report = self._folder() / f"missing_{name}.tsv" if speaks and self.trainer is not None else None
            self._tables[name], missing = self._load(name, report)
            if speaks:
                self._tell(name, self._tables[name].clips, missing, report)
        if stage in (None, "fit"):
            self._check_needs(self._tables["train"])
        self._check_task()

    def check_labels(self, stage: str) -> ClipTable:
        """Read the tables and headers of a stage, so that mistakes in them are found before a long training."""
        return self._load(stage, None)[0]

    def table(self, stage: str) -> ClipTable:
        """The clips of a stage, after `setup`."""
        return self._tables[stage]

    def label_counts(self) -> list[float]:
        """How many training clips have each tag, after `setup`."""
        table = self.table("train")
        known = table.labels.values[table.tagged[table.labels.rows]]
        return [float(n) for n in torch.bincount(known.long(), minlength=table.n_labels)]

    def train_dataloader(self) -> DataLoader[Item]:
        return self._loader("train", batch_sampler=self._batches(self.table("train")))

    def val_dataloader(self) -> "DataLoader[Item] | list[DataLoader[Item]]":
        return self._in_order("validation")

    def test_dataloader(self) -> "DataLoader[Item] | list[DataLoader[Item]]":
        return self._in_order("test")

    def predict_dataloader(self) -> "DataLoader[Item] | list[DataLoader[Item]]":
        return self._in_order("predict")

    def train_in_order(self) -> "DataLoader[Item] | list[DataLoader[Item]]":
        """Every training clip once, as in validation: for what is measured on the training set."""
        if "train" not in self._tables:
            self._tables["train"] = self._load("train", None)[0]
        return self._in_order("train")

    def _load(self, stage: str, report: Path | None) -> tuple[ClipTable, int]:
        """The clips of a stage that can be read, and how many cannot, which are listed in `report`."""
        present, missing = split_present(self.read(stage), self.max_missing, report)
        return self._arrays(present), len(missing)

    def _batches(self, table: ClipTable) -> Sampler[list[int]]:
        """Which training clips form which batch."""
        how = (table.source, table.sources, self.batch, self.seed, *self._rank())
        return BalancedSampler(table.labels, *how) if self.balanced else QuotaSampler(*how)

    def _tell(self, name: str, present: Sequence[Clip], missing: int, report: Path | None) -> None:
        """What the user should know of the clips of a stage: those left out, and those not read to their end."""
        if missing:
            where = f", listed in {report}" if report else ""
            print(f"{name}: {missing} of {missing + len(present)} clips left out{where}")
        cut = sum(self.duration is not None and (c.duration or 0) > self.duration + 0.1 for c in present)
        if cut:
            print(f"{name}: of {cut} longer clips only the first {self.duration:g} s are read (data.duration)")

    def _arrays(self, clips: Sequence[Clip]) -> ClipTable:
        return ClipTable.of(clips, self.labels, end=inf if self.duration is None else self.duration)

    def _in_order(self, stage: str) -> "DataLoader[Item] | list[DataLoader[Item]]":
        table = self.table(stage)
        if not table.clips:
            return []
        return self._loader(stage, batch_size=self.eval_batch, sampler=ShardSampler(len(table.clips), *self._rank()))

    def _loader(self, stage: str, **how: object) -> DataLoader[Item]:
        network = self._network()
        rate = self.sample_rate or (network.sample_rate if network is not None else None)
        if rate is None:
            raise WsedError("data.sample_rate is not set, and there is no network to take it from")
        return DataLoader(
            self._dataset(stage, rate),
            collate_fn=self._collate(stage, rate),
            num_workers=self.workers,
            persistent_workers=self.workers > 0,
            prefetch_factor=4 if self.workers else None,
            multiprocessing_context="forkserver" if self.workers else None,
            worker_init_fn=EndWith(os.getpid()) if self.workers else None,
            **how,  # type: ignore[arg-type]
        )

    def _collate(self, stage: str, rate: int) -> Collate:
        return Collate(self.table(stage))

    def _dataset(self, stage: str, rate: int) -> Dataset[Item]:
        """What is read of a stage."""
        return self._audio(stage, rate)

    def _audio(self, stage: str, rate: int) -> ClipDataset:
        """The clips of a stage; one for all loaders, so that audio kept in memory serves them all."""
        found = self._datasets.get(stage)
        if found is None or found.sample_rate != rate:
            found = self._datasets[stage] = ClipDataset(self.table(stage), rate, self.duration, self.keep_audio)
        return found

    def _network(self) -> Any:
        """The network of the task that is run, or None (`wsed.data` does not know `wsed.models`)."""
        return getattr(self.trainer.lightning_module, "network", None) if self.trainer is not None else None

    def _rank(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _folder(self) -> Path:
        assert self.trainer is not None
        folder = Path(self.trainer.default_root_dir)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _check_task(self) -> None:
        network = self._network()
        if network is None:
            return
        if network.labels != self.labels:
            raise WsedError(
                f"the network knows {list(network.labels)}, the data {list(self.labels)}: "
                "set data.labels to the network's classes, in its order"
            )
        if self.sample_rate not in (None, network.sample_rate):
            raise WsedError(
                f"data.sample_rate is {self.sample_rate}, the network's {network.sample_rate}: leave it out"
            )

    def _needs(self) -> Mapping[str, Needs]:
        """What each loss of the task needs, by its name."""
        return getattr(self.trainer.lightning_module, "needs", {}) if self.trainer is not None else {}

    def _check_needs(self, table: ClipTable) -> None:
        used = [table.sources.index(name) for name in self.batch if name in table.sources and self.batch[name]]
        in_use = torch.isin(table.source, torch.tensor(used))
        for loss, need in self._needs().items():
            for fact in sorted(need.known):
                if not bool((getattr(table, fact) & in_use).any()):
                    raise WsedError(
                        f"loss {loss!r} needs clips with {FACTS[fact]}, and none of the sources of "
                        f"data.batch {self.batch} has them; add such a source to data.batch, or drop the loss"
                    )
            for source, least in need.sources.items():
                if self.batch.get(source, 0) < least:
                    raise WsedError(
                        f"loss {loss!r} needs at least {least} clips of source {source!r} in a batch; "
                        f"data.batch is {self.batch}: set data.batch.{source} to {least} or more"
                    )
            if need.one_class and bool((several := in_use & table.labels.lengths.gt(1)).any()):
                clip = table.clips[int(several.nonzero()[0])]
                raise WsedError(
                    f"loss {loss!r} takes clips of one class, and clip {clip.id} has {len(clip.tags or ())} "
                    f"({', '.join(sorted(clip.tags or ()))}): take the loss triplet or prototypical, or "
                    "metric_learning without miner and with a loss of pairs, or leave such clips out of the table"
                )
            if need.classes or need.per_class:
                self._check_classes(loss, need)

    def _check_classes(self, loss: str, need: Needs) -> None:
        """Refuse a loss that needs so many classes, and clips of each, in a batch."""
        if not self.balanced:
            raise WsedError(
                f"loss {loss!r} needs batches balanced by class: set data.balanced to true, or take the data module "
                "waa, or drop the loss"
            )
        each, ranks = max(1, need.per_class), self._rank()[1]
        clips, classes = max(self.batch.values()) * ranks, len(self.labels)
        if need.classes > classes or clips % classes or clips < each * classes:
            raise WsedError(
                f"loss {loss!r} needs {each} clips of each of {max(need.classes, 2)} classes or more in a batch; "
                f"data.batch is {self.batch} for {classes} classes and {ranks} process(es): over all processes it "
                f"must be a multiple of {classes}, {each * classes} or more"
            )
        most = max(self.batch, key=lambda source: self.batch[source])
        for source, quota in self.batch.items():
            counts = self._source_counts(source)
            # another source than the first need not have all classes
            held = {label: n for label, n in counts.items() if n > 0 or source == most}
            drawn, scarce = -(-quota * ranks // max(1, len(held))), min(held, key=lambda label: held[label], default="")
            if quota and scarce and held[scarce] < drawn:  # a clip would stand in a batch twice, as its own positive
                raise WsedError(
                    f"loss {loss!r} needs different clips of a class in a batch; by data.batch {self.batch} it has "
                    f"{drawn} of each of source {source!r}, and there are {held[scarce]} training clips of {scarce!r}: "
                    f"lower data.batch.{source}, or leave the class out of data.labels"
                )

    def _source_counts(self, source: str) -> dict[str, int]:
        """Training clips of each class that a source has."""
        table = self.table("train")
        of = table.sources.index(source) if source in table.sources else -1
        held = table.labels.values[table.source[table.labels.rows] == of]
        return dict(zip(self.labels, torch.bincount(held.long(), minlength=table.n_labels).tolist(), strict=True))
