"""Data modules beside a task that is made up."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from wsed.data.checks import Episodes
from wsed.data.clip import Clip
from wsed.data.corpus.base import Corpus
from wsed.data.corpus.single_event import SingleEvent
from wsed.data.module import SEDDataModule
from wsed.data.reading.memory import Memory
from wsed.data.windows import Windows
from wsed.types import Needs, Split

RATE = 8000


def module(corpus: Corpus, batch: Mapping[str, int] | None = None, **settings: Any) -> SEDDataModule:
    """A data module that reads in the main process."""
    return SEDDataModule(corpus, batch, **{"workers": 0} | settings)


def listed(data: SEDDataModule, split: Split) -> list[Clip]:
    """The clips of a split before their files are looked for."""
    return list(data.loader.listed(split)[0])


def serving(
    data: SEDDataModule,
    folder: Path,
    needs: Mapping[str, Needs] | None = None,
    network: object | None = None,
    rank: int = 0,
    ranks: int = 1,
    stage: str | None = "fit",
) -> SEDDataModule:
    """The data module set up for a task whose losses have these needs."""
    usual = SimpleNamespace(labels=data.labels, sample_rate=RATE, frame_rate=50.0, modules=lambda: iter(()))
    task = SimpleNamespace(needs=dict(needs or {}), network=usual if network is None else network)
    progress = SimpleNamespace(current=SimpleNamespace(ready=0, processed=0))
    loop = SimpleNamespace(epoch_progress=progress, epoch_loop=SimpleNamespace(batch_progress=progress))
    data.trainer = SimpleNamespace(
        fit_loop=loop,
        lightning_module=task,
        global_rank=rank,
        world_size=ranks,
        is_global_zero=True,
        default_root_dir=folder,
        limit_train_batches=1.0,
    )
    data.setup(stage)
    return data


def crops(root: Path, length: float = 0.5, test_length: float | None = None, **settings: Any) -> SEDDataModule:
    """Crops around the one event of each clip, in batches of all classes."""
    placement, seed = settings.pop("placement", "onset"), settings.pop("placement_seed", 0)
    corpus = settings.pop("corpus", None) or SingleEvent(root, labels=settings.pop("labels", None))
    episodes = Episodes(settings.pop("classes", None), settings.pop("per_class", None))
    windows = Windows(length, test_length, placement=placement, seed=seed)
    return module(corpus, episodes=episodes, windows=windows, **{"reader": Memory()} | settings)
