"""Processes of torchrun or SLURM begin together: if one of them fails before they join, the others end at once."""

import atexit
import contextlib
import os
import platform
import time
from datetime import timedelta
from functools import cache

import torch.distributed as dist
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch import Trainer
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from wsed.errors import WsedError

TELL = 120
"""Seconds that a process that has failed waits for the others, which may still be starting."""

READY = "ready"


def launched() -> TorchElasticEnvironment | SLURMEnvironment | None:
    """What torchrun or SLURM tells about the processes that it has started; None without them."""
    if TorchElasticEnvironment.detect():
        return TorchElasticEnvironment()
    return SLURMEnvironment() if SLURMEnvironment.detect() else None


def wait_for_all(trainer: Trainer, seconds: float) -> None:
    """Wait until all processes that torchrun or SLURM has started for a training can begin.

    Args:
        trainer: the trainer of this process.
        seconds: how long this process waits for the first contact.

    Raises:
        WsedError: a process cannot begin; the message is that of its own error.
    """
    environment, ranks = launched(), trainer.world_size
    if environment is None or dist.is_initialized() or ranks == 1 or ranks != environment.world_size():
        return
    store = _meet(environment, seconds)
    store.set(str(trainer.global_rank), READY)
    begun: set[int] = set()
    while len(begun) < ranks:
        for rank in set(range(ranks)) - begun:
            if not store.check([str(rank)]):  # asked again and again: no signal is heard during `store.wait`
                continue
            begun.add(rank)
            if (message := store.get(str(rank)).decode()) != READY:
                store.add("read", 1)
                raise WsedError(f"process {rank} {message}")
        time.sleep(0.05)
    store.add("read", 1)


def tell_others(message: str) -> None:
    """Tell the other processes that this one cannot begin: at its end, when its own message is printed."""
    environment = launched()
    if environment is not None and environment.world_size() > 1 and not dist.is_initialized():
        atexit.register(_tell, environment, message)


def _tell(environment: TorchElasticEnvironment | SLURMEnvironment, message: str) -> None:
    rank, end = str(environment.global_rank()), time.monotonic() + TELL
    with contextlib.suppress(RuntimeError):  # the others are gone, or never began
        store = _meet(environment, TELL)
        if not store.check([rank]):
            store.set(rank, f"on {platform.node()} cannot begin: {message}")
            store.add("read", 1)
        while rank == "0" and store.add("read", 0) < environment.world_size() and time.monotonic() < end:
            time.sleep(0.05)  # the store ends with its first process


def _meet(environment: TorchElasticEnvironment | SLURMEnvironment, seconds: float) -> Store:
    place = environment.global_rank(), environment.world_size()
    return _store(*place, environment.main_address, environment.main_port, seconds)


@cache
def _store(rank: int, ranks: int, address: str, port: int, seconds: float) -> Store:
    """Where the processes meet. It is kept: torch uses it again when they join."""
    os.environ.update(MASTER_ADDR=address, MASTER_PORT=str(port))
    store, _, _ = next(rendezvous("env://", rank, ranks, timeout=timedelta(seconds=seconds)))
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")  # torchrun starts the processes again, not the store
    return PrefixStore(f"wsed_{attempt}", store)
