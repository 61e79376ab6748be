"""The data module: serves batches of any corpus, as the losses of the task need them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch.utils.data import DataLoader, Dataset

from wsed.augment.base import Augment
from wsed.data import checks
from wsed.data.augmenting import augment_batch, prepare
from wsed.data.checks import Episodes
from wsed.data.clip_table import ClipTable
from wsed.data.collate import Collate
from wsed.data.corpus.base import Corpus
from wsed.data.holdout import Holdout
from wsed.data.load import Loader
from wsed.data.processes import end_with_parent, start_method, unguarded_script
from wsed.data.reading.base import Item, Reader
from wsed.data.reading.features import FeatureDataset
from wsed.data.reading.files import Files
from wsed.data.sampling.base import EpochSampler
from wsed.data.sampling.choose import choose, is_balanced
from wsed.data.sampling.shards import ShardSampler
from wsed.data.trained import Network, Trained
from wsed.data.windows import Windows
from wsed.errors import WsedError
from wsed.types import Batch, Labels, Needs, Split

Loaded = DataLoader[Item]

STAGES: dict[str | None, tuple[Split, ...]] = {
    "fit": ("train", "validation"),
    "validate": ("validation",),
    "test": ("test",),
    "predict": ("predict",),
    None: ("train", "validation", "test", "predict"),
}
"""The splits that each stage of Lightning reads."""


@final
class SEDDataModule(pl.LightningDataModule):
    """Serves batches by quota for training, and every clip once for validation, test and prediction.

    Clips without a readable sound file are left out and listed in `missing_<split>.tsv` in the run's folder.

    Args:
        corpus: which clips there are, and what is known of them.
        batch: clips of each source in a training batch, per process: `{weak: 32}`.
        episodes: training batches of some clips of each class, in place of `batch`.
        reader: how clips become samples; `files` if None.
        windows: parts that are read in place of whole clips; None: whole clips.
        augment: changes of training batches on their device, applied in order; in training only.
        holdout: training clips kept for validation, or their share of each class; None: none.
        balanced: whether classes take turns in giving clips, see `BalancedSampler`; None: if a loss needs it.
        eval_batch: clips in a batch of validation, test and prediction.
        duration: seconds read of each clip where there are no `windows`; None for all of it (then clips of one batch
            should be of similar length).
        max_missing: greatest share of clips that may be missing or unreadable; None: what is usual for the corpus.
        workers: processes that read audio; 0 reads in the main process.
        seed: of the order of the training clips; None takes that of `seed_everything`.
        sample_rate: Hz; None takes the network's.

    Raises:
        WsedError: a setting is out of its range, or two contradict each other.
    """

    def __init__(
        self,
        corpus: Corpus,
        batch: Mapping[str, int] | None = None,
        episodes: Episodes | None = None,
        reader: Reader | None = None,
        windows: Windows | None = None,
        augment: Sequence[Augment] = (),
        holdout: Holdout | float | None = None,
        balanced: bool | None = None,
        eval_batch: int = 32,
        duration: float | None = 10.0,
        max_missing: float | None = None,
        workers: int = 1,
        seed: int | None = None,
        sample_rate: int | None = None,
    ) -> None:
        super().__init__()
        _check_settings(eval_batch, workers, duration, max_missing)
        self.corpus, self.windows, self.episodes = corpus, windows, episodes
        self.batch, self.balanced = dict(batch or {}), balanced
        self.augment = tuple(augment)
        self.eval_batch, self.workers, self.sample_rate = eval_batch, workers, sample_rate
        self.seed = int(os.environ.get("PL_GLOBAL_SEED", "0")) if seed is None else seed
        self.reader = Files() if reader is None else reader
        self.holdout = Holdout(holdout) if isinstance(holdout, float | int) else holdout
        if episodes is not None and self.batch:
            raise WsedError(f"data.batch is {self.batch} and data.episodes makes batches too: set one of them to null")
        if episodes is None:
            checks.check_sources(self.batch, corpus.sources)
        if self.holdout is not None and corpus.has("validation"):
            raise WsedError(
                "data.holdout makes validation clips of training ones, and the corpus names validation clips of its "
                f"own: set {corpus.setting('validation')} or data.holdout to null"
            )
        sources = tuple(name for name, clips in self.batch.items() if clips > 0) or None
        self.loader = Loader(corpus, self.reader, sources, self.holdout, windows, duration, max_missing)
        self._tables: dict[Split, ClipTable] = {}
        self._datasets: dict[tuple[Split, int, bool], Dataset[Item]] = {}

    @property
    def labels(self) -> Labels:
        """The classes."""
        return self.corpus.labels

    @property
    def clip_seconds(self) -> float | None:
        """Seconds of the clips or windows that a network is given; None: all of each clip."""
        return self.loader.duration if self.windows is None else self.windows.seconds("predict")

    def has(self, split: Split) -> bool:
        """Whether there are clips of a split."""
        return self.corpus.has(split) or (split == "validation" and self.holdout is not None)

    def setup(self, stage: str | None = None) -> None:
        """List the clips of what is about to run, and refuse what the losses cannot be served with."""
        for split in STAGES[stage]:
            if split not in self._tables:
                self._set_up(split, stage)
        if stage == "fit" and (reason := self.corpus.absent("test")):
            rank_zero_info(f"no test: {reason}")
        if stage in (None, "fit"):
            self._check_needs(self._tables["train"])
        network = self._network()
        if network is not None:
            checks.check_network(network, self.labels, self.sample_rate, self.windows)
        if stage in (None, "fit") and self.augment:
            prepare(self.augment, self._rate())

    def check_labels(self, split: Split) -> ClipTable:
        """Read the tables and headers of a split, so that mistakes in them are found before a long training."""
        return self.loader.load(split).table

    def table(self, split: Split) -> ClipTable:
        """The clips of a split, after `setup`."""
        return self._tables[split]

    def label_counts(self) -> list[float]:
        """How many training clips have each tag, after `setup`."""
        table = self.table("train")
        known = table.labels.values[table.tagged[table.labels.rows]]
        return [float(n) for n in torch.bincount(known.long(), minlength=table.n_labels)]

    def train_dataloader(self) -> Loaded:
        """The training batches of an epoch."""
        return self._loaded("train", batch_sampler=self._batches(self.table("train")))

    def val_dataloader(self) -> Loaded | list[Loaded]:
        """Every validation clip once."""
        return self._in_order("validation")

    def test_dataloader(self) -> Loaded | list[Loaded]:
        """Every test clip once."""
        return self._in_order("test")

    def predict_dataloader(self) -> Loaded | list[Loaded]:
        """Every clip to predict once."""
        return self._in_order("predict")

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment training batches, with draws that follow from seed, epoch, step and rank, also in a resumed run."""
        trainer = self.trainer
        if not self.augment or trainer is None or not trainer.training:
            return batch
        step = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        place = (self.seed, trainer.current_epoch, step, trainer.global_rank)
        return augment_batch(batch, self.augment, self._network(), *place)

    def train_in_order(self) -> Loaded | list[Loaded]:
        """Every training clip once, as in validation: for what is measured on the training set."""
        if "train" not in self._tables:
            self._tables["train"] = self.loader.load("train").table
        return self._in_order("train")

    def _set_up(self, split: Split, stage: str | None) -> None:
        if stage is not None and stage != "fit" and (reason := self.corpus.absent(split)):
            raise WsedError(reason)
        main = self.trainer is None or self.trainer.is_global_zero
        report = self._folder() / f"missing_{split}.tsv" if main and self.trainer is not None else None
        loaded = self.loader.load(split, report)
        self._tables[split] = loaded.table
        for note in loaded.notes:
            rank_zero_info(f"{split}: {note}")

    def _batches(self, table: ClipTable) -> EpochSampler:
        """Which training clips form which batch."""
        needs = checks.joined(self._needs())
        return choose(needs, table, self.batch, self.episodes, self.balanced, self.seed, *self._rank())

    def _in_order(self, split: Split) -> Loaded | list[Loaded]:
        table = self.table(split)
        if not table.clips:
            return []
        return self._loaded(split, batch_size=self.eval_batch, sampler=ShardSampler(len(table.clips), *self._rank()))

    def _loaded(self, split: Split, **how: object) -> Loaded:
        dataset = self._dataset(split)
        silence = dataset.shapes.silence if isinstance(dataset, FeatureDataset) else None
        workers = self._workers()
        return DataLoader(
            dataset,
            collate_fn=Collate(self.table(split), silence),
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
            multiprocessing_context=start_method() if workers else None,
            worker_init_fn=end_with_parent if workers else None,
            **how,  # type: ignore[arg-type]
        )

    def _workers(self) -> int:
        """Reading processes: none where each would run the user's script again."""
        script = unguarded_script() if self.workers else None
        if script is None:
            return self.workers
        rank_zero_warn(
            f"clips are read in the main process, since reading processes would run {script.name} again: put what it "
            'does below `if __name__ == "__main__":`, or set workers=0'
        )
        return 0

    def _dataset(self, split: Split) -> Dataset[Item]:
        """What is read of a split; one for all loaders, so that what a reader keeps serves them all."""
        network, rate = self._network(), self._rate()
        key = (split, rate, self.reader.learned(network))
        if key not in self._datasets:
            self._datasets[key] = self.reader.open(self.table(split), rate, network)
        return self._datasets[key]

    def _rate(self) -> int:
        """The sample rate that audio is read at, Hz."""
        network = self._network()
        rate = self.sample_rate or (network.sample_rate if network is not None else None)
        if rate is None:
            raise WsedError("data.sample_rate is not set, and there is no network to take it from")
        return rate

    def _check_needs(self, table: ClipTable) -> None:
        needs, ranks = self._needs(), self._rank()[1]
        total = checks.joined(needs)
        if self.episodes is not None:
            classes, per_class = self.episodes.shape(total, len(self.labels))
            batch = {table.sources[0]: classes * per_class}
            checks.check_known(needs, table, torch.ones(len(table.clips), dtype=torch.bool), batch)
            checks.check_episodes(needs, table, self.labels, self.episodes, ranks)
            return
        used = [table.sources.index(name) for name in self.batch if name in table.sources and self.batch[name]]
        checks.check_known(needs, table, torch.isin(table.source, torch.tensor(used)), self.batch)
        checks.check_quotas(table, self.batch, ranks)
        if needs and (unread := checks.unread_sources(needs, table, self.batch)):
            rank_zero_info(f"no loss reads the clips of {', '.join(unread)}, so that they do nothing: see data.batch")
        if is_balanced(total, self.balanced):
            checks.check_balanced(needs, table, self.labels, self.batch, ranks)
        else:
            checks.check_not_balanced(needs)

    def _needs(self) -> Mapping[str, Needs]:
        """What each loss of the task needs, by its name."""
        task = self.trainer.lightning_module if self.trainer is not None else None
        return task.needs if isinstance(task, Trained) else {}

    def _network(self) -> Network | None:
        """The network of the task that is run; None where there is no task."""
        task = self.trainer.lightning_module if self.trainer is not None else None
        return task.network if isinstance(task, Trained) else None

    def _rank(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def _folder(self) -> Path:
        assert self.trainer is not None
        folder = Path(self.trainer.default_root_dir)
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _check_settings(eval_batch: int, workers: int, duration: float | None, max_missing: float | None) -> None:
    for name, value, least in (("eval_batch", eval_batch, 1), ("workers", workers, 0)):
        if value < least:
            raise WsedError(f"data.{name} must be {least} or more, not {value}")
    if max_missing is not None and not 0 <= max_missing <= 1:
        raise WsedError(f"data.max_missing must lie in [0, 1], not {max_missing}")
    if duration is not None and duration <= 0:
        raise WsedError(f"data.duration must be above 0, not {duration}; null reads all of each clip")
