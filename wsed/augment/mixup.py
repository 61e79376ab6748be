"""Mixes of clips and of their labels."""

from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.augment.base import AUGMENTS, Level, Planned
from wsed.augment.draws import Draws, beta, check_alpha, check_chance, chosen, on_host
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
        other = partners(n_clips, draws, batch.source if self.within_source else None)
        share = beta(n_clips, self.alpha, draws)
        share = torch.maximum(share, 1 - share)
        alone = ~chosen(n_clips, self.p, draws) | (other == torch.arange(n_clips))
        other, share = torch.where(alone, torch.arange(n_clips), other), torch.where(alone, 1.0, share)
        return mixed_labels(batch, other, share, self.labels), (other, share)

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        other, share = numbers
        return mixed_signal(signal, other, share)


def partners(
    n_clips: int, generator: torch.Generator, group: Int[Tensor, " clip"] | None = None
) -> Int[Tensor, " clip"]:
    """Index of a partner for each clip: the next of its group in a random order, or itself if it is alone.

    With several processes, each process has partners for its own clips only.

    Args:
        n_clips: clips of this process.
        generator: source of the random order, on the CPU.
        group: of each clip; None: all are of one group.

    >>> partners(3, torch.Generator(), torch.tensor([0, 1, 0])).tolist()
    [2, 1, 0]
    """
    order = _order(n_clips, generator)
    following = torch.roll(order, -1)
    if group is not None:
        order = order[group[order].argsort(stable=True)]  # groups in turn, each in a random order
        row, place = group[order], torch.arange(n_clips)
        last = torch.searchsorted(row, row, right=True)
        following = order[torch.where(place + 1 < last, place + 1, torch.searchsorted(row, row))]
    result = torch.empty_like(order)
    result[order] = following
    return result


def _order(n_clips: int, generator: torch.Generator) -> Int[Tensor, " clip"]:
    """A random order of the clips; as many numbers are drawn as by one process for the clips of all."""
    rank, ranks = (generator.rank, generator.ranks) if isinstance(generator, Draws) else (0, 1)
    order = torch.randperm(n_clips * ranks, generator=generator, device=generator.device)
    return order if ranks == 1 else order[order % ranks == rank] // ranks


def mix(
    batch: Batch, other: Int[Tensor, " clip"], share: Float[Tensor, " clip"], labels: MixedLabels, level: Level
) -> Batch:
    """Mix `share` of each clip with `1 - share` of another; a clip whose share is 1 does not change.

    Args:
        batch: the clips.
        other: the index of the other clip.
        share: of the clip itself, in [0, 1].
        labels: see `Mixup`.
        level: what is mixed.

    >>> from wsed.testing import batch
    >>> inputs = batch(n_clips=2)
    >>> mix(inputs, torch.tensor([1, 0]), torch.tensor([0.75, 1.0]), "soft", "audio").events.gain.tolist()
    [1.0, 0.25]
    """
    mixed = mixed_labels(batch, other, share, labels)
    if level == "audio":
        return replace(mixed, audio=mixed_signal(batch.samples(), other, share))
    assert batch.features is not None
    return replace(mixed, features=mixed_signal(batch.features, other, share))


@checked
def mixed_labels(
    batch: Batch, other: Int[Tensor, " clip"], share: Float[Tensor, " clip"], labels: MixedLabels
) -> Batch:
    """The batch with the lengths, tags and events of mixed clips; see `mix`.

    >>> from wsed.testing import batch
    >>> inputs = batch(n_clips=2)
    >>> mixed_labels(inputs, torch.tensor([1, 0]), torch.tensor([0.75, 1.0]), "soft").audio is inputs.audio
    True
    """
    mixed = share < 1
    tags, tagged = _tags(batch, other, share, labels)
    return replace(
        batch,
        n_samples=torch.where(mixed, torch.maximum(batch.n_samples, batch.n_samples[other]), batch.n_samples),
        clip_labels=torch.where(mixed[:, None], tags, batch.clip_labels),
        tagged=torch.where(mixed[:, None], tagged, batch.tagged),
        timed=torch.where(mixed[:, None], batch.timed & batch.timed[other], batch.timed),
        events=_events(batch.events, other, share, torch.where(mixed, 1 - share, 0.0), labels),
    )


def mixed_signal(signal: Tensor, other: Int[Tensor, " clip"], share: Float[Tensor, " clip"]) -> Tensor:
    """Audio or features of mixed clips; see `mix`.

    >>> mixed_signal(torch.tensor([[1.0], [5.0]]), torch.tensor([1, 0]), torch.tensor([0.75, 1.0])).tolist()
    [[2.0], [5.0]]
    """
    by = share.to(signal.dtype).view(-1, *[1] * (signal.ndim - 1))
    return torch.lerp(signal.index_select(0, other), signal, by)


def _tags(
    batch: Batch, other: Tensor, share: Float[Tensor, " clip"], labels: MixedLabels
) -> tuple[Float[Tensor, "clip label"], Bool[Tensor, "clip label"]]:
    """Tags of mixed clips and which of them are known."""
    mine, theirs = batch.clip_labels, batch.clip_labels[other]
    both = batch.tagged & batch.tagged[other]
    if labels == "soft":
        return share[:, None] * mine + (1 - share[:, None]) * theirs, both
    sure = (batch.tagged & (mine >= 1)) | (batch.tagged[other] & (theirs >= 1))
    return torch.where(sure, 1.0, torch.maximum(mine, theirs)), both | sure


def _events(events: Events, other: Tensor, share: Tensor, rest: Tensor, labels: MixedLabels) -> Events:
    """The events of each clip, and those of its partner in another group."""
    n_clips = len(share)
    # the clip that takes the events of each clip: a clip is the partner of one clip at most
    taker = torch.full((n_clips,), -1, dtype=torch.long, device=other.device)
    taking = (rest > 0).nonzero()[:, 0]
    taker[other[taking]] = taking
    own, lent = events, events[taker[events.clip] >= 0]
    to = taker[lent.clip]
    apart = (events.group.max() + 1) if len(events) else 0
    if labels == "soft":
        gain, lent_gain = own.gain * share[own.clip].to(own.gain), lent.gain * rest[to].to(lent.gain)
    else:
        gain, lent_gain = own.gain, lent.gain
    return Events.cat(
        [
            Events(own.clip, own.label, own.onset, own.offset, gain, own.group),
            Events(to, lent.label, lent.onset, lent.offset, lent_gain, lent.group + apart),
        ]
    )
