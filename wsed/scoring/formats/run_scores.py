"""The scores of a run in its folder: `frame_scores.npz` and `clip_scores.npz`, written and read back."""

import struct
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from wsed.data.clip import Clip
from wsed.errors import WsedError
from wsed.files import write_whole
from wsed.types import Events, Labels
from wsed.values import Scores, Truth

FILES = ("frame_scores.npz", "clip_scores.npz")


def write_scores(folder: Path, scores: Scores, labels: Labels) -> None:
    """Write what there is of `frame_scores.npz` (padded, with `valid`) and `clip_scores.npz`."""
    about = {"clip_ids": np.array(scores.clip_ids), "labels": np.array(labels.names)}
    about["durations"] = scores.durations.numpy()
    if scores.clip_scores is not None:
        _save(folder / FILES[1], about | {"clip_scores": scores.clip_scores.numpy()})
    if scores.frames is not None:
        frames, valid = scores.padded()
        parts = {"frame_scores": frames.numpy().astype(np.float32), "valid": valid.numpy()}
        _save(folder / FILES[0], about | parts | {"frame_rate": np.array(scores.frame_rate)})


def _save(path: Path, parts: Mapping[str, np.ndarray]) -> None:
    with write_whole(path) as part:
        np.savez_compressed(part, allow_pickle=False, **parts)


def read_scores(folder: Path, seconds: float | None = None) -> tuple[Labels, Scores]:
    """The scores a run left in its folder, to be decoded and scored anew.

    Args:
        folder: that holds `frame_scores.npz`, `clip_scores.npz` or both.
        seconds: length of every clip, for scores that do not tell; None: as long as its frames.

    Raises:
        WsedError: there are no scores, or a file is damaged.
    """
    try:
        return _read(folder, seconds)
    except (OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError, ArithmeticError, *ARCHIVE) as error:
        if isinstance(error, WsedError):
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise WsedError(f"the scores in {folder} are damaged ({reason}); run `wsed test` again") from None


ARCHIVE = (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, IndexError, MemoryError)
"""What reading a damaged archive may raise."""

MOST_BYTES = 64_000_000_000
"""Of the arrays in a file."""


def _load(path: Path) -> Mapping[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        size = sum(part.file_size for part in archive.infolist())
    if size > MOST_BYTES:
        raise WsedError(f"{path} unpacks to {size / 1e9:.0f} GB, which no run writes; it was not read")
    arrays: Mapping[str, np.ndarray] = np.load(path, allow_pickle=False)
    return arrays


def _read(folder: Path, seconds: float | None) -> tuple[Labels, Scores]:
    saved = [_load(folder / name) if (folder / name).is_file() else None for name in FILES]
    first = next((each for each in saved if each is not None), None)
    if first is None:
        raise WsedError(f"{folder} holds no scores of a run: neither of {', '.join(FILES)}")
    labels, names = Labels(map(str, first["labels"])), tuple(map(str, first["clip_ids"]))
    clip_scores = None if saved[1] is None else torch.from_numpy(saved[1]["clip_scores"])
    durations = torch.from_numpy(first["durations"]) if "durations" in first else None
    if durations is None and seconds is not None:
        durations = torch.full((len(names),), seconds, dtype=torch.float64)
    if saved[0] is None:
        if durations is None:
            raise WsedError(f"{folder}: these scores do not tell how long the clips are; give their length")
        return labels, Scores(names, durations, clip_scores=clip_scores)
    frames, valid = (torch.from_numpy(saved[0][key]) for key in ("frame_scores", "valid"))
    scores = Scores.of_padded(frames, float(saved[0]["frame_rate"]), valid=valid, durations=durations, clip_ids=names)
    return labels, replace(scores, clip_scores=clip_scores)


def truth_of(clips: Iterable[Clip], clip_ids: Sequence[str], labels: Labels) -> Truth:
    """What a corpus knows of some clips.

    Args:
        clips: of the corpus; more may be given.
        clip_ids: the clips that are asked for, in their order.
        labels: the classes.

    Raises:
        WsedError: a clip is not among `clips`, or holds an event of another class.
    """
    by_id = {clip.id: clip for clip in clips}
    missing = [name for name in clip_ids if name not in by_id]
    if missing:
        raise WsedError(f"there are scores of {missing[0]} and {len(missing) - 1} more, which are not in the corpus")
    chosen = [by_id[name] for name in clip_ids]
    rows = [
        (i, labels.index(label), onset, offset)
        for i, clip in enumerate(chosen)
        for label, onset, offset in clip.events or ()
    ]
    tags = [[label in (clip.tags or ()) for label in labels] for clip in chosen]
    tagged, timed = (
        torch.tensor(known, dtype=torch.bool)[:, None].expand(-1, len(labels))
        for known in ([clip.tags is not None for clip in chosen], [clip.events is not None for clip in chosen])
    )
    return Truth(torch.tensor(tags, dtype=torch.bool).reshape(len(chosen), len(labels)), tagged, Events.of(rows), timed)
