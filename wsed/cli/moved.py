"""Settings that had another place in wsed 0.1: moved to the new place if possible, else refused in one line."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from wsed.errors import WsedError

Config: TypeAlias = dict[str, object]

CORPUS = ("root", "train", "validation", "test", "predict", "labels", "revision", "lists", "audio")

MOVED = {
    "model.decoder": "evaluation.decoder",
    "model.tuning": "evaluation.tuning",
    "model.judge_embeddings": "evaluation.embeddings",
    "model.resamples": "evaluation.resamples",
    **{f"data.{name}": f"data.corpus.init_args.{name}" for name in CORPUS},
    "data.class_path": "data.corpus.class_path",
    "data.segment": "data.windows.length",
    "data.test_segment": "data.windows.test_length",
    "data.placement": "data.windows.placement",
    "data.placement_seed": "data.windows.seed",
    "data.classes": "data.episodes.classes",
    "data.per_class": "data.episodes.per_class",
}
"""Old and new place of settings whose values have not changed."""

CHANGED = {
    "data.features": "data.reader.folder, with data.reader features",
    "data.keep_audio": "data.reader memory",
    "data.holdout_split": "data.holdout.by (ijcnn: class_holdout of experiments.cosine_penalty.readings.DCASE2018)",
    "data.holdout_seed": "data.holdout.seed",
    "data.headers": "data.reader.headers",
}
"""Settings that are refused, since their value has another form now."""

PSEUDO = (
    "pseudo labels are a corpus of their own: set data.corpus to pseudo, with the corpus in data.corpus.corpus and the "
    "folder of the run in data.corpus.predictions"
)
"""The message for `--data.train.pseudo`, as a user may try."""

RENAMED = {"waa": "single_event"}
"""Corpora that were renamed."""


def translated(config: Mapping[str, object]) -> tuple[Config, list[str]]:
    """A configuration with the settings of wsed 0.1 in their new places, and what was moved, in words.

    Raises:
        WsedError: a setting has a new form, or is set in both places.

    >>> translated({"data": {"class_path": "desed", "init_args": {"root": "corpus", "batch": {"weak": 4}}}})[0]
    {'data': {'batch': {'weak': 4}, 'corpus': {'init_args': {'root': 'corpus'}, 'class_path': 'desed'}}}
    """
    result: Config = {key: dict(value) if isinstance(value, dict) else value for key, value in config.items()}
    moves: list[str] = []
    data = result.get("data")
    if isinstance(data, dict):
        arguments = data.pop("init_args", None)
        if isinstance(arguments, dict):
            data.update(arguments)
            moves.append("data.init_args is data")
        if isinstance(data.get("class_path"), str):
            data["class_path"] = RENAMED.get(data["class_path"], data["class_path"])
    for old, new in MOVED.items():
        section, name = old.split(".")
        part = result.get(section)
        if isinstance(part, dict) and name in part:
            _put(result, new, part.pop(name), old)
            moves.append(f"{old} is {_shown(new)}")
    check_config(result)
    return result, moves


def check_config(config: object) -> None:
    """Refuse a configuration with a setting in its old place.

    Raises:
        WsedError: with both places.
    """
    for old in (*MOVED, *CHANGED):
        section, name = old.split(".")
        part = config.get(section) if isinstance(config, Mapping) else None
        if isinstance(part, Mapping) and name in part:
            raise WsedError(_message(old))


def check_arguments(args: Sequence[str]) -> None:
    """The same for a command line, as `--model.decoder.threshold 0.3`.

    Raises:
        WsedError: with both places.
    """
    for arg in args:
        flag = arg.removeprefix("--").partition("=")[0] if arg.startswith("--") else ""
        if flag == "data":
            raise WsedError("--data is --data.corpus since wsed 0.2: name the corpus there")
        flag = flag.replace("data.init_args.", "data.")
        if flag == "data.train.pseudo":
            raise WsedError(PSEUDO)
        for old in (*MOVED, *CHANGED):
            if flag == old or flag.startswith(f"{old}."):
                raise WsedError(_message(old))


def _put(config: Config, path: str, value: object, old: str) -> None:
    *parents, last = path.split(".")
    for key in parents:
        below = config.setdefault(key, {})
        below = {"class_path": below} if isinstance(below, str) else below
        if not isinstance(below, dict):
            raise WsedError(f"{old} and {_shown(path)} are both set: {_message(old)}")
        config[key] = config = dict(below)
    if last in config:
        raise WsedError(f"{old} and {_shown(path)} are both set: {_message(old)}")
    config[last] = value


def _message(old: str) -> str:
    return f"{old} is {_shown(MOVED[old] if old in MOVED else CHANGED[old])} since wsed 0.2: move the setting there"


def _shown(path: str) -> str:
    return path.replace(".init_args", "")
