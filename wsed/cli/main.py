"""The command `wsed`. Training verbs are LightningCLI, the others plain functions; --help imports nothing heavy."""

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module

from wsed.errors import WsedError
from wsed.registry import near

HELP = """usage: wsed VERB ...

Weakly supervised sound event detection: from clips with tags to events with onset and offset.

Train and evaluate (every setting by --config FILE.yaml, and any of it on the command line):
  fit        train, then test the best checkpoint
  validate   score a checkpoint on the validation clips
  test       score a checkpoint on the test clips
  predict    write the detected events of clips
  tune       search settings: many trainings, of which the bad ones are stopped early
    wsed fit --config exp.yaml [--data.corpus.root DIR] [--ckpt_path last]
    wsed test --config runs/exp/seed_0/config.yaml --ckpt_path best
    wsed tune --config exp.yaml --space space.yaml --trials 40

Score any system's output files (nothing needs to be trained):
  evaluate   F1 of events, segments, intersections and tags, PSDS, intervals; compare two systems
    wsed evaluate --reference ref.tsv --predictions events.tsv [--durations durations.tsv] [--json out.json]

Data:
  data synth make a corpus of soundscapes from recordings of single sounds
  data check examine a corpus before training on it

Look around:
  show RUN   the scores of a run and where its pictures are; of several seeds, mean and deviation
  list KIND  names to use in YAML: loss, frontend, encoder, head, network, corpus, reader

`wsed VERB --help` tells more. `wsed --version` prints the version.
"""

DATA_HELP = """usage: wsed data {synth,check} ...

  synth      make a corpus of soundscapes from recordings of single sounds
  check      examine a corpus before training on it

`wsed data VERB --help` tells more.
"""

TRAINING = ("fit", "validate", "test", "predict")
VERBS = (*TRAINING, "tune", "evaluate", "data", "show", "list")
DATA_VERBS = {"synth": "wsed.cli.synth", "check": "wsed.cli.check"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; returns the exit status. Mistakes of the user are one message and status 2."""
    args = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if argv is None and isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without the letters of a class name shows ? for them
    try:
        return _dispatch(args)
    except WsedError as error:
        print(f"wsed: error: {_last_message(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        resume = "; resume it with --ckpt_path last" if args[:1] == ["fit"] else ""
        print(f"wsed: stopped; what was written stays{resume}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `wsed ... | head`: who reads has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _dispatch(args: list[str]) -> int:
    if not args or args[0] in ("-h", "--help", "help"):
        print(HELP, end="")
        return 0
    verb, rest = args[0], args[1:]
    if verb == "--version":
        from wsed import __version__

        print(f"wsed {__version__}")
        return 0
    if verb not in VERBS:
        raise WsedError(f"unknown verb {verb!r}{near(verb, VERBS)}; known: {', '.join(VERBS)}")
    if verb == "list":
        return _list(rest)
    if verb == "data":
        return _data(rest)
    if verb in ("show", "evaluate", "tune"):
        return _plain(f"wsed.cli.{verb}", f"wsed {verb}", rest)
    run = import_module("wsed.cli.training").run
    return int(run(args))


def _list(args: list[str]) -> int:
    from wsed.registry import HOMES, list_names

    if len(args) != 1 or args[0] in ("-h", "--help"):
        print(f"usage: wsed list KIND\n\nNames registered for a kind: {', '.join(HOMES)}.")
        return 0 if args[:1] in (["-h"], ["--help"]) else 2
    print("\n".join(list_names(args[0])))
    return 0


def _data(args: list[str]) -> int:
    if not args or args[0] in ("-h", "--help"):
        print(DATA_HELP, end="")
        return 0
    verb = args[0]
    if verb not in DATA_VERBS:
        raise WsedError(f"unknown verb 'data {verb}'{near(verb, DATA_VERBS)}; known: {', '.join(DATA_VERBS)}")
    return _plain(DATA_VERBS[verb], f"wsed data {verb}", args[1:])


def _plain(home: str, name: str, args: list[str]) -> int:
    """Run a verb whose module has `add_arguments(parser)` and `run(namespace)`.

    With `TAKES_SETTINGS` what it does not know are settings of a training: `namespace.settings`.
    """
    import argparse

    module = import_module(home)
    parser = argparse.ArgumentParser(prog=name, description=module.__doc__, allow_abbrev=False)
    module.add_arguments(parser)
    if not getattr(module, "TAKES_SETTINGS", False):
        return int(module.run(parser.parse_args(args)))
    known, settings = parser.parse_known_args(args)
    known.settings = settings
    return int(module.run(known))


def _last_message(text: str) -> str:
    """Without the traceback that torch puts into errors of data loading processes."""
    if "Original Traceback" not in text:
        return text
    return text.strip().rsplit("WsedError: ", 1)[-1]


if __name__ == "__main__":
    sys.exit(main())
