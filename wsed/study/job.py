"""A run of a study: the commands that make it, and whether it is done."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wsed.errors import WsedError
from wsed.files import write_text
from wsed.run import RunFolder
from wsed.split_folder import SplitFolder
from wsed.study.rows import Row
from wsed.text import read_json_object, read_yaml

State = Literal["missing", "begun", "done"]
MARK = "reproduce.json"
"""File in the folder of each run of `wsed reproduce`: its settings and, once it is done, the seconds that it took."""


def refuse_file(folder: Path) -> None:
    """Refuse a folder if there is a file at its path, or at that of a folder above it.

    Raises:
        WsedError: there is such a file.

    >>> refuse_file(Path("runs/none"))
    """
    for place in (folder, *folder.parents):
        if place.is_file():
            raise WsedError(f"{place} is a file, where a folder must be: move it away, or give another --out")


@dataclass(frozen=True)
class Job:
    """A run of a row with one seed: a training, or a test of the weights of another row.

    Args:
        study: name of the study.
        row: the row.
        seed: the seed.
        folder: folder of the run.
        configs: configurations, merged in this order.
        flags: settings on the command line.
        needs: folder of the run whose checkpoint it needs.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     job = Job("paper", Row("mil", "MIL", (), (0,)), 0, Path(folder, "seed_0"), (), ())
    ...     states = [job.state()]
    ...     job.mark()
    ...     states.append(job.state())
    >>> job.name, states, job.begun(), len(job.settings()), job.commands(Path("data"))[0][:3]
    ('paper: mil, seed 0', ['missing', 'begun'], False, 16, ['fit', '--data.corpus.root', 'data'])
    """

    study: str
    row: Row
    seed: int
    folder: Path
    configs: tuple[Path, ...]
    flags: tuple[str, ...]
    needs: Path | None = None

    @property
    def name(self) -> str:
        """Study, row and seed."""
        return f"{self.study}: {self.row.name}, seed {self.seed}"

    @property
    def log(self) -> Path:
        """The file with the output of the run."""
        return self.folder / "log.txt"

    def settings(self) -> str:
        """A digest of the settings of the run, without the place of the corpus."""
        digest = hashlib.sha256()
        for part in (*(path.read_bytes() for path in self.configs), *map(str.encode, self.flags)):
            digest.update(part + b"\0")
        return digest.hexdigest()[:16]

    def setting(self, name: str) -> object:
        """A setting such as `trainer.precision`: that of the last flag, or of the last configuration that has it.

        None if none has it.

        >>> from wsed.study.rows import Row
        >>> job = Job("paper", Row("mil", "MIL", (), (0,)), 0, Path("runs"), (), ("--trainer.precision", "32-true"))
        >>> job.setting("trainer.precision"), job.setting("evaluation.tuning")
        ('32-true', None)
        """
        for flag, value in reversed([*zip(self.flags[::2], self.flags[1::2], strict=True)]):
            if f"{flag}.".startswith(f"--{name}."):  # also a part of it
                return value
        section, _, key = name.partition(".")
        sections = [content.get(section) for content in map(read_yaml, self.configs) if isinstance(content, dict)]
        return next((each[key] for each in reversed(sections) if isinstance(each, dict) and key in each), None)

    def state(self) -> State:
        """Whether the run is done, was begun and stopped, or is missing.

        Raises:
            WsedError: the folder or one above it is a file, or it holds other files or a run with other settings.
        """
        refuse_file(self.folder)
        kept = self._kept()
        if kept is None:
            if self.folder.is_dir() and any(self.folder.iterdir()):
                raise WsedError(
                    f"{self.folder} has files that `wsed reproduce` did not write: move it away, or give another --out"
                )
            return "missing"
        if kept.get("settings") != self.settings():
            raise WsedError(
                f"{self.folder} was begun with other settings ({', '.join(path.name for path in self.configs)} or "
                "--scale changed since): give another --out, or remove it"
            )
        there = kept.get("seconds") is not None and RunFolder(self.folder).split("test").report.is_file()
        return "done" if there else "begun"

    def begun(self) -> bool:
        """Whether a run with these settings is in the folder."""
        kept = self._kept()
        return kept is not None and kept.get("settings") == self.settings()

    def _kept(self) -> Mapping[str, object] | None:
        """What `mark` has noted."""
        path = self.folder / MARK
        return read_json_object(path, "remove the folder") if path.is_file() else None

    def mark(self, seconds: float | None = None) -> None:
        """Note that the run is begun, or done after some seconds."""
        self.folder.mkdir(parents=True, exist_ok=True)
        facts = {"row": self.row.name, "seed": self.seed, "settings": self.settings(), "seconds": seconds}
        write_text(self.folder / MARK, json.dumps(facts) + "\n")

    def commands(self, root: Path) -> list[list[str]]:
        """The arguments of `wsed` that make the run, from its last epoch if it was begun.

        Args:
            root: folder of the corpus.

        Raises:
            WsedError: the run that it needs has no checkpoint.
        """
        corpus = "data.corpus" if self.row.predictions_of is None else "data.corpus.corpus"
        shared = [*(f"--config={path}" for path in self.configs), f"--{corpus}.root", str(root), *self.flags]
        settings = [*shared, "--seed_everything", str(self.seed), "--trainer.default_root_dir", str(self.folder)]
        if self.row.weights_of is not None:
            return self._scoring(settings)
        before: list[list[str]] = []
        if self.row.predictions_of is not None:
            before = self._predicting(root, shared)
            settings += ["--data.corpus.predictions", str(self._labels)]
        elif self.needs is not None:
            settings += [f"--{self.row.takes}", str(RunFolder(self.needs).checkpoint())]
        run = RunFolder(self.folder)
        again = ["--ckpt_path", "last"] if run.last.is_file() else ["--overwrite"] if run.config.is_file() else []
        return [*before, ["fit", *settings, *again]]

    @property
    def _labels(self) -> Path:
        """Where the row that labels the clips writes its predictions."""
        return self.folder / "labels"

    def _predicting(self, root: Path, shared: list[str]) -> list[list[str]]:
        """The arguments with which the other row predicts the clips without labels; none if it has done so."""
        if SplitFolder(self._labels / "predict").predictions.is_file():
            return []
        assert self.needs is not None
        trained = RunFolder(self.needs)
        # A row that was trained on pseudo labels has this corpus, perhaps elsewhere; this row may have another network.
        own = ["--data.corpus.corpus.root", str(root)] if _is_pseudo(trained) else shared
        settings = [f"--config={trained.config}", *own, "--data.corpus.predictions", "null"]
        place = ["--trainer.default_root_dir", str(self._labels), "--ckpt_path", str(_tested(trained))]
        return [["predict", *settings, *place]]

    def _scoring(self, settings: list[str]) -> list[list[str]]:
        """Tune, if the row tunes, and test the weights of another row: its checkpoint without its tuned decoder."""
        assert self.needs is not None
        trained, own = RunFolder(self.needs), RunFolder(self.folder)
        source = _tested(trained)
        own.checkpoints.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, own.checkpoints / source.name)
        settings += ["--ckpt_path", source.stem]
        tunes = self.setting("evaluation.tuning") not in (None, "null")
        return [["validate", *settings], ["test", *settings]] if tunes else [["test", *settings]]


def _tested(run: RunFolder) -> Path:
    """The checkpoint that a run tests."""
    return run.last if run.configuration().get("test_checkpoint") == "last" else run.checkpoint()


def _is_pseudo(run: RunFolder) -> bool:
    """Whether a run was trained on pseudo labels."""
    data = run.configuration().get("data")
    corpus = data.get("corpus") if isinstance(data, dict) else None
    return isinstance(corpus, dict) and "predictions" in (corpus.get("init_args") or {})
