"""Run functions on gloo processes of this machine. They are started once and kept, since a start takes seconds."""

import os
import socket
import traceback
from collections.abc import Callable
from functools import cache
from typing import Any

import torch.distributed as dist
import torch.multiprocessing as mp


def _serve(rank: int, ranks: int, port: int, jobs: Any, results: Any) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    while True:
        function = jobs.get()
        try:
            results.put((rank, function(rank, ranks), None))
        except Exception:
            results.put((rank, None, traceback.format_exc()))


@cache
def _group(ranks: int) -> tuple[list[Any], Any]:
    """One queue of functions a process, and the queue of what they return. The processes end with this one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = mp.get_context("spawn")
    jobs, results = [context.Queue() for _ in range(ranks)], context.Queue()
    for rank, queue in enumerate(jobs):
        context.Process(target=_serve, args=(rank, ranks, port, queue, results), daemon=True).start()
    return jobs, results


def run(function: Callable[[int, int], Any], ranks: int = 2, seconds: float = 120) -> list[Any]:
    """What `function(rank, ranks)` returns on each rank; it must be importable and return plain values."""
    jobs, results = _group(ranks)
    for queue in jobs:
        queue.put(function)
    returned = {}
    for _ in range(ranks):
        rank, value, error = results.get(timeout=seconds)
        if error:
            _group.cache_clear()  # the other ranks may wait for this one: the next test starts new ones
            raise AssertionError(f"rank {rank}:\n{error}")
        returned[rank] = value
    return [returned[rank] for rank in range(ranks)]
