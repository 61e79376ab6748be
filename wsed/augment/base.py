"""The base class of augmentations, their registry, and the composition of several augmentations."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.registry import Registry
from wsed.types import Batch

Level = Literal["audio", "features"]
Raw = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From audio `[clip sample]` and `n_samples [clip]` to features and which frames hold signal: `Frontend.raw`."""

Sounds = Callable[[str, int], list[NDArray[np.float32]]]
"""Reads the sound files of a folder, resampled to a rate (Hz), one channel."""


class Augment(nn.Module):
    """Base class of augmentations: random changes of a training batch, on its device.

    An augmentation returns a new batch and does not change its input. Labels follow the sound: tags and events of mixed
    clips, times of shifted events, and also `tagged` and `timed`. All random numbers come from the generator. An
    augmentation that changes `n_samples` or the length of the audio also updates `full`.

    `level` is what is changed: the `audio`, or the `features` of the frontend (`batch.features`). Only training batches
    are changed.

    >>> from wsed.testing import batch
    >>> inputs = batch()
    >>> Unchanged()(inputs, torch.Generator()) is inputs
    True
    """

    level: Level = "audio"
    moves_labels: bool = False
    """Whether tags or events change with the sound."""
    mixes: bool = False
    """Whether clips are mixed with other clips of the batch; each process mixes only its own clips."""

    @classmethod
    def example(cls) -> "Augment":
        """A small augmentation of this class, for tests."""
        return cls()

    def prepare(self, sample_rate: int, sounds: Sounds) -> None:
        """Prepare for training, before the first batch; most augmentations need no preparation.

        Args:
            sample_rate: sample rate of the audio, Hz.
            sounds: reads the sound files of a folder.

        Raises:
            WsedError: a folder in the settings has no sound files.
        """

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The changed batch.

        Args:
            batch: training clips, with `features` if `level` is `features`.
            generator: source of all random numbers, on the device of the batch.
        """
        raise NotImplementedError


AUGMENTS: Registry[type[Augment]] = Registry("augment", "wsed.augment", Augment)


@AUGMENTS.register("compose")
class Compose(Augment):
    """Several augmentations, one after the other.

    Args:
        parts: at least one, all of one level.

    Raises:
        WsedError: there are none, or they are of different levels.

    >>> Compose([Compose([Unchanged()]), Unchanged()]).level
    'audio'
    """

    def __init__(self, parts: Sequence[Augment]) -> None:
        super().__init__()
        levels = {part.level for part in parts}
        if len(levels) != 1:
            problem = "there are none" if not levels else f"they are of {' and '.join(sorted(levels))}"
            raise WsedError(f"augment compose: parts must be one or more augmentations of one level, but {problem}")
        self.parts = nn.ModuleList(parts)
        self.level = levels.pop()
        self.moves_labels = any(part.moves_labels for part in parts)
        self.mixes = any(part.mixes for part in parts)

    @classmethod
    def example(cls) -> Augment:
        """Of one part that changes nothing."""
        return cls([Unchanged()])

    def prepare(self, sample_rate: int, sounds: Sounds) -> None:
        for part in self.parts:
            assert isinstance(part, Augment)
            part.prepare(sample_rate, sounds)

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        for part in self.parts:
            batch = part(batch, generator)
        return batch


class Unchanged(Augment):
    """The batch as it is."""

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        return batch


def augmented(batch: Batch, augment: Iterable[Augment], generator: torch.Generator, raw: Raw | None = None) -> Batch:
    """Apply all augmentations to a batch: first those of audio, then those of features, each in the order given.

    Args:
        batch: on its device.
        augment: the augmentations.
        generator: source of all random numbers.
        raw: computes features where the batch has none; see `Frontend.raw`.

    Raises:
        WsedError: the batch has no audio but an augmentation changes audio, or there are no features to change.

    >>> from wsed.testing import batch
    >>> inputs = batch()
    >>> augmented(inputs, [Unchanged()], torch.Generator()) is inputs
    True
    """
    parts = list(augment)
    for part in parts:
        if part.level == "audio":
            if batch.audio is None:
                raise WsedError(
                    f"augment {type(part).__name__}: it changes the audio, but the batch holds cached features and "
                    "no audio; set reader: files, or remove the augmentation"
                )
            batch = part(batch, generator)
    late = [part for part in parts if part.level == "features"]
    if late and batch.features is None:
        if raw is None:
            raise WsedError(
                f"augment {type(late[0]).__name__}: it changes features, but the network has no single frontend that "
                "computes them"
            )
        with torch.no_grad():
            batch = replace(batch, features=raw(batch.samples(), batch.n_samples)[0])
    for part in late:
        batch = part(batch, generator)
    return batch
