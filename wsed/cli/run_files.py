"""What a training leaves in its folder beside checkpoints and scores: the configuration and the versions."""

import os
import platform
import sys
from importlib.metadata import version
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
"""Whose versions are kept."""


class KeepConfig(SaveConfigCallback):
    """Writes the full configuration and the versions when everything was accepted, just before the first step.

    A start that is refused, also one whose checkpoint does not fit, leaves the folder as it was.
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
        once = {"overwrite": False, "ckpt_path": None}  # of this start, not of the run
        config = yaml.safe_load(self.parser.dump(self.config, skip_none=False)) | once
        write_config(run.config, yaml.safe_dump(config, sort_keys=False))
        self._write_versions(trainer)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit":
            self._write_versions(trainer)

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._write_versions(trainer)

    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._write_versions(trainer)

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
    """Write a run's configuration; one that differs (resumed with other settings) is kept as `config_<n>.yaml`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file() and path.read_bytes() != text.encode():
        count = len(list(path.parent.glob("config_*.yaml")))
        path.rename(path.with_name(f"config_{count}.yaml"))
    write_text(path, text)


def versions(seed: int | bool | None) -> dict[str, Any]:
    """What a run depends on: packages, machine, seed, command."""
    return {
        "wsed": wsed.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        **{name: version(name) for name in PACKAGES},
        "seed": seed,
        "command": ["wsed", *sys.argv[1:]],
    }
