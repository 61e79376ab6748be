"""Mixes of clips without tags and of the teacher's scores for them, for `interpolation_consistency`."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from wsed.augment.draws import Draws, beta, on_host, places
from wsed.augment.mixup import mixed_labels, mixed_signal
from wsed.augment.partners import of_partners, partners
from wsed.ops.clips import labels_on_cpu, take
from wsed.transfer import sent
from wsed.types import Batch, Output


def mixes(batch: Batch, teacher: Output, alpha: float, generator: torch.Generator) -> tuple[Batch, Output] | None:
    """Mixes of the clips without tags, and the teacher's scores mixed in the same way; every process must call this.

    None if no clip of any process is without tags. A process that has none gets an empty batch.

    Args:
        batch: the clips.
        teacher: the teacher's output for them.
        alpha: shares are drawn from beta(alpha, alpha).
        generator: source of partners and shares, on the device of the batch; afterwards it draws for the mixes (see
            `Draws.at`).

    Source: Verma et al. 2019, Eq. 2.

    >>> from dataclasses import replace
    >>> from wsed.testing import batch, output
    >>> inputs = replace(batch(), tagged=torch.zeros(4, 3, dtype=torch.bool))
    >>> mixed, scores = mixes(inputs, output(inputs), 0.2, torch.Generator())
    >>> len(mixed), scores.clip_logits.shape
    (4, torch.Size([4, 3]))
    """
    labels = replace(labels_on_cpu(batch), audio=None, features=None)
    rows = (~labels.tagged).all(1).nonzero()[:, 0]
    if isinstance(generator, Draws):
        own, total = places(len(batch), generator)
        generator.at(np.arange(total)[own][rows.numpy()], total)
    draws = on_host(generator)
    other, share = partners(len(rows), draws), beta(len(rows), alpha, draws)
    if not other.total:
        return None
    if batch.audio is None:
        labels = replace(labels, longest=labels.longest or int(labels.n_samples.max()))
    labels = take(labels, rows)
    mixed = mixed_labels(labels, other.labels(labels), torch.from_numpy(other.place), share, "soft")
    rows, share, *numbers = sent([rows, share, *other.numbers], batch.n_samples.device)
    audio, features = (signal if signal is None else signal[rows] for signal in (batch.audio, batch.features))
    if features is not None:
        features = mixed_signal(features, of_partners(features, *numbers), share)
    elif audio is not None:
        audio = mixed_signal(audio, of_partners(audio, *numbers), share)
    scores = mixed_scores(teacher, rows, share, *numbers)
    return replace(mixed.to(share.device), audio=audio, features=features), scores


def mixed_scores(
    teacher: Output, rows: Int[Tensor, " mix"], share: Float[Tensor, " mix"], place: Int[Tensor, " mix"], *way: Tensor
) -> Output:
    """An output whose scores are `share` times those of one clip plus `1 - share` times those of another.

    The scores of a clip are 0 after its end.

    Args:
        teacher: the output for all clips.
        rows: indices of the clips that are mixed.
        share: of each of them, in [0, 1].
        place: index of the other clip among those that are mixed; see `of_partners`.
        way: see `of_partners`.

    >>> scores = Output(clip_logits=torch.tensor([[0.0], [100.0]]))
    >>> mixed_scores(scores, torch.tensor([0, 1]), torch.tensor([0.5, 1.0]), torch.tensor([1, 0])).clip_scores[0]
    tensor([0.7500])
    """
    valid = teacher.valid

    def mixed(logits: Tensor | None) -> Tensor | None:
        if logits is None:
            return None
        scores = torch.sigmoid(logits.float())
        if valid is not None and scores.ndim == 3:
            scores = scores * valid[..., None]
        by, own = share.view(-1, *[1] * (scores.ndim - 1)), scores[rows]
        return torch.logit(by * own + (1 - by) * of_partners(own, place, *way), eps=1e-6)

    either = None if valid is None else valid[rows] | of_partners(valid[rows], place, *way)
    mean = Output(frame_logits=mixed(teacher.frame_logits), clip_logits=mixed(teacher.clip_logits), valid=either)
    return replace(mean, frame_rate=teacher.frame_rate)
