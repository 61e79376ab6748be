"""The configuration and the versions that a training writes into the folder of its run."""

import os
import platform
import sys
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import yaml
from lightning.pytorch.cli import SaveConfigCallback

import wsed
from wsed.files import write_text
from wsed.run import RunFolder
from wsed.scoring.plain import to_json

PACKAGES = ("torch", "torchaudio", "lightning", "jsonargparse", "numpy", "soundfile", "soxr")
"""The packages whose versions are written."""


class KeepConfig(SaveConfigCallback):
    """Writes the full configuration and the versions just before the first step, after all checks.

    So a training that is refused, for example because of its checkpoint, leaves the folder unchanged.
    """

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Nothing is written yet."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._writes(trainer):
            return
        run = RunFolder(Path(trainer.default_root_dir))
        if self.config.get("overwrite") and not self.config.get("ckpt_path"):
            for old in [*run.checkpoints.glob("*.ckpt"), *run.checkpoints.glob("*.decoder.yaml")]:
                old.unlink()
        for left in run.checkpoints.glob(".*.part.ckpt"):  # of a training that was killed while it wrote
            left.unlink(missing_ok=True)
        self._write_config(run)
        self._write_versions(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit":
            self._write_missing(trainer)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._write_missing(trainer)

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._write_versions(trainer)

    def _write_missing(self, trainer: pl.Trainer) -> None:
        """The versions, and the configuration of a folder without one: its network was trained in another folder."""
        run = RunFolder(Path(trainer.default_root_dir))
        if self._writes(trainer) and not run.config.is_file():
            self._write_config(run)
        self._write_versions(trainer)

    def _write_config(self, run: RunFolder) -> None:
        once = {"overwrite": False, "ckpt_path": None, "resume": None}  # they belong to this start, not to the run
        config = yaml.safe_load(self.parser.dump(self.config, skip_none=False)) | once
        write_config(run.config, yaml.safe_dump(config, sort_keys=False))

    def _writes(self, trainer: pl.Trainer) -> bool:
        return trainer.is_global_zero and not trainer.fast_dev_run  # type: ignore[attr-defined]

    def _write_versions(self, trainer: pl.Trainer) -> None:
        if self._writes(trainer):
            run = RunFolder(Path(trainer.default_root_dir))
            run.path.mkdir(parents=True, exist_ok=True)
            verb = trainer.state.fn.value if trainer.state.fn is not None else "fit"
            facts = versions(self.config.get("seed_everything"))
            write_text(run.versions(str(verb)), to_json(facts))


def write_config(path: Path, text: str) -> None:
    """Write the configuration of a run; an earlier one with other settings is kept as `config_<n>.yaml`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.read_bytes() != text.encode():
        names = (path.with_name(f"config_{number}.yaml") for number in count())
        write_text(next(name for name in names if not name.exists()), path.read_text(encoding="utf-8"))
    write_text(path, text)


def versions(seed: int | bool | None) -> dict[str, Any]:
    """The facts that a run depends on: versions of packages, machine, seed, command."""
    return {
        "wsed": wsed.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        **{name: version(name) for name in PACKAGES},
        "seed": seed,
        "command": ["wsed", *sys.argv[1:]],
    }
