"""`wsed show`: the scores of a run as a table, and where its pictures are."""

import argparse
import json
from pathlib import Path

from rich.console import Console

from wsed.errors import WsedError
from wsed.report.tables import score_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed show` to a parser."""
    parser.add_argument("run", type=Path, help="folder of a run, e.g. runs/exp/seed_0")
    parser.add_argument("--stage", default="test", help="which evaluation of it (default: test)")


def run(args: argparse.Namespace) -> int:
    """Print the table; returns the exit status."""
    show(args.run, args.stage)
    return 0


def show(run: Path, stage: str = "test") -> None:
    """Print per-class and average scores of `run/stage/scores.json` and the files beside it.

    Raises:
        WsedError: the run has no such evaluation.
    """
    folder = run / stage
    if not run.is_dir():
        raise WsedError(f"no such run: {run}")
    if seeds := sorted(path.parent.name for path in run.glob("*/config.yaml")):
        raise WsedError(f"{run} holds several runs: name one of them, e.g. {run / seeds[0]}")
    if not (folder / "scores.json").is_file():
        raise WsedError(
            f"no {folder / 'scores.json'}: run `wsed {stage} --config {run / 'config.yaml'} --ckpt_path best`"
        )
    console = Console()
    console.print(f"{folder}", soft_wrap=True, markup=False, highlight=False)
    console.print(score_table(json.loads((folder / "scores.json").read_text()), console.width), highlight=False)
    for name in ("curves.png", "class_f1.png", "predictions.tsv"):
        if (folder / name).is_file():
            console.print(f"{folder / name}", soft_wrap=True)
