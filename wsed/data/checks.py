"""Checks that the training clips and the batch settings meet the needs of the losses, before any audio is read."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile

import torch
from jaxtyping import Bool
from torch import Tensor

from wsed.data import audio
from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.columns import path_of, shortest_first
from wsed.data.trained import ChecksLengths, Network
from wsed.data.windows import Windows
from wsed.errors import WsedError, near
from wsed.literals import checked
from wsed.types import FACTS, Batch, Events, Labels, Needs, Split

LOOKED_AT = 5
"""Number of headers that are read to compare their sample rate with the network's."""


@dataclass(frozen=True)
class Episodes:
    """Batches with the same number of clips of some classes, as in metric learning.

    An epoch ends when the smallest class has no clips left.

    Args:
        classes: number of classes in a batch; None: all.
        per_class: clips of each of these classes, per process; None: as many as the losses need, at least 1.

    Raises:
        WsedError: a setting is not above 0.
    """

    classes: int | None = None
    per_class: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("classes", self.classes), ("per_class", self.per_class)):
            if value is not None and value <= 0:
                raise WsedError(f"data.episodes.{name} must be above 0, not {value}")

    def shape(self, needs: Needs, n_labels: int) -> tuple[int, int]:
        """The number of classes in a batch, and the number of clips of each.

        >>> Episodes().shape(Needs(per_class=2), n_labels=10)
        (10, 2)
        """
        return self.classes or n_labels, self.per_class or max(1, needs.per_class)


def joined(needs: Mapping[str, Needs]) -> Needs:
    """The needs of all losses together.

    >>> joined({"pairs": Needs(per_class=2), "triplets": Needs(classes=2)}).per_class
    2
    """
    total = Needs()
    for need in needs.values():
        total = total | need
    return total


def check_sources(batch: Mapping[str, int], sources: tuple[str, ...]) -> None:
    """Refuse quotas of sources that the corpus does not have, quotas below 0, and quotas that are all 0.

    >>> check_sources({"weak": 32}, sources=("weak", "strong"))
    """
    for name in batch:
        if name not in sources:
            raise WsedError(
                f"data.batch: unknown source {name!r}{near(name, sources)}; the corpus has {', '.join(sources)}: "
                f"set it to the clips of each source in a batch, such as {{{sources[0]}: 32}}"
            )
    if below := next((name for name, clips in batch.items() if clips < 0), None):
        raise WsedError(f"data.batch.{below} must be 0 or more, not {batch[below]}")
    if not any(clips > 0 for clips in batch.values()):
        raise WsedError(
            f"data.batch has no clips: {dict(batch)}; set it to the clips of each source in a batch, such as "
            f"{{{sources[0]}: 32}}"
        )


def check_known(
    needs: Mapping[str, Needs], table: ClipTable, used: Bool[Tensor, " clip"], batch: Mapping[str, int] | None
) -> None:
    """Refuse a loss if no clip in use has the labels that it needs, or if it takes one class and a clip has several.

    Args:
        needs: the needs of each loss, by its name.
        table: the training clips.
        used: which of the clips can be drawn into batches.
        batch: clips of each source in a batch; None: `data.episodes` is set instead.
    """
    for loss, need in needs.items():
        for fact in sorted(need.known):
            if not bool((_has(table, fact) & used).any()):
                where, mend = "the training clips have none", "add such clips"
                if batch is not None:
                    where = f"none of the sources of data.batch {dict(batch)} has them"
                    mend = "add such a source to data.batch"
                raise WsedError(f"loss {loss!r} needs clips with {FACTS[fact]}, and {where}; {mend}, or drop the loss")
        if need.one_class and bool((several := used & table.labels.lengths.gt(1)).any()):
            clip = table.clips[int(several.nonzero()[0])]
            raise WsedError(
                f"loss {loss!r} takes clips of one class, but clip {clip.id} has {len(clip.tags or ())} "
                f"({', '.join(sorted(clip.tags or ()))}): use the loss triplet or prototypical, or "
                "metric_learning with a loss of pairs and no miner, or remove such clips from the table"
            )


def check_quotas(table: ClipTable, batch: Mapping[str, int], ranks: int = 1) -> None:
    """Refuse a quota of more than 64 clips that is larger than its source: a batch would hold clips several times.

    A smaller quota may do so, as with small corpora for trials.

    Raises:
        WsedError: with the source and the largest possible quota.
    """
    for source, quota in batch.items():
        clips = int((table.source == table.sources.index(source)).sum()) if source in table.sources else 0
        if clips and quota * ranks > max(64, clips):
            each = f" in each of {ranks} processes" if ranks > 1 else ""
            raise WsedError(
                f"data.batch.{source} asks for {quota} clips in a batch{each}, but the corpus has {clips}: "
                f"set it to {max(1, clips // ranks)} or less"
            )


def unread_sources(needs: Mapping[str, Needs], table: ClipTable, batch: Mapping[str, int]) -> list[str]:
    """Sources in the batch without any labels, if no loss uses clips without labels."""
    if not all(need.known - {"unlabelled"} for need in needs.values()):
        return []
    known = table.tagged | table.timed
    names = [name for name, quota in batch.items() if quota > 0 and name in table.sources]
    return [name for name in names if not bool(known[table.source == table.sources.index(name)].any())]


def _has(table: ClipTable, fact: str) -> Bool[Tensor, " clip"]:
    known = {"tagged": table.tagged, "timed": table.timed, "only_tagged": table.only_tagged}
    return (known | {"unlabelled": ~(table.tagged | table.timed)})[fact]


def check_not_balanced(needs: Mapping[str, Needs]) -> None:
    """Refuse losses that need batches balanced by class if the user has switched this off."""
    for loss, need in needs.items():
        if need.classes or need.per_class:
            raise WsedError(
                f"loss {loss!r} needs batches balanced by class: set data.balanced to true or remove it, or set "
                "data.episodes in place of data.batch, or drop the loss"
            )


def check_balanced(
    needs: Mapping[str, Needs], table: ClipTable, labels: Labels, batch: Mapping[str, int], ranks: int = 1
) -> None:
    """Refuse quotas with which a balanced batch cannot hold the clips per class that the losses need."""
    for loss, need in needs.items():
        if not (need.classes or need.per_class):
            continue
        each = max(1, need.per_class)
        clips, classes = max(batch.values()) * ranks, len(labels)
        if need.classes > classes or clips % classes or clips < each * classes:
            raise WsedError(
                f"loss {loss!r} needs {each} clips of each of {max(need.classes, 2)} classes or more in a batch; "
                f"data.batch is {dict(batch)} for {classes} classes and {ranks} process(es): over all processes it "
                f"must be a multiple of {classes}, {each * classes} or more"
            )
        most = max(batch, key=lambda source: batch[source])
        for source, quota in batch.items():
            _check_scarce(loss, table, labels, batch, source, quota * ranks, source == most)


def _check_scarce(
    loss: str, table: ClipTable, labels: Labels, batch: Mapping[str, int], source: str, quota: int, all_classes: bool
) -> None:
    """Refuse a quota with which a batch would hold the same clip twice, so that it would be its own positive."""
    counts = source_counts(table, labels, source)
    # only the source with the largest quota must have all classes
    counts = {label: n for label, n in counts.items() if n > 0 or all_classes}
    drawn, scarce = -(-quota // max(1, len(counts))), min(counts, key=lambda label: counts[label], default="")
    if quota and scarce and counts[scarce] < drawn:
        raise WsedError(
            f"loss {loss!r} needs different clips of a class in a batch; with data.batch {dict(batch)} it takes "
            f"{drawn} of each class from source {source!r}, but there are {counts[scarce]} training clips of "
            f"{scarce!r}: lower data.batch.{source}, or leave the class out of data.corpus.labels"
        )


def source_counts(table: ClipTable, labels: Labels, source: str) -> dict[str, int]:
    """Number of clips of each class in a source."""
    number = table.sources.index(source) if source in table.sources else -1
    classes = table.labels.values[table.source[table.labels.rows] == number]
    return dict(zip(labels, torch.bincount(classes.long(), minlength=table.n_labels).tolist(), strict=True))


def check_episodes(
    needs: Mapping[str, Needs], table: ClipTable, labels: Labels, episodes: Episodes, ranks: int = 1
) -> None:
    """Refuse episodes that the losses or the corpus do not allow."""
    for loss, need in needs.items():
        if need.classes > len(labels):
            raise WsedError(
                f"loss {loss!r} needs batches of {need.classes} classes, but there are {len(labels)} "
                f"({', '.join(labels)}): set data.corpus.root and data.corpus.labels to more classes, or drop the loss"
            )
        for name, least, value in (
            ("classes", need.classes, episodes.classes),
            ("per_class", need.per_class, episodes.per_class),
        ):
            if value is not None and value < least:
                raise WsedError(
                    f"loss {loss!r} needs batches with {name} of {least} or more; data.episodes.{name} is {value}: "
                    f"set it to {least}, or to null"
                )
    classes, per_class = episodes.shape(joined(needs), len(labels))
    if classes > len(labels):
        raise WsedError(f"data.episodes.classes is {classes}, but there are {len(labels)}: set it to that, or to null")
    without = table.labels.lengths.eq(0).nonzero().flatten()
    if len(without):
        raise WsedError(
            f"data.episodes takes clips with a class, but clip {table.clips[int(without[0])].id} has none: remove it "
            "from the table, or set data.episodes to null and data.batch to the clips of each source"
        )
    first = table.labels.values[table.labels.first[:-1]]  # the sampler counts a clip for its first class
    counts = torch.bincount(first.long(), minlength=len(labels)).tolist()
    scarce = min(range(len(labels)), key=lambda label: counts[label])
    if counts[scarce] < per_class * ranks:
        losses = [f"loss {loss!r}" for loss, need in needs.items() if need.per_class == per_class]
        each = f" of each of {ranks} processes" if ranks > 1 else ""
        counted = " (one with several classes counts for the first)" if bool((table.labels.lengths > 1).any()) else ""
        fewer = (
            "set the loss to need fewer (shot and query of prototypical)" if losses else "lower data.episodes.per_class"
        )
        raise WsedError(
            f"{', '.join(losses) or 'data.episodes.per_class'} asks for {per_class} clips of each class in a "
            f"batch{each}, but the corpus has {counts[scarce]} training clip(s) of {labels.names[scarce]!r}{counted}: "
            f"make more (`wsed data synth --clips train=N`), or {fewer}"
        )


@checked
def check_clips(clips: Sequence[Clip], split: Split, network: Network) -> str:
    """Refuse clips that are too short for the network; returns a note on the sample rate of training clips, or "".

    Args:
        clips: the clips, with their durations.
        split: their split.
        network: the network.

    Raises:
        WsedError: clips are shorter than one frame.
    """
    short = list(takewhile(lambda clip: _is_short(clip, network), shortest_first(clips)))
    if short:
        some = ", ".join(f"{clip.id} ({clip.duration:g} s)" for clip in short[:3]) + (", ..." if len(short) > 3 else "")
        raise WsedError(
            f"{split}: {len(short)} of {len(clips)} clips are shorter than one frame of the network "
            f"({1 / network.frame_rate:g} s): {some}; take them out of the lists or delete their files (a clip without "
            "a file is left out, see data.max_missing), or give the encoder less pooling over time"
        )
    return rate_note(clips, network.sample_rate) if split == "train" else ""


def _is_short(clip: Clip, network: Network) -> bool:
    if not isinstance(network, ChecksLengths) or not clip.duration:
        return False
    unknown, zero = torch.zeros(1, len(network.labels)), torch.zeros(1, dtype=torch.long)
    n_samples = zero + max(1, round(clip.duration * network.sample_rate))
    try:
        network.check_lengths(
            Batch(None, n_samples, unknown, unknown > 0, Events.of([]), unknown > 0, zero, (clip.source,), (clip.id,))
        )
    except WsedError:
        return True
    return False


def rate_note(clips: Sequence[Clip], sample_rate: int) -> str:
    """A note if clips were recorded at a lower rate than the network's, so that its upper bands are empty; else empty.

    Args:
        clips: the clips; the headers of a few of them are read.
        sample_rate: sample rate of the network, Hz.
    """
    rates = {}
    for i in range(0, len(clips), max(1, len(clips) // LOOKED_AT)):
        with suppress(WsedError):
            rates[i] = audio.info(path_of(clips, i)).sample_rate
    if not rates or max(rates.values()) >= sample_rate:
        return ""
    most = max(rates.values())
    name = path_of(clips, next(iter(rates))).name
    return (
        f"clips such as {name} are recorded at {most} Hz, but the network takes {sample_rate} Hz: above {most // 2} Hz "
        f"they hold nothing; set the frontend's sample_rate to {most} and its f_max to {most // 2} or less"
    )


def check_network(network: Network, labels: Labels, sample_rate: int | None, windows: Windows | None) -> None:
    """Refuse a network with other classes, another sample rate, or frames that are longer than the windows."""
    if network.labels != labels:
        raise WsedError(
            f"the network has the classes {list(network.labels)}, the data {list(labels)}: "
            "set data.corpus.labels to the network's classes, in its order"
        )
    if sample_rate not in (None, network.sample_rate):
        raise WsedError(
            f"data.sample_rate is {sample_rate}, the network takes {network.sample_rate}: remove the setting"
        )
    splits: tuple[Split, ...] = ("train", "test") if windows is not None else ()
    for split in splits:
        assert windows is not None
        name, seconds = windows.name_of(split), windows.seconds(split)
        if seconds * network.frame_rate < 1 - 1e-6:
            frame = f"{1 / network.frame_rate:g} s"
            raise WsedError(
                f"data.windows.{name} is {seconds:g} s, less than one frame of the network ({frame}): "
                f"give {frame} or more"
            )
