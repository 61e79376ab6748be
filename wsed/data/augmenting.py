"""Augmentation of training batches on their device, with draws that follow from the place in the training."""

from collections.abc import Sequence

import torch

from wsed.augment.base import Augment, augmented
from wsed.data.reading.features import frontend_of
from wsed.data.trained import Network
from wsed.types import Batch


def augment_batch(batch: Batch, augment: Sequence[Augment], network: Network | None, *place: int) -> Batch:
    """A training batch after all augmentations, in order; those of features come last.

    Args:
        batch: on its device.
        augment: the augmentations.
        network: its frontend gives the features that augmentations of features change.
        place: what the random draws follow from: seed of the run, epoch, step and rank.
    """
    generator = torch.Generator(device=batch.clip_labels.device).manual_seed(hash(place) % 2**63)
    features = batch.features is None and any(part.level == "features" for part in augment)
    raw = frontend_of(network).raw if features else None
    return augmented(batch, augment, generator, raw)
