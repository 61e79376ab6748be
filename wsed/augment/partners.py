"""Whom each clip is mixed with, among the clips of all processes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Int, Shaped
from numpy.typing import NDArray
from torch import Tensor

from wsed.augment.base import Raw, of_silence
from wsed.augment.draws import Draws, on_host, places
from wsed.errors import WsedError
from wsed.ops.clips import take
from wsed.ops.exchange import exchange
from wsed.transfer import on_cpu
from wsed.types import Batch, Events

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Partners:
    """A partner for each clip of this process, among the clips of all processes; see `partners`.

    Args:
        place: index of each clip's partner among the clips of this process or, if there are several processes, among
            the clips that it receives.
        alone: which clips are their own partners.
        total: number of clips of all processes.
        sends: indices of the clips that this process sends, in the order of the processes that receive them; None for
            one process.
        counts: number of clips sent to and received from each process, `[2 process]`; None for one process.
    """

    place: Ints
    alone: NDArray[np.bool_]
    total: int
    sends: Ints | None = None
    counts: Ints | None = None

    @property
    def numbers(self) -> tuple[Tensor, ...]:
        """What `of_partners` needs, for the plan of an augmentation.

        >>> partners(2, torch.Generator()).numbers
        (tensor([1, 0]),)
        """
        several = () if self.sends is None else (self.sends, self.counts)
        return tuple(map(torch.from_numpy, (self.place, *several)))

    def labels(self, batch: Batch) -> Batch:
        """The clips that `place` refers to: only their labels and `n_samples` have a meaning.

        Args:
            batch: clips of this process, with labels on the CPU.

        >>> from wsed.testing import batch
        >>> partners(4, torch.Generator()).labels(batch()).clip_labels.shape
        torch.Size([4, 3])
        """
        if self.sends is None or self.counts is None:
            return batch
        batch = replace(batch, audio=None, features=None)
        return _exchanged(take(batch, torch.from_numpy(self.sends)), self.counts)


def partners(n_clips: int, generator: torch.Generator, group: Ints | None = None) -> Partners:
    """A partner for each clip: the next of its group in a random order of the clips of all processes.

    The only clip of a group is its own partner. Each clip is the partner of one clip. Every process must call this.

    Args:
        n_clips: number of clips of this process, whose places among all clips are those of the generator.
        generator: source of the random order; all processes must have drawn as many numbers from theirs before.
        group: of each clip; None: all are of one group.

    >>> partners(3, torch.Generator(), np.array([0, 1, 0])).place.tolist()
    [2, 1, 0]
    """
    host = on_host(generator)
    rank, ranks = (host.rank, host.ranks) if isinstance(host, Draws) else (0, 1)
    if ranks == 1:
        partner = _following(torch.randperm(n_clips, generator=host).numpy(), group)
        return Partners(partner, partner == np.arange(n_clips), n_clips)
    own, total = places(n_clips, host)
    owner, local, groups = _of_all(np.arange(total)[own], group)
    partner = _following(torch.randperm(len(owner), generator=host).numpy(), groups)
    mine = (owner == rank).nonzero()[0]
    sender = owner[partner[mine]]
    place = np.empty_like(mine)
    place[sender.argsort(kind="stable")] = np.arange(n_clips)
    wanted = (owner[partner] == rank).nonzero()[0]  # clips whose partner is of this process
    wanted = wanted[owner[wanted].argsort(kind="stable")]
    counts = np.stack([np.bincount(of, minlength=ranks) for of in (owner[wanted], sender)])
    return Partners(place, partner[mine] == mine, len(owner), local[partner[wanted]], counts)


def _of_all(places: Ints, group: Ints | None) -> tuple[Ints, Ints, Ints]:
    """The process of each clip of all processes, its index there, and its group, in the order of their places."""
    n_clips = len(places)
    counts = exchange().gathered(torch.tensor([n_clips]))[:, 0]
    rows = torch.zeros(int(counts.max()), 2, dtype=torch.long)
    rows[:n_clips, 0] = torch.from_numpy(places)
    if group is not None:
        rows[:n_clips, 1] = torch.from_numpy(group)
    everywhere = exchange().gathered(rows)
    process, row = (torch.arange(len(rows)) < counts[:, None]).nonzero(as_tuple=True)
    place, groups = everywhere[process, row].unbind(1)
    order = place.argsort()
    return process[order].numpy(), row[order].numpy(), groups[order].numpy()


def _following(order: Ints, group: Ints | None) -> Ints:
    """The clip that follows each clip in a random order, among those of its group."""
    following = np.concatenate([order[1:], order[:1]])
    if group is not None:
        order = order[group[order].argsort(kind="stable")]  # groups in turn, each in a random order
        row, place = group[order], np.arange(len(order))
        last = np.searchsorted(row, row, side="right")
        following = order[np.where(place + 1 < last, place + 1, np.searchsorted(row, row))]
    result = np.empty_like(order)
    result[order] = following
    return result


def of_partners(
    rows: Shaped[Tensor, "clip ..."], place: Int[Tensor, " clip"], *way: Tensor
) -> Shaped[Tensor, "clip ..."]:
    """The rows of the partners of all clips; every process must call this.

    Args:
        rows: of the clips of this process, on their device.
        place: first of `Partners.numbers`, on that device.
        way: the others of them; none for one process.

    >>> of_partners(torch.tensor([[1.0], [2.0]]), *partners(2, torch.Generator()).numbers).tolist()
    [[2.0], [1.0]]
    """
    if way:
        sends, counts = way
        rows = exchange().sent(rows.index_select(0, sends), *on_cpu(counts).tolist())
    return rows.index_select(0, place)


def as_wide(batch: Batch, raw: Raw | None = None) -> Batch:
    """The batch, padded with silence to the longest clip of all processes; every process must call this.

    Args:
        batch: the clips of this process.
        raw: computes features; needed if the batch has features whose lengths differ between processes.

    Raises:
        WsedError: the batch has features, lengths differ between processes, and `raw` is None.

    >>> from wsed.testing import batch
    >>> as_wide(batch()).samples().shape
    torch.Size([4, 8000])
    """
    audio, features = batch.audio, batch.features
    longest = 0 if audio is not None else batch.longest or int(on_cpu(batch.n_samples).max())
    own = [0 if signal is None else signal.shape[-1] for signal in (audio, features)]
    sizes = exchange().gathered(torch.tensor([*own, longest]))
    if (sizes == sizes[0]).all():
        return batch
    width, n_frames, everywhere = sizes.amax(0).tolist()
    if audio is not None:
        audio = F.pad(audio, (0, width - own[0]))
    if features is not None and raw is None:
        raise WsedError(
            "clips of several lengths that are read as features cannot be mixed between processes, since this network "
            "has no single frontend: set data.windows, so that all have one length, or data.reader: files"
        )
    if features is not None and raw is not None and n_frames > own[1]:
        with torch.no_grad():
            silence = of_silence(raw, batch, own[0] or longest)[0]
        features = F.pad(features, (0, n_frames - own[1]))
        features[..., own[1] :] = silence[:, silence.shape[1] // 2, None]
    full = batch.full and [width, n_frames] == own
    return replace(batch, audio=audio, features=features, full=full, longest=everywhere or None)


def _exchanged(batch: Batch, counts: Ints) -> Batch:
    """The labels of the clips that this process receives, in their order."""
    to, of = counts.tolist()
    events, n_labels = batch.events, batch.clip_labels.shape[1]
    order = events.clip.argsort(stable=True)
    n_events = events.clip.bincount(minlength=len(batch))
    parts = (batch.n_samples[:, None], batch.clip_labels, batch.tagged, batch.timed, n_events[:, None])
    table = exchange().sent(torch.cat([part.double() for part in parts], 1), to, of)
    n_samples, tags, tagged, timed, arriving = table.split_with_sizes([1, n_labels, n_labels, n_labels, 1], 1)
    columns = torch.stack([column.double() for column in events[order].columns[1:]], 1)
    per_clip = arriving[:, 0].long()
    rows = exchange().sent(columns, _sums(n_events.tolist(), to), _sums(per_clip.tolist(), of))
    clip = torch.arange(len(table)).repeat_interleave(per_clip)
    received = [row.to(before.dtype) for row, before in zip(rows.unbind(1), events.columns[1:], strict=True)]
    return replace(
        batch,
        n_samples=n_samples[:, 0].to(batch.n_samples.dtype),
        clip_labels=tags.to(batch.clip_labels.dtype),
        tagged=tagged.bool(),
        timed=timed.bool(),
        events=Events(clip, *received),
    )


def _sums(values: Sequence[int], lengths: Sequence[int]) -> list[int]:
    """The sums of consecutive parts of the values, which have these lengths."""
    ends = np.cumsum([0, *values])[np.cumsum([0, *lengths])]
    sums: list[int] = np.diff(ends).tolist()
    return sums
