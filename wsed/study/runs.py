"""The finished runs of a row, and the scores they left beside what is true of their clips."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.data.clip import Clip
from wsed.run import RunFolder
from wsed.scoring.formats.run_scores import read_scores, truth_of
from wsed.types import Labels, Split
from wsed.values import Scores, Truth


def finished(folders: Path | Sequence[Path], row: str) -> list[RunFolder]:
    """The tested runs of a row, in the order of their seeds, in the first folder that has any.

    Args:
        folders: folders of runs. Another paper's runs, in another folder, may have a row of the same name.
        row: name of the row.
    """
    for folder in [folders] if isinstance(folders, Path) else folders:
        runs = [run for run in RunFolder(folder / row).seeds() if run.split("test").report.is_file()]
        if runs:
            return runs
    return []


def by_row(folders: Path | Sequence[Path], rows: Iterable[str]) -> Mapping[str, list[RunFolder]]:
    """The tested runs of each row that has any."""
    runs = {row: finished(folders, row) for row in rows}
    return {row: several for row, several in runs.items() if several}


@dataclass(frozen=True, eq=False)
class ScoredClips:
    """The scores of a run on the clips of a split, and what is true of these clips.

    Attributes:
        labels: the classes of the run.
        scores: of each clip.
        truth: of the same clips.
    """

    labels: Labels
    scores: Scores
    truth: Truth

    @classmethod
    def read(cls, run: RunFolder, split: Split, clips: Iterable[Clip], seconds: float | None = None) -> "ScoredClips":
        """The scores in the folder of a run.

        Args:
            run: the run.
            split: of the clips.
            clips: of the corpus, with their events; more may be given.
            seconds: length of every clip, for scores that do not tell.

        Raises:
            WsedError: there are no scores, or a clip is not among `clips`.
        """
        labels, scores = read_scores(run.split(split).path, seconds)
        return cls(labels, scores, truth_of(clips, scores.clip_ids, labels))

    @cached_property
    def clip_scores(self) -> Float[Tensor, "clip label"]:
        """The clip scores; those of a network without them are its greatest frame scores."""
        if self.scores.clip_scores is not None:
            return self.scores.clip_scores
        frames, valid = self.scores.padded()
        return frames.masked_fill(~valid[..., None], -torch.inf).amax(1)

    @property
    def tags(self) -> Bool[Tensor, "clip label"]:
        """The true tags."""
        return self.truth.tags.bool()
