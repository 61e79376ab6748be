"""Settings that had another place in wsed 0.1: one line that names the new one."""

from collections.abc import Mapping, Sequence

from wsed.errors import WsedError

MOVED = {
    "model.decoder": "evaluation.decoder",
    "model.tuning": "evaluation.tuning",
    "model.judge_embeddings": "evaluation.embeddings",
    "model.resamples": "evaluation.resamples",
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
        for old in MOVED:
            if flag == old or flag.startswith(f"{old}."):
                raise WsedError(_message(old))


def _message(old: str) -> str:
    return f"{old} is {MOVED[old]} since wsed 0.2: move the setting there"
