"""Settings that had another place in wsed 0.1: one line that names the new one."""

from collections.abc import Mapping, Sequence

from wsed.errors import WsedError

CORPUS = ("root", "train", "validation", "test", "predict", "labels", "revision", "lists", "audio")

MOVED = {
    "model.decoder": "evaluation.decoder",
    "model.tuning": "evaluation.tuning",
    "model.judge_embeddings": "evaluation.embeddings",
    "model.resamples": "evaluation.resamples",
    **{f"data.{name}": f"data.corpus.{name}" for name in CORPUS},
    "data.segment": "data.windows.length",
    "data.test_segment": "data.windows.test_length",
    "data.placement": "data.windows.placement",
    "data.placement_seed": "data.windows.seed",
    "data.classes": "data.episodes.classes",
    "data.per_class": "data.episodes.per_class",
    "data.features": "data.reader.folder, with data.reader features",
    "data.keep_audio": "data.reader memory",
    "data.holdout_split": "data.holdout.by (ijcnn: class_holdout of experiments.cosine_penalty.readings.DCASE2018)",
    "data.holdout_seed": "data.holdout.seed",
    "data.headers": "data.reader.headers",
    "data.class_path": "data.corpus.class_path (desed, dcase2017, audioset, or single_event, which was waa)",
    "data.init_args": "data.corpus.init_args (root, tables, labels) and data (batch, workers, holdout and the rest)",
}
"""Old and new place."""


def check_config(config: object) -> None:
    """Refuse a configuration with a setting in its old place.

    Raises:
        WsedError: names both places.
    """
    for old in MOVED:
        section, name = old.split(".")
        part = config.get(section) if isinstance(config, Mapping) else None
        if isinstance(part, Mapping) and name in part:
            raise WsedError(_message(old))


def check_arguments(args: Sequence[str]) -> None:
    """The same for a command line, as `--model.decoder.threshold 0.3`.

    Raises:
        WsedError: names both places.
    """
    for arg in args:
        flag = arg.removeprefix("--").partition("=")[0] if arg.startswith("--") else ""
        if flag == "data":
            raise WsedError("--data is --data.corpus since wsed 0.2: name the corpus there")
        for old in MOVED:
            if flag == old or flag.startswith(f"{old}."):
                raise WsedError(_message(old))


def _message(old: str) -> str:
    return f"{old} is {MOVED[old]} since wsed 0.2: move the setting there"
