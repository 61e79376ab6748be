"""Names of the files that a run writes about the clips of one split; only this module knows them."""

from dataclasses import dataclass
from pathlib import Path

PICTURES = ("curves", "class_f1", "embeddings")
"""Names of the pictures of a split."""


@dataclass(frozen=True)
class SplitFolder:
    """The paths of the files that a run writes about the clips of one split.

    Args:
        path: the folder of the split.

    >>> SplitFolder(Path("runs/a/test")).picture("curves").as_posix()
    'runs/a/test/curves.png'
    """

    path: Path

    @property
    def report(self) -> Path:
        """The report: all metrics, as JSON."""
        return self.path / "scores.json"

    @property
    def predictions(self) -> Path:
        """The table of detected events."""
        return self.path / "predictions.tsv"

    @property
    def frame_scores(self) -> Path:
        """The frame scores of all clips, and their true tags and events."""
        return self.path / "frame_scores.npz"

    @property
    def clip_scores(self) -> Path:
        """The clip scores of all clips."""
        return self.path / "clip_scores.npz"

    @property
    def embeddings(self) -> Path:
        """The embeddings of all clips."""
        return self.path / "embeddings.npz"

    @property
    def scores(self) -> Path:
        """The frame scores, or the clip scores if the network only tags."""
        return self.frame_scores if self.frame_scores.is_file() else self.clip_scores

    def picture(self, name: str) -> Path:
        """A picture, one of `PICTURES`."""
        return self.path / f"{name}.png"
