"""Processes that run side by side, each of which runs one command after the other."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

AFRESH = 60.0
"""A process that ran a command for more seconds than this is replaced, so that long trainings get a new process."""
WORKER = (sys.executable, "-m", "wsed.cli.run_worker")


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Args:
        seconds: how long it took.
        failure: why it failed; None if it did not.

    >>> Outcome(1.5).failure is None
    True
    """

    seconds: float
    failure: str | None = None


class Pool:
    """Runs commands in several processes; if a process dies, only its command fails.

    Args:
        jobs: number of processes.
        environment: variables of the processes.
        gpus: number of GPUs; each of the `jobs` places keeps one of them, of `CUDA_VISIBLE_DEVICES` if that is set.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, Pool(1) as pool:
    ...     pool.submit([["--version"]], Path(folder, "log.txt")).result().failure is None
    True
    """

    def __init__(self, jobs: int, environment: Mapping[str, str] | None = None, gpus: int = 0) -> None:
        self.jobs, self._environment = jobs, dict(environment or {})
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        self._gpus = (visible.split(",") if visible else list(map(str, range(gpus))))[:gpus]
        self._own, places = threading.local(), count()
        self._threads = ThreadPoolExecutor(jobs, initializer=lambda: setattr(self._own, "place", next(places)))
        self._lock, self._processes = threading.Lock(), list[subprocess.Popen[str]]()
        self._closed = False

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_error: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:  # a thread that starts a process holds it; later ones start none
            self._closed = True
        for process in self._processes:
            process.kill()
            process.wait()
        self._threads.shutdown()

    def submit(self, lines: Sequence[Sequence[str]], log: Path, module: str | None = None) -> "Future[Outcome]":
        """Run commands one after the other, until one fails.

        Args:
            lines: arguments of `wsed`, or of the module.
            log: file to which the output is added.
            module: a module to be run instead of `wsed`.
        """
        command = {"lines": [list(line) for line in lines], "log": str(log), "module": module}
        return self._threads.submit(self._do, json.dumps(command))

    def _do(self, command: str) -> Outcome:
        process = self._process()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(command + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        if not answer:
            self._own.process = None
            status = process.wait()
            return Outcome(
                0.0, f"its process was killed by signal {-status}" if status < 0 else f"exit status {status}"
            )
        outcome = json.loads(answer)
        if outcome["seconds"] > AFRESH:
            self._own.process = None
            process.kill()
            process.wait()
        return Outcome(outcome["seconds"], f"exit status {outcome['status']}" if outcome["status"] else None)

    def _process(self) -> "subprocess.Popen[str]":
        """The process of this thread; a new one if it has none."""
        process: subprocess.Popen[str] | None = getattr(self._own, "process", None)
        if process is None:
            with self._lock:
                if self._closed:
                    raise RuntimeError("the pool is closed")
                environment = {**os.environ, **self._environment}
                if self._gpus:
                    environment["CUDA_VISIBLE_DEVICES"] = self._gpus[self._own.place % len(self._gpus)]
                process = subprocess.Popen(
                    WORKER,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    encoding="utf-8",
                    env=environment,
                    start_new_session=True,  # the parent handles Ctrl-C, and ends them
                )
                self._processes.append(process)
            self._own.process = process
        return process
