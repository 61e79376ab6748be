"""The reader `features`: it computes features once for all runs on the same clips, and stores them in a file."""

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from math import isinf
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from jaxtyping import Float
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.reading.base import READERS, Headers, Item, Reader
from wsed.data.reading.files import Files
from wsed.data.sound_files import state
from wsed.data.trained import Frontend, Network
from wsed.errors import WsedError
from wsed.files import locked, remove_leftovers, write_whole

CHUNK = 50
"""Number of clips whose features are computed at the same time."""

DAMAGED = "holds damaged features; delete it and the .npz file beside it: they are then computed again"


@dataclass(frozen=True)
class Shapes:
    """The sizes of stored features; they are in a file beside the features.

    Attributes:
        n_frames: number of frames of each clip.
        n_samples: number of samples of each clip.
        silence: features of silence, one value per band.
        checksum: CRC-32 of the features of each clip.
    """

    n_frames: NDArray[np.int64]
    n_samples: NDArray[np.int64]
    silence: NDArray[np.float32]
    checksum: NDArray[np.int64]


class FeatureDataset(Dataset[Item]):
    """The stored features of clips.

    Args:
        path: `.npy` file with the features of all clips, one clip after the other: `[frame band]`, float32. A `.npz`
            file beside it holds their `Shapes`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open: tuple[NDArray[np.float32], NDArray[np.int64], Shapes] | None = None

    def __reduce__(self) -> "tuple[type[FeatureDataset], tuple[Path]]":
        return FeatureDataset, (self.path,)  # each reading process opens the file itself

    def __len__(self) -> int:
        return len(self.shapes.n_frames)

    def __getitem__(self, index: int) -> Item:
        frames, first, shapes = self._opened()
        features = frames[first[index] : first[index + 1]]
        if zlib.crc32(features.tobytes()) != shapes.checksum[index]:
            raise WsedError(f"{self.path} {DAMAGED} (the features of clip {index})")
        return Item(index, int(shapes.n_samples[index]), features=features.T)

    @property
    def shapes(self) -> Shapes:
        """The sizes of the features."""
        return self._opened()[2]

    def _opened(self) -> tuple[NDArray[np.float32], NDArray[np.int64], Shapes]:
        """The frames of all clips (on disk until they are read), the index of the first frame of each, the sizes."""
        if self._open is None:
            try:
                with np.load(self.path.with_suffix(".npz")) as arrays:
                    shapes = Shapes(**{field.name: arrays[field.name] for field in fields(Shapes)})
                frames = np.load(self.path, mmap_mode="r")  # numpy checks that the file is as long as its header says
            except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
                raise WsedError(f"{self.path} {DAMAGED}") from None
            self._open = frames, np.concatenate([[0], shapes.n_frames.cumsum()]), shapes
        return self._open


@READERS.register("features")
class Features(Reader):
    """Computes the features of each clip once for all runs on the same clips, and reads them from a file.

    The network must have one frontend, or several with the same features. The name of the file is a hash of the paths
    of the sound files, the parts that are read, and the features of a second of noise. So other clips, settings or
    weights get other files. If several processes need the same features, one computes them and the others wait.

    Args:
        folder: folder of the files (2,700 clips of 10 s need 0.7 GB).
        reader: reader of the audio; `files` if None.

    >>> type(Features(Path("cache")).reader).__name__
    'Files'
    """

    def __init__(self, folder: Path, reader: Reader | None = None) -> None:
        self.folder = Path(folder)
        self.reader = Files() if reader is None else reader

    @classmethod
    def example(cls, folder: Path) -> Reader:
        """Keeps its files in the folder."""
        return cls(folder)

    def open(self, table: ClipTable, sample_rate: int, network: Network | None = None) -> Dataset[Item]:
        """The features of the clips; they are computed if no run has stored them.

        Raises:
            WsedError: the network has no frontend or several different ones, or its frontend drops frames.
        """
        frontend = frontend_of(network)
        path = self.folder / f"{_key(table, sample_rate, frontend)}.npy"
        if path.is_file() and path.with_suffix(".npz").is_file():  # perhaps in a folder that may only be read
            return FeatureDataset(path)
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(path.with_suffix(".lock")):
            if not path.is_file():
                remove_leftovers(path)
                audio = self.reader.open(table, sample_rate, network)
                with _named(path), write_whole(path.with_suffix(".npz")) as lengths, write_whole(path) as part:
                    shapes = _write(part, audio, len(table.clips), frontend)
                    np.savez(lengths, **asdict(shapes))
        return FeatureDataset(path)

    def learned(self, network: Network | None) -> bool:
        """Whether the frontend has learned from the training set, if it must."""
        return frontend_of(network).learned

    @property
    def makes_features(self) -> bool:
        """True."""
        return True

    def silence(self, dataset: Dataset[Item]) -> NDArray[np.float32]:
        """The features of silence, from the file of the features."""
        assert isinstance(dataset, FeatureDataset)
        return dataset.shapes.silence

    def headers(self, clips: Sequence[Clip]) -> Headers:
        """The headers of the files, by the reader of the audio."""
        return self.reader.headers(clips)

    def prints(self, clips: Sequence[Clip]) -> list[str | None]:
        """The texts that identify the sound of the clips, from the reader of the audio."""
        return self.reader.prints(clips)


def frontend_of(network: Network | None) -> Frontend:
    """The frontend of a network; the first one if several compute the same features.

    Raises:
        WsedError: the network has no frontend, or two that compute different features.
    """
    outer = frontends(network)
    if not outer:
        raise WsedError("the reader features needs a network with a frontend (composed); set data.reader to files")
    if differ(outer):
        raise WsedError(
            f"the reader features stores the features of one frontend, but the network has {len(outer)} that differ; "
            "set data.reader to files"
        )
    return outer[0]


def frontends(network: Network | None) -> list[Frontend]:
    """The frontends of a network, without those that are parts of other frontends."""
    parts = [] if network is None else [part for part in network.modules() if isinstance(part, Frontend)]
    within = {
        id(inner) for part in parts if isinstance(part, nn.Module) for inner in part.modules() if inner is not part
    }
    return [part for part in parts if id(part) not in within]


def differ(several: Sequence[Frontend]) -> bool:
    """Whether frontends compute different features."""
    return len(several) > 1 and len({_digest(part) for part in several}) > 1


def _digest(frontend: Frontend) -> str:
    """A hash of a frontend: of its features of a second of noise."""
    noise = torch.randn(1, frontend.sample_rate, generator=torch.Generator().manual_seed(0))
    return hashlib.sha1(_raw(frontend, 0.1 * noise).numpy().tobytes()).hexdigest()


def _key(table: ClipTable, sample_rate: int, frontend: Frontend) -> str:
    files = [(str(c.path), *state(c.path), c.start, None if c.start is None else c.duration) for c in table.clips]
    end = None if isinf(table.end) else table.end
    facts = ["with checksums", _digest(frontend), sample_rate, end, files]
    return hashlib.sha1(json.dumps(facts).encode()).hexdigest()[:16]


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn an `OSError`, such as a full disk, into a `WsedError` with the path."""
    try:
        yield
    except OSError as error:
        raise WsedError(f"data.reader features: cannot write {path}: {error.strerror or error}") from None


def _write(path: Path, audio: Dataset[Item], n_clips: int, frontend: Frontend) -> Shapes:
    """Write the features of all clips and return their sizes."""
    silence = _raw(frontend, torch.zeros(1, frontend.sample_rate))[0]
    middle: NDArray[np.float32] = silence[:, silence.shape[1] // 2].numpy()
    n_frames: list[int] = []
    n_samples: list[int] = []
    checksum: list[int] = []
    with path.open("wb") as file:
        _write_header(file, 0, len(middle))
        for start in range(0, n_clips, CHUNK):
            samples = [audio[i].audio for i in range(start, min(start + CHUNK, n_clips))]
            for _, group in groupby([of_clip for of_clip in samples if of_clip is not None], key=len):
                features = _raw(frontend, torch.from_numpy(np.stack(equal := list(group))))
                stored = features.transpose(1, 2).contiguous().numpy()
                file.write(stored.tobytes())
                checksum += [zlib.crc32(of_clip) for of_clip in stored]
                n_frames += [features.shape[2]] * len(equal)
                n_samples += [len(of_clip) for of_clip in equal]
        file.seek(0)
        _write_header(file, sum(n_frames), len(middle))
    lengths, sizes, checksums = (np.array(values, dtype=np.int64) for values in (n_frames, n_samples, checksum))
    return Shapes(lengths, sizes, middle, checksums)


def _write_header(file: BinaryIO, n_frames: int, n_bands: int) -> None:
    """Write the header of an array whose first axis may still grow: numpy leaves space for a longer number."""
    shape = {"descr": "<f4", "fortran_order": False, "shape": (n_frames, n_bands)}
    npy.write_array_header_1_0(file, shape)  # type: ignore[no-untyped-call]


@torch.no_grad()
def _raw(frontend: Frontend, audio: Float[Tensor, "clip sample"]) -> Float[Tensor, "clip band frame"]:
    """The raw features of clips of equal length, on the CPU; the mode of the frontend stays unchanged."""
    tensors = [*frontend.buffers(), *frontend.parameters()] if isinstance(frontend, nn.Module) else []
    device = next((tensor.device for tensor in tensors), torch.device("cpu"))
    features, valid = frontend.raw(audio.to(device), torch.full((len(audio),), audio.shape[1], device=device))
    if not bool(valid.all()):
        name = type(frontend).__name__
        raise WsedError(f"the reader features: the frontend {name} drops frames; set data.reader to files")
    return features.float().cpu()
