"""The processes that train one trial of `wsed search` together: all take the trial of the first."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.distributed as dist

from wsed.cli.begin import launched
from wsed.errors import WsedError

TRIAL = "WSED_TRIAL"
"""The variable that tells the processes of a trial its number."""

AUTO = ("auto", -1, "-1")


def join() -> tuple[int, int]:
    """The rank of this process and the number of processes that torchrun or SLURM has started; (0, 1) without them.

    The processes join once and then train one trial after the other.
    """
    environment = launched()
    if environment is None:
        return 0, 1
    rank, ranks = environment.global_rank(), environment.world_size()
    if ranks > 1:
        os.environ.update(MASTER_ADDR=environment.main_address, MASTER_PORT=str(environment.main_port))
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, rank=rank, world_size=ranks)
    return rank, ranks


def tell(number: int | None) -> int | None:
    """Send the number of the next trial (None: none is left) from the first process to all; every process calls it."""
    shared = [number]
    dist.broadcast_object_list(shared, src=0)
    return shared[0]


def launches(trainer: Mapping[str, object]) -> bool:
    """Whether Lightning starts other processes for a training with these settings of the trainer.

    Raises:
        WsedError: it starts them in a way in which they cannot report.

    >>> launches({"devices": 2}), launches({"devices": "auto", "accelerator": "cpu"})
    (True, False)
    """
    devices, accelerator = trainer.get("devices", "auto"), trainer.get("accelerator", "auto")
    if devices in AUTO:
        n_devices = torch.cuda.device_count() if accelerator in ("auto", "gpu", "cuda") else 1
    elif isinstance(devices, list):
        n_devices = len(devices)
    else:
        text = str(devices)
        n_devices = int(text) if text.isdigit() else len([part for part in text.split(",") if part.strip()])
    several = n_devices > 1 or int(str(trainer.get("num_nodes") or 1)) > 1
    strategy = trainer.get("strategy")
    if several and strategy in ("ddp_spawn", "ddp_fork", "ddp_notebook"):
        raise WsedError(f"wsed search cannot use trainer.strategy {strategy} on several devices; use ddp")
    return several


def run_apart(number: int, arguments: Sequence[str], log: Path) -> int:
    """Run a trial in a process of its own, which starts the others; returns its exit status.

    Processes that trained together cannot meet again in a second training of the same process.
    """
    command = [sys.executable, "-m", "wsed.cli.main", "search", *arguments]
    with log.open("a") as output:
        done = subprocess.run(command, stdout=output, stderr=output, env=os.environ | {TRIAL: str(number)}, check=False)
    return done.returncode
