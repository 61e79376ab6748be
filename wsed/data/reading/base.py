"""`Reader`, the base class of readers, and the items that they return."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch.utils.data import Dataset

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.columns import path_of
from wsed.data.sound_files import fingerprint, header
from wsed.data.trained import Network
from wsed.registry import Registry

THREADS = 8
"""Number of headers that are read at the same time."""


@dataclass(frozen=True)
class Item:
    """The audio or the features of a clip.

    Attributes:
        index: index of the clip in its table.
        n_samples: number of samples of the clip.
        audio: the samples; None if features were read instead.
        features: the features of the network's frontend; None if audio was read.
    """

    index: int
    n_samples: int
    audio: Float[np.ndarray, " sample"] | None = None
    features: Float[np.ndarray, "band frame"] | None = None


@dataclass(frozen=True)
class Headers:
    """The headers of the files of clips.

    Attributes:
        seconds: duration of the file of each clip; NaN if the file was not opened.
        unreadable: the reason why a clip cannot be read, by the index of the clip.
    """

    seconds: NDArray[np.float64]
    unreadable: dict[int, str]


class Reader(ABC):
    """Reads the samples or the features of the clips of a table.

    >>> from pathlib import Path
    >>> from wsed.types import Labels
    >>> class Silence(Reader):
    ...     def open(self, table, sample_rate, network=None):
    ...         return [Item(i, sample_rate, np.zeros(sample_rate, np.float32)) for i in range(len(table.clips))]
    >>> table = ClipTable.of([Clip("a.wav", Path("a.wav"), "weak")], Labels(["Dog"]))
    >>> reader = Silence()
    >>> dataset = reader.open(table, sample_rate=8000)
    >>> dataset[0].n_samples, reader.learned(None), reader.headers([]).unreadable
    (8000, True, {})
    >>> reader.makes_features, reader.silence(Dataset()), reader.prints(table.clips)
    (False, None, [None])
    """

    @classmethod
    def example(cls, folder: Path) -> "Reader":  # noqa: ARG003
        """A reader for the contract tests; it may keep files in `folder`."""
        return cls()

    @abstractmethod
    def open(self, table: ClipTable, sample_rate: int, network: Network | None = None) -> Dataset[Item]:
        """A dataset with one item per clip, in the order of the table.

        Args:
            table: the clips, and how many seconds of each are read.
            sample_rate: sample rate of the audio, Hz.
            network: the network that gets the batches; None if there is none.
        """

    def learned(self, network: Network | None) -> bool:
        """Whether the items stay the same from now on: features change when a frontend learns from the training set."""
        return True

    @property
    def makes_features(self) -> bool:
        """Whether its items hold features instead of audio."""
        return False

    def silence(self, dataset: Dataset[Item]) -> Float[np.ndarray, " band"] | None:
        """The features of silence, which pad the features of a dataset of this reader; None: zeros."""
        return None

    def headers(self, clips: Sequence[Clip]) -> Headers:
        """The headers of the files of clips; by default each file is opened, but none is decoded."""
        return read_headers(clips)

    def prints(self, clips: Sequence[Clip]) -> list[str | None]:
        """A text for each clip, which identifies the sound of its file; None for a file that cannot be read."""
        return [fingerprint(path_of(clips, i)) for i in range(len(clips))]


def read_headers(clips: Sequence[Clip], open_files: bool = True) -> Headers:
    """The headers of the files of clips (15,000 in seconds).

    Args:
        clips: the clips.
        open_files: whether the files are opened; otherwise their durations are NaN.
    """
    seconds = np.full(len(clips), np.nan)
    unreadable: dict[int, str] = {}
    if open_files:
        numbers = range(len(clips))
        with ThreadPoolExecutor(THREADS) as pool:
            for i, length in zip(numbers, pool.map(lambda i: header(path_of(clips, i)), numbers), strict=True):
                if isinstance(length, str):
                    unreadable[i] = length
                else:
                    seconds[i] = length
    return Headers(seconds, unreadable)


READERS: Registry[type[Reader]] = Registry("reader", "wsed.data.reading", Reader)
