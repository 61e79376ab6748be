"""A summary of a folder of recordings: sample rate, lengths, classes, and how many files have which labels."""

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wsed.data import audio
from wsed.data.corpus.folder.corpus import Folder
from wsed.data.corpus.folder.guess import TEST, VALIDATION, Settings, guess, not_read
from wsed.data.corpus.folder.settings import Splits
from wsed.errors import WsedError

LOOKED_AT = 2000
"""Number of headers that are read, evenly spread over the files."""
THREADS = 8
SEEDS = 5
"""Number of draws of splits that are tried before a class is left out."""


@dataclass(frozen=True)
class Material:
    """A summary of a folder of recordings.

    Attributes:
        settings: arguments of the corpus.
        classes: the classes to train.
        rare: labels in too few files or groups, with the number of these.
        files: number of training files of each source.
        splits: number of files of each split.
        events: whether the events of the validation files are known.
        sample_rate: the most common sample rate, Hz.
        rates: number of files of each sample rate, among the headers that were read.
        seconds: median, 95 % quantile and maximum of the lengths, among the headers that were read.
        unreadable: number of files whose header cannot be read, among these.
        notes: notes for the user, as of `Folder.notes`.
    """

    settings: Settings
    classes: tuple[str, ...]
    rare: Mapping[str, int]
    files: Mapping[str, int]
    splits: Mapping[str, int]
    events: bool
    sample_rate: int
    rates: Mapping[int, int]
    seconds: tuple[float, float, float]
    unreadable: int
    notes: tuple[str, ...]


def look(root: Path, labels: Path | None = None) -> Material:
    """Summarise a folder of recordings.

    Args:
        root: the folder of the recordings.
        labels: a table of tags or events, or a folder of label files; None: those in the folder.

    Raises:
        WsedError: there is no such folder, the classes cannot be recognised, or no file can be read.
    """
    if not root.is_dir():
        raise WsedError(f"no such folder: {root}; name the folder of the recordings")
    settings = guess(root, labels)
    if settings is None:
        unused = f". Left out: {reason}" if (reason := not_read(root)) else ""
        raise WsedError(
            f"the classes of the files in {root} are unknown: no table of tags or events, no label files, no folders "
            f"named by class; give a table with --labels{unused}"
        )
    settings.setdefault("splits", Splits(validation=VALIDATION, test=TEST))
    splits = settings["splits"]
    assert splits is not None
    whole = Folder(root, settings.get("tags"), settings.get("events"))
    counts = _groups(whole, splits)
    corpus = _divided(settings, splits, counts)
    settings["splits"], classes = corpus.splits, corpus.labels.names
    rare = {name: n for name, n in counts.items() if name not in classes}
    train = corpus.clips("train")
    validation = corpus.clips("validation")
    sizes = {"train": len(train), "validation": len(validation), "test": len(corpus.clips("test"))}
    step = max(1, len(train) // LOOKED_AT)
    with ThreadPoolExecutor(THREADS) as pool:
        headers = [info for info in pool.map(_info, (clip.path for clip in train[::step])) if info is not None]
    if not headers:
        raise WsedError(f"none of the sound files of {root} can be read; run wsed data check {root}")
    rates = Counter(info.sample_rate for info in headers)
    median, most, longest = np.quantile([info.duration for info in headers], [0.5, 0.95, 1.0]).tolist()
    return Material(
        settings,
        classes,
        rare,
        Counter(clip.source for clip in train),
        sizes,
        bool(validation or train) and all(clip.events is not None for clip in validation or train),
        rates.most_common(1)[0][0],
        rates,
        (median, most, longest),
        len(train[::step]) - len(headers),
        tuple(corpus.notes("train")),
    )


def _divided(settings: Settings, splits: Splits, counts: Mapping[str, int]) -> Folder:
    """The corpus with as many classes as possible so that every split has each of them; the rarest are dropped first.

    Raises:
        WsedError: no class can be in every split.
    """
    least = 1 + (splits.validation > 0) + (splits.test > 0)
    order = sorted((name for name, n in counts.items() if n >= least), key=counts.__getitem__)
    for dropped in range(len(order)):
        kept = [name for name in counts if name in order[dropped:]]
        for seed in range(SEEDS if splits.column is None else 1):
            drawn = replace(splits, seed=seed)
            corpus = Folder(settings["root"], settings.get("tags"), settings.get("events"), kept, drawn)
            with suppress(WsedError):  # a split lacks a class
                corpus.clips("train")
                return corpus
    what = "groups" if splits.group else "files"
    raise WsedError(
        f"{settings['root']}: no class is in enough {what} for training, validation and test; annotate more"
    )


def _groups(corpus: Folder, splits: Splits) -> dict[str, int]:
    """Number of groups (or files) with each class; only those of training if a column names the splits."""
    groups: dict[str, set[str]] = {name: set() for name in corpus.labels}
    named = {value for clip in corpus.clips("train") if splits.column for value in [clip.groups.get(splits.column, "")]}
    training = {value for value in named if value.casefold().startswith("train")}
    for clip in corpus.clips("train"):
        if splits.column is not None and clip.groups.get(splits.column, "") not in training:
            continue
        group = clip.id if splits.group is None else clip.groups.get(splits.group, clip.id)
        for tag in clip.tags or ():
            groups[tag].add(group)
    return {name: len(of) for name, of in groups.items()}


def _info(path: Path) -> audio.AudioInfo | None:
    try:
        return audio.info(path)
    except WsedError:
        return None
