"""Finds mistakes on the command line before torch is imported: unknown flags and missing checkpoints."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from wsed.cli.advice import OTHERS, SECTIONS
from wsed.cli.check_flags import OF_CLASS, OF_PARSER, check_key, pairs
from wsed.cli.flags import underscores
from wsed.cli.moved import check_arguments
from wsed.cli.signatures import Signatures
from wsed.cli.trusted import split_trusted
from wsed.errors import WsedError

FOUND = ("best", "last")
"""Names of checkpoints in the folder of the run."""


def check_line(args: Sequence[str], config: Mapping[str, object], known: Signatures) -> None:
    """Refuse unknown sections, unknown settings of sections, and missing checkpoints.

    Settings within a component are checked later, when its class is known.

    Args:
        args: the arguments of a training verb, without `--config`.
        config: the configuration that they change.
        known: the classes.

    Raises:
        WsedError: with the flag and similar names, or with the missing file.
    """
    check_arguments(args)
    values = {name: config.get(name) for name in ("ckpt_path", "init_from", "resume")}
    for flag, value in pairs(underscores(split_trusted(args)[0])):
        keys = flag.removesuffix("+").split(".")
        if keys[0] not in OF_PARSER:
            _check_name(flag, keys, known)
        values[flag] = None if value in ("null", "~", "") else value
    # the weights of `--init-from` are read only by a training that does not go on from a checkpoint
    file = values["ckpt_path"] or (None if values["resume"] else values["init_from"])
    if isinstance(file, str) and file not in FOUND and not Path(file).is_file():
        raise WsedError(f"no such checkpoint: {file}")


def _check_name(flag: str, keys: Sequence[str], known: Signatures) -> None:
    check_key(flag, "", keys[0], [*SECTIONS, *OTHERS])
    settings = known.arguments(SECTIONS[keys[0]]) if keys[0] in SECTIONS and len(keys) > 1 else None
    if settings is not None and keys[1] not in OF_CLASS:
        check_key(flag, keys[0], keys[1], list(settings))
