"""The command `wsed`: finds the module of a verb by its name and calls its `main`; --help imports none of them."""

import io
import os
import sys
from collections.abc import Sequence

from wsed.cli import verbs
from wsed.cli.process import QuickEnd
from wsed.cli.ranks import is_first, whose
from wsed.cli.stopped import Stopped
from wsed.errors import WsedError, printable
from wsed.files import no_room
from wsed.shipped import make_importable

HEAD = """usage: wsed VERB ...

Weakly supervised sound event detection: from clips with tags to events with onset and offset.
"""

GROUPS = {
    "train": (
        "Train and evaluate (every setting by --config FILE.yaml, and any of it on the command line)",
        "wsed fit --config exp.yaml [--data.corpus.root DIR] [--resume auto]",
        "wsed test --config runs/exp/seed_0/config.yaml --ckpt-path best",
        "wsed search --config exp.yaml --space space.yaml --trials 40",
    ),
    "detect": (
        "Detect events in your own recordings",
        "wsed detect runs/exp/seed_0 recordings/ --out detections --format tsv raven",
    ),
    "score": (
        "Score any system's output files (nothing needs to be trained)",
        "wsed evaluate --reference ref.tsv --predictions events.tsv [--durations durations.tsv] [--json out.json]",
    ),
    "data": ("Data",),
    "look": ("Look around",),
    "": ("More",),
}
"""Groups of verbs in `wsed --help`: a title and examples. A verb without a group is in the last one."""

TAIL = """
`wsed VERB --help` tells more. `wsed --version` prints the version.
A configuration can name any Python class, and so run code. For a stranger's configuration use `--trusted false`: only
components of wsed and optimisers, schedules, callbacks and loggers of torch and Lightning are then allowed.
"""

RENAMED = {"tune": "search"}
"""Verbs of earlier versions, still accepted."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line and return the exit status. A mistake of the user is one message and status 2.

    >>> main(["--version"])
    wsed 0.2.0
    0
    """
    if argv is not None:
        return _run(list(argv))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a letter of a class name shows ?
    end = QuickEnd()
    end.status = _run(sys.argv[1:])
    return end.status


def _run(args: list[str]) -> int:
    try:
        return _dispatch(args)
    except WsedError as error:
        print(f"wsed: error: {printable(_last_message(str(error)))}{whose()}", file=sys.stderr)
        return 2
    except Stopped as stopped:
        if is_first():
            print(f"wsed: {stopped}", file=sys.stderr)
        return stopped.status
    except KeyboardInterrupt:
        resume = "; go on with --resume auto" if args[:1] == ["fit"] else ""
        print(f"wsed: stopped; files that were written are kept{resume}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `wsed ... | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # of sqlite and zip files, too
        if (fault := no_room(error)) is None:
            raise
        print(f"wsed: error: {fault}; make room, or write to another disk{whose()}", file=sys.stderr)
        return 2


def _dispatch(args: list[str]) -> int:
    if not args or args[0] in ("-h", "--help", "help"):
        print(_help(), end="")
        return 0
    if args[0] == "--version":
        from wsed import __version__

        print(f"wsed {__version__}")
        return 0
    name, rest = args[0], args[1:]
    if name in RENAMED:
        print(f"wsed: `wsed {name}` is now called `wsed {RENAMED[name]}`", file=sys.stderr)
        name = RENAMED[name]
    if name in verbs.groups():
        if not rest or rest[0] in ("-h", "--help"):
            print(_group_help(name), end="")
            return 0
        name, rest = f"{name} {rest[0]}", rest[1:]
    make_importable()
    return verbs.run(name, rest)


def _help() -> str:
    titles = {verb: verb.group if verb.group in GROUPS else "" for verb in verbs.all_verbs()}
    width = max(len(verb.name) for verb in titles) + 2
    parts = [HEAD]
    for group, (title, *examples) in GROUPS.items():
        lines = [f"  {verb.name:{width}}{verb.help}" for verb, of in titles.items() if of == group]
        if lines:
            parts.append("\n".join(["", f"{title}:", *lines, *(f"    {example}" for example in examples), ""]))
    return "".join([*parts, TAIL])


def _group_help(group: str) -> str:
    members = {verb.name.split()[1]: verb.help for verb in verbs.all_verbs() if verb.name.startswith(f"{group} ")}
    lines = [f"  {name:{max(map(len, members)) + 4}}{text}" for name, text in members.items()]
    head = f"usage: wsed {group} {{{','.join(members)}}} ..."
    return "\n".join([head, "", *lines, "", f"`wsed {group} VERB --help` tells more.", ""])


def _last_message(text: str) -> str:
    """Without the traceback that torch puts into errors of data loading processes."""
    if "Original Traceback" not in text:
        return text
    return text.strip().rsplit("WsedError: ", 1)[-1]


if __name__ == "__main__":
    sys.exit(main())
