"""Check that all processes see the same clips, labels and sounds; one machine may have an older copy of the corpus."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import torch.distributed as dist

from wsed.data.clip_table import ClipTable
from wsed.data.columns import take
from wsed.data.reading.base import Reader
from wsed.errors import WsedError
from wsed.ops.reduce import on_all, world_size

NAMES = 100_000
"""Greatest number of clip names that are compared."""

SOUNDS = 64
"""Greatest number of clips whose sounds are compared."""

REMEDY = "bring the copies of the corpus on all machines to the same state"
UNREADABLE = "a file that cannot be read"


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


def check_same(table: ClipTable | None, split: str, reader: Reader) -> None:
    """Refuse processes that see different clips, labels or sounds; every rank must call it.

    The sounds of a few clips are compared, see `Reader.prints`.

    Args:
        table: the table of this process; None if it has none.
        split: the split of the table, for the message.
        reader: what reads the clips.

    Raises:
        WsedError: a process differs from the first one; the message names it, and the clip whose sound differs.
    """
    if world_size() == 1:
        return
    mine = on_all(lambda: _Seen() if table is None else _Seen.of(table, reader))
    seen = [mine] * world_size()
    dist.all_gather_object(seen, mine)
    others = [rank for rank, other in enumerate(seen) if other.identity != seen[0].identity]
    if others:
        which = ", ".join(map(str, others[:5]))
        raise WsedError(
            f"{split}: process {which} sees other clips or labels ({seen[others[0]].clips} clips) than process 0 "
            f"({seen[0].clips} clips): {REMEDY}"
        )
    for rank, other in enumerate(seen):
        for clip, theirs in other.sounds.items():
            if theirs != (first := seen[0].sounds[clip]):
                raise WsedError(
                    f"{split}: process {rank} reads another sound for clip {clip} ({theirs or UNREADABLE}) than "
                    f"process 0 ({first or UNREADABLE}): {REMEDY}"
                )


@dataclass(frozen=True)
class _Seen:
    """What a process sees: a checksum of its clips and labels, their number, and the sounds of a few clips."""

    checksum: str = ""
    clips: int = 0
    sounds: dict[str, str | None] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[str, ...]:
        """The checksum, and the names of the clips whose sounds are compared; it may leave these names out."""
        return self.checksum, *self.sounds

    @classmethod
    def of(cls, table: ClipTable, reader: Reader) -> "_Seen":
        clips = table.clips
        few = np.unique(np.linspace(0, len(clips) - 1, min(SOUNDS, len(clips))).astype(np.int64))
        compared = take(clips, few)
        names = [compared[i].id for i in range(len(compared))]
        return cls(checksum(table), len(clips), dict(zip(names, reader.prints(compared), strict=True)))
