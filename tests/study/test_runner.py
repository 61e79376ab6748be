"""Runs side by side: order, failures, and processes that die."""

import os
import signal
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from wsed.study.job import Job
from wsed.study.pool import Outcome, Pool
from wsed.study.rows import Row
from wsed.study.runner import Task, epoch, run_tasks


class Watched:
    def __init__(self):
        self.lines = []

    def started(self, job):
        self.lines.append(("started", job.row.name, job.seed))

    def alive(self, running):
        pass

    def ended(self, job, seconds, failure):
        self.lines.append((failure or "done", job.row.name, job.seed))


class Writes:
    """A pool that writes the report of a run at once; the runs of some rows fail."""

    def __init__(self, jobs=2, failing=()):
        self.jobs, self.failing, self.logs = jobs, failing, []

    def submit(self, lines, log, module=None):
        self.logs.append(log)
        row, future = log.parent.parent.name, Future()
        log.write_text(f"epoch 0  step 2\nepoch 1  step 4\nthe end of {row}\n")
        if row in self.failing:
            future.set_result(Outcome(1.0, "exit status 2"))
            return future
        report = log.parent / "test/scores.json"
        report.parent.mkdir(exist_ok=True)
        report.write_text("{}")
        (log.parent / "checkpoints").mkdir(exist_ok=True)
        (log.parent / "checkpoints/best.ckpt").touch()
        future.set_result(Outcome(1.0))
        return future


def job(root: Path, row: str, seed: int = 0, needs: Path | None = None) -> Job:
    after = None if needs is None else "embedding"
    return Job(
        "paper", Row(row, row, (), (0,), after=after, takes="x"), seed, root / row / f"seed_{seed}", (), (), needs
    )


def test_a_row_that_fails_does_not_stop_the_others(tmp_path):
    embedding = job(tmp_path, "embedding")
    jobs = [embedding, job(tmp_path, "classifier", needs=embedding.folder), job(tmp_path, "mil")]
    watched, pool = Watched(), Writes(failing=("embedding",))
    failures = run_tasks([Task(each, tmp_path) for each in jobs], pool, watched)
    assert [failure.name for failure in failures] == ["paper: embedding, seed 0", "paper: classifier, seed 0"]
    assert failures[0].reason == "exit status 2"
    assert failures[0].log.endswith("the end of embedding")
    assert "which failed" in failures[1].reason
    assert [each.state() for each in jobs] == ["begun", "missing", "done"]
    assert epoch(jobs[2]) == 1
    again = run_tasks([Task(each, tmp_path) for each in jobs], Writes(), Watched())
    assert not again
    assert {each.state() for each in jobs} == {"done"}


def test_a_stop_leaves_the_runs_in_progress_and_those_that_wait(tmp_path):
    """A run that ends by the same signal, as in a SLURM job, has not failed."""
    jobs = [job(tmp_path, row) for row in ("mil", "other", "last")]
    pool, watched = Writes(jobs=1, failing=("other",)), Watched()
    assert run_tasks([Task(each, tmp_path) for each in jobs], pool, watched, lambda: len(pool.logs) == 2) == []
    assert [each.state() for each in jobs] == ["done", "begun", "missing"]
    assert watched.lines == [("started", "mil", 0), ("done", "mil", 0), ("started", "other", 0)]


def test_runs_of_a_seed_come_before_those_of_the_next_and_done_ones_are_kept(tmp_path):
    jobs = [job(tmp_path, row, seed) for row in ("a", "b") for seed in (0, 1)]
    jobs[2].mark()
    pool = Writes(jobs=1)
    run_tasks([Task(each, tmp_path) for each in jobs], pool, Watched())
    order = [(log.parent.parent.name, log.parent.name) for log in pool.logs]
    assert order == [("a", "seed_0"), ("b", "seed_0"), ("a", "seed_1"), ("b", "seed_1")]
    run_tasks([Task(each, tmp_path) for each in jobs], pool, Watched())
    assert len(pool.logs) == 4


def test_processes_answer_fail_and_die(tmp_path, monkeypatch):
    log = tmp_path / "a/log.txt"
    (tmp_path / "pid.py").write_text(
        "import os, sys, time; print(os.getpid(), flush=True); time.sleep(float(sys.argv[1]))"
    )
    monkeypatch.chdir(tmp_path)
    with Pool(1, {"PYTHONPATH": os.environ.get("PYTHONPATH", str(Path(__file__).parents[2]))}) as pool:
        assert pool.submit([["--version"], ["--version"]], log).result().failure is None
        assert log.read_text().count("wsed 0.2") == 2
        assert pool.submit([["fitt"], ["--version"]], log).result().failure == "exit status 2"
        assert "did you mean fit" in log.read_text()
        waiting = pool.submit([["60"]], tmp_path / "pid.txt", "pid")
        while not (pid := read(tmp_path / "pid.txt")):
            time.sleep(0.02)
        os.kill(pid, signal.SIGKILL)
        assert waiting.result().failure == "its process was killed by signal 9"
        assert pool.submit([["--version"]], log).result().failure is None
        pool.submit([["60"]], tmp_path / "again.txt", "pid")
        while not (pid := read(tmp_path / "again.txt")):
            time.sleep(0.02)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)  # the pool ends its processes


def test_a_process_that_starts_while_the_pool_ends_is_ended_too(tmp_path):
    (tmp_path / "pid.py").write_text("import time; time.sleep(300)")
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[2]}"}
    start = time.monotonic()
    for _ in range(3):
        with Pool(2, environment) as pool:
            pool.submit([[]], tmp_path / "log.txt", "pid")
            pool.submit([[]], tmp_path / "log.txt", "pid")
    assert time.monotonic() - start < 200


def read(path: Path) -> int:
    lines = path.read_text().splitlines() if path.is_file() else []
    return int(lines[1]) if len(lines) > 1 else 0
