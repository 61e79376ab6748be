"""`wsed submit`: submit trainings to a scheduler, a job for each seed and row."""

import argparse
import re
import shlex
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from wsed.cli.arguments import parsed
from wsed.cli.early import check_files
from wsed.cli.flags import underscores
from wsed.cli.types import whole
from wsed.errors import WsedError
from wsed.shipped import located

HELP = "submit trainings to SLURM, a job for each seed and row; they continue after a preemption"
GROUP = "train"
EXAMPLES = """\
examples:
  wsed submit --config exp.yaml --gpus 1 --time 04:00:00 --seeds 5
  wsed submit --config base.yaml --rows rows/*.yaml --gpus 4 --nodes 2 --time 1-00:00:00 --partition gpu
  wsed submit --config exp.yaml --cluster local --seeds 2 --trainer.max_epochs 1

Each job is `wsed fit --resume auto`: shortly before its time is over it saves and is queued again. Options that are not
listed here are settings of the training, as for `wsed fit`."""

OF_A_JOB = ("--seed_everything", "--trainer.default_root_dir")
"""Settings that each job has for itself."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed submit` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = (
        "Submit trainings to a scheduler (submitit); each is a job of an array.",
        EXAMPLES,
    )
    parser.usage = "wsed submit --config FILE [options] [--any.setting VALUE ...]"
    parser.add_argument(
        "--config", type=Path, action="append", required=True, metavar="FILE", help="as for wsed fit; may be repeated"
    )
    parser.add_argument(
        "--rows", type=Path, nargs="+", default=[], metavar="FILE", help="configurations, each merged into its own job"
    )
    parser.add_argument("--seeds", type=whole(1), default=1, metavar="N", help="seeds 0 to N - 1 of each (default: 1)")
    parser.add_argument("--nodes", type=whole(1), default=1, metavar="N", help="machines of a job (default: 1)")
    parser.add_argument("--gpus", type=whole(0), default=1, metavar="N", help="GPUs of each machine (default: 1)")
    parser.add_argument("--cpus", type=whole(1), default=8, metavar="N", help="cores for each GPU (default: 8)")
    parser.add_argument(
        "--time", default="01:00:00", metavar="[D-]HH:MM:SS", help="time limit of a job (default: 01:00:00)"
    )
    parser.add_argument("--partition", metavar="NAME", help="partition of SLURM")
    parser.add_argument("--account", metavar="NAME", help="account of SLURM")
    parser.add_argument("--cluster", choices=["slurm", "local"], default="slurm", help="local: on this machine")
    parser.add_argument(
        "--logs",
        type=Path,
        default=Path("runs/jobs"),
        metavar="DIR",
        help="folder of the output of jobs (default: runs/jobs)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the commands of the jobs and submit nothing")


def main(arguments: Sequence[str]) -> int:
    """Submit the jobs and return the exit status.

    Raises:
        WsedError: submitit is not installed, a file is missing or has a mistake, jobs would share a folder, or there is
            no such scheduler here.
    """
    args = parsed("submit", add_arguments, arguments, settings=True)
    minutes = minutes_of(args.time)
    for path in [*args.config, *args.rows]:
        if not Path(located(str(path))).is_file():
            raise WsedError(f"no such configuration: {path}")
    if args.cluster == "local" and args.nodes > 1:
        raise WsedError(f"--nodes is {args.nodes}, but --cluster local has this machine only: leave --nodes out")
    jobs = commands(args)
    _check_apart(args, len(jobs))
    for job in jobs[:: args.seeds]:  # other seeds have the same settings
        _check_settings(job)
    if args.dry_run:
        for job in jobs:
            print("wsed fit", shlex.join(job))
        return 0
    if find_spec("submitit") is None:
        raise WsedError("wsed submit needs submitit: pip install 'wsed[cluster]'")
    from wsed.cli.submit_job import submit

    for number, job in zip(submit(args, minutes, jobs), jobs, strict=True):
        print(f"job {number}: wsed fit {shlex.join(job)}")
    print(f"output of the jobs: {args.logs}")
    return 0


def _check_apart(args: argparse.Namespace, jobs: int) -> None:
    """Refuse jobs that would train in one folder: each would continue the run of another."""
    rows: dict[str, Path] = {}
    for row in args.rows:
        if (same := rows.setdefault(row.stem, row)) is not row:
            raise WsedError(f"--rows: {same} and {row} would both train in runs/{row.stem}: rename one of them")
    flags = {flag.partition("=")[0] for flag in underscores(args.settings)}
    if jobs > 1 and (fixed := sorted(flags & set(OF_A_JOB))):
        raise WsedError(f"{fixed[0]} would be the same in all {jobs} jobs, but each has its own: leave it out")


def _check_settings(job: Sequence[str]) -> None:
    """Refuse the mistakes that `wsed fit` finds before it builds anything: the job would wait hours to say them."""
    check_files(job)
    from wsed.cli.configs import prepared

    with prepared(["fit", *job]):
        pass


def commands(args: argparse.Namespace) -> list[list[str]]:
    """The arguments of `wsed fit` in each job."""
    from wsed.cli.configs import run_name

    devices = ["--trainer.devices", str(max(args.gpus, 1)), "--trainer.num_nodes", str(args.nodes)]
    devices += ["--trainer.accelerator", "gpu" if args.gpus else "cpu"]
    if max(args.gpus, 1) * args.nodes > 1:
        devices += ["--trainer.strategy", "ddp"]
    result = []
    for row in args.rows or [None]:
        files = [*args.config, *([] if row is None else [row])]
        name = run_name(files) if row is None else row.stem
        for seed in range(args.seeds):
            job = [part for file in files for part in ("--config", str(file))]
            job += ["--seed_everything", str(seed), "--trainer.default_root_dir", f"runs/{name}/seed_{seed}"]
            result.append([*job, *devices, "--resume", "auto", *args.settings])
    return result


def minutes_of(time: str) -> int:
    """Minutes of a time as SLURM writes it.

    Raises:
        WsedError: the time has another form.

    >>> minutes_of("04:00:00"), minutes_of("1-00:30:00")
    (240, 1470)
    """
    match = re.fullmatch(r"(?:(\d+)-)?(\d+):(\d\d):(\d\d)", time)
    if match is None:
        raise WsedError(f"--time is {time!r}; write HH:MM:SS or D-HH:MM:SS, such as 04:00:00")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return max(1, (days * 24 + hours) * 60 + minutes + (seconds > 0))
