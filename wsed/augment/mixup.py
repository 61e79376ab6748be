"""Mixes of clips and of their labels."""

from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from wsed.augment.base import AUGMENTS, Level, Planned
from wsed.augment.draws import arrays, beta, check_alpha, check_chance, on_host
from wsed.augment.partners import of_partners, partners
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
        p: probability that a clip is mixed; 0.5 in the published recipes of the best systems of DCASE task 4.
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
    joint = True

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
        alone = (chance[:, 0] >= self.p) | other.alone
        by = torch.from_numpy(np.where(alone, np.float32(1), np.maximum(share, 1 - share)))
        mixed = mixed_labels(batch, other.labels(batch), torch.from_numpy(other.place), by, self.labels)
        return mixed, (by, *other.numbers)

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        share, *other = numbers
        return mixed_signal(signal, of_partners(signal, *other), share)


@checked
def mixed_labels(
    batch: Batch, others: Batch, place: Int[Tensor, " clip"], share: Float[Tensor, " clip"], labels: MixedLabels
) -> Batch:
    """The batch with the lengths, tags and events of mixed clips, on the CPU; a clip whose share is 1 does not change.

    Args:
        batch: the clips, on the CPU.
        others: clips that they are mixed with, on the CPU; their audio and features are not read.
        place: for each clip, the index of its partner in `others`; each of them is the partner of at most one clip.
        share: of the clip itself, in [0, 1].
        labels: see `Mixup`.

    >>> from wsed.testing import batch
    >>> inputs = batch(n_clips=2)
    >>> mixed_labels(inputs, inputs, torch.tensor([1, 0]), torch.tensor([0.75, 1.0]), "soft").audio is inputs.audio
    True
    """
    own = share.numpy()
    clips = (own < 1).nonzero()[0]
    if not len(clips):
        return batch
    theirs, by = place.numpy()[clips], own[clips]
    names = ("n_samples", "clip_labels", "tagged", "timed")
    length, tags, tagged, timed = (vars(batch)[name].numpy().copy() for name in names)
    lengths, their_tags, their_tagged, their_timed = (vars(others)[name].numpy()[theirs] for name in names)
    tags[clips], tagged[clips] = _tags(tags[clips], their_tags, tagged[clips], their_tagged, by[:, None], labels)
    length[clips], timed[clips] = np.maximum(length[clips], lengths), timed[clips] & their_timed
    return replace(
        batch,
        n_samples=batch.n_samples if batch.full else torch.from_numpy(length),
        clip_labels=torch.from_numpy(tags),
        tagged=torch.from_numpy(tagged),
        timed=torch.from_numpy(timed),
        events=_events(batch.events, others, clips, theirs, own, labels),
    )


def mixed_signal(signal: Tensor, other: Tensor, share: Float[Tensor, " clip"]) -> Tensor:
    """Audio or features `[clip ...]`, mixed with those of other clips; `share` is that of the clip itself.

    >>> mixed_signal(torch.tensor([[1.0], [5.0]]), torch.tensor([[5.0], [1.0]]), torch.tensor([0.75, 1.0])).tolist()
    [[2.0], [5.0]]
    """
    return torch.lerp(other, signal, share.to(signal.dtype).view(-1, *[1] * (signal.ndim - 1)))


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
    events: Events,
    others: Batch,
    clips: NDArray[np.int64],
    theirs: NDArray[np.int64],
    share: Floats,
    labels: MixedLabels,
) -> Events:
    """The events of each clip, and those of its partner in another group."""
    if not len(events) and not len(others.events):
        return events
    clip, label, onset, offset, gain, group = (column.numpy() for column in events.columns)
    lender, *columns = (column.numpy() for column in others.events.columns)
    taker = np.full(len(others), -1)  # the clip that takes the events of each of the others
    taker[theirs] = clips
    lent = (taker[lender] >= 0).nonzero()[0]
    to = taker[lender[lent]]
    their_label, their_onset, their_offset, their_gain, their_group = (column[lent] for column in columns)
    if labels == "soft":
        gain, their_gain = gain * share[clip].astype(gain.dtype), their_gain * (1 - share[to]).astype(gain.dtype)
    last = np.full(len(share), -1)  # group of each clip
    np.maximum.at(last, clip, group)
    both = [(clip, to), (label, their_label), (onset, their_onset), (offset, their_offset), (gain, their_gain)]
    both.append((group, their_group + last[to] + 1))
    return Events(*(torch.from_numpy(np.concatenate(pair)) for pair in both))
