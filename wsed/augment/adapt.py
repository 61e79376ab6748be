"""Augmentations are adapted to the unit of the features that a frontend computes."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from wsed.augment.base import Augment, flat, no_features
from wsed.spec import name_of


@runtime_checkable
class Levels(Protocol):
    """Something that may state `decibel`, such as a frontend."""

    decibel: float | None


def adapt(augment: Iterable[Augment], frontend: object) -> None:
    """Prepare augmentations for the unit of the features that they will change; the others stay as they are.

    Raises:
        WsedError: one needs levels of frequency bands, and the frontend does not state `decibel`.

    >>> from wsed.augment.filter_augment import FilterAugment
    >>> from wsed.models import LogMel
    >>> filters = FilterAugment()
    >>> adapt([filters], LogMel(log_offset=1e-4))
    >>> round(filters.decibel, 4)
    0.2303
    """
    for part in flat(augment):
        if part.of_levels:
            decibel = frontend.decibel if isinstance(frontend, Levels) else None
            if decibel is None:
                raise no_features(
                    part,
                    f"those of {name_of(type(frontend))} are not logarithms of the levels of frequency bands (a "
                    "frontend of your own that computes such features must state `decibel`)",
                )
            part.decibel = decibel
