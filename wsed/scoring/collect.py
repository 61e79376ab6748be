"""Collection of scores and truth over batches and ranks: each clip once, sorted by its id."""

import secrets
import shutil
import time
from contextlib import suppress
from pathlib import Path

import torch.distributed as dist

from wsed.ops.reduce import from_first, rank, world_size
from wsed.scoring.parts import Part, cat, join, read_part, write_part
from wsed.truth import Truth
from wsed.types import Batch, Output
from wsed.values import Scores

AT_ONCE = 1000
"""Batches that are kept as they came; then they are joined, since each batch takes a dozen tensors."""

PARTS = ".score_parts_"
"""Start of the names of the folders in which several processes leave their scores for the first one."""

OLD = 24 * 3600.0
"""Age in seconds from which such a folder is taken for that of a killed job."""


class Collector:
    """Collects the scores and the truth of each clip; a repeated clip counts once.

    No Python object is kept per clip, so millions of clips take the memory of their scores.

    >>> from wsed.testing import batch, output
    >>> collector, inputs = Collector(), batch(n_clips=2)
    >>> collector.update(output(inputs), inputs, sample_rate=8000)
    >>> scores, truth = collector.gather()
    >>> scores.clip_ids
    ('clip_0.wav', 'clip_1.wav')
    """

    def __init__(self) -> None:
        self._batches: list[Part] = []
        self._joined: list[Part] = []

    def __len__(self) -> int:
        return sum(len(scores) for scores, _ in (*self._joined, *self._batches))

    def update(self, output: Output, batch: Batch, sample_rate: int) -> None:
        """Add a batch. Scores are moved to the CPU, without padding; clips without samples are left out.

        Args:
            output: output of the network for the batch.
            batch: the batch.
            sample_rate: sample rate of the batch, from which the durations of clips follow.
        """
        seconds = batch.n_samples.cpu().double() / sample_rate
        scores = Scores.of_output(output, batch.clip_ids, seconds).to("cpu")
        batch = batch.to("cpu")
        truth = Truth(batch.clip_labels > 0.5, batch.tagged, batch.events, batch.timed)
        if bool((batch.n_samples == 0).any()):  # fillers of a rank that has fewer clips
            counted = batch.n_samples.nonzero().flatten()
            scores, truth = scores.select(counted), truth.select(counted)
        self._batches.append((scores, truth))
        if len(self._batches) == AT_ONCE:
            self._joined.append(cat(self._batches))
            self._batches.clear()

    def gather(self) -> Part:
        """Scores and truth of the clips of all ranks; each rank gets the same, and every rank must call it."""
        mine = self._mine()
        parts = [mine] * world_size()
        if world_size() > 1:
            dist.all_gather_object(parts, mine)
        return join(parts)

    def first(self, folder: Path) -> Part | None:
        """Scores and truth of the clips of all ranks on rank 0, None on the others. Every rank must call it.

        Each rank writes its part into a new folder in `folder`, `rank_0.pt` and so on, and rank 0 reads them and
        removes that folder, so no other rank holds clips that are not its own. If the ranks do not share the folder,
        the parts are sent to rank 0 instead. The collector is empty afterwards.

        Args:
            folder: folder of the run; several jobs may use it at the same time.
        """
        parts = [self._mine()]
        self.reset()
        if world_size() == 1:
            return join(parts)
        _remove_old(folder)
        own = folder / (PARTS + from_first(lambda: secrets.token_hex(8)))  # other jobs have other names
        paths = [own / f"rank_{i}.pt" for i in range(world_size())]
        write_part(paths[rank()], parts[0])
        dist.barrier()
        shared = from_first(lambda: all(path.is_file() for path in paths))
        mine = parts.pop() if not shared else None
        parts.clear()
        if not shared:
            parts = [None] * world_size()
            dist.gather_object(mine, parts if rank() == 0 else None)
        result = None
        if rank() == 0:
            result = join([read_part(path) for path in paths] if shared else parts)
        if rank() == 0 or not shared:
            shutil.rmtree(own, ignore_errors=True)
        return result

    def reset(self) -> None:
        """Forget all clips."""
        self._joined.clear()
        self._batches.clear()

    def _mine(self) -> Part | None:
        parts = [*self._joined, *self._batches]
        return cat(parts) if parts else None


def _remove_old(folder: Path) -> None:
    """Remove the parts that killed jobs have left; those of the last day may be of a job that runs."""
    for parts in folder.glob(f"{PARTS}*"):
        with suppress(OSError):  # another rank was first
            if time.time() - parts.stat().st_mtime > OLD:
                shutil.rmtree(parts, ignore_errors=True)
