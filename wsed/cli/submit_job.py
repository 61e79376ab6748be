"""The jobs of `wsed submit`. Needs submitit."""

import argparse
import shutil
from collections.abc import Sequence

import submitit

from wsed.errors import WsedError

WARNING = 120
"""SLURM warns a job this many seconds before its end."""


def train(arguments: Sequence[str]) -> None:
    """A job; each of its tasks is a process of the training. A job that was queued again continues its training.

    Args:
        arguments: those of `wsed fit`.

    Raises:
        RuntimeError: the training ended with another status than 0; it tells the scheduler.
    """
    from wsed.cli.main import main

    status = main(["fit", *arguments])
    if status:
        raise RuntimeError(f"wsed fit ended with status {status}")


def submit(args: argparse.Namespace, minutes: int, jobs: Sequence[Sequence[str]]) -> list[str]:
    """Submit jobs and return their numbers.

    Raises:
        WsedError: there is no SLURM here.
    """
    if args.cluster == "slurm" and shutil.which("sbatch") is None:
        raise WsedError("there is no SLURM here (no sbatch); --cluster local runs the jobs on this machine")
    executor = submitit.AutoExecutor(folder=args.logs, cluster=args.cluster)
    # SLURM starts a task for each GPU; on this machine Lightning starts the processes
    tasks = max(args.gpus, 1) if args.cluster == "slurm" else 1
    executor.update_parameters(
        name="wsed",
        nodes=args.nodes,
        tasks_per_node=tasks,
        cpus_per_task=args.cpus,
        timeout_min=minutes,
        slurm_signal_delay_s=WARNING,
        slurm_srun_args=["--kill-on-bad-exit=1"],  # if a process dies, the others would wait for it
        slurm_additional_parameters={"requeue": True} | ({"account": args.account} if args.account else {}),
        **({"gpus_per_node": args.gpus} if args.gpus else {}),
        **({"slurm_partition": args.partition} if args.partition else {}),
    )
    return [str(job.job_id) for job in executor.map_array(train, [list(job) for job in jobs])]
