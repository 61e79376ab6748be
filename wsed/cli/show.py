"""`wsed show`: the scores of a run as a table and where its pictures are; of several seeds, mean and deviation."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from wsed.cli.arguments import parsed
from wsed.errors import WsedError
from wsed.report.tables import score_table, seeds_table
from wsed.scoring.report import Report

HELP = "the scores of a RUN and where its pictures are; of several seeds, mean and deviation"
GROUP = "look"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed show` to a parser."""
    parser.description = __doc__
    parser.add_argument("run", type=Path, help="folder of a run (runs/exp/seed_0), or of its seeds (runs/exp)")
    parser.add_argument(
        "--stage",
        type=lambda name: "validation" if name == "validate" else name,
        choices=("test", "validation"),
        default="test",
        help="which evaluation of it (default: test)",
    )


def main(args: Sequence[str]) -> int:
    """Print the table and return the exit status."""
    arguments = parsed("show", add_arguments, args)
    show(arguments.run, arguments.stage)
    return 0


def show(run: Path, stage: str = "test") -> None:
    """Print the scores of a run and the files beside them, or of several seeds mean, deviation and best.

    Raises:
        WsedError: the run has no such evaluation.
    """
    if not run.is_dir():
        raise WsedError(f"no such run: {run}")
    console = Console()
    if seeds := sorted(path.parent for path in run.glob("*/config.yaml")):
        scored = {seed.name: Report.read(_file(seed, stage)) for seed in seeds if _file(seed, stage).is_file()}
        if not scored:
            raise WsedError(
                f"none of the {len(seeds)} runs in {run} has {stage}/scores.json: run `wsed {_verb(stage)} "
                "--config CONFIG --ckpt_path best` with the config.yaml of each"
            )
        console.print(f"{run}: {', '.join(scored)}", soft_wrap=True, markup=False, highlight=False)
        console.print(seeds_table(scored, console.width), highlight=False)
        if waiting := [seed.name for seed in seeds if seed.name not in scored]:
            console.print(f"without scores: {', '.join(waiting)}", soft_wrap=True, highlight=False)
        return
    if not _file(run, stage).is_file():
        again = f"wsed {_verb(stage)} --config {run / 'config.yaml'} --ckpt_path best"
        raise WsedError(f"no {_file(run, stage)}: run `{again}`")
    folder = run / stage
    console.print(f"{folder}", soft_wrap=True, markup=False, highlight=False)
    console.print(score_table(Report.read(_file(run, stage)), console.width), highlight=False)
    for name in ("curves.png", "class_f1.png", "embeddings.png", "predictions.tsv"):
        if (folder / name).is_file():
            console.print(f"{folder / name}", soft_wrap=True)


def _verb(stage: str) -> str:
    return "validate" if stage == "validation" else stage


def _file(run: Path, stage: str) -> Path:
    return run / stage / "scores.json"
