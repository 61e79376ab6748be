"""Mixes of clips and of their labels."""

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from wsed.augment.base import AUGMENTS, Level, Planned
from wsed.augment.draws import Draws, arrays, beta, check_alpha, check_chance, on_host
from wsed.literals import checked
from wsed.types import Batch, Events

MixedLabels = Literal["soft", "hard"]


@AUGMENTS.register("mixup")
class Mixup(Planned):
    """Mixes each clip with another clip of the batch, with its tags and events.

    A clip `x` becomes `c x + (1 - c) y`, where `y` is another clip and `c` is drawn from beta(alpha, alpha) and is at
    least 0.5. Clips without labels are mixed too. The events of a class are known in the mix if they are known in both
    clips. A tag is known in the mix if it is known in both clips; a hard tag also if one clip is known to have it.

    Args:
        alpha: parameter of the beta distribution, up to 1; 0.2 in ATST-SED (Shao et al. 2024) and in the system of
            Schmid et al. 2024 (DCASE 2024 task 4).
        p: probability that a clip is mixed.
        labels: `soft`: labels are `c` and `1 - c`, added where both clips have the class; `hard`: they are 1.
        within_source: mix only clips of one source.
        on: mix `audio` or `features`.

    Raises:
        WsedError: a setting is out of its range.

    Source: Zhang et al. 2018, "mixup: beyond empirical risk minimization".

    >>> from wsed.testing import batch
    >>> mixed = Mixup(p=1.0)(batch(n_clips=8), torch.Generator().manual_seed(0))
    >>> bool(((mixed.clip_labels > 0) & (mixed.clip_labels < 1)).any())
    True
    """

    moves_labels = True
    mixes = True

    def __init__(
        self,
        alpha: float = 0.2,
        p: float = 0.5,
        labels: MixedLabels = "soft",
        within_source: bool = False,
        on: Level = "audio",
    ) -> None:
        super().__init__()
        check_alpha("mixup", alpha)
        check_chance("mixup", p)
        self.alpha, self.p, self.labels, self.within_source, self.level = alpha, p, labels, within_source, on

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        n_clips, draws = len(batch), on_host(generator)
        other = partners(n_clips, draws, batch.source.numpy() if self.within_source else None)
        share = beta(n_clips, self.alpha, draws).numpy()
        (chance,) = arrays(n_clips, [1], draws)
        alone = (chance[:, 0] >= self.p) | (other == np.arange(n_clips))
        share = np.where(alone, np.float32(1), np.maximum(share, 1 - share))
        by = torch.from_numpy(np.where(alone, np.arange(n_clips), other)), torch.from_numpy(share)
        return mixed_labels(batch, *by, self.labels), by

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        other, share = numbers
        return mixed_signal(signal, other, share)


def partners(n_clips: int, generator: torch.Generator, group: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """Index of a partner for each clip: the next of its group in a random order, or itself if it is alone.

    With several processes, each process has partners for its own clips only.

    Args:
        n_clips: clips of this process.
        generator: source of the random order, on the CPU.
        group: of each clip; None: all are of one group.

    >>> partners(3, torch.Generator(), np.array([0, 1, 0])).tolist()
    [2, 1, 0]
    """
    order = _order(n_clips, generator)
    following = np.concatenate([order[1:], order[:1]])
    if group is not None:
        order = order[group[order].argsort(kind="stable")]  # groups in turn, each in a random order
        row, place = group[order], np.arange(n_clips)
        last = np.searchsorted(row, row, side="right")
        following = order[np.where(place + 1 < last, place + 1, np.searchsorted(row, row))]
    result = np.empty_like(order)
    result[order] = following
    return result


def _order(n_clips: int, generator: torch.Generator) -> NDArray[np.int64]:
    """A random order of the clips; as many numbers are drawn as by one process for the clips of all."""
    rank, ranks = (generator.rank, generator.ranks) if isinstance(generator, Draws) else (0, 1)
    order: NDArray[np.int64] = torch.randperm(n_clips * ranks, generator=generator).numpy()
    return order if ranks == 1 else order[order % ranks == rank] // ranks


@checked
def mixed_labels(
    batch: Batch, other: Int[Tensor, " clip"], share: Float[Tensor, " clip"], labels: MixedLabels
) -> Batch:
    """The batch with the lengths, tags and events of mixed clips, on the CPU; a clip whose share is 1 does not change.

    Args:
        batch: the clips, on the CPU.
        other: the index of the other clip of each clip.
        share: of the clip itself, in [0, 1].
        labels: see `Mixup`.

    >>> from wsed.testing import batch
    >>> inputs = batch(n_clips=2)
    >>> mixed_labels(inputs, torch.tensor([1, 0]), torch.tensor([0.75, 1.0]), "soft").audio is inputs.audio
    True
    """
    own = share.numpy()
    clips = (own < 1).nonzero()[0]
    if not len(clips):
        return batch
    theirs, by = other.numpy()[clips], own[clips]
    names = ("n_samples", "clip_labels", "tagged", "timed")
    length, tags, tagged, timed = (vars(batch)[name].numpy().copy() for name in names)
    tags[clips], tagged[clips] = _tags(tags[clips], tags[theirs], tagged[clips], tagged[theirs], by[:, None], labels)
    length[clips], timed[clips] = np.maximum(length[clips], length[theirs]), timed[clips] & timed[theirs]
    return replace(
        batch,
        n_samples=batch.n_samples if batch.full else torch.from_numpy(length),
        clip_labels=torch.from_numpy(tags),
        tagged=torch.from_numpy(tagged),
        timed=torch.from_numpy(timed),
        events=_events(batch.events, clips, theirs, own, labels),
    )


def mixed_signal(signal: Tensor, other: Int[Tensor, " clip"], share: Float[Tensor, " clip"]) -> Tensor:
    """Audio or features of clips that are mixed with other clips; `share` is that of the clip itself.

    >>> mixed_signal(torch.tensor([[1.0], [5.0]]), torch.tensor([1, 0]), torch.tensor([0.75, 1.0])).tolist()
    [[2.0], [5.0]]
    """
    by = share.to(signal.dtype).view(-1, *[1] * (signal.ndim - 1))
    return torch.lerp(signal.index_select(0, other), signal, by)


Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


def _tags(
    mine: Floats, theirs: Floats, known: Bools, known_there: Bools, share: Floats, labels: MixedLabels
) -> tuple[Floats, Bools]:
    """Tags of mixed clips and which of them are known."""
    both = known & known_there
    if labels == "soft":
        return share * mine + (1 - share) * theirs, both
    sure = (known & (mine >= 1)) | (known_there & (theirs >= 1))
    return np.where(sure, 1, np.maximum(mine, theirs)), both | sure


def _events(
    events: Events, clips: NDArray[np.int64], others: NDArray[np.int64], share: Floats, labels: MixedLabels
) -> Events:
    """The events of each clip, and those of its partner in another group."""
    if not len(events):
        return events
    clip, label, onset, offset, gain, group = (column.numpy() for column in events.columns)
    # the clip that takes the events of each clip: a clip is the partner of one clip at most
    taker = np.full(len(share), -1)
    taker[others] = clips
    lent = (taker[clip] >= 0).nonzero()[0]
    to = taker[clip[lent]]
    own_gain, lent_gain = gain, gain[lent]
    if labels == "soft":
        own_gain, lent_gain = gain * share[clip].astype(gain.dtype), lent_gain * (1 - share[to]).astype(gain.dtype)
    both = [(clip, to), (label, label[lent]), (onset, onset[lent]), (offset, offset[lent]), (own_gain, lent_gain)]
    both.append((group, group[lent] + group.max() + 1))
    return Events(*(torch.from_numpy(np.concatenate(pair)) for pair in both))
