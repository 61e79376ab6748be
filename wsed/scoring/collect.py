"""Collection of scores and truth over batches and ranks: each clip once, sorted by its id."""

import torch
import torch.distributed as dist

from wsed.ops.reduce import world_size
from wsed.truth import Truth
from wsed.types import Batch, Events, Output
from wsed.values import Scores


class Collector:
    """Collects the scores and the truth of each clip; a repeated clip counts once.

    >>> from wsed.testing import batch, output
    >>> collector, inputs = Collector(), batch(n_clips=2)
    >>> collector.update(output(inputs), inputs, sample_rate=8000)
    >>> scores, truth = collector.gather()
    >>> scores.clip_ids
    ('clip_0.wav', 'clip_1.wav')
    """

    def __init__(self) -> None:
        self._scores: list[Scores] = []
        self._truth: list[Truth] = []

    def __len__(self) -> int:
        return sum(map(len, self._scores))

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
        self._scores.append(scores)
        self._truth.append(truth)

    def gather(self) -> tuple[Scores, Truth]:
        """Scores and truth of the clips of all ranks; each rank gets the same, and every rank must call it."""
        mine = (Scores.cat(self._scores), Truth.cat(self._truth)) if self._scores else None
        parts = [mine] * world_size()
        if world_size() > 1:
            dist.all_gather_object(parts, mine)
        present = [part for part in parts if part is not None]
        if not present:
            none = torch.zeros(0, 0, dtype=torch.bool)
            return Scores((), torch.zeros(0, dtype=torch.float64)), Truth(none, none, Events.of([]), none)
        scores, truth = Scores.cat([part[0] for part in present]), Truth.cat([part[1] for part in present])
        place = {name: i for i, name in enumerate(scores.clip_ids)}
        once = torch.tensor([place[name] for name in sorted(place)], dtype=torch.long)
        return scores.select(once), truth.select(once)

    def reset(self) -> None:
        """Forget all clips."""
        self._scores.clear()
        self._truth.clear()
