"""Features that are computed once, for all runs on the same segments: a file, mapped into memory."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from wsed.data.clip_table import ClipTable
from wsed.data.collate import Collate
from wsed.data.reading.files import ClipDataset, Item
from wsed.errors import WsedError
from wsed.files import locked, remove_leftovers, write_whole
from wsed.types import Batch

CHUNK = 50
"""Clips computed at a time."""

NONE = np.zeros(0, np.float32)


class FeatureDataset(Dataset[Item]):
    """Features of clips of equal length, in place of their audio.

    Args:
        path: `[clip band frame]` float32, `.npy`.
        n_samples: of the audio of each clip.
    """

    def __init__(self, path: Path, n_samples: int) -> None:
        self.path, self.n_samples = path, n_samples
        self._rows: NDArray[np.float32] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return FeatureDataset, (self.path, self.n_samples)  # a reading process opens the file itself

    def __len__(self) -> int:
        return len(self._open())

    def __getitem__(self, index: int) -> Item:
        return index, self._open()[index]

    def _open(self) -> NDArray[np.float32]:
        """All of them, on disk until they are read."""
        if self._rows is None:
            self._rows = np.load(self.path, mmap_mode="r")
        return self._rows


class FeatureCollate(Collate):
    """A batch with features and without audio."""

    def __init__(self, table: ClipTable, n_samples: int) -> None:
        super().__init__(table)
        self.n_samples = n_samples

    def __call__(self, items: Sequence[Item]) -> Batch:
        """A batch in the order of the items."""
        batch = super().__call__([(i, NONE) for i, _ in items])
        features = torch.from_numpy(np.stack([rows for _, rows in items]))
        return replace(batch, features=features, n_samples=torch.full((len(items),), self.n_samples))


def keep(folder: Path, clips: ClipDataset, frontend: Any) -> FeatureDataset:
    """The features of clips: computed, or found where an earlier run left them.

    What is found is known by the sound files, the segments, and by what the frontend says of a second of noise: other
    settings or other weights have files of their own. Processes that ask at the same time wait for the first.

    Args:
        folder: of the files.
        clips: of equal length.
        frontend: of a network; its `raw` is computed.

    Raises:
        WsedError: a clip is shorter than the others, or the frontend does not mark all frames of a clip as valid.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{_key(clips, frontend)}.npy"
    with locked(path.with_suffix(".lock")):
        if not path.is_file():
            remove_leftovers(path)
            with write_whole(path) as part:
                _compute(part, clips, frontend)
    return FeatureDataset(path, _samples(clips))


def _key(clips: ClipDataset, frontend: Any) -> str:
    noise = torch.randn(1, clips.sample_rate, generator=torch.Generator().manual_seed(0))
    said = hashlib.sha1(_raw(frontend, 0.1 * noise).numpy().tobytes()).hexdigest()
    files = [(str(c.path), *_state(c.path), c.span) for c in clips.table.clips]
    return hashlib.sha1(json.dumps([said, clips.sample_rate, files]).encode()).hexdigest()[:16]


def _state(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _compute(path: Path, clips: ClipDataset, frontend: Any) -> None:
    rows: NDArray[Any] | None = None
    for start in range(0, len(clips), CHUNK):
        found = [clips[i][1] for i in range(start, min(start + CHUNK, len(clips)))]
        features = _raw(frontend, _stacked(clips, start, found))
        if rows is None:
            shape = (len(clips), *features.shape[1:])
            rows = open_memmap(path, "w+", np.float32, shape)  # type: ignore[no-untyped-call]
        rows[start : start + len(found)] = features.numpy()


def _stacked(clips: ClipDataset, start: int, found: list[NDArray[np.float32]]) -> Tensor:
    for i, samples in enumerate(found, start):
        if len(samples) != _samples(clips):
            raise WsedError(
                f"data.features keeps segments of {_samples(clips)} samples, and that of {clips.table.clips[i].path} "
                f"has {len(samples)}; mend the file, or set data.features to null"
            )
    return torch.from_numpy(np.stack(found))


def _samples(clips: ClipDataset) -> int:
    """Of the audio of each segment."""
    span = clips.table.clips[0].span if len(clips) else None
    if span is None:
        raise WsedError("data.features keeps segments, and the clips have none")
    return round(span[1] * clips.sample_rate)


@torch.no_grad()
def _raw(frontend: Any, audio: Tensor) -> Tensor:
    """What the frontend keeps of clips of equal length, on the CPU; its mode is left as it is."""
    where = next((b.device for b in [*frontend.buffers(), *frontend.parameters()]), torch.device("cpu"))
    features, valid = frontend.raw(audio.to(where), torch.full((len(audio),), audio.shape[1], device=where))
    if not bool(valid.all()):
        name = type(frontend).__name__
        raise WsedError(f"data.features: the frontend {name} leaves frames out; set data.features to null")
    kept: Tensor = features.float().cpu()
    return kept
