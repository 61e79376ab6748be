"""Finds the folder and the checkpoint of a run and refuses settings that cannot work, before anything is built."""

import sys
from pathlib import Path

import torch
from jsonargparse import Namespace

from wsed.checkpoint import check_readable
from wsed.cli.advice import STRATEGIES, check_word
from wsed.cli.check_settings import check_timeout
from wsed.cli.ranks import is_first
from wsed.data.processes import n_cores
from wsed.errors import WsedError
from wsed.ops.precision import BFLOAT16, slow_bfloat16
from wsed.run import RunFolder

PRECISIONS = {"bf16-true": "bf16-mixed or 16-mixed", "16-true": "bf16-mixed or 16-mixed", "64-true": "32-true"}
"""Precisions that are refused, and what to use instead."""

SLOW = "note: this CPU has no instructions for bfloat16: --trainer.precision 32-true is up to ten times as fast"


def settle(verb: str, config: Namespace) -> None:
    """Fill in the folder of the run and the path of the checkpoint, and switch off features of Lightning.

    Args:
        verb: `fit`, `validate`, `test` or `predict`.
        config: its settings; changed in place.

    Raises:
        WsedError: there is no such checkpoint, a run would be overwritten, or a setting is not supported.
    """
    check_timeout(config.rank_timeout)
    run = RunFolder(Path(config.trainer.default_root_dir or default_folder(config)))
    if verb != "fit" or not config.overwrite:
        run.check_version()
    config.trainer.default_root_dir = str(run.path)
    if config.weights_only is None:
        config.weights_only = True  # a checkpoint of a stranger executes nothing
    if verb in ("validate", "test"):
        config.verbose = False  # our own table is printed
    if verb == "predict":
        config.return_predictions = False  # Evaluation writes them; the outputs need not stay in memory
    _settle_checkpoint(verb, config, run)
    if verb == "fit" and not config.ckpt_path and not config.overwrite and run.trained():
        raise WsedError(
            f"{run.path} already holds a run: continue it with --resume auto, choose another folder with "
            "--trainer.default_root_dir, or pass --overwrite"
        )
    _check_counts(config.trainer)
    _check_strategy(config.trainer)
    _check_processes(config.trainer)
    precision = str(config.trainer.precision)
    precision = f"{precision}-true" if precision == "64" else precision
    if precision in PRECISIONS:
        raise WsedError(f"trainer.precision {precision} is not supported; use {PRECISIONS[precision]}")
    if precision in BFLOAT16 and is_first() and _on_cpu(str(config.trainer.accelerator)) and slow_bfloat16():
        print(SLOW, file=sys.stderr)


def _on_cpu(accelerator: str) -> bool:
    return accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())


def _check_counts(trainer: Namespace) -> None:
    """Refuse numbers by which Lightning divides, if they are 0, and no processes at all."""
    for name in ("accumulate_grad_batches", "check_val_every_n_epoch"):
        value = trainer[name]
        if value is not None and value < 1:
            raise WsedError(f"trainer.{name} must be 1 or more, not {value}")
    if str(trainer.devices) == "0":
        raise WsedError("trainer.devices is 0: give the number of processes, 1 or more, or auto")
    if trainer.barebones:
        raise WsedError("trainer.barebones is not supported, since nothing would be saved or scored: remove it")


def _check_strategy(trainer: Namespace) -> None:
    strategy = trainer.strategy
    if isinstance(strategy, str):
        check_word("trainer.strategy", strategy, STRATEGIES)
    if trainer.sync_batchnorm and trainer.accelerator == "cpu":
        raise WsedError("trainer.sync_batchnorm needs GPUs, but trainer.accelerator is cpu: change one of them")


def _check_processes(trainer: Namespace) -> None:
    """Refuse many more processes than cores: they would fill the memory and slow each other down."""
    cores, devices = n_cores(), str(trainer.devices)
    if devices.isdigit() and int(devices) > 2 * cores and _on_cpu(str(trainer.accelerator)):
        raise WsedError(
            f"trainer.devices is {devices}: on a CPU, so many processes would start, but this one may use {cores} "
            f"cores: set it to {cores} or less"
        )


def default_folder(config: Namespace) -> Path:
    """`runs/NAME/seed_<n>`; NAME is the configuration, or of several, the first that is not called `base...`."""
    files = [str(file) for file in config.get("config") or []]
    return Path("runs") / (Path(files[0]).stem if files else "unnamed") / f"seed_{config.seed_everything}"


def _settle_checkpoint(verb: str, config: Namespace, run: RunFolder) -> None:
    if verb == "fit" and config.resume is not None:
        if config.ckpt_path or config.overwrite:
            other = "--ckpt_path" if config.ckpt_path else "--overwrite"
            raise WsedError(f"--resume auto finds the checkpoint itself: remove {other}")
        checkpoint = to_resume(run)
        config.ckpt_path = None if checkpoint is None else str(checkpoint)
        return  # it has been read
    if config.ckpt_path in ("best", "last"):
        path: Path | None = run.best if config.ckpt_path == "best" else run.last
        if verb == "fit" and path == run.last:
            path = to_resume(run)
        if path is None or not path.is_file():
            start = "or start without it (--resume auto does either)" if verb == "fit" else "or name a file"
            raise WsedError(
                f"no checkpoint {run.checkpoints / config.ckpt_path}.ckpt: give --trainer.default_root_dir, {start}"
            )
        config.ckpt_path = str(path)
    if verb != "fit" and not config.ckpt_path:
        raise WsedError(f"wsed {verb} needs a checkpoint: add --ckpt_path best, last or a file")
    if config.ckpt_path:
        check_readable(config.ckpt_path)


def to_resume(run: RunFolder) -> Path | None:
    """The checkpoint from which a run goes on: the last, or the newest before it that is whole; None if there is none.

    Raises:
        WsedError: there are checkpoints, and all are damaged.
    """
    damaged: WsedError | None = None
    for path in (run.last, run.before, run.best):
        if not path.is_file():
            continue
        try:
            check_readable(path)
        except WsedError as error:
            damaged = error
            continue
        if damaged is not None and is_first():
            print(f"{damaged}; continuing from {path.name}, the one before", flush=True)
        return path
    if damaged is not None:
        raise WsedError(f"{damaged}; no other checkpoint is whole: start anew with --overwrite")
    return None
