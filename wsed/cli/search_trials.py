"""The trials of `wsed search`: each is a training that may be stopped early. Needs optuna."""

import contextlib
import copy
import io
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import lightning.pytorch as pl
import optuna
import yaml
from optuna.trial import FrozenTrial, TrialState

from wsed.cli import search_ranks
from wsed.cli.configs import Config
from wsed.cli.search_space import Range, places, put
from wsed.cli.search_store import alone
from wsed.cli.training import WsedCLI
from wsed.cli.training import run as train
from wsed.errors import WsedError, near
from wsed.files import no_room, try_lock, write_text
from wsed.report.trials import draw_trials, write_trials
from wsed.study.compare import known

NOT_LOGGED = "not_logged"
"""Attribute of a trial whose training does not log the metric: the message."""


class Search:
    """Runs the trials of one process.

    Args:
        study: the study of optuna.
        base: the full configuration.
        space: ranges of the settings that are searched.
        out: folder of the study; each trial has a folder in it.
        monitor: the logged metric to optimise.
        trials: number of trials of the study, over all processes.
        arguments: the command line after `wsed search`, with which a trial on several devices is run apart.
        ranks: number of processes that a launcher has started to train each trial together.
    """

    def __init__(
        self,
        study: optuna.Study,
        base: Config,
        space: dict[str, Range],
        out: Path,
        monitor: str,
        trials: int,
        arguments: Sequence[str] = (),
        ranks: int = 1,
    ) -> None:
        self.study, self.base, self.space, self.out = study, base, space, out
        self.monitor, self.trials, self.arguments, self.ranks = monitor, trials, arguments, ranks
        self.places = places(base, space)
        trainer = base.get("trainer")
        self.apart = ranks == 1 and isinstance(trainer, dict) and search_ranks.launches(trainer)

    def run(self) -> None:
        """Finish the trials of killed processes, then run new trials.

        Raises:
                WsedError: all trials failed, or the first one does not log the metric.
        """
        failure = None
        while (taken := self._next()) is not None:
            trial, lock = taken
            with lock:
                failure = (self._run_apart(trial) if self.apart else self._run(trial)) or failure
            self._report()
        self._report()
        if self.ranks > 1:
            search_ranks.tell(None)
        if not any(trial.value is not None for trial in self.study.get_trials(deepcopy=False)):
            raise WsedError(f"no trial has a value{f'; the last error: {failure}' if failure else ''}")
        best = self.study.best_trial
        print(f"best of {len(self.study.trials)} trials: {best.number}, {self.monitor} {best.value:.4g}")
        print(yaml.safe_dump({name: self._value(best, name) for name in self.space}, sort_keys=False), end="")
        print(f"its configuration: {self._folder(best.number) / 'settings.yaml'}; all: {self.out / 'trials.tsv'}")

    def _next(self) -> tuple[optuna.Trial, contextlib.ExitStack] | None:
        """The next trial, with a lock that is held while it runs; None if the study has enough trials."""
        with alone(self.out):
            for old in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                if (lock := self._lock(old.number)) is not None:
                    if not self.study.get_trials(deepcopy=False)[old.number].state.is_finished():
                        print(f"trial {old.number} goes on", flush=True)
                        return optuna.trial.Trial(self.study, old._trial_id), lock
                    lock.close()
            if len(self.study.get_trials(deepcopy=False)) >= self.trials:
                return None
            trial = self.study.ask()
            lock = self._lock(trial.number)
            assert lock is not None, "no other process knows of the trial"
            return trial, lock

    def run_one(self, number: int) -> None:
        """Run a trial that another process has drawn and waits for."""
        old = self.study.get_trials(deepcopy=False)[number]
        self._run(optuna.trial.Trial(self.study, old._trial_id))

    def _run_apart(self, trial: optuna.Trial) -> str | None:
        """Run a trial on several devices in a process of its own; returns the error message if it failed."""
        start = time.monotonic()
        self._draw(trial)
        status = search_ranks.run_apart(trial.number, self.arguments, self._folder(trial.number) / "log.txt")
        done = self.study.get_trials(deepcopy=False)[trial.number]
        if NOT_LOGGED in done.user_attrs:
            raise WsedError(done.user_attrs[NOT_LOGGED])
        if status or not done.state.is_finished():
            if not done.state.is_finished():
                self.study.tell(trial, state=TrialState.FAIL)
            message = f"its training ended with status {status}; see {self._folder(trial.number) / 'log.txt'}"
            print(f"trial {trial.number}: failed: {message}", flush=True)
            return message
        outcome = f"{self.monitor} {done.value:.4g}" if done.value is not None else done.state.name.lower()
        print(f"trial {trial.number}: {outcome}, {time.monotonic() - start:.0f} s", flush=True)
        return None

    def _draw(self, trial: optuna.Trial) -> None:
        for name, values in self.space.items():
            values.suggest(trial, name)

    def _run(self, trial: optuna.Trial) -> str | None:
        """Run a trial and report its result to the study; returns the error message if the trial failed."""
        self._draw(trial)
        report, start = Report(trial, self.monitor, self.study.direction.name == "MAXIMIZE"), time.monotonic()
        try:
            self._train(trial, report)
            if report.best is None:
                raise WsedError(report.no_value())
            self.study.tell(trial, report.best)
            outcome = f"{self.monitor} {report.best:.4g}"
        except optuna.TrialPruned:
            if not report.reported:
                self._end(trial, report.no_value())
            self.study.tell(trial, state=TrialState.PRUNED)
            outcome = f"stopped early, {self.monitor} {math.nan if report.best is None else report.best:.4g}"
        except (WsedError, OSError) as error:
            if (fault := no_room(error)) is not None:  # other settings would fail as well
                again = "make room and run the command again"
                raise WsedError(f"trial {trial.number}: {fault}; {again}: the trial goes on") from None
            self.study.tell(trial, state=TrialState.FAIL)
            if isinstance(error, OSError):
                raise
            print(f"trial {trial.number}: failed: {error}", flush=True)
            return str(error)
        except Exception:  # a bug or a fault of the machine: the same settings would fail again
            self.study.tell(trial, state=TrialState.FAIL)
            raise
        print(f"trial {trial.number}: {outcome}, {time.monotonic() - start:.0f} s", flush=True)
        return None

    def _end(self, trial: optuna.Trial, message: str) -> NoReturn:
        """End the study: no trial can log the metric."""
        trial.set_user_attr(NOT_LOGGED, message)  # for the process that waits for a trial on several devices
        self.study.tell(trial, state=TrialState.FAIL)
        if self.ranks > 1:
            search_ranks.tell(None)
        raise WsedError(message)

    def _train(self, trial: optuna.Trial, report: "Report") -> None:
        folder = self._folder(trial.number)
        config = copy.deepcopy(self.base)
        for name, path in self.places.items():
            put(config, path, self._value(trial, name))
        write_text(folder / "settings.yaml", yaml.safe_dump(config, sort_keys=False))
        if self.ranks > 1:
            search_ranks.tell(trial.number)
        train_trial(folder, report)

    def _value(self, trial: optuna.Trial | FrozenTrial, name: str) -> object:
        value: object = trial.params[name]
        return json.loads(str(value)) if self.space[name].choices else value

    def _folder(self, number: int) -> Path:
        return folder_of(self.out, number)

    def _lock(self, number: int) -> contextlib.ExitStack | None:
        """The lock of a trial; None if another process holds it. The lock of a process that dies is released."""
        self._folder(number).mkdir(exist_ok=True)
        return try_lock(self._folder(number) / "lock")

    def _report(self) -> None:
        with alone(self.out):  # otherwise a slower process could overwrite newer results
            trials = self.study.get_trials(deepcopy=False)
            write_trials(self.out / "trials.tsv", trials, list(self.space))
            draw_trials(self.out / "trials.png", trials, self.space, self.monitor)


def folder_of(out: Path, number: int) -> Path:
    """The folder of a trial.

    >>> folder_of(Path("runs/search/exp"), 3).name
    'trial_0003'
    """
    return out / f"trial_{number:04d}"


def train_trial(folder: Path, report: pl.Callback) -> None:
    """Train with the settings in the folder of a trial."""
    args = ["fit", "--config", str(folder / "settings.yaml"), "--trainer.default_root_dir", str(folder)]
    args += ["--test-after-fit", "false", "--trainer.enable_progress_bar", "false", "--resume", "auto"]

    class TrialCLI(WsedCLI):
        def own_callbacks(self) -> list[pl.Callback]:
            return [*super().own_callbacks(), report]

    with (folder / "log.txt").open("a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        train(args, TrialCLI)


def follow(out: Path, number: int) -> None:
    """Train a trial of the first process in another process; what ends it there ends it here."""
    with contextlib.suppress(optuna.TrialPruned, WsedError):
        train_trial(folder_of(out, number), Follow())


class Follow(pl.Callback):
    """Ends a training where the first process stops the trial."""

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn == "fit":
            _ = trainer.callback_metrics  # as `Report` does: it is there that the means over ranks are computed
            _stop(trainer, False)


def _stop(trainer: pl.Trainer, stop: bool) -> None:
    """End the trial in all processes if the first one says so; all call it after each validation."""
    if trainer.strategy.broadcast(stop):
        raise optuna.TrialPruned


class Report(pl.Callback):
    """Reports the monitored metric to the study after each validation, and stops a trial if others are better.

    Args:
        trial: the trial of optuna.
        monitor: the logged metric to optimise.
        maximize: whether the greatest value is the best.
    """

    def __init__(self, trial: optuna.Trial, monitor: str, maximize: bool) -> None:
        self.trial, self.monitor = trial, monitor
        self._better = max if maximize else min
        self.reported = dict(trial.study.get_trials(deepcopy=False)[trial.number].intermediate_values)
        self.logged: list[str] = []

    @property
    def best(self) -> float | None:
        """The best value that is not NaN; None if there is none."""
        return self._better(known(self.reported.values()), default=None)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.state.fn != "fit":  # a validation that tunes the decoder
            return
        self.logged = sorted(trainer.callback_metrics)
        if self.monitor in trainer.callback_metrics:
            _stop(trainer, self._should_stop(trainer))
        else:  # values of the training come after the first validation
            _stop(trainer, not self.reported and not self.monitor.startswith("train/"))

    def no_value(self) -> str:
        """The message about a training without a value of the metric."""
        if self.reported:
            return f"{self.monitor} is NaN after every validation"
        logged = ", ".join(self.logged) or "nothing, since it ended before a validation"
        return f"--monitor: the training logs no {self.monitor!r}{near(self.monitor, self.logged)}; it logs {logged}"

    def _should_stop(self, trainer: pl.Trainer) -> bool:
        """Report the value; whether others are better."""
        value, epoch = float(trainer.callback_metrics[self.monitor]), trainer.current_epoch + 1
        if epoch not in self.reported:  # a resumed training does not report an epoch twice
            self.reported[epoch] = value
            self.trial.report(value, epoch)
        return self.trial.should_prune()


class _Read(Exception):  # noqa: N818  no error: carries the configuration that was read
    def __init__(self, config: Config) -> None:
        self.config = config


def read_config(args: list[str]) -> Config:
    """The full configuration of `wsed fit` with these arguments, as plain values; nothing is built."""

    class Reader(WsedCLI):
        def before_instantiate_classes(self) -> None:
            raise _Read(yaml.safe_load(self._parser("fit").dump(self.config["fit"], skip_none=False)))

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            train(["fit", *args], Reader)
    except _Read as result:
        result.config.pop("config", None)
        return result.config
    raise AssertionError("the reader always raises _Read")
