"""Advice in messages: where a setting is that users look for, and what to write."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import yaml

from wsed.errors import WsedError, near

SECTIONS = {"model": "SEDTask", "data": "SEDDataModule", "evaluation": "Evaluation", "trainer": "Trainer"}
"""The sections of a configuration, and the class whose settings each holds."""

OTHERS: dict[str, object] = {
    "seed_everything": bool | int, "test_after_fit": bool, "test_checkpoint": Literal["best", "last"],
    "init_from": str | None, "overwrite": bool, "ckpt_path": str | Path | None, "weights_only": bool | None,
    "verbose": bool, "return_predictions": bool | None, "resume": Literal["auto"] | None,
    "every_n_train_steps": int | None, "rank_timeout": float,
}  # fmt: skip
"""Settings outside model, data, evaluation and trainer, and the types of their values."""

PLACES = {
    "epochs": "trainer.max_epochs",
    "max_epochs": "trainer.max_epochs",
    "steps": "trainer.max_steps",
    "gpus": "trainer.devices",
    "gpu": "trainer.accelerator",
    "device": "trainer.accelerator",
    "devices": "trainer.devices",
    "lr": "model.optimizer.init_args.lr",
    "learning_rate": "model.optimizer.init_args.lr",
    "batch_size": "data.batch.SOURCE, as data.batch.weak",
    "threshold": "evaluation.decoder.threshold",
    "median": "evaluation.decoder.median",
    "seed": "seed_everything",
    "root": "data.corpus.root",
    "labels": "data.corpus.labels",
    "batch": "data.batch",
    "encoder": "model.network.encoder",
    "head": "model.network.head",
    "frontend": "model.network.frontend",
    "network": "model.network",
    "losses": "model.losses",
    "loss": "model.losses",
    "optimizer": "model.optimizer",
    "scheduler": "model.lr_scheduler",
    "output": "trainer.default_root_dir",
    "checkpoint": "ckpt_path",
    "monitor": "evaluation.rank_by",
}
"""The place of a setting that users look for, by the last word of what they write."""

EXAMPLES = {
    "model.network": "network: {encoder: crnn}",
    "model.losses": "losses: {tags: {loss: mil}}",
    "model.optimizer": "optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 1e-3}}",
    "model.lr_scheduler": "lr_scheduler: {class_path: torch.optim.lr_scheduler.StepLR, init_args: {step_size: 10}}",
    "data.corpus": "corpus: {class_path: desed, init_args: {root: data/desed}}",
    "data.batch": "batch: {weak: 8}",
    "model": "model: {network: {encoder: crnn}, losses: {tags: {loss: mil}}}",
    "data": "data: {corpus: {class_path: desed, init_args: {root: data/desed}}}",
    "evaluation": "evaluation: {metrics: [event_f1, psds1]}",
    "trainer": "trainer: {max_epochs: 10}",
    "trainer.callbacks": "callbacks: [{class_path: EarlyStopping, init_args: {monitor: val/score, mode: max}}]",
    "trainer.logger": "logger: {class_path: CSVLogger, init_args: {save_dir: logs}}",
}
"""Examples of what to write for a setting."""


STRATEGIES = ("auto", "ddp", "ddp_spawn", "ddp_fork", "ddp_notebook", "ddp_find_unused_parameters_true")
"""Strategies for several devices in which each device has the whole network."""

ACCELERATORS = ("auto", "cpu", "gpu", "cuda", "mps", "tpu")
"""Kinds of devices that Lightning knows; other packages may add more."""


def not_imported(module: str, why: object) -> str:
    """The message about a module that cannot be imported."""
    return f"cannot import {module} ({why}): your own module must lie in the working folder, or on PYTHONPATH"


def check_word(path: str, word: str, known: Sequence[str]) -> None:
    """Refuse a word for a setting that is not among the known ones.

    Raises:
        WsedError: with similar words.

    >>> check_word("trainer.strategy", "ddp", STRATEGIES)
    """
    if word not in known:
        raise WsedError(f"{path} {word!r} is not supported{near(word, known)}; known: {', '.join(known)}")


def unknown(path: str, key: str, known: Sequence[str]) -> str:
    """The message about a setting that does not exist."""
    if not known:
        return f"{path} has no settings, but {key!r} is given"
    place = PLACES.get(key, "")
    similar = f" (did you mean {place}?)" if place else near(key, known)
    owner = f"{path} has no setting" if path else "there is no setting"
    names = ", ".join(known) if len(known) <= 16 else ", ".join(known[:16]) + ", ..."
    return f"{owner} {key!r}{similar}; known: {names}"


def check_beside(value: Mapping[str, object], path: str) -> None:
    """Refuse arguments that are written beside `class_path` instead of in `init_args`.

    Raises:
        WsedError: with their names and what to write.

    >>> check_beside({"class_path": "crnn", "channels": 8}, "model.network.encoder")
    Traceback (most recent call last):
    wsed.errors.WsedError: model.network.encoder: channels must be in init_args; write encoder: {class_path: ...
    """
    arguments = value.get("init_args", {})
    if "class_path" in value and not isinstance(arguments, Mapping):
        given = "null" if arguments is None else repr(arguments)
        raise WsedError(f"{path}: init_args is {given}, expected a mapping; leave it out if it is empty")
    beside = {key: item for key, item in value.items() if key not in ("class_path", "init_args", "dict_kwargs")}
    if "class_path" in value and beside:
        example = f"{{class_path: {value['class_path']}, init_args: {flow(beside)}}}"
        raise WsedError(f"{path}: {', '.join(map(str, beside))} must be in init_args; write {last(path)}: {example}")


def check_section(value: object, path: str) -> None:
    """Refuse a section that is not a mapping: the parser drops a list without a word, and takes a text for a file.

    >>> check_section({"max_epochs": 3}, "trainer")
    """
    if value is not None and not isinstance(value, Mapping):
        raise WsedError(f"{path} is {value!r}, expected settings; write {EXAMPLES[path]}")


def check_named(value: object, path: str) -> None:
    """Refuse a mapping without a class where a class of Lightning is wanted: the parser makes one that does nothing.

    >>> check_named({"class_path": "RichProgressBar"}, "trainer.callbacks")
    """
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict) and "class_path" not in item:
            raise WsedError(f"{path} names no class: {item}; write {EXAMPLES[path]}")


def holds(file: object, value: object) -> str:
    """The message about a file that is a list or a text, not settings.

    >>> holds("exp.yaml", ["crnn"])
    '--config exp.yaml holds a list, not settings; write model: {network: {encoder: crnn}, losses: {tags: {loss: mil}}}'
    """
    words = {list: "a list", str: "a text", bool: "true or false"}
    what = words.get(type(value), "a number" if isinstance(value, int | float) else type(value).__name__)
    return f"--config {file} holds {what}, not settings; write {EXAMPLES['model']}"


def last(path: str) -> str:
    return path.rpartition(".")[2]


def flow(value: object) -> str:
    text = " ".join(yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000).split())
    return text if len(text) <= 200 else "{...}"
