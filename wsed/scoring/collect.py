"""Collection of scores and truth over batches and ranks: each clip once, sorted by its id."""

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

        Each rank writes its part, `rank_0.pt` and so on, and rank 0 reads them, so no other rank holds clips that are
        not its own. If the ranks do not share the folder, the parts are sent to rank 0 instead. The collector is empty
        afterwards.

        Args:
            folder: folder of the parts; removed once they are joined.
        """
        parts = [self._mine()]
        self.reset()
        if world_size() == 1:
            return join(parts)
        from_first(lambda: _remove(folder))  # parts of a process that was killed
        paths = [folder / f"rank_{i}.pt" for i in range(world_size())]
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
            _remove(folder)
        return result

    def reset(self) -> None:
        """Forget all clips."""
        self._joined.clear()
        self._batches.clear()

    def _mine(self) -> Part | None:
        parts = [*self._joined, *self._batches]
        return cat(parts) if parts else None


def _remove(folder: Path) -> None:
    """Remove the parts, and the folder unless there is something else in it."""
    for pattern in ("rank_*.pt", ".rank_*.part.pt"):  # also those that a killed process was writing
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)
    with suppress(OSError):
        folder.rmdir()
