"""`wsed show`: the metrics of a run as a table, and its pictures; several seeds or several runs side by side."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from wsed.cli.arguments import parsed
from wsed.errors import WsedError
from wsed.report.tables import runs_table, score_table, seeds_table
from wsed.run import RunFolder
from wsed.text import read_yaml
from wsed.types import Split

HELP = "show the metrics and the pictures of a RUN; several seeds or several RUNs as one table"
GROUP = "look"

OWN = (
    "seed_everything",
    "data.seed",
    "trainer.default_root_dir",
    "ckpt_path",
    "overwrite",
    "resume",
    "every_n_train_steps",
    "trainer.enable_progress_bar",
)
"""Settings that runs of one experiment may differ in."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed show` to a parser."""
    parser.description = __doc__
    parser.add_argument(
        "run", type=Path, nargs="+", help="folder of a run (runs/exp/seed_0), or of its seeds (runs/exp)"
    )
    parser.add_argument(
        "--stage",
        type=lambda name: "validation" if name == "validate" else name,
        choices=("test", "validation"),
        default="test",
        help="the evaluation to show (default: test)",
    )


def main(args: Sequence[str]) -> int:
    """Print the table and return the exit status."""
    arguments = parsed("show", add_arguments, args)
    if len(arguments.run) > 1:
        show_several(arguments.run, arguments.stage)
    else:
        show(arguments.run[0], arguments.stage)
    return 0


def show_several(runs: Sequence[Path], stage: Split = "test") -> None:
    """Print a table with a line per run; for several seeds, mean and deviation.

    Raises:
        WsedError: a run has no such evaluation.
    """
    from wsed.study.run_tables import RunsOfRow, columns_of, header

    rows = [RunsOfRow.read(path, stage) for path in runs]
    columns = columns_of(rows)
    cells = [[_two_lines(str(row.cell(column))) for column in columns] for row in rows]
    head = [header(column).replace(" ", "\n") for column in columns]
    Console(markup=False).print(runs_table([row.name for row in rows], head, cells), highlight=False)
    print("F1 in per cent; ± standard deviation over seeds, [interval over clips]; `wsed table` for a paper")


def _two_lines(cell: str) -> str:
    value, bracket, limits = cell.partition(" [")
    return f"{value}\n[{limits}" if bracket else cell


def show(run: Path, stage: Split = "test") -> None:
    """Print the metrics of a run and the paths of its files; for several seeds, mean, deviation and best.

    Raises:
        WsedError: the run has no such evaluation.
    """
    if not run.is_dir():
        raise WsedError(f"no such run: {run}")
    console, folder = Console(markup=False), RunFolder.open(run)
    if seeds := folder.seeds():
        scored = {seed.path.name: seed.report(stage) for seed in seeds if seed.split(stage).report.is_file()}
        if not scored:
            raise WsedError(
                f"none of the {len(seeds)} runs in {run} has {stage}/{folder.split(stage).report.name}: run "
                f"`wsed {_verb(stage)} --config CONFIG --ckpt_path best` with the {folder.config.name} of each"
            )
        console.print(f"{run}: {', '.join(scored)}", soft_wrap=True, markup=False, highlight=False)
        if differing := differences([seed for seed in seeds if seed.path.name in scored]):
            text = f"not runs of one experiment, their configurations differ in {', '.join(differing)}"
            console.print(text, style="bold yellow", soft_wrap=True, markup=False, highlight=False)
        console.print(seeds_table(scored, console.width), highlight=False)
        if waiting := [seed.path.name for seed in seeds if seed.path.name not in scored]:
            console.print(f"without scores: {', '.join(waiting)}", soft_wrap=True, highlight=False)
        return
    left, report = folder.split(stage), folder.report(stage)
    console.print(f"{left.path}", soft_wrap=True, markup=False, highlight=False)
    console.print(score_table(report, console.width), highlight=False)
    for path in (*(left.picture(name) for name in ("curves", "class_f1", "embeddings")), left.predictions):
        if path.is_file():
            console.print(f"{path}", soft_wrap=True)


def differences(runs: Sequence[RunFolder]) -> list[str]:
    """The settings in which runs differ, except seeds and folders; a mean over such runs would have no meaning."""
    flat = [_flat(read_yaml(run.config)) for run in runs]
    names = list(dict.fromkeys(name for settings in flat for name in settings))
    return [n for n in names if n not in OWN and len({str(settings.get(n)) for settings in flat}) > 1]


def _flat(config: object, path: str = "") -> dict[str, object]:
    if not isinstance(config, dict) or not config:
        return {path: config}
    below = [_flat(value, f"{path}.{key}" if path else str(key)) for key, value in config.items() if key != "init_args"]
    below += [_flat(value, path) for key, value in config.items() if key == "init_args"]
    return {name: value for settings in below for name, value in settings.items()}


def _verb(stage: Split) -> str:
    return "validate" if stage == "validation" else stage
