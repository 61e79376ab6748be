"""`wsed show`: the scores of a run as a table, and where its pictures are."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from wsed.errors import WsedError
from wsed.report.scores import FIGURES


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
    console.print(score_table(json.loads((folder / "scores.json").read_text()), f"{folder}"))
    for name in ("curves.png", "class_f1.png", "predictions.tsv"):
        if (folder / name).is_file():
            console.print(f"{folder / name}", soft_wrap=True)


def score_table(scores: Mapping[str, Any], title: str) -> Table:
    """Scores in per cent: a row a class, then the averages over classes and over all events."""
    kinds = [(key, name) for key, name in FIGURES if key in scores]
    table = Table("class", *(name for _, name in kinds), "events", title=title)
    classes = list(scores[kinds[0][0]]["per_class"]) if kinds else []
    for label in classes:
        cells = [_percent(scores[key]["per_class"][label]["f1"]) for key, _ in kinds]
        table.add_row(label, *cells, str(scores[kinds[0][0]]["per_class"][label]["n_ref"]))
    for average in ("macro", "micro"):
        table.add_row(average, *(_percent(scores[key][average]) for key, _ in kinds), style="bold")
    return table


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
