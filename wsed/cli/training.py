"""`wsed fit | validate | test | predict`: LightningCLI with registry names and a run folder that keeps everything."""

import logging
import os
import platform
import sys
import warnings
from argparse import ArgumentError
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonargparse import set_loader
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

import wsed
from wsed.cli.callbacks import EpochLine, KeepMemory, keep_last
from wsed.cli.configs import prepared
from wsed.cli.moved import check_arguments, check_config
from wsed.cli.names import load_yaml
from wsed.cli.show import show
from wsed.data.module import SEDDataModule
from wsed.errors import WsedError
from wsed.models.pretrained import read_checkpoint
from wsed.report.scores import write_json
from wsed.training.evaluation import Evaluation
from wsed.training.ranking import KeepBest
from wsed.training.task import SEDTask

rank_zero_log = logging.getLogger("lightning.pytorch.utilities.rank_zero")

QUIET = (
    ".*does not have many workers.*",
    ".*number of training batches.*logging interval.*",
    ".*isinstance.treespec.*",
    ".*exists and is not empty.*",
    ".*No CUDA runtime.*",
    ".*Be aware that when using `ckpt_path`.*",
    ".*not supported by the model summary.*",
    "predict returned None.*",
    ".*recommended to use .*sync_dist=True.*",  # scores are computed from all ranks' clips on each rank
    ".*in eval mode at the start of training.*",  # frozen parts: a tagger, a teacher
    ".*lightning-hq.*",
    ".*args parameter is intended to run from within Python.*",
)
"""Warnings of Lightning that do not concern a user of wsed."""


def load(text: str) -> Any:
    """YAML with names resolved; settings of wsed 0.1 that have moved are refused."""
    config = load_yaml(text)
    check_config(config)
    return config


set_loader("wsed", load, exceptions=(yaml.YAMLError,))  # here, so that processes started by ddp_spawn have it


class KeepConfig(SaveConfigCallback):
    """Writes the full configuration and the versions to the run's folder before the first step."""

    def setup(self, trainer: Trainer, pl_module: Any, stage: str) -> None:
        if not trainer.is_global_zero or trainer.fast_dev_run:  # type: ignore[attr-defined]
            return
        folder = Path(trainer.default_root_dir)
        folder.mkdir(parents=True, exist_ok=True)
        if stage == "fit":
            once = {"overwrite": False, "ckpt_path": None}  # of this start, not of the run
            config = yaml.safe_load(self.parser.dump(self.config, skip_none=False)) | once
            write_config(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False))
        write_json(
            folder / f"versions_{getattr(stage, 'value', stage)}.json", versions(self.config.get("seed_everything"))
        )


class WsedCLI(LightningCLI):
    """LightningCLI whose runs live in one folder: `trainer.default_root_dir`."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.link_arguments("data.labels", "model.labels", apply_on="instantiate")
        parser.add_lightning_class_args(Evaluation, "evaluation")
        parser.add_argument("--test_after_fit", type=bool, default=True, help="score a checkpoint after fit")
        parser.add_argument(
            "--test_checkpoint", type=Literal["best", "last"], default="best", help="which: best on validation, or last"
        )
        parser.add_argument("--overwrite", action="store_true", help="let a new training replace a run in its folder")

    def _parse_ckpt_path(self) -> None:
        """Lightning would look for hyperparameters in the checkpoint, before we can say what is wrong with the file."""

    def before_instantiate_classes(self) -> None:
        """Settle the run's folder and where the checkpoint is, and refuse to overwrite a run."""
        config = self.config[self.subcommand]
        folder = Path(config.trainer.default_root_dir or _default_folder(config))
        config.trainer.default_root_dir = str(folder)
        if config.weights_only is None:
            config.weights_only = True  # a checkpoint of a stranger executes nothing
        checkpoints = folder / "checkpoints"
        if config.ckpt_path in ("best", "last"):
            path = checkpoints / f"{config.ckpt_path}.ckpt"
            if not path.is_file():
                raise WsedError(f"no checkpoint {path}: give --trainer.default_root_dir, or start without --ckpt_path")
            config.ckpt_path = str(path)
        if self.subcommand in ("validate", "test"):
            config.verbose = False  # our own table is printed
        if self.subcommand == "predict":
            config.return_predictions = False  # Evaluation writes them; the outputs need not stay in memory
        if self.subcommand != "fit" and not config.ckpt_path:
            raise WsedError(f"wsed {self.subcommand} needs a checkpoint: add --ckpt_path best, last or a file")
        if config.ckpt_path:
            _check_readable(Path(config.ckpt_path))
        if (
            self.subcommand == "fit"
            and not config.ckpt_path
            and not config.overwrite
            and any(checkpoints.glob("*.ckpt"))
        ):
            raise WsedError(
                f"{folder} holds a run already: continue it with --ckpt_path last, choose another folder with "
                "--trainer.default_root_dir, or pass --overwrite"
            )
        if str(config.trainer.precision) in ("bf16-true", "16-true"):
            raise WsedError(
                f"trainer.precision {config.trainer.precision} is not supported; use bf16-mixed or 16-mixed"
            )
        self._overwrite = bool(config.get("overwrite")) and not config.ckpt_path

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        config = self._get(self.config_init, "trainer", default={})
        folder = Path(config["default_root_dir"])
        if config.get("logger") is None:
            kwargs["logger"] = [CSVLogger(folder, name="csv"), TensorBoardLogger(folder, name="tensorboard")]
        own = config.get("callbacks") or []
        own = list(own) if isinstance(own, Sequence) else [own]
        if self.subcommand == "fit":
            ranks = self.evaluation if self._has("validation") else None
            own += [KeepBest(folder / "checkpoints", ranks), keep_last(folder / "checkpoints")]
        elif config.get("enable_checkpointing") is None:
            kwargs["enable_checkpointing"] = False
        if config.get("enable_model_summary") is None:
            kwargs["enable_model_summary"] = False
        if config.get("enable_progress_bar") is None and not sys.stderr.isatty():
            kwargs["enable_progress_bar"] = False
        return super().instantiate_trainer(callbacks=[*own, *self.own_callbacks()], **kwargs)

    def own_callbacks(self) -> list[Callback]:
        """What every trainer gets."""
        return [EpochLine(), KeepMemory()]

    @property
    def evaluation(self) -> Evaluation:
        """The callback that scores."""
        evaluation: Evaluation = self._get(self.config_init, "evaluation")
        return evaluation

    def after_instantiate_classes(self) -> None:
        """The checkpoint carries the part of the configuration that builds the network."""
        self.evaluation.check(self.model)
        network = self.model.network
        if self.trainer.is_global_zero:
            parameters = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
            rate = f"{network.frame_rate:.1f} frames a second at {network.sample_rate} Hz"
            print(f"network: {parameters:,} trainable parameters, {rate}, {len(network.labels)} labels")
        if self._overwrite and self.trainer.is_global_zero:
            for old in (Path(self.trainer.default_root_dir) / "checkpoints").glob("*.ckpt"):
                old.unlink()
        text = self._parser(self.subcommand).dump(self.config[self.subcommand], skip_none=False)
        self.model.config = yaml.safe_dump(yaml.safe_load(text)["model"]["network"])

    def before_validate(self) -> None:
        """Refuse what the corpus cannot give."""
        self._expect("validation")

    def before_test(self) -> None:
        """As before."""
        self._expect("test")

    def before_predict(self) -> None:
        """As before."""
        self._expect("predict")

    def before_fit(self) -> None:
        """Find mistakes in the test labels now, not after hours of training."""
        tuning = self.evaluation.tuning
        if self._get(self.config, "test_after_fit") and self._has("test"):
            table = self.datamodule.check_labels("test")
            if tuning is not None and tuning.split == "test":
                tuning.check_events(table.timed)
        if tuning is not None and not self._has(tuning.split):
            raise WsedError(
                f"evaluation.tuning.split is {tuning.split}, but the corpus has no such clips: name their table in "
                f"data.corpus.{tuning.split}, or set evaluation.tuning to null"
            )

    def after_fit(self) -> None:
        """Tune the decoder of the best (or last) checkpoint if asked, and score it on the test clips."""
        trainer, tuning = self.trainer, self.evaluation.tuning
        if trainer.fast_dev_run or trainer.interrupted:  # type: ignore[attr-defined]
            return
        name = f"{self._get(self.config, 'test_checkpoint')}.ckpt"
        checkpoint = Path(trainer.default_root_dir) / "checkpoints" / name
        if not checkpoint.is_file():  # without validation none is best
            checkpoint = checkpoint.with_name("last.ckpt")
        given = {
            "datamodule": self.datamodule, "ckpt_path": str(checkpoint), "weights_only": True, "verbose": False
        }  # fmt: skip
        if tuning is not None and tuning.split == "validation":
            trainer.validate(self.model, **given)
        if self._get(self.config, "test_after_fit") and self._has("test"):
            trainer.test(self.model, **given)
            self.after_test()

    def after_validate(self) -> None:
        """Print the scores and where the pictures are."""
        if self.trainer.is_global_zero:
            show(Path(self.trainer.default_root_dir), "validation")

    def after_test(self) -> None:
        """Print the scores and where the pictures are."""
        if self.trainer.is_global_zero:
            show(Path(self.trainer.default_root_dir), "test")

    def after_predict(self) -> None:
        """Say where the detected events are, or the scores of a network that only tags."""
        if self.trainer.is_global_zero:
            folder = Path(self.trainer.default_root_dir) / "predict"
            for name, what in (("predictions.tsv", "detected events"), ("clip_scores.npz", "clip scores")):
                if (folder / name).is_file():
                    print(f"{what}: {folder / name}")

    def _expect(self, stage: str) -> None:
        if not self._has(stage):
            raise WsedError(f"the corpus has no clips for {stage}: name their table in data.corpus.{stage}")

    def _has(self, stage: str) -> bool:
        """Whether there are clips for a stage."""
        return bool(self.datamodule.has(stage))


def run(args: Sequence[str], cli: type[WsedCLI] = WsedCLI) -> int:
    """Run a training verb; returns the exit status."""
    for message in QUIET:
        warnings.filterwarnings("ignore", message)
    rank_zero_log.addFilter(lambda record: "litlogger" not in record.getMessage())
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # a class of the user's own lies beside the YAML that names it
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # Lightning's affair, not the user's
    try:
        check_arguments(args)
        with prepared(args) as arguments:
            cli(
                SEDTask,
                SEDDataModule,
                save_config_callback=KeepConfig,
                save_config_kwargs={"overwrite": True},
                trainer_defaults={"use_distributed_sampler": False, "num_sanity_val_steps": 0},
                seed_everything_default=0,
                parser_kwargs={"parser_mode": "wsed", "exit_on_error": False},
                auto_configure_optimizers=False,
                load_from_checkpoint_support=False,
                args=arguments,
            )
    except Exception as error:
        told = user_error(error)
        if told is error:
            raise
        raise told from error
    return 0


def user_error(error: Exception) -> Exception:
    """What the user is told: our own message if one started the chain, else what the parser says, without its dumps."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, WsedError):
            return link
        link = link.__cause__ or link.__context__
    if isinstance(error, MisconfigurationException | OSError):
        return WsedError(str(error))
    if isinstance(error, RuntimeError) and "loading state_dict" in str(error):
        return WsedError(f"the checkpoint is of another network than the configuration builds: {str(error)[:600]}")
    if not isinstance(error, ArgumentError):
        return error
    lines = [line.split(" Got value:")[0].split(" Given value")[0].rstrip() for line in str(error).splitlines()]
    kept = list(dict.fromkeys(line for line in lines if line.strip() and not line.strip().startswith("Given value")))
    return WsedError("\n".join([*kept, "`wsed VERB --help` lists the settings"]))


def _check_readable(path: Path) -> None:
    if not path.is_file():
        raise WsedError(f"no such checkpoint: {path}")
    read_checkpoint(path)


def write_config(path: Path, text: str) -> None:
    """Write a run's configuration; one that differs (resumed with other settings) is kept as `config_<n>.yaml`."""
    if path.is_file() and path.read_text() != text:
        count = len(list(path.parent.glob("config_*.yaml")))
        path.rename(path.with_name(f"config_{count}.yaml"))
    path.write_text(text)


def versions(seed: Any) -> dict[str, Any]:
    """What a run depended on: packages, machine, seed, command."""
    packages = ("torch", "torchaudio", "lightning", "jsonargparse", "numpy", "soundfile", "soxr")
    return {
        "wsed": wsed.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        **{name: version(name) for name in packages},
        "seed": seed,
        "command": ["wsed", *sys.argv[1:]],
    }


def _default_folder(config: Any) -> Path:
    files = [str(f) for f in config.get("config") or []]
    return Path("runs") / (Path(files[0]).stem if files else "unnamed") / f"seed_{config.seed_everything}"
