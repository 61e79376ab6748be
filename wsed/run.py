"""The folder of a run: the paths of its files, and their contents as values."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wsed.errors import WsedError
from wsed.literals import checked
from wsed.scoring.formats.confidences import with_confidence
from wsed.scoring.formats.event_table import Notes, as_events, clean_events, read_event_table
from wsed.scoring.formats.run_scores import read_scores
from wsed.scoring.report import Report
from wsed.split_folder import SplitFolder
from wsed.text import read_yaml
from wsed.types import Labels, Split
from wsed.values import Detections, Scores


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
        """The checkpoint from which training continues: of the last epoch, or of a later step."""
        return self.checkpoints / "last.ckpt"

    @property
    def before(self) -> Path:
        """The previous `last` checkpoint; used if `last` is damaged."""
        return self.checkpoints / "before_last.ckpt"

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
        return any(not path.name.startswith(".") for path in self.checkpoints.glob("*.ckpt"))

    def versions(self, verb: str) -> Path:
        """The file with the package versions, the seed and the command of a verb, such as `fit`."""
        return self.path / f"versions_{verb}.json"

    @checked
    def split(self, split: Split) -> "SplitFolder":
        """The folder of a split: `test/`, `validation/` or `predict/`."""
        return SplitFolder(self.path / split)

    @checked
    def report(self, split: Split = "test") -> Report:
        """All metrics of a split.

        Raises:
            WsedError: the split was not scored.
        """
        return Report.read(self._existing(self.split(split).report, split))

    @checked
    def scores(self, split: Split = "test") -> Scores:
        """The scores of the clips of a split.

        Raises:
            WsedError: there are no scores, or they lack the durations of the clips.
        """
        return read_scores(self.split(split).path)[1]

    @checked
    def labels(self, split: Split = "test") -> Labels:
        """The classes, in the order of the scores; errors as for `scores`."""
        return read_scores(self.split(split).path)[0]

    @checked
    def detections(self, split: Split = "test") -> Detections:
        """The events that were detected in the clips of a split; `clip` is an index into `scores(split).clip_ids`.

        Raises:
            WsedError: there are no detections: the network only tags, or the split was not scored.
        """
        path = self._existing(self.split(split).predictions, split)
        labels, scores = read_scores(self.split(split).path)
        table = read_event_table(path, "confidence")
        clips = {name: i for i, name in enumerate(scores.clip_ids)}
        columns, line = clean_events(table, clips, labels, "the folder holds files of two runs", Notes())
        detections = with_confidence(table, as_events(columns), line)
        assert detections is not None
        return detections

    def configuration(self) -> Mapping[str, object]:
        """The settings of the run, as `config.yaml` has them.

        Raises:
            WsedError: there is no such file.
        """
        settings = read_yaml(self.config)
        if not isinstance(settings, Mapping):
            raise WsedError(f"{self.config} holds no settings")
        return settings

    def _existing(self, path: Path, split: Split) -> Path:
        if not path.is_file():
            verb = {"validation": "validate", "train": "validate"}.get(split, split)
            raise WsedError(f"no {path}: run `wsed {verb} --config {self.config} --ckpt_path best`")
        return path

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
                continue  # a damaged file of versions is ignored
            if str(version).startswith("0.1."):
                raise WsedError(
                    f"{self.path} is a run of wsed {version}, whose settings and checkpoints wsed 0.2 does not read: "
                    "train again, or install that version"
                )


def _order(run: RunFolder) -> list[tuple[int, str]]:
    """The key to sort runs by name, with numbers compared as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", run.path.name)]
