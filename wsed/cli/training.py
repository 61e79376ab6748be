"""`wsed fit | validate | test | predict`: LightningCLI with registered names; a run writes into one folder."""

import os
import re
import sys
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from typing import Any, Literal

import yaml
from jsonargparse import set_loader
from lightning.fabric.plugins.io import CheckpointIO
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.strategies.launchers import _MultiProcessingLauncher

from wsed.build import weights_are_loaded
from wsed.checkpoint import load_exactly, read_weights, start_from
from wsed.cli.callbacks import EpochLine, KeepMemory
from wsed.cli.check_monitors import check_monitors
from wsed.cli.configs import prepared
from wsed.cli.keep_last import KeepLast
from wsed.cli.lost import WAIT, limit_waits
from wsed.cli.messages import quiet, user_error
from wsed.cli.moved import check_arguments, check_config
from wsed.cli.names import load_yaml
from wsed.cli.ranks import is_first
from wsed.cli.run_files import KeepConfig
from wsed.cli.settings import settle
from wsed.cli.show import show
from wsed.cli.signals import Signals, TakeSignals, end_with_first
from wsed.cli.stopped import Stopped
from wsed.data.module import SEDDataModule
from wsed.errors import WsedError
from wsed.files import lock_holder, try_lock
from wsed.run import RunFolder
from wsed.training.evaluation import Evaluation
from wsed.training.parts import parameter_groups
from wsed.training.ranking import KeepBest, check_scores
from wsed.training.task import SEDTask
from wsed.training.whole import WholeCheckpoints
from wsed.types import Split

MERGED = (
    "Each FILE is merged over those before it, and settings on the command line over all files. With --trusted false, "
    "files may name only components of wsed: use it for a file from a stranger."
)

PLAIN = re.compile(r"(?!(?:true|false|null)$)[A-Za-z_][\w./-]*", flags=re.IGNORECASE)
"""Texts that YAML reads unchanged; the parser loads hundreds of them."""

LIMITS = {name: f"limit_{name.removesuffix('idation')}_batches" for name in ("train", "validation", "test", "predict")}
"""The setting of the trainer that limits the batches of each split."""


def load(text: str) -> Any:
    """Load YAML and resolve its names; settings of wsed 0.1 that have moved are refused."""
    if text == "None":  # jsonargparse writes null in this way for the settings of components
        return None
    if PLAIN.fullmatch(text):
        return text
    config = load_yaml(text)
    check_config(config)
    return config


set_loader("wsed", load, exceptions=(yaml.YAMLError,))  # here, so that processes started by ddp_spawn have it


class Parser(LightningArgumentParser):
    """A parser for which the text of a setting is never a file to read the setting from: `tags.csv` names a table."""

    def add_class_arguments(self, *args: Any, sub_configs: bool = False, **kwargs: Any) -> list[str]:
        del sub_configs
        names: list[str] = super().add_class_arguments(*args, sub_configs=False, **kwargs)
        return names


class WsedCLI(LightningCLI):
    """LightningCLI whose runs live in one folder: `trainer.default_root_dir`."""

    signals = Signals()
    held = ExitStack()
    """What is held until the verb ends."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.usage = "%(prog)s --config FILE [--config FILE ...] [--SETTING VALUE ...] [--trusted false]"
        parser.epilog = MERGED
        parser.link_arguments("data.labels", "model.labels", apply_on="instantiate")
        parser.add_lightning_class_args(Evaluation, "evaluation")
        parser.set_defaults({"evaluation.decoder": {"class_path": "wsed.decoding.StepDecoder"}})
        parser.add_argument("--test_after_fit", type=bool, default=True, help="score a checkpoint after fit")
        parser.add_argument(
            "--test_checkpoint",
            type=Literal["best", "last"],
            default="best",
            help="checkpoint to score: best on validation, or last",
        )
        parser.add_argument(
            "--init_from", type=str | None, default=None,
            help="checkpoint whose weights the network starts from, as far as they fit; its classes may differ",
        )  # fmt: skip
        parser.add_argument(
            "--resume", type=Literal["auto"] | None, default=None,
            help="auto: continue from the last checkpoint in the folder of the run; start if there is none",
        )  # fmt: skip
        parser.add_argument(
            "--every_n_train_steps", type=int | None, default=None,
            help="also write checkpoints within an epoch: optimiser steps between them",
        )  # fmt: skip
        parser.add_argument(
            "--rank_timeout", type=float, default=float(WAIT),
            help="seconds that a process waits for another one, before it ends with an error",
        )  # fmt: skip
        parser.add_argument("--overwrite", action="store_true", help="let a new training replace the run in its folder")

    def _parse_ckpt_path(self) -> None:
        """Do nothing: Lightning would look for hyperparameters in the checkpoint before we have checked the file."""

    def instantiate_classes(self) -> None:
        """Build all; files of starting weights are not read if a checkpoint replaces the weights."""
        with weights_are_loaded() if self._get(self.config, "ckpt_path") else nullcontext():
            super().instantiate_classes()

    def before_instantiate_classes(self) -> None:
        """Settle the run's folder and where the checkpoint is, and refuse to overwrite a run."""
        settings = self.config[self.subcommand]
        settle(str(self.subcommand), settings)
        if self.subcommand == "fit" and is_first():
            self.held.enter_context(_alone(Path(settings.trainer.default_root_dir)))

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        config = self._get(self.config_init, "trainer", default={})
        run = RunFolder(Path(config["default_root_dir"]))
        if config.get("logger") is None:
            kwargs["logger"] = [CSVLogger(run.path, name="csv"), TensorBoardLogger(run.path, name="tensorboard")]
        own = config.get("callbacks") or []
        own = list(own) if isinstance(own, Sequence) else [own]
        if self.subcommand == "fit":
            ranks = self.evaluation if self._has("validation") else None
            every = self._get(self.config_init, "every_n_train_steps")
            own += [KeepBest(run.checkpoints, ranks), KeepLast(run.checkpoints, every, self.signals)]
            plugins = config.get("plugins") or []
            plugins = list(plugins) if isinstance(plugins, list | tuple) else [plugins]
            if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
                kwargs["plugins"] = [*plugins, WholeCheckpoints()]
        elif config.get("enable_checkpointing") is None:
            kwargs["enable_checkpointing"] = False
        if config.get("enable_model_summary") is None:
            kwargs["enable_model_summary"] = False
        if config.get("enable_progress_bar") is None and not sys.stderr.isatty():
            kwargs["enable_progress_bar"] = False
        trainer = super().instantiate_trainer(callbacks=[*own, *self.own_callbacks()], **kwargs)
        limit_waits(trainer, self._get(self.config_init, "rank_timeout"))
        forks = isinstance(trainer.strategy.launcher, _MultiProcessingLauncher)  # then this process meets nobody
        self.signals.meeting = trainer.world_size > 1 and not forks
        return trainer

    def own_callbacks(self) -> list[Callback]:
        """The callbacks that every trainer gets."""
        return [EpochLine(), KeepMemory(), TakeSignals(self.signals)]

    @property
    def evaluation(self) -> Evaluation:
        """The callback that scores."""
        evaluation: Evaluation = self._get(self.config_init, "evaluation")
        return evaluation

    def after_instantiate_classes(self) -> None:
        """Check the patterns of `model.parts`, describe the network, and load the weights of `--init-from`."""
        self.evaluation.check(self.model)
        if self.subcommand == "fit":
            check_scores(self.evaluation.rank_by)
            parameter_groups(self.model.named_parameters(), self.model.parts)
            check_monitors(self.trainer.callbacks, list(self.model.needs))  # type: ignore[attr-defined]
        network = self.model.network
        if self.trainer.is_global_zero:
            parameters = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
            rate = f"{network.frame_rate:.1f} frames per second at {network.sample_rate} Hz"
            print(f"network: {parameters:,} trainable parameters, {rate}, {len(network.labels)} labels")
        checkpoint = self._get(self.config, "ckpt_path")
        if checkpoint:  # before the data is set up, which may compare the features of frontends
            with suppress(WsedError):  # Lightning loads it again; then callbacks say what does not fit
                load_exactly(network, read_weights(checkpoint), checkpoint)
        path = self._get(self.config, "init_from")
        if self.subcommand == "fit" and path is not None and not checkpoint:
            started = start_from(network, path)
            if self.trainer.is_global_zero:
                print(f"starts from {path}: {started}")

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except Stopped:
            raise
        except SystemExit:
            if self.trainer.interrupted:  # Lightning ends a run that is stopped by Ctrl-C with status 1
                raise KeyboardInterrupt from None
            raise

    def before_validate(self) -> None:
        """Refuse a corpus without validation clips."""
        self._expect("validation")

    def before_test(self) -> None:
        """Refuse a corpus without test clips."""
        self._expect("test")

    def before_predict(self) -> None:
        """Refuse a corpus without clips to predict."""
        self._expect("predict")

    def before_fit(self) -> None:
        """Find mistakes in the test labels now, not after hours of training."""
        tuning = self.evaluation.tuning
        if self._tests():
            table = self.datamodule.check_labels("test")
            if tuning is not None and tuning.split == "test":
                tuning.check_events(table.timed)
        if tuning is not None and not self._has(tuning.split):
            raise WsedError(
                f"evaluation.tuning.split is {tuning.split}, but the corpus has no such clips: set "
                f"{self.datamodule.corpus.setting(tuning.split)}, or set evaluation.tuning to null"
            )
        if tuning is not None and self._tests() and self._is_off(tuning.split):
            raise WsedError(
                f"evaluation.tuning needs the {tuning.split} clips, but trainer.{LIMITS[tuning.split]} is 0: remove "
                "that limit, or set evaluation.tuning to null"
            )

    def after_fit(self) -> None:
        """Tune the decoder of the best (or last) checkpoint if asked, and score it on the test clips."""
        trainer, tuning = self.trainer, self.evaluation.tuning
        if trainer.fast_dev_run or trainer.interrupted:  # type: ignore[attr-defined]
            return
        run = RunFolder(Path(trainer.default_root_dir))
        if not run.trained():
            print("no step was taken: there is no checkpoint to score")
            return
        self._name_best()
        checkpoint = run.last if self._get(self.config, "test_checkpoint") == "last" else run.checkpoint()
        arguments = {
            "datamodule": self.datamodule, "ckpt_path": str(checkpoint), "weights_only": True, "verbose": False
        }  # fmt: skip
        if tuning is not None and tuning.split == "validation":
            trainer.validate(self.model, **arguments)
        if self._tests():
            trainer.test(self.model, **arguments)
            self.after_test()

    def _name_best(self) -> None:
        """Name the best epoch and the metric that chose it."""
        for keeper in self.trainer.checkpoint_callbacks:
            if isinstance(keeper, KeepBest) and keeper.ranks is not None and keeper.best_epoch is not None:
                values = zip(self.evaluation.rank_by, keeper.best, strict=False)
                name, value = next((pair for pair in values if pair[1] > 0), (self.evaluation.rank_by[0], 0.0))
                if self.trainer.is_global_zero:
                    print(f"best epoch: {keeper.best_epoch}, by {name} {value:.4f} (evaluation.rank_by)")

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
            folder = RunFolder(Path(self.trainer.default_root_dir)).split("predict")
            for path, what in ((folder.predictions, "detected events"), (folder.clip_scores, "clip scores")):
                if path.is_file():
                    print(f"{what}: {path}")

    def _expect(self, split: Split) -> None:
        if not self._has(split):
            raise WsedError(f"the corpus has no clips for {split}: set {self.datamodule.corpus.setting(split)}")
        if self._is_off(split):
            raise WsedError(f"trainer.{LIMITS[split]} is 0, so no clip would be read: remove that limit")

    def _has(self, split: Split) -> bool:
        """Whether there are clips of a split."""
        return bool(self.datamodule.has(split))

    def _is_off(self, split: Split) -> bool:
        """Whether the trainer is told to read no clips of a split."""
        return bool(self._get(self.config_init, "trainer").get(LIMITS[split]) == 0)

    def _tests(self) -> bool:
        """Whether a training ends with a test."""
        return bool(self._get(self.config, "test_after_fit")) and self._has("test") and not self._is_off("test")


def _alone(folder: Path) -> ExitStack:
    """A lock on the folder of a run.

    Raises:
        WsedError: another training writes there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = try_lock(folder / "fit.lock")
    if lock is None:
        raise WsedError(
            f"another `wsed fit` is training in {folder}: wait for it, or choose another folder with "
            f"--trainer.default_root_dir{lock_holder(folder / 'fit.lock')}"
        )
    return lock


def only(verb: str, cli: type[WsedCLI], **values: object) -> type[WsedCLI]:
    """The command line of one verb: building the parsers of all four takes most of the start."""
    verbs = staticmethod(lambda: {verb: LightningCLI.subcommands()[verb]})
    return type(cli.__name__, (cli,), {"subcommands": verbs, **values})


def run(args: Sequence[str], cli: type[WsedCLI] = WsedCLI) -> int:
    """Run a training verb, the first of the arguments, and return the exit status."""
    quiet()
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # for classes of the user's own; last, so that they shadow no others
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    os.environ.setdefault("JSONARGPARSE_DEPRECATION_WARNINGS", "off")  # they concern Lightning, not the user
    end_with_first()
    try:
        check_arguments(args)
        with prepared(args) as arguments, Signals() as signals, ExitStack() as held:
            only(args[0], cli, signals=signals, held=held)(
                SEDTask,
                SEDDataModule,
                save_config_callback=KeepConfig,
                save_config_kwargs={"overwrite": True},
                trainer_defaults={"use_distributed_sampler": False, "num_sanity_val_steps": 0},
                seed_everything_default=0,
                parser_class=Parser,
                parser_kwargs={"parser_mode": "wsed", "exit_on_error": False},
                auto_configure_optimizers=False,
                load_from_checkpoint_support=False,
                args=arguments,
            )
    except Exception as error:
        message = user_error(error)
        if message is error:
            raise
        raise message from error
    return 0
