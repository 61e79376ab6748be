"""`wsed demo`: a page that shows the events in a sound file or a recording from the microphone."""

import argparse
from collections.abc import Sequence
from importlib.util import find_spec

from wsed.cli.arguments import parsed
from wsed.cli.types import whole
from wsed.errors import WsedError

HELP = "a page: drop or record sound, see and hear its events"
GROUP = "detect"
DESCRIPTION = """\
Serve a page on this machine. Drop a sound file on it or record sound; it shows the events over the spectrogram, plays
them, and has a slider for the threshold and downloads for Audacity and Raven. MODEL is a run's folder or a checkpoint.
Recordings are deleted when the command is ended with Ctrl-C."""

EXAMPLES = """\
examples:
  wsed demo runs/mine/seed_0
  wsed demo runs/mine/seed_0 --port 8000"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed demo` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("model", metavar="MODEL", help="a run's folder or a checkpoint; several with commas: averaged")
    parser.add_argument(
        "--host", default="127.0.0.1", help="0.0.0.0: open to other machines too (default: this machine only)"
    )
    parser.add_argument("--port", type=whole(1), default=7860, help="default: 7860")


def main(arguments: Sequence[str]) -> int:
    """Serve the page and return the exit status."""
    args = parsed("demo", add_arguments, arguments)
    if find_spec("gradio") is None:
        raise WsedError("wsed demo needs gradio: pip install 'wsed[demo]'")
    from wsed.demo.page import serve
    from wsed.inference.loading import load_all

    detector = load_all(args.model.split(","))
    detector.check()
    serve(detector, args.host, args.port)
    return 0
