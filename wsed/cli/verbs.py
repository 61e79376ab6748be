"""The verbs of the command line: a module of this package per verb, found by its file's name.

A module is a verb if it has a line `HELP = "what it does"` and a function `main(args)` that returns the exit status. A
line `GROUP = "train"` puts it under a title of `wsed --help`. A folder holds the verbs of two words (`data/synth.py` is
`wsed data synth`). A name that Python reserves ends in `_` (`import_/gpv.py` is `wsed import gpv`). HELP and GROUP are
read from the text, so that listing the verbs imports none of them.
"""

import re
from ast import literal_eval
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from wsed.cli.process import importing
from wsed.errors import WsedError, near

HOMES = (Path(__file__).parent,)
FACT = re.compile(r'^(HELP|GROUP) = (".*")$', flags=re.MULTILINE)


ALIKE = {"train": "fit", "eval": "evaluate", "score": "evaluate", "infer": "predict"}
"""Verbs of other programs, and the corresponding verb of wsed."""


class Verb(NamedTuple):
    """A verb of the command line.

    Args:
        name: as it is typed, `fit` or `data synth`.
        module: module of its `main`.
        help: what it does, one line.
        group: the title in `wsed --help` under which it is listed.
    """

    name: str
    module: str
    help: str
    group: str


@cache
def all_verbs() -> tuple[Verb, ...]:
    """All verbs, by name.

    >>> {verb.name: verb.group for verb in all_verbs()}["fit"]
    'train'
    """
    read = (_read(path, path.relative_to(home).with_suffix("").parts) for home in HOMES for path in home.rglob("*.py"))
    return tuple(sorted((verb for verb in read if verb is not None), key=lambda verb: verb.name))


def groups() -> set[str]:
    """First words of the verbs that have two."""
    return {verb.name.split()[0] for verb in all_verbs() if " " in verb.name}


def run(name: str, args: Sequence[str]) -> int:
    """Run a verb by its name and return the exit status.

    Raises:
        WsedError: there is no such verb; near names are in the message.
    """
    known = {verb.name: verb.module for verb in all_verbs()}
    if name not in known:
        first, _, second = name.rpartition(" ")
        among = [verb.split()[-1] for verb in known if verb.startswith(f"{first} ")] if first else list(known)
        similar = f" (did you mean {ALIKE[name]}?)" if name in ALIKE else near(second, among)
        raise WsedError(f"unknown verb {name!r}{similar}; known: {', '.join(among)}")
    with importing():
        module = import_module(known[name])
    status: int = module.main(list(args))
    return status


def _read(path: Path, parts: tuple[str, ...]) -> Verb | None:
    facts = {name: literal_eval(text) for name, text in FACT.findall(path.read_text(encoding="utf-8"))}
    if "HELP" not in facts:
        return None
    return Verb(
        " ".join(part.rstrip("_") for part in parts),
        ".".join(("wsed", "cli", *parts)),
        facts["HELP"],
        facts.get("GROUP", parts[0]),
    )
