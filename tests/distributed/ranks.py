"""Run a function on several gloo processes of this machine."""

import os
import socket
from collections.abc import Callable
from typing import Any

import torch.distributed as dist
import torch.multiprocessing as mp


def _work(rank: int, ranks: int, port: int, function: Callable[..., Any], results: Any) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    try:
        results.put((rank, function(rank, ranks)))
        dist.barrier()
    finally:
        dist.destroy_process_group()


def run(function: Callable[[int, int], Any], ranks: int = 2) -> list[Any]:
    """What `function(rank, ranks)` returns on each rank; it must be importable and return plain values."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = mp.get_context("spawn")
    results = context.SimpleQueue()
    processes = [context.Process(target=_work, args=(r, ranks, port, function, results)) for r in range(ranks)]
    for process in processes:
        process.start()
    found = dict(results.get() for _ in processes)
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    return [found[r] for r in range(ranks)]
