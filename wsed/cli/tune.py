"""`wsed tune`: search the settings of a training."""

import argparse
import contextlib
import copy
import io
import json
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import yaml

from wsed.cli.space import Range, places, put, read_space
from wsed.cli.training import WsedCLI
from wsed.cli.training import run as train
from wsed.errors import WsedError
from wsed.files import locked, try_lock
from wsed.report.trials import draw_trials, write_trials

DESCRIPTION = """\
Train with many settings and keep those that do well on the validation clips; test clips are never looked at.

Settings are drawn by a tree-structured Parzen estimator. After 1, 4, 16 times --first_rung epochs only the best quarter
of the trainings that came so far goes on (asynchronous successive halving, Li et al. 2018); nobody waits for anybody.

The study is one SQLite file. Start the command again to go on with it: a training that was killed continues from its
last epoch. Start it in several terminals, or on machines that share the folder, and they share the trials. The folder
holds their locks and checkpoints, so they share it with --storage too."""

EXAMPLES = """\
examples:
  wsed tune --config exp.yaml --space space.yaml --trials 40
  wsed tune --config exp.yaml --space space.yaml --trials 40 --monitor val/tagging_f1
  wsed tune --config exp.yaml --space space.yaml --trials 40 --data.root data/waa --trainer.max_epochs 64

a space, by the paths of settings in the configuration (init_args may be left out):
  model.optimizer.lr: {low: 1e-4, high: 1e-2, log: true}
  model.network.encoder.dropout: {low: 0.0, high: 0.5}
  data.per_class: {low: 1, high: 4}                             whole numbers
  model.network.head.aggregation: {choices: [mean, max]}"""

TAKES_SETTINGS = True
"""Arguments it does not know are settings of the training."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed tune` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.usage = "wsed tune --config FILE --space FILE [options] [--any.setting VALUE ...]"
    parser.add_argument(
        "--config", type=Path, action="append", required=True, metavar="FILE", help="as for wsed fit; may be repeated"
    )
    parser.add_argument("--space", type=Path, required=True, metavar="FILE", help="the settings to search, see below")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the study (default: runs/tune/CONFIG)")
    parser.add_argument("--storage", metavar="URL", help="database of the trials (default: sqlite:///DIR/study.db)")
    parser.add_argument("--trials", type=_count, default=20, metavar="N", help="in the study in all (default: 20)")
    parser.add_argument("--monitor", default="val/score", metavar="NAME", help="what counts (default: val/score)")
    parser.add_argument("--minimize", action="store_true", help="the lowest value is best, as of val/loss")
    parser.add_argument("--first_rung", type=_count, default=5, metavar="N", help="epochs of every trial (default: 5)")
    parser.add_argument("--seed", type=int, metavar="N", help="of the draws; give it to one process only")


def run(args: argparse.Namespace) -> int:
    """Run trials until the study has as many as asked for; returns the exit status.

    Raises:
        WsedError: optuna is not installed, the space does not fit the configuration, the study has another space or
            folder, or all trials failed.
    """
    _optuna()
    space = read_space(args.space)
    out = args.out or Path("runs/tune") / args.config[0].stem
    out.mkdir(parents=True, exist_ok=True)
    base = read_config([*(f"--config={path}" for path in args.config), *args.settings])
    Search(open_study(args, space, out), base, space, out, args.monitor, args.trials).run()
    return 0


def open_study(args: argparse.Namespace, space: dict[str, Range], out: Path) -> Any:
    """Create the study of a folder, or load it.

    Raises:
        WsedError: the study searches another space, or has another folder.
    """
    optuna = _optuna()
    url = args.storage or f"sqlite:///{out / 'study.db'}"
    # SQLite has one writer at a time: wait for it longer than the usual 5 s
    engine = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    with alone(out):
        study = optuna.create_study(
            study_name="wsed",
            storage=optuna.storages.RDBStorage(url, engine_kwargs=engine),
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=args.first_rung),
            direction="minimize" if args.minimize else "maximize",
            load_if_exists=True,
        )
        _same_folder(study, url, out)
        _same_space(study, space, out)
    # with the seed as it is, a study that goes on would draw its first trials again
    seed = None if args.seed is None else args.seed + len(study.get_trials(deepcopy=False))
    study.sampler = optuna.samplers.TPESampler(seed=seed)
    return study


@contextlib.contextmanager
def alone(out: Path) -> Iterator[None]:
    """Meanwhile no other process with this folder opens the study, takes a trial or writes the report."""
    with locked(out / "study.lock"):
        yield


class Search:
    """The trials of one process.

    Args:
        study: of optuna.
        base: the full configuration.
        space: what varies in it.
        out: each trial has a folder in it.
        monitor: the logged value that counts.
        trials: in the study in all.
    """

    def __init__(
        self, study: Any, base: dict[str, Any], space: dict[str, Range], out: Path, monitor: str, trials: int
    ) -> None:
        self.study, self.base, self.space, self.out = study, base, space, out
        self.monitor, self.trials = monitor, trials
        self.places = places(base, space)

    def run(self) -> None:
        """Finish what a killed process left, then draw new trials."""
        failure = None
        while (found := self._next()) is not None:
            trial, lock = found
            with lock:
                failure = self._run(trial) or failure
            self._report()
        self._report()
        finished = [t for t in self.study.get_trials(deepcopy=False) if t.value is not None]
        if not finished:
            raise WsedError(f"no trial has a value{f'; the last one said: {failure}' if failure else ''}")
        best = self.study.best_trial
        print(f"best of {len(self.study.trials)} trials: {best.number}, {self.monitor} {best.value:.4g}")
        print(yaml.safe_dump({name: self._value(best, name) for name in self.space}, sort_keys=False), end="")
        print(f"its configuration: {self._folder(best.number) / 'settings.yaml'}; all: {self.out / 'trials.tsv'}")

    def _next(self) -> tuple[Any, contextlib.ExitStack] | None:
        """A trial to run, and the lock that says that its process lives; None where the study has enough."""
        import optuna

        with alone(self.out):
            for old in self.study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
                if (lock := self._lock(old.number)) is not None:
                    if not self.study.get_trials(deepcopy=False)[old.number].state.is_finished():
                        print(f"trial {old.number} goes on", flush=True)
                        return optuna.trial.Trial(self.study, old._trial_id), lock
                    lock.close()
            if len(self.study.get_trials(deepcopy=False)) >= self.trials:
                return None
            trial = self.study.ask()
            lock = self._lock(trial.number)
            assert lock is not None, "nobody else knows of the trial"
            return trial, lock

    def _run(self, trial: Any) -> str | None:
        """Train, and tell the study; returns what went wrong."""
        from optuna import TrialPruned
        from optuna.trial import TrialState

        for name, values in self.space.items():
            values.suggest(trial, name)
        report, start = Report(trial, self.monitor, self.study.direction.name == "MAXIMIZE"), time.monotonic()
        try:
            self._train(trial, report)
            if report.best is None:
                raise WsedError(f"--monitor: the training logs no {self.monitor!r}; it logs {', '.join(report.logged)}")
            self.study.tell(trial, report.best)
            said = f"{self.monitor} {report.best:.4g}"
        except TrialPruned:
            self.study.tell(trial, state=TrialState.PRUNED)
            said = f"stopped early, {self.monitor} {report.best:.4g}"
        except WsedError as error:
            self.study.tell(trial, state=TrialState.FAIL)
            print(f"trial {trial.number}: failed: {error}", flush=True)
            return str(error)
        except Exception:  # a mistake of ours or the machine's: with the same settings it would come again
            self.study.tell(trial, state=TrialState.FAIL)
            raise
        print(f"trial {trial.number}: {said}, {time.monotonic() - start:.0f} s", flush=True)
        return None

    def _train(self, trial: Any, report: "Report") -> None:
        folder = self._folder(trial.number)
        config = copy.deepcopy(self.base)
        for name, path in self.places.items():
            put(config, path, self._value(trial, name))
        (folder / "settings.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        args = ["fit", "--config", str(folder / "settings.yaml"), "--trainer.default_root_dir", str(folder)]
        args += ["--test_after_fit", "false", "--trainer.enable_progress_bar", "false"]
        args += ["--ckpt_path", "last"] if (folder / "checkpoints/last.ckpt").is_file() else []

        class TrialCLI(WsedCLI):
            def own_callbacks(self) -> list[pl.Callback]:
                return [*super().own_callbacks(), report]

        with (folder / "log.txt").open("a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
            train(args, TrialCLI)

    def _value(self, trial: Any, name: str) -> Any:
        value = trial.params[name]
        return json.loads(value) if self.space[name].choices else value

    def _folder(self, number: int) -> Path:
        return self.out / f"trial_{number:04d}"

    def _lock(self, number: int) -> contextlib.ExitStack | None:
        """Of a trial; None where another process has it. That of a process that dies is free."""
        self._folder(number).mkdir(exist_ok=True)
        return try_lock(self._folder(number) / "lock")

    def _report(self) -> None:
        with alone(self.out):  # else older trials could replace newer ones
            trials = self.study.get_trials(deepcopy=False)
            write_trials(self.out / "trials.tsv", trials, list(self.space))
            draw_trials(self.out / "trials.png", trials, self.space, self.monitor)


class Report(pl.Callback):
    """Tells the study how a trial does after each validation, and ends it where others did better."""

    def __init__(self, trial: Any, monitor: str, maximize: bool) -> None:
        self.trial, self.monitor = trial, monitor
        self._better = max if maximize else min
        self._told = dict(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)
        self.best: float | None = self._better(self._told.values()) if self._told else None
        self.logged: list[str] = []

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit":  # the decoder is being tuned, on these very clips
            return
        self.logged = sorted(trainer.callback_metrics)
        if self.monitor not in trainer.callback_metrics:
            return
        value, epoch = float(trainer.callback_metrics[self.monitor]), trainer.current_epoch + 1
        self.best = value if self.best is None else self._better(self.best, value)
        if epoch not in self._told:  # a training that goes on says no epoch twice
            self._told[epoch] = value
            self.trial.report(value, epoch)
        if self.trial.should_prune():
            from optuna import TrialPruned

            raise TrialPruned


class _Read(Exception):  # noqa: N818  no error: carries what was read
    pass


def read_config(args: list[str]) -> dict[str, Any]:
    """The full configuration of `wsed fit` with these arguments, as plain values; nothing is built."""

    class Reader(WsedCLI):
        def before_instantiate_classes(self) -> None:
            raise _Read(yaml.safe_load(self._parser("fit").dump(self.config["fit"], skip_none=False)))

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            train(["fit", *args], Reader)
    except _Read as found:
        config: dict[str, Any] = found.args[0]
        config.pop("config", None)
        return config
    raise AssertionError("the reader ends with what it read")


def _same_folder(study: Any, url: str, out: Path) -> None:
    """A study has one folder: its locks tell which trials are under way, and its checkpoints let them go on."""
    here = (out / "study.id").read_text() if (out / "study.id").is_file() else None
    there = study.user_attrs.get("folder")
    if here is there is None:
        folder = f"{socket.gethostname()}:{out.resolve()} {uuid.uuid4().hex}"
        (out / "study.id").write_text(folder)
        study.set_user_attr("folder", folder)
    elif there is None:
        raise WsedError(f"{out} holds the trials of another study than {url}; choose another folder with --out")
    elif here != there:
        raise WsedError(
            f"--out: {out} is not the folder of the study in {url}; that is {there}. "
            "Machines that share a study must share its folder, for locks and checkpoints"
        )


def _same_space(study: Any, space: dict[str, Range], out: Path) -> None:
    """A study of another space is another study."""
    here = {name: repr(values) for name, values in space.items()}
    there = study.user_attrs.get("space")
    if there is None:
        study.set_user_attr("space", here)
    elif there != here:
        raise WsedError(f"the study in {out} searches another space; choose another folder with --out")


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise WsedError("wsed tune needs optuna: pip install 'wsed[tune]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of 1 or more")
    return int(text)
