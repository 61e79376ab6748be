"""Mixes of clips without tags and of the teacher's scores for them, for `interpolation_consistency`."""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from wsed.augment.draws import beta, on_host
from wsed.augment.mixup import mixed_labels, mixed_signal, partners
from wsed.ops.clips import labels_on_cpu, take
from wsed.transfer import sent
from wsed.types import Batch, Output


def mixes(batch: Batch, teacher: Output, alpha: float, generator: torch.Generator) -> tuple[Batch, Output] | None:
    """Mixes of the clips without tags, and the teacher's scores mixed in the same way; None if all clips have tags.

    Args:
        batch: the clips.
        teacher: the teacher's output for them.
        alpha: shares are drawn from beta(alpha, alpha).
        generator: source of the random shares, on the device of the batch.

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
    if not len(rows):
        return None
    draws = on_host(generator)
    other, share = torch.from_numpy(partners(len(rows), draws)), beta(len(rows), alpha, draws)
    mixed = mixed_labels(take(labels, rows), other, share, "soft").to(batch.n_samples.device)
    first, second, other, share = sent([rows, rows[other], other, share], batch.n_samples.device)
    audio, features = (signal if signal is None else signal[first] for signal in (batch.audio, batch.features))
    if features is not None:
        features = mixed_signal(features, other, share)
    elif audio is not None:
        audio = mixed_signal(audio, other, share)
    return replace(mixed, audio=audio, features=features), mixed_scores(teacher, first, second, share)


def mixed_scores(
    teacher: Output, first: Int[Tensor, " mix"], second: Int[Tensor, " mix"], share: Float[Tensor, " mix"]
) -> Output:
    """An output whose scores are `share` times those of one clip plus `1 - share` times those of another.

    The scores of a clip are 0 after its end.

    Args:
        teacher: the output for all clips.
        first: indices of the clips.
        second: indices of the other clips.
        share: in [0, 1].

    >>> scores = Output(clip_logits=torch.tensor([[0.0], [100.0]]))
    >>> mixed_scores(scores, torch.tensor([0]), torch.tensor([1]), torch.tensor([0.5])).clip_scores
    tensor([[0.7500]])
    """
    valid = teacher.valid

    def mixed(logits: Tensor | None) -> Tensor | None:
        if logits is None:
            return None
        scores = torch.sigmoid(logits.float())
        if valid is not None and scores.ndim == 3:
            scores = scores * valid[..., None]
        by = share.view(-1, *[1] * (scores.ndim - 1))
        return torch.logit(by * scores[first] + (1 - by) * scores[second], eps=1e-6)

    either = None if valid is None else valid[first] | valid[second]
    mean = Output(frame_logits=mixed(teacher.frame_logits), clip_logits=mixed(teacher.clip_logits), valid=either)
    return replace(mean, frame_rate=teacher.frame_rate)
