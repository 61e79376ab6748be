"""A finished run's scores, read back from its folder."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from wsed.data.clip import Clip
from wsed.errors import WsedError
from wsed.metrics.store import Row, ScoreStore
from wsed.types import Labels


def read_store(folder: Path, clips: Iterable[Clip], seconds: float) -> tuple[Labels, ScoreStore]:
    """The scores a run left in `test/` or `validation/`, with what is true of its clips: to be decoded and scored anew.

    Args:
        folder: that holds `frame_scores.npz`, `clip_scores.npz` or both.
        clips: of the same corpus, as `wsed.data.corpus.desed_layout.read_clips` reads them; more may be given.
        seconds: length of a clip.

    Returns:
        the classes, and the store, as it was when the run scored itself.

    Raises:
        WsedError: there are no scores, or a clip of theirs is not among `clips`.
    """
    known = {clip.id: clip for clip in clips}
    saved = {name: np.load(folder / f"{name}.npz") for name in SCORES if (folder / f"{name}.npz").is_file()}
    if not saved:
        raise WsedError(f"{folder} holds no scores of a run: neither of {', '.join(f'{n}.npz' for n in SCORES)}")
    first = next(iter(saved.values()))
    labels, names = Labels([str(label) for label in first["labels"]]), [str(name) for name in first["clip_ids"]]
    missing = [name for name in names if name not in known]
    if missing:
        raise WsedError(f"{folder} has scores of {missing[0]} and {len(missing) - 1} more, which are not in the corpus")
    store = ScoreStore()
    frames, clip_scores = (torch.from_numpy(saved[n][n]) if n in saved else None for n in SCORES)
    if "frame_scores" in saved:
        store.frame_rate = float(saved["frame_scores"]["frame_rate"])
        lengths = saved["frame_scores"]["valid"].sum(1)
    for i, name in enumerate(names):
        clip = known[name]
        events = [(labels.index(label), onset, offset) for label, onset, offset in clip.events or ()]
        store.rows[name] = Row(
            frame_scores=None if frames is None else frames[i, : int(lengths[i])],
            clip_scores=None if clip_scores is None else clip_scores[i],
            duration=seconds,
            tags=torch.tensor([float(label in (clip.tags or ())) for label in labels.names]),
            tagged=clip.tags is not None,
            events=torch.tensor(events, dtype=torch.float64).reshape(-1, 3),
            timed=clip.events is not None,
        )
    return labels, store


SCORES = ("frame_scores", "clip_scores")
