"""Check that all processes see the same clips and labels; one machine may have an older copy of the corpus."""

import hashlib

import torch.distributed as dist

from wsed.data.clip_table import ClipTable
from wsed.errors import WsedError
from wsed.ops.reduce import world_size

NAMES = 100_000
"""Greatest number of clip names that are compared."""


def checksum(table: ClipTable) -> str:
    """A checksum of the clips, tags and events of a table.

    >>> from pathlib import Path
    >>> from wsed.data.clip import Clip
    >>> from wsed.types import Labels
    >>> one, other = (ClipTable.of([Clip(name, Path(name), "weak")], Labels(["Dog"])) for name in "ab")
    >>> checksum(one) == checksum(one), checksum(one) == checksum(other)
    (True, False)
    """
    total = hashlib.blake2b(digest_size=16)
    step = max(1, len(table.clips) // NAMES)
    names = [table.clips[i].id for i in range(0, len(table.clips), step)]
    total.update("\n".join([*names, *table.sources, repr(table.end)]).encode())
    labels = (table.labels.values, table.labels.lengths, table.tagged, table.timed, table.source, table.events)
    for values in (
        *labels,
        *(part for part in (table.confidence, table.unsure, table.event_confidence) if part is not None),
    ):
        total.update(values.contiguous().numpy().tobytes())
    return total.hexdigest()


def check_same(table: ClipTable | None, split: str) -> None:
    """Refuse processes that see different clips; every rank must call it.

    Args:
        table: the table of this process; None if it has none.
        split: the split of the table, for the message.

    Raises:
        WsedError: a process differs from the first one; the message names it.
    """
    if world_size() == 1:
        return
    seen: list[tuple[str, int]] = [("", 0)] * world_size()
    dist.all_gather_object(seen, ("", 0) if table is None else (checksum(table), len(table.clips)))
    others = [rank for rank, (total, _) in enumerate(seen) if total != seen[0][0]]
    if others:
        which = ", ".join(map(str, others[:5]))
        raise WsedError(
            f"{split}: process {which} sees other clips or labels ({seen[others[0]][1]} clips) than process 0 "
            f"({seen[0][1]} clips): bring the copies of the corpus on all machines to the same state"
        )
