"""`Holdout` makes validation clips of some training clips, for corpora without validation clips."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.columns import Columns
from wsed.data.ragged import Ragged
from wsed.errors import WsedError, near
from wsed.literals import checked

Index = NDArray[np.int64]
By = Literal["clip", "group"]


@checked(owner="data.holdout")
@dataclass(frozen=True)
class Holdout:
    """Chooses the training clips that become validation clips.

    Args:
        share: share of the clips of each class, between 0 and 1.
        by: `clip`: single clips, so that each class has its share; `group`: whole groups, such as all recordings of a
            patient.
        group: the kind of group, such as `patient`; None: the recording of a clip is its group.
        sources: sources from which the clips are taken; None: the sources with tags only, or all if there are none.
        seed: seed of the random choice.

    Raises:
        WsedError: a setting is out of its range.

    >>> from pathlib import Path
    >>> from wsed.types import Labels
    >>> clips = [Clip(name, Path(name), "weak", frozenset({"Dog"})) for name in ("a.wav", "b.wav", "c.wav", "d.wav")]
    >>> train, held = Holdout(0.25).divide(ClipTable.of(clips, Labels(["Dog"])))
    >>> len(train), len(held)
    (3, 1)
    """

    share: float
    by: By = "clip"
    group: str | None = None
    sources: tuple[str, ...] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise WsedError(
                f"data.holdout.share must lie between 0 and 1, not {self.share}; set data.holdout to null for none"
            )
        if self.sources is not None and not self.sources:
            raise WsedError("data.holdout.sources is empty: name sources of the corpus, or set it to null")
        if self.group is not None and self.by != "group":
            raise WsedError(
                f"data.holdout.group is {self.group!r}, but data.holdout.by is {self.by!r}: set by to group"
            )

    def divide(self, table: ClipTable) -> tuple[Index, Index]:
        """The indices of the training clips and of the validation clips.

        If a sound is held out in one source, its clips in other sources are left out of training too; so are all clips
        of a group that is held out. Groups of two corpora of a joint corpus differ even if their names are the same,
        and only corpora with held-out clips must have the kind of group. A clip with neither tags nor events whose
        group is not known stays in training, as with `data.corpus.splits.group`: if unlabelled clips may be of a person
        who is held out, write their group into a table, or leave them out.

        Raises:
            WsedError: a source has no clips, no clip would be held out or none left, or a clip with labels has no such
                group.
        """
        names = self._sources(table)
        pool = np.flatnonzero(np.isin(table.source.numpy(), [table.sources.index(name) for name in names]))
        pool = pool[~self._unknown(table, pool)]
        sound = sounds(table.clips)
        mask = self._by_group(table, pool) if self.by == "group" else self._by_clip(table, pool)
        mask |= np.isin(sound[pool], sound[pool[mask]])
        train, held = pool[~mask], pool[mask]
        others = np.setdiff1d(np.arange(len(table.clips)), pool)
        others = others[~np.isin(sound[others], sound[held])]
        if self.by == "group" and len(others):
            others = others[~self._in_group(table, pool, held, others)]
        train = np.sort(np.concatenate([train, others]))
        if not len(held) or not len(train):
            result = "holds out none: raise it" if not len(held) else "leaves none for training: lower it"
            raise WsedError(
                f"data.holdout.share {self.share:g} of {len(pool)} {', '.join(names)} clips, rounded to whole "
                f"{self.by}s of each class, {result}"
            )
        return train, held

    def _sources(self, table: ClipTable) -> tuple[str, ...]:
        if self.sources is not None:
            absent = [name for name in self.sources if name not in table.sources]
            if absent:
                raise WsedError(
                    f"data.holdout.sources names {absent[0]!r}{near(absent[0], table.sources)}, but the sources of the "
                    f"training clips are {', '.join(table.sources)}: name one of those, or add it to data.batch"
                )
            return self.sources
        timed = torch.bincount(table.source, weights=(~table.only_tagged).double(), minlength=len(table.sources))
        weak = tuple(name for name, n in zip(table.sources, timed.tolist(), strict=True) if not n)
        return weak or table.sources

    def _by_clip(self, table: ClipTable, pool: Index) -> NDArray[np.bool_]:
        """Which clips of the pool are held out: the share of each source."""
        mask = np.zeros(len(pool), dtype=bool)
        source = table.source.numpy()[pool]
        for number in np.unique(source):
            mine = np.flatnonzero(source == number)
            labels = table.labels.take(torch.from_numpy(pool[mine])) if len(mine) < len(table.clips) else table.labels
            mask[mine] = held_out(labels, table.n_labels, self.share, self.seed).numpy()
        return mask

    def _by_group(self, table: ClipTable, pool: Index) -> NDArray[np.bool_]:
        """Which clips of the pool are held out: whole groups; a group has the classes of all its clips."""
        names = [self._name(table.clips[i]) for i in pool.tolist()]
        number = {name: i for i, name in enumerate(dict.fromkeys(names))}
        classes: list[set[int]] = [set() for _ in number]
        for i, name in zip(pool.tolist(), names, strict=True):
            classes[number[name]].update(table.labels[i].tolist())
        held = held_out(Ragged.lists(map(sorted, classes)), table.n_labels, self.share, self.seed)
        return np.array([bool(held[number[name]]) for name in names], dtype=bool)

    def _in_group(self, table: ClipTable, pool: Index, held: Index, others: Index) -> NDArray[np.bool_]:
        """Which of the other clips are of a group that is held out."""
        if self.group is None:
            recordings = {name for i in held.tolist() for name in _recordings(table.clips[i])}
            return np.array([not recordings.isdisjoint(_recordings(table.clips[i])) for i in others.tolist()])
        groups = {self._name(table.clips[i]) for i in held.tolist()}
        corpora = {corpus_in(table.sources[number]) for number in np.unique(table.source.numpy()[pool]).tolist()}
        unknown = self._unknown(table, others)

        def inside(clip: Clip) -> bool:
            return corpus_in(clip.source) in corpora and self._name(clip) in groups

        return np.array([not free and inside(table.clips[i]) for i, free in zip(others.tolist(), unknown, strict=True)])

    def _name(self, clip: Clip) -> tuple[str, str]:
        """The group of a clip, with its corpus, since two patients of a joint corpus may have one name."""
        return corpus_in(clip.source), group_of(clip, self.group)

    def _unknown(self, table: ClipTable, index: Index) -> NDArray[np.bool_]:
        """Which of the clips have neither tags nor events nor the kind of group."""
        if self.group is None:
            return np.zeros(len(index), bool)
        blank = ~(table.tagged | table.timed).numpy()[index]
        for place in np.flatnonzero(blank).tolist():
            blank[place] = self.group not in table.clips[int(index[place])].groups
        return blank


def _recordings(clip: Clip) -> tuple[tuple[str, str], ...]:
    """The file of a clip, and the name of its recording; the name of a whole file tells nothing about its sound."""
    file = ("file", str(clip.path))
    return (file,) if clip.recording is None else (file, ("recording", clip.recording))


def corpus_in(source: str) -> str:
    """The name of the corpus in the name of a source of a joint corpus; empty for other corpora.

    >>> corpus_in("desed/weak"), corpus_in("weak")
    ('desed', '')
    """
    return source.rpartition("/")[0]


def group_of(clip: Clip, group: str | None) -> str:
    """The group of a clip for a kind of group; None: its recording.

    >>> from pathlib import Path
    >>> group_of(Clip("a.wav", Path("a.wav"), "weak", groups={"patient": "p03"}), "patient")
    'p03'

    Raises:
        WsedError: the clip has no group of this kind.
    """
    if group is None:
        return clip.of_recording
    if group not in clip.groups:
        known = ", ".join(clip.groups) or "none"
        raise WsedError(
            f"data.holdout.group is {group!r}, but clip {clip.id} has no such group; it has {known}; write it into its "
            "table, or leave the clip out"
        )
    return clip.groups[group]


def sounds(clips: Sequence[Clip]) -> Index:
    """A number for each clip; clips of the same sound (the same file, or the same part of it) have the same number."""
    if isinstance(clips, Columns):
        return clips.sounds()
    number: dict[tuple[str, float | None], int] = {}
    return np.array([number.setdefault((str(clip.path), clip.start), len(number)) for clip in clips], dtype=np.int64)


def held_out(labels: Ragged, n_labels: int, share: float, seed: int = 0) -> Bool[Tensor, " clip"]:
    """Choose the clips that are held out, so that each class has its share.

    The classes are handled one by one, the rarest first. For each class, clips are chosen at random among those that no
    rarer class has decided, until the share of the class is held out. A common class gets more than its share if rarer
    classes have chosen more of its clips. Clips without tags come last.

    >>> held_out(Ragged.lists([[0], [0], [1], [1]]), 2, 0.5).sum()
    tensor(2)

    Args:
        labels: indices of the classes of each clip.
        n_labels: number of classes; equally rare classes are handled in their order.
        share: share of the clips of each class, between 0 and 1.
        seed: seed of the random choice.
    """
    members = labels.inverse(n_labels)
    counts = members.lengths.tolist()
    draw = random.Random(seed)
    held, free = (torch.full((len(labels),), value) for value in (False, True))
    everything = torch.arange(len(labels))
    for label in [*sorted(filter(counts.__getitem__, range(n_labels)), key=counts.__getitem__), None]:
        clips = everything[free] if label is None else members[label]
        mine = clips[free[clips]]
        wanted = round(share * len(clips)) - int(held[clips].sum())
        held[draw.sample(mine.tolist(), min(max(wanted, 0), len(mine)))] = True
        free[mine] = False
    return held
