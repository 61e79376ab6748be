"""`--trusted false`: a configuration may name only known components, so that it cannot execute other code."""

import re
from collections.abc import Sequence

from wsed.errors import WsedError

KNOWN = ("wsed.", "torch.optim.", "lightning.pytorch.callbacks.", "lightning.pytorch.loggers.")
"""Beginnings of the import paths that an untrusted configuration may name."""

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
FILES = (".ckpt", ".tsv", ".csv", ".txt", ".json", ".npz", ".wav", ".flac")


def split_trusted(args: Sequence[str]) -> tuple[list[str], bool]:
    """The arguments without `--trusted`, and whether the configurations are trusted.

    Raises:
        WsedError: the value is neither true nor false.

    >>> split_trusted(["fit", "--trusted", "false", "--config", "exp.yaml"])
    (['fit', '--config', 'exp.yaml'], False)
    """
    rest, trusted, waiting = list[str](), True, iter(args)
    for arg in waiting:
        flag, equals, value = arg.partition("=")
        if flag != "--trusted":
            rest.append(arg)
            continue
        value = value if equals else next(waiting, "")
        if value not in ("true", "false"):
            raise WsedError(f"--trusted is {value!r}, expected true or false")
        trusted = value == "true"
    return rest, trusted


def check_untrusted(config: object, path: str = "") -> None:
    """Refuse a configuration that names unknown components; nothing is imported for it.

    Raises:
        WsedError: with the setting and the class.

    >>> check_untrusted({"model": {"network": {"class_path": "os.system"}}})
    Traceback (most recent call last):
    wsed.errors.WsedError: model.network.class_path names os.system, but --trusted false allows only wsed, ...
    """
    if isinstance(config, dict):
        for key, value in config.items():
            check_untrusted(value, f"{path}.{key}" if path else str(key))
    elif isinstance(config, list):
        for value in config:
            check_untrusted(value, path)
    elif isinstance(config, str) and _is_path(config, path) and not config.startswith(KNOWN):
        known = ", ".join(name.rstrip(".") for name in KNOWN)
        raise WsedError(f"{path} names {config}, but --trusted false allows only {known} and registered names")


def _is_path(text: str, path: str) -> bool:
    """Whether a value may be an import path."""
    if path.endswith(".class_path") or text.endswith((".yaml", ".yml")):  # another file may name anything
        return "." in text
    return DOTTED.fullmatch(text) is not None and not text.endswith(FILES)
