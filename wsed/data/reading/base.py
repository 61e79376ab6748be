"""What a reader is: how the clips of a table become samples or features."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch.utils.data import Dataset

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.columns import path_of
from wsed.data.sound_files import header
from wsed.data.trained import Network
from wsed.registry import Registry

THREADS = 8
"""Headers read at a time."""


@dataclass(frozen=True)
class Item:
    """What is read of one clip.

    Attributes:
        index: number of the clip in its table.
        n_samples: length of its audio.
        audio: its samples; None where its features were read instead.
        features: what the network's frontend makes of the audio; None where the audio was read.
    """

    index: int
    n_samples: int
    audio: Float[np.ndarray, " sample"] | None = None
    features: Float[np.ndarray, "band frame"] | None = None


@dataclass(frozen=True)
class Headers:
    """What the headers of clips' files say.

    Attributes:
        seconds: length of each clip's file; NaN where it was not looked at.
        unreadable: why a clip cannot be read, by its number.
    """

    seconds: NDArray[np.float64]
    unreadable: dict[int, str]


class Reader(ABC):
    """How the clips of a table become samples or features."""

    @abstractmethod
    def open(self, table: ClipTable, sample_rate: int, network: Network | None = None) -> Dataset[Item]:
        """What is read of the clips, one item per clip, in their order.

        Args:
            table: the clips, and how many seconds are read of each.
            sample_rate: of the audio, Hz.
            network: the network that will get the batches; None where there is none.
        """

    def learned(self, network: Network | None) -> bool:
        """Whether what is read will stay as it is: features of a frontend may change once it saw the training set."""
        return True

    def headers(self, clips: Sequence[Clip]) -> Headers:
        """How long the clips' files are, and which cannot be read; by default each file is opened, none is decoded."""
        return read_headers(clips)


def read_headers(clips: Sequence[Clip], look: bool = True) -> Headers:
    """The headers of the clips' files (15,000 in seconds).

    Args:
        clips: any clips.
        look: open the files; else nothing is known of them.
    """
    seconds = np.full(len(clips), np.nan)
    unreadable: dict[int, str] = {}
    if look:
        numbers = range(len(clips))
        with ThreadPoolExecutor(THREADS) as pool:
            for i, length in zip(numbers, pool.map(lambda i: header(path_of(clips, i)), numbers), strict=True):
                if isinstance(length, str):
                    unreadable[i] = length
                else:
                    seconds[i] = length
    return Headers(seconds, unreadable)


READERS: Registry[type[Reader]] = Registry("reader", "wsed.data.reading", Reader)
