"""Augmentation of training batches on their device, with reproducible random draws."""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from wsed.augment.adapt import adapt
from wsed.augment.base import WAVEFORM, Augment, augmented, called, flat, no_audio, no_features, only_mixed
from wsed.augment.draws import Draws
from wsed.augment.mixup import Mixup
from wsed.augment.partners import as_wide
from wsed.data.audio import read
from wsed.data.reading.features import differ, frontends
from wsed.data.sound_files import is_file, is_folder, sound_files
from wsed.data.trained import Network
from wsed.errors import WsedError
from wsed.types import Batch

HOUR = 3600.0
"""Seconds of sound that are read from a folder and kept in memory, about the most: 230 MB at 16 kHz."""

LEAST = 10.0
"""Seconds that are read of each file, however many there are: an impulse response is whole."""


@runtime_checkable
class HasViews(Protocol):
    """A network that augments its batches itself, such as `mean_teacher`."""

    views: Sequence[Augment]


def prepare(augment: Sequence[Augment], sample_rate: int) -> None:
    """Get augmentations ready for audio at a rate (Hz): they read the folders that they name.

    Raises:
        WsedError: a folder is missing, has no sound files, or has a damaged one.
    """
    for part in flat(augment):
        part.prepare(sample_rate, partial(read_sounds, name=called(part)))


def check_audio(augment: Sequence[Augment], network: Network | None) -> None:
    """Check that no augmentation changes audio, in a training on cached features; views of a teacher count.

    Raises:
        WsedError: one changes audio.
    """
    for part in flat([*augment, *(network.views if isinstance(network, HasViews) else ())]):
        if part.level == "audio":
            raise no_audio(part)


def prepare_views(network: Network, sample_rate: int) -> None:
    """Check the augmentations that the parts of a network draw themselves, and get them ready, as `data.augment`.

    Args:
        network: the network.
        sample_rate: of the audio, Hz.

    Raises:
        WsedError: the part has no features to change, or a folder is missing, has no sound files, or has a damaged one.
    """
    for part in network.modules():
        if isinstance(part, HasViews) and isinstance(part, Network):
            check(part.views, part)
            prepare(part.views, sample_rate)


def check(augment: Sequence[Augment], network: Network) -> None:
    """Check that the network has features to change, if an augmentation changes them, and adapt it to their unit.

    The waveform, and features that hold embeddings, can only be mixed (`Mixup`).

    Raises:
        WsedError: the network has no frontend, several that differ, or features that can only be mixed; or an
            augmentation of frequency bands gets other features, such as embeddings.
    """
    late = [part for part in flat(augment) if part.level == "features"]
    of_network = frontends(network) if late else []
    reason = next((reason for part in of_network if (reason := only_mixed(part)) is not None), None)
    several = differ(of_network)
    if reason is not None and not several:
        late = [part for part in late if not isinstance(part, Mixup)]
    if late and several and reason != WAVEFORM:
        raise no_features(late[0], f"this network has {len(of_network)} frontends that differ")
    if late and reason is not None:
        raise no_features(late[0], reason)
    if late and not of_network:
        raise no_features(late[0], "this network has no frontend that computes them")
    if late:
        adapt(late, of_network[0])


def read_sounds(folder: str, sample_rate: int, name: str = "augment") -> list[NDArray[np.float32]]:
    """The sound files of a folder at any depth, resampled; together they last about an hour at most.

    If they last longer, each is cut to its share of the hour, but not below 10 s; if they are too many even so, some of
    them are drawn, the same in each run. A warning says what is left out.

    Args:
        folder: folder of sound files.
        sample_rate: Hz.
        name: what reads them, for messages.

    Raises:
        WsedError: the folder is missing, has no sound files, or has a damaged one.
    """
    if not is_folder(folder):
        problem = "is a file, not a folder" if is_file(folder) else "does not exist"
        raise WsedError(f"{name}: folder {folder} {problem}; give the folder that holds the sound files")
    paths = sound_files(folder)
    if not paths:
        raise WsedError(f"{name}: folder {folder} has no sound files; give one with WAV, FLAC or other sound files")
    longest, samples = max(HOUR / len(paths), LEAST), 0
    found: dict[int, NDArray[np.float32]] = {}
    for place in np.random.default_rng(0).permutation(len(paths)).tolist():
        if samples >= HOUR * sample_rate:
            break
        found[place] = read(paths[place], sample_rate, duration=longest)
        samples += len(found[place])
    cut = sum(len(sound) >= longest * sample_rate for sound in found.values())
    if cut or len(found) < len(paths):
        warnings.warn(
            f"{name}: about an hour of sound is kept in memory, so of {len(paths)} files in folder {folder}, "
            f"{len(found)} are used, {cut} of them cut to {longest:.4g} s; give a folder with fewer or shorter files "
            "to choose them yourself",
            stacklevel=2,
        )
    sounds = [sound for _, sound in sorted(found.items()) if np.abs(sound).max(initial=0) > 0]
    if not sounds:
        raise WsedError(f"{name}: all sound files in folder {folder} are silent; give one with sounds")
    return sounds


def augment_batch(
    batch: Batch, augment: Sequence[Augment], network: Network | None, *place: int, rank: int = 0, ranks: int = 1
) -> Batch:
    """Apply all augmentations to a training batch, in order; augmentations of features come last.

    Args:
        batch: the batch, on its device.
        augment: the augmentations.
        network: the network whose frontend computes the features for augmentations of features.
        place: seed of the run, epoch and step; together with the position of a clip among the clips of all processes,
            they determine its random draws.
        rank: rank of this process.
        ranks: number of processes.
    """
    joint = ranks > 1 and any(part.joint for part in augment)
    generator = Draws.of(batch.clip_labels.device, hash(place) % 2**63, rank, ranks)
    features = batch.features is None and any(part.level == "features" for part in augment)
    of_network = frontends(network) if features or joint else []  # `check` has found that they are alike
    raw = of_network[0].raw if of_network else None
    return augmented(as_wide(batch, raw) if joint else batch, augment, generator, raw)
