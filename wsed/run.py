"""The folder of a run: the one place that knows the names of its files."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from wsed.errors import WsedError
from wsed.types import Split


@dataclass(frozen=True)
class RunFolder:
    """What `wsed fit`, `validate`, `test` and `predict` leave in a folder, whether it is there yet or not.

    Args:
        path: of the folder, such as `runs/quickstart/seed_0`.

    >>> run = RunFolder(Path("runs/quickstart/seed_0"))
    >>> run.best.as_posix()
    'runs/quickstart/seed_0/checkpoints/best.ckpt'
    >>> run.split("test").report.as_posix()
    'runs/quickstart/seed_0/test/scores.json'
    """

    path: Path

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """The run in a folder.

        Raises:
            WsedError: there is no such folder, or its run is of wsed 0.1.
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
        """The checkpoint of the best epoch on the validation clips."""
        return self.checkpoints / "best.ckpt"

    @property
    def last(self) -> Path:
        """The checkpoint of the last epoch."""
        return self.checkpoints / "last.ckpt"

    def checkpoint(self) -> Path:
        """The best checkpoint, or the last one where none is best.

        Raises:
            WsedError: there is neither.
        """
        for path in (self.best, self.last):
            if path.is_file():
                return path
        raise WsedError(f"{self.path} holds no checkpoint: train with `wsed fit` first")

    def trained(self) -> bool:
        """Whether it holds a checkpoint."""
        return any(self.checkpoints.glob("*.ckpt"))

    def versions(self, verb: str) -> Path:
        """What a verb ran with: the versions of packages, the seed, the command."""
        return self.path / f"versions_{verb}.json"

    def split(self, split: Split) -> "SplitFolder":
        """The folder of one split: `test/`, `validation/` or `predict/`."""
        return SplitFolder(self.path / split)

    def seeds(self) -> list["RunFolder"]:
        """The runs in the folders within this one, such as `seed_0` and `seed_1`; `seed_10` comes after `seed_9`."""
        return sorted((RunFolder(path.parent) for path in self.path.glob("*/config.yaml")), key=_order)

    def check_version(self) -> None:
        """Refuse a run of wsed 0.1.

        Raises:
            WsedError: it is one.
        """
        for path in sorted(self.path.glob("versions_*.json")):
            try:
                version = json.loads(path.read_text(encoding="utf-8")).get("wsed", "")
            except (ValueError, AttributeError):
                continue  # damaged; it only tells what the run was made with
            if str(version).startswith("0.1."):
                raise WsedError(
                    f"{self.path} is a run of wsed {version}, whose settings and checkpoints wsed 0.2 does not read: "
                    "train again, or install that version"
                )


@dataclass(frozen=True)
class SplitFolder:
    """What a run leaves of the clips of one split.

    Args:
        path: of the folder.
    """

    path: Path

    @property
    def report(self) -> Path:
        """All metrics, as JSON."""
        return self.path / "scores.json"

    @property
    def predictions(self) -> Path:
        """The detected events, a table."""
        return self.path / "predictions.tsv"

    @property
    def frame_scores(self) -> Path:
        """The scores of all frames, and what is true of the clips."""
        return self.path / "frame_scores.npz"

    @property
    def clip_scores(self) -> Path:
        """The scores of all clips."""
        return self.path / "clip_scores.npz"

    @property
    def embeddings(self) -> Path:
        """The embeddings of all clips."""
        return self.path / "embeddings.npz"

    @property
    def scores(self) -> Path:
        """The scores of frames, or those of clips if the network only tags."""
        return self.frame_scores if self.frame_scores.is_file() else self.clip_scores

    def picture(self, name: str) -> Path:
        """A picture: `curves`, `class_f1` or `embeddings`."""
        return self.path / f"{name}.png"


def _order(run: RunFolder) -> list[tuple[int, str]]:
    """By name, in which numbers count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", run.path.name)]
