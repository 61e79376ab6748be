"""Augmentation of training batches on their device, with draws that follow from the place in the training."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import torch

from wsed.types import Batch


@runtime_checkable
class Augmentation(Protocol):
    """What changes a training batch: its audio and, where they move along, its labels."""

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The changed batch; the one given stays as it is."""
        ...


def augmented(batch: Batch, augment: Iterable[Augmentation], *place: int) -> Batch:
    """A training batch after all augmentations, in order.

    Args:
        batch: on its device.
        augment: the augmentations.
        place: what the random draws follow from: seed of the run, epoch, step and rank.
    """
    generator = torch.Generator(device=batch.clip_labels.device).manual_seed(hash(place) % 2**63)
    for change in augment:
        batch = change(batch, generator)
    return batch
