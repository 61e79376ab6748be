"""The scores of one rank in a file, which rank 0 joins with those of the others."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from wsed.clip_names import Names
from wsed.files import write_whole
from wsed.truth import Truth
from wsed.types import Events
from wsed.values import Scores

Part = tuple[Scores, Truth]


def write_part(path: Path, part: Part | None) -> None:
    """Write the scores and the truth of some clips, whole or not at all; None: there are no clips.

    >>> import tempfile
    >>> from wsed.testing import batch, output
    >>> from wsed.scoring.collect import Collector
    >>> collector, inputs = Collector(), batch(n_clips=2)
    >>> collector.update(output(inputs), inputs, sample_rate=8000)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_part(Path(folder, "rank_0.pt"), collector.gather())
    ...     scores, truth = read_part(Path(folder, "rank_0.pt"))
    >>> scores.clip_ids, len(truth)
    (('clip_0.wav', 'clip_1.wav'), 2)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(path) as file, file.open("wb") as opened:  # opened here, so that a full disk is an OSError
        torch.save({} if part is None else _plain(*part), opened)


def read_part(path: Path) -> Part | None:
    """Read a file of `write_part`. Its tensors stay in the file until they are used."""
    saved = torch.load(path, mmap=True, weights_only=True)
    if not saved:
        return None
    events = Events(**saved["events"])
    names = Names(saved["names"].numpy().view(f"S{saved['names'].shape[1]}")[:, 0])
    return Scores(names, **saved["scores"]), Truth(events=events, **saved["truth"])


def _plain(scores: Scores, truth: Truth) -> dict[str, object]:
    stored = np.ascontiguousarray(Names.of(scores.clip_ids).stored)
    names = torch.from_numpy(stored.view(np.uint8).reshape(len(stored), stored.itemsize))
    columns = {name: value for name, value in vars(scores).items() if name != "clip_ids"}
    known: dict[str, Tensor] = {"tags": truth.tags, "tagged": truth.tagged, "timed": truth.timed}
    return {"names": names, "scores": columns, "truth": known, "events": vars(truth.events)}


def cat(parts: list[Part]) -> Part:
    """The clips of one part or more, one part after the other; a single part is not copied."""
    if len(parts) == 1:
        return parts[0]
    return Scores.cat([scores for scores, _ in parts]), Truth.cat([truth for _, truth in parts])


def join(parts: list[Part | None]) -> Part:
    """The clips of all parts, sorted by their ids; of a clip that comes several times, the last.

    The list is emptied, so that the parts take no memory any more once they are joined.
    """
    present = [part for part in parts if part is not None]
    parts.clear()
    if not present:
        none = torch.zeros(0, 0, dtype=torch.bool)
        return Scores((), torch.zeros(0, dtype=torch.float64)), Truth(none, none, Events.of([]), none)
    scores, truth = cat(present)
    present.clear()
    once = torch.from_numpy(Names.of(scores.clip_ids).sorted_once())
    return scores.select(once), truth.select(once)
