"""Run functions on gloo processes of this machine. They are started once and kept, since a start takes seconds."""

import os
import queue
import socket
import traceback
from collections.abc import Callable
from functools import cache
from typing import Any

import torch.distributed as dist
import torch.multiprocessing as mp

from wsed.data.processes import end_with_parent


def _serve(rank: int, ranks: int, port: int, jobs: Any, results: Any) -> None:
    end_with_parent()
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    while True:
        function = jobs.get()
        try:
            results.put((rank, function(rank, ranks), None))
        except Exception:
            results.put((rank, None, traceback.format_exc()))


def free_port() -> int:
    """A port of this machine that no program uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@cache
def _group(ranks: int) -> tuple[list[Any], Any, list[Any]]:
    """One queue of functions a process, the queue of what they return, and the processes, which end with this one."""
    port = free_port()
    context = mp.get_context("spawn")
    jobs, results = [context.Queue() for _ in range(ranks)], context.Queue()
    started = [
        context.Process(target=_serve, args=(rank, ranks, port, job, results), daemon=True)
        for rank, job in enumerate(jobs)
    ]
    for process in started:
        process.start()
    return jobs, results, started


def run(function: Callable[[int, int], Any], ranks: int = 2, seconds: float = 120) -> list[Any]:
    """What `function(rank, ranks)` returns on each rank; it must be importable and return plain values."""
    send(function, ranks)
    return returned(ranks, seconds)


def send(function: Callable[[int, int], Any], ranks: int) -> None:
    """Let the processes begin; `returned` waits for them."""
    for job in _group(ranks)[0]:
        job.put(function)


def returned(ranks: int, seconds: float = 120) -> list[Any]:
    """What the function that was sent returns on each rank."""
    _, results, started = _group(ranks)
    values, errors = {}, []
    for _ in range(ranks):
        try:  # a rank whose mate has failed may wait for it for ever
            rank, value, error = results.get(timeout=20 if errors else seconds)
        except queue.Empty:
            errors.append(f"no answer within {seconds} s")
            for process in started:
                process.kill()
            _group.cache_clear()
            break
        values[rank] = value
        errors += [f"rank {rank}:\n{error}"] if error else []
    if errors:
        raise AssertionError("\n".join(errors))
    return [values[rank] for rank in range(ranks)]
