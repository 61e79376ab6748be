"""The folder of a run; all file names in it are defined here."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from wsed.errors import WsedError
from wsed.types import Split


@dataclass(frozen=True)
class RunFolder:
    """The paths of the files that `wsed fit`, `validate`, `test` and `predict` write into the folder of a run.

    The folder and its files need not exist yet.

    Args:
        path: the folder, such as `runs/quickstart/seed_0`.

    >>> run = RunFolder(Path("runs/quickstart/seed_0"))
    >>> run.best.as_posix()
    'runs/quickstart/seed_0/checkpoints/best.ckpt'
    >>> run.split("test").report.as_posix()
    'runs/quickstart/seed_0/test/scores.json'
    >>> run.versions("fit").name, run.trained(), run.seeds()
    ('versions_fit.json', False, [])
    """

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """The run in an existing folder.

        Raises:
            WsedError: there is no such folder, or wsed 0.1 wrote the run.

        >>> RunFolder.open("runs/none")
        Traceback (most recent call last):
        wsed.errors.WsedError: no such folder of a run: runs/none
        """
        run = cls(Path(path))
        if not run.path.is_dir():
            raise WsedError(f"no such folder of a run: {path}")
        run.check_version()
        return run

    @property
    def config(self) -> Path:
        """The configuration of the run."""
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint of the epoch with the best validation metrics."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """The checkpoint of the last epoch."""
        return self.checkpoints / "last.ckpt"

    def checkpoint(self) -> Path:
        """The best checkpoint; the last one if there is no best one.

        Raises:
            WsedError: there is no checkpoint.

        >>> RunFolder(Path("runs/none")).checkpoint()
        Traceback (most recent call last):
        wsed.errors.WsedError: runs/none holds no checkpoint: train with `wsed fit` first
        """
        for path in (self.best, self.last):
            if path.is_file():
                return path
        raise WsedError(f"{self.path} holds no checkpoint: train with `wsed fit` first")

    def trained(self) -> bool:
        """Whether the folder holds a checkpoint."""
        return any(self.checkpoints.glob("*.ckpt"))

    def versions(self, verb: str) -> Path:
        """The file with the package versions, the seed and the command of a verb, such as `fit`."""
        return self.path / f"versions_{verb}.json"

    def split(self, split: Split) -> "SplitFolder":
        """The folder of a split: `test/`, `validation/` or `predict/`."""
        return SplitFolder(self.path / split)

    def seeds(self) -> list["RunFolder"]:
        """The runs in the subfolders, such as `seed_0` and `seed_1`; `seed_10` comes after `seed_9`."""
        return sorted((RunFolder(path.parent) for path in self.path.glob("*/config.yaml")), key=_order)

    def check_version(self) -> None:
        """Refuse a run of wsed 0.1.

        Raises:
            WsedError: wsed 0.1 wrote the run.

        >>> RunFolder(Path("runs/none")).check_version()
        """
        for path in sorted(self.path.glob("versions_*.json")):
            try:
                version = json.loads(path.read_text(encoding="utf-8")).get("wsed", "")
            except (ValueError, AttributeError):
                continue  # a damaged file of versions does no harm
            if str(version).startswith("0.1."):
                raise WsedError(
                    f"{self.path} is a run of wsed {version}, whose settings and checkpoints wsed 0.2 does not read: "
                    "train again, or install that version"
                )


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
        """A picture: `curves`, `class_f1` or `embeddings`."""
        return self.path / f"{name}.png"


def _order(run: RunFolder) -> list[tuple[int, str]]:
    """The key to sort runs by name, with numbers compared as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", run.path.name)]
