"""Writing and reading of the scores of a run, of frames and of clips, in its folder."""

import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from wsed.clip_names import Names
from wsed.data.clip import Clip
from wsed.errors import WsedError
from wsed.files import write_whole
from wsed.split_folder import SplitFolder
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Scores


def write_scores(folder: Path, scores: Scores, labels: Labels) -> None:
    """Write the scores of frames (padded, with `valid`) and of clips; either may be missing.

    >>> import tempfile
    >>> scores = Scores.of_padded(torch.tensor([[[0.25], [0.75]]]), frame_rate=2.0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_scores(Path(folder), scores, Labels(["dog"]))
    ...     labels, again = read_scores(Path(folder))
    >>> again.need_frames()[0].flatten().tolist()
    [0.25, 0.75]
    """
    about = {"clip_ids": Names.of(scores.clip_ids).array(), "labels": np.array(labels.names)}
    about["durations"] = scores.durations.numpy()
    files = SplitFolder(folder)
    if scores.clip_scores is not None:
        _save(files.clip_scores, about | {"clip_scores": scores.clip_scores.numpy()})
    if scores.frames is not None:
        frames, valid = scores.padded()
        parts = {"frame_scores": frames.numpy().astype(np.float32), "valid": valid.numpy()}
        _save(files.frame_scores, about | parts | {"frame_rate": np.array(scores.frame_rate)})


def _save(path: Path, parts: Mapping[str, np.ndarray]) -> None:
    with write_whole(path) as part:
        np.savez_compressed(part, allow_pickle=False, **parts)


def read_scores(folder: Path, seconds: float | None = None) -> tuple[Labels, Scores]:
    """Read the scores of a run, so that they can be decoded and scored again.

    Args:
        folder: folder of a split, with scores of frames, of clips or both.
        seconds: duration of every clip, for files without durations; if None, a clip lasts as long as its frames.

    Raises:
        WsedError: there are no scores, or a file is damaged.
    """
    with _damage_named(folder):
        return _read(folder, seconds)


def frame_scores_file(place: Path) -> Path | None:
    """The file of frame scores: the path itself, or a file in the folder; None if there is none.

    >>> frame_scores_file(Path("scores.tsv"))
    """
    if place.suffix.lower() == ".npz" and place.is_file():
        return place
    file = SplitFolder(place).frame_scores
    return file if file.is_file() else None


def read_frame_file(path: Path) -> tuple[Labels, Scores]:
    """The frame scores of a run from a file `frame_scores.npz`.

    Raises:
        WsedError: the file is damaged, or holds no frame scores.
    """
    with _damage_named(path):
        saved = _load(path)
        if "frame_scores" not in saved:
            raise WsedError(f"{path} has no frame scores of a run (array frame_scores)")
        labels, names = Labels(map(str, saved["labels"])), Names.of(saved["clip_ids"])
        durations = torch.from_numpy(saved["durations"]) if "durations" in saved else None
        return labels, _frames_of(saved, names, durations)


def _frames_of(saved: Mapping[str, np.ndarray], names: Names, durations: torch.Tensor | None) -> Scores:
    frames, valid = (torch.from_numpy(saved[key]) for key in ("frame_scores", "valid"))
    return Scores.of_padded(frames, float(saved["frame_rate"]), valid=valid, durations=durations, clip_ids=names)


@contextmanager
def _damage_named(place: Path) -> Iterator[None]:
    """Turn the errors of a damaged file into a message with its name."""
    try:
        yield
    except (OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError, ArithmeticError, *ARCHIVE) as error:
        if isinstance(error, WsedError):
            raise
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise WsedError(f"the scores in {place} are damaged ({reason}); run `wsed test` again") from None


ARCHIVE = (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, IndexError, MemoryError)
"""Errors that a damaged archive may raise."""

MOST_BYTES = 64_000_000_000
"""Greatest size in bytes of the arrays in a file."""


def _load(path: Path) -> Mapping[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        size = sum(part.file_size for part in archive.infolist())
    if size > MOST_BYTES:
        raise WsedError(f"{path} unpacks to {size / 1e9:.0f} GB, which no run writes; it was not read")
    arrays: Mapping[str, np.ndarray] = np.load(path, allow_pickle=False)
    return arrays


def _read(folder: Path, seconds: float | None) -> tuple[Labels, Scores]:
    files = (SplitFolder(folder).frame_scores, SplitFolder(folder).clip_scores)
    saved = [_load(path) if path.is_file() else None for path in files]
    first = next((each for each in saved if each is not None), None)
    if first is None:
        absent = " nor ".join(path.name for path in files)
        raise WsedError(f"{folder} has no scores of a run: neither {absent}")
    labels, names = Labels(map(str, first["labels"])), Names.of(first["clip_ids"])
    clip_scores = None if saved[1] is None else torch.from_numpy(saved[1]["clip_scores"])
    durations = torch.from_numpy(first["durations"]) if "durations" in first else None
    if durations is None and seconds is not None:
        durations = torch.full((len(names),), seconds, dtype=torch.float64)
    if saved[0] is None:
        if durations is None:
            raise WsedError(f"{folder}: these scores have no durations; give the duration of the clips")
        return labels, Scores(names, durations, clip_scores=clip_scores)
    return labels, replace(_frames_of(saved[0], names, durations), clip_scores=clip_scores)


def truth_of(clips: Iterable[Clip], clip_ids: Sequence[str], labels: Labels) -> Truth:
    """The truth of a corpus about some clips.

    Args:
        clips: clips of the corpus.
        clip_ids: ids of the requested clips, in their order.
        labels: the classes.

    Raises:
        WsedError: a requested clip is not in the corpus, or has an event of another class.
    """
    by_id = {clip.id: clip for clip in clips}
    missing = [name for name in clip_ids if name not in by_id]
    if missing:
        raise WsedError(f"{missing[0]} and {len(missing) - 1} more clips with scores are not in the corpus")
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
