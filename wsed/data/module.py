"""The data module: it serves batches from any corpus, as the losses of the task need them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import final

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities import rank_zero_info, rank_zero_warn
from torch.utils.data import DataLoader, Dataset

from wsed.augment.base import Augment
from wsed.augment.draws import run_seed
from wsed.data import checks
from wsed.data.augmenting import augment_batch, check, check_audio, prepare, prepare_views
from wsed.data.checks import Episodes
from wsed.data.clip_table import ClipTable
from wsed.data.collate import Collate
from wsed.data.corpus.base import Corpus
from wsed.data.holdout import Holdout
from wsed.data.load import LoadedTable, TableLoader
from wsed.data.processes import end_with_parent, reading_context, unguarded_script
from wsed.data.reading.base import Item, Reader
from wsed.data.reading.files import Files
from wsed.data.same import check_same
from wsed.data.sampling.base import EpochSampler, place
from wsed.data.sampling.choose import choose, is_balanced
from wsed.data.sampling.shards import Filled, ShardSampler, longest_first
from wsed.data.trained import ChecksLengths, Network, is_trained
from wsed.data.windows import Windows
from wsed.errors import WsedError
from wsed.ops.reduce import on_all
from wsed.types import Batch, Labels, Needs, Split

ItemLoader = DataLoader[Item]

STAGES: dict[str | None, tuple[Split, ...]] = {
    "fit": ("train", "validation"),
    "validate": ("validation",),
    "test": ("test",),
    "predict": ("predict",),
    None: ("train", "validation", "test", "predict"),
}
"""The splits that are read in each stage of Lightning."""


@final
class SEDDataModule(pl.LightningDataModule):
    """Serves training batches with a quota per source, and every clip once for validation, test and prediction.

    Clips without a readable sound file are left out and listed in `missing_<split>.tsv` in the folder of the run.

    Args:
        corpus: the clips with their tags and events.
        batch: clips of each source in a training batch, per process: `{weak: 32}`.
        episodes: training batches with the same number of clips of each class, instead of `batch`.
        reader: reads clips; `files` if None.
        windows: windows that are read instead of whole clips; None: whole clips.
        augment: augmentations of training batches, applied in order on the device of the batch.
        holdout: training clips that become validation clips, or their share of each class; None: no clips.
        balanced: whether batches are balanced by class, see `BalancedSampler`; None: if a loss needs it.
        eval_batch: batch size in validation, test and prediction.
        duration: how many seconds of each clip are read if there are no `windows`; None: all (then the clips of a
            batch should have similar durations).
        max_missing: greatest share of clips that may be missing or unreadable; None: the default of the corpus.
        workers: number of processes that read clips; 0: the main process reads them.
        seed: seed of the order of the training clips; None: the seed of `seed_everything`.
        sample_rate: sample rate in Hz; None: the sample rate of the network.

    Raises:
        WsedError: a setting is out of its range, or two settings contradict each other.

    >>> from wsed.data.clip import Clip
    >>> class Toy(Corpus):
    ...     labels, sources = Labels(["Dog"]), ("weak",)
    ...     def clips(self, split, sources=None):
    ...         return [Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog"}))]
    >>> reader = Files(headers=False)  # this example reads no audio
    >>> data = SEDDataModule(Toy(), batch={"weak": 1}, reader=reader, workers=0, sample_rate=16000)
    >>> data.setup("fit")
    >>> data.table("train").clips[0].id, data.label_counts(), len(data.train_in_order()), data.has("test")
    ('a.wav', [1.0], 1, False)
    >>> data.check_labels("test").n_labels
    1
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
        self.seed = run_seed() if seed is None else seed
        self.reader = Files() if reader is None else reader
        self.holdout = Holdout(holdout) if isinstance(holdout, float | int) else holdout
        if episodes is not None and self.batch:
            raise WsedError(f"data.batch is {self.batch}, but data.episodes is set too: set one of them to null")
        if episodes is None:
            checks.check_sources(self.batch, corpus.sources)
        if self.holdout is not None and corpus.has("validation"):
            raise WsedError(
                "data.holdout makes validation clips from training clips, but the corpus already has validation clips: "
                f"set {corpus.setting('validation')} or data.holdout to null"
            )
        sources = tuple(name for name, clips in self.batch.items() if clips > 0) or None
        self.loader = TableLoader(corpus, self.reader, sources, self.holdout, windows, duration, max_missing)
        self._tables: dict[Split, ClipTable] = {}
        self._checked: dict[Split, ClipTable] = {}
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
        """Make the tables of the splits of a stage, and check that they meet the needs of the losses."""
        network = self._network()
        if network is not None:
            checks.check_network(network, self.labels, self.sample_rate, self.windows)
        if stage in (None, "fit") and self.reader.makes_features:  # computing them takes long
            check_audio(self.augment, network)
        for split in STAGES[stage]:
            if split not in self._tables:
                self._set_up(split, stage)
        if stage == "fit":
            # the test clips were listed before the processes could exchange anything
            check_same(self._checked.pop("test", None), "test", self.reader)
        if stage == "fit" and (reason := self.corpus.absent("test")):
            rank_zero_info(f"no test: {reason}")
        if stage in (None, "fit"):
            self._check_needs(self._tables["train"])
        if stage in (None, "fit"):
            self._prepare_augmentations(network)

    def _prepare_augmentations(self, network: Network | None) -> None:
        """Check those of batches and of a teacher's views against the network, and let them read their folders."""
        if self.augment:
            if network is not None:
                check(self.augment, network)
            prepare(self.augment, self._rate())
        if network is not None:
            prepare_views(network, self._rate())

    def check_labels(self, split: Split) -> ClipTable:
        """Make the table of a split, so that its mistakes are reported before a long training."""
        self._checked[split] = self.loader.load(split).table
        return self._checked[split]

    def table(self, split: Split) -> ClipTable:
        """The table of a split, after `setup`."""
        return self._tables[split]

    def label_counts(self) -> list[float]:
        """Number of training clips with each tag, after `setup`."""
        table = self.table("train")
        known = table.labels.values[table.tagged[table.labels.rows]]
        return [float(n) for n in torch.bincount(known.long(), minlength=table.n_labels)]

    def train_dataloader(self) -> ItemLoader:
        """The training batches of an epoch."""
        batches = self._batches(self.table("train"))
        if self.trainer is not None:
            batches.go_on(*place(self.trainer, len(batches)))
        return self._loader("train", batch_sampler=batches)

    def val_dataloader(self) -> ItemLoader | list[ItemLoader]:
        """Every validation clip once."""
        return self._in_order("validation")

    def test_dataloader(self) -> ItemLoader | list[ItemLoader]:
        """Every test clip once."""
        return self._in_order("test")

    def predict_dataloader(self) -> ItemLoader | list[ItemLoader]:
        """Every clip to predict once."""
        return self._in_order("predict")

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move a batch; a CUDA device is not waited for, though Lightning itself would wait for all but tensors."""
        if isinstance(network := self._network(), ChecksLengths):
            network.check_lengths(batch)
        return batch.to(device, non_blocking=device.type == "cuda")

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment training batches. The random draws depend on seed, epoch and step, also in a resumed run."""
        trainer = self.trainer
        if not self.augment or trainer is None or not trainer.training:
            return batch
        step = trainer.fit_loop.epoch_loop.batch_progress.current.ready
        rank, ranks = self._rank()
        place = (self.seed, trainer.current_epoch, step)
        return augment_batch(batch, self.augment, self._network(), *place, rank=rank, ranks=ranks)

    def train_in_order(self) -> ItemLoader | list[ItemLoader]:
        """Every training clip once, without augmentation."""
        if "train" not in self._tables:
            self._tables["train"] = self.loader.load("train").table
        return self._in_order("train")

    def _set_up(self, split: Split, stage: str | None) -> None:
        main = self.trainer is None or self.trainer.is_global_zero
        report = self._folder() / f"missing_{split}.tsv" if main and self.trainer is not None else None

        def load() -> LoadedTable:
            if stage not in (None, "fit") and (reason := self.corpus.absent(split)):
                raise WsedError(reason)
            return self.loader.load(split, report)

        loaded = on_all(load)
        check_same(loaded.table, split, self.reader)
        self._tables[split] = loaded.table
        network = self._network()
        note = checks.check_clips(loaded.table.clips, split, network) if network else ""
        for text in (*loaded.notes, *([note] if note else [])):
            rank_zero_info(f"{split}: {text}")

    def _batches(self, table: ClipTable) -> EpochSampler:
        """Which training clips form which batch."""
        needs = checks.joined(self._needs())
        return choose(needs, table, self.batch, self.episodes, self.balanced, self.seed, *self._rank())

    def _in_order(self, split: Split) -> ItemLoader | list[ItemLoader]:
        table = self.table(split)
        if not table.clips:
            return []
        order = longest_first(table.clips) if split == "predict" else None  # scores are sorted by clip id later
        sampler = ShardSampler(len(table.clips), *self._rank(), order, self.eval_batch)
        return self._loader(split, batch_size=self.eval_batch, sampler=sampler)

    def _loader(self, split: Split, **batching: object) -> ItemLoader:
        dataset = self._dataset(split)
        silence = self.reader.silence(dataset)
        workers = self._workers()
        return DataLoader(
            Filled(dataset) if self._rank()[1] > 1 else dataset,
            collate_fn=Collate(self.table(split), silence),
            num_workers=workers,
            pin_memory=torch.cuda.is_available(),  # so that nothing waits for the copy of a batch to the GPU
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
            multiprocessing_context=reading_context() if workers else None,
            worker_init_fn=end_with_parent if workers else None,
            generator=torch.Generator().manual_seed(self.seed),  # reading does not change the random numbers of dropout
            **batching,  # type: ignore[arg-type]
        )

    def _workers(self) -> int:
        """Number of reading processes: 0 if each would run the user's script again."""
        script = unguarded_script() if self.workers else None
        if script is None:
            return self.workers
        rank_zero_warn(
            f"clips are read in the main process, since reading processes would run {script.name} again: put its code "
            'below `if __name__ == "__main__":`, or set workers=0'
        )
        return 0

    def _dataset(self, split: Split) -> Dataset[Item]:
        """The dataset of a split. All loaders share it, so that a reader keeps its clips only once."""
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
        if not len(table.clips):
            raise WsedError("there are no training clips: check data.corpus, its lists and their labels")
        needs, ranks = self._needs(), self._rank()[1]
        total = checks.joined(needs)
        if self.episodes is not None:
            checks.check_known(needs, table, torch.ones(len(table.clips), dtype=torch.bool), None)
            checks.check_episodes(needs, table, self.labels, self.episodes, ranks)
            return
        used = [table.sources.index(name) for name in self.batch if name in table.sources and self.batch[name]]
        checks.check_known(needs, table, torch.isin(table.source, torch.tensor(used)), self.batch)
        checks.check_quotas(table, self.batch, ranks)
        if needs and (unread := checks.unread_sources(needs, table, self.batch)):
            sources = ", ".join(unread)
            rank_zero_info(f"the clips of {sources} are not used: no loss reads clips without labels (see data.batch)")
        if is_balanced(total, self.balanced):
            checks.check_balanced(needs, table, self.labels, self.batch, ranks)
        else:
            checks.check_not_balanced(needs)

    def _needs(self) -> Mapping[str, Needs]:
        """The needs of each loss of the task, by its name."""
        task = self.trainer.lightning_module if self.trainer is not None else None
        return task.needs if is_trained(task) else {}

    def _network(self) -> Network | None:
        """The network of the task; None if there is no task."""
        task = self.trainer.lightning_module if self.trainer is not None else None
        return task.network if is_trained(task) else None

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
