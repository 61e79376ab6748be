"""`wsed reproduce` through the command line: mistakes, a recipe of one's own, a kill, and all papers as smoke."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.conftest import make_corpus
from tests.data.synth.tones import write_bank
from wsed.cli import reproduce
from wsed.cli.main import main
from wsed.files import locked
from wsed.metrics.base import MetricValue
from wsed.run import RunFolder
from wsed.scoring.report import Report
from wsed.study.claims import Claim
from wsed.study.measures import MeasuredRun
from wsed.study.plan import plan
from wsed.study.results import Failure, Results
from wsed.study.rows import Recipe, read_recipe

ROOT = Path(__file__).parents[2]
BASE = """
model:
  network:
    encoder: {class_path: crnn, init_args: {channels: 4, gru: 4, pools: [[2, 8], [1, 8]]}}
    frontend: {class_path: logmel, init_args: {sample_rate: 8000, n_fft: 512, hop_length: 320, f_max: 4000}}
  losses: {tags: {loss: mil}}
data: {corpus: {class_path: desed, init_args: {root: data/none}}, batch: {weak: 2}, workers: 0}
evaluation: {resamples: 0}
trainer: {max_epochs: 2, accelerator: cpu, logger: false}
"""
RECIPE = """
title: A study of one's own
seeds: 2
rows: {mil: {paper: {event_f1: 20}}, broken: {}, oracle: {weights_of: mil}}
claims: [{name: the oracle helps, rows: [mil, oracle], measure: event_f1, expect: above}]
scales: {small: {}}
"""


def own_recipe(folder: Path, base: str = BASE) -> Path:
    (folder / "rows").mkdir(parents=True)
    (folder / "base.yaml").write_text(base)
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "rows/mil.yaml").write_text("# MIL\n")
    (folder / "rows/oracle.yaml").write_text("evaluation: {decoder: {tags: oracle}}\n")
    (folder / "rows/broken.yaml").write_text("model: {losses: {tags: {loss: mill}}}\n")
    return folder


def test_a_scale_that_a_recipe_lacks_is_named(tmp_path, capsys):
    folder = own_recipe(tmp_path / "own")
    assert main(["reproduce", str(folder), "--scale", "full", "--out", str(tmp_path / "out")]) == 2
    assert "has no scale full; it has: small" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["mnet"], "no recipe 'mnet' (did you mean mmnet?); known: compare, cosine_penalty"),
        (
            ["waa", "--scale", "full"],
            "waa at scale full needs the corpus of the paper (WAA1): give its folder by --root",
        ),
        (["mmnet", "--scale", "full"], "needs the corpus of the paper (DCASE 2017 task 4): give its folder by --root"),
        (["all", "--root", "data"], "name the paper instead of all"),
        (["all", "--scale", "full"], "no recipe makes its corpus at scale full: name one paper"),
        (["mmnet", "--rows", "mmet"], "no row is called 'mmet' (did you mean mmnet"),
        (["all", "--scale", "smoke", "--rows", "weak", "mmet"], "no row is called 'mmet' (did you mean mmnet"),
        (["waa", "--rows", "classifier"], "does not say which setting takes its checkpoint (rows.classifier.takes)"),
        (["mmnet", "--root", "none"], "no such folder: none"),
        (["mmnet", "--mixtures", "2"], "--mixtures needs --soundbank DIR, and a scale that makes its corpus"),
        (["mmnet", "--mixtures", "2", "--soundbank", "gone"], "gone is not a soundbank"),
    ],
)
def test_mistakes_are_one_line_before_anything_is_run(args, message, tmp_path, capsys):
    assert main(["reproduce", *args, "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*/*"))


def test_a_file_where_a_run_must_be_is_refused_before_the_corpus_is_made(tmp_path, capsys):
    (tmp_path / "mmnet").touch()
    assert main(["reproduce", "mmnet", "--scale", "smoke", "--out", str(tmp_path)]) == 2
    assert f"{tmp_path / 'mmnet'} is a file, where a folder must be" in capsys.readouterr().err
    assert not (tmp_path / "corpora").exists()


def test_with_all_papers_only_those_with_the_rows_are_run(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("wsed.study.corpora.make_corpora", lambda corpora, pool: None)
    monkeypatch.setattr("wsed.study.plan.check_begun", lambda folder, *args: folder.mkdir(parents=True))
    monkeypatch.setattr(
        "wsed.study.runner.run_tasks", lambda tasks, pool, view, stop: asked.extend(t.job.name for t in tasks)
    )
    monkeypatch.setattr(reproduce, "_write_results", lambda *args: None)
    args = ["reproduce", "all", "--scale", "smoke", "--rows", "weak", "mil", "--seeds", "1", "--out", str(tmp_path)]
    assert main(args) == 0
    assert asked == ["cosine_penalty: mil, seed 0", "fpd: weak, seed 0"]


def test_one_at_a_time_works_in_a_folder(tmp_path, capsys):
    with locked(tmp_path / ".lock"):
        assert main(["reproduce", "mmnet", "--out", str(tmp_path)]) == 2
    assert "another `wsed reproduce` is running" in capsys.readouterr().err


def test_a_cpu_without_bfloat16_trains_in_float32(tmp_path, capsys, monkeypatch):
    recipe = read_recipe(ROOT / "experiments/fpd")
    (small,) = plan(recipe, recipe.scales["small"], tmp_path, ["weak"], 1)
    (smoke,) = plan(recipe, recipe.scales["smoke"], tmp_path / "smoke", ["weak"], 1)  # in float32 anyway
    short = replace(small, flags=("--trainer.precision", "bf16"))
    jobs, console = [small, smoke, short], Console(stderr=True)
    in_float32 = [replace(job, flags=(*job.flags, "--trainer.precision", "32-true")) for job in jobs]
    monkeypatch.setattr("wsed.ops.precision.slow_bfloat16", lambda: True)
    assert reproduce._precise(jobs, console, gpus=0) == [in_float32[0], smoke, in_float32[2]]
    assert "fpd: in float32" in capsys.readouterr().err
    assert reproduce._precise(jobs, console, gpus=1) == jobs
    small.mark()  # begun in bfloat16, on another machine: it goes on so
    assert reproduce._precise([small], console, gpus=0) == [small]
    in_float32[0].mark()
    assert reproduce._precise([small], console, gpus=1) == [in_float32[0]]
    monkeypatch.setattr("wsed.ops.precision.slow_bfloat16", lambda: False)
    assert reproduce._precise(jobs[1:], console, gpus=0) == jobs[1:]


def test_verdicts_over_mixtures_come_with_the_results_of_each(tmp_path, capsys, monkeypatch):
    """Runs are not trained here: each is marked as failed."""
    write_bank(tmp_path / "bank")
    bank, out = str(tmp_path / "bank"), tmp_path / "out"
    made, asked = [], []
    monkeypatch.setattr("wsed.study.corpora.make_corpora", lambda corpora, pool: made.extend(corpora))
    monkeypatch.setattr("wsed.study.plan.check_begun", lambda folder, *args: folder.mkdir(parents=True))

    def failing(tasks, pool, view, stop):
        asked.extend(task.job.folder for task in tasks)
        return [Failure(task.job.name, "no", "", task.job.folder) for task in tasks if "mixture_1" in str(task.root)]

    monkeypatch.setattr("wsed.study.runner.run_tasks", failing)
    args = ["mmnet", "--scale", "smoke", "--rows", "resnet", "mmnet", "--soundbank", bank, "--out", str(out)]
    assert main(["reproduce", *args, "--mixtures", "3", "--seeds", "1"]) == 1
    assert [corpus.soundbank for corpus in made] == [bank, *(f"{out}/mixture_{i}/soundbank" for i in (1, 2))]
    assert {folder.relative_to(out).parts[0] for folder in asked} == {"mmnet", "mixture_1", "mixture_2"}
    assert "verdicts over mixtures" in (out / "mmnet/mixtures.md").read_text()
    assert "Failed: mmnet: resnet" in (out / "mixture_1/mmnet/results.md").read_text()
    assert "Failed" not in (out / "mixture_2/mmnet/results.md").read_text()
    assert "one seed" not in capsys.readouterr().err
    write_bank(tmp_path / "other")
    args[args.index(bank)] = str(tmp_path / "other")
    assert main(["reproduce", *args, "--mixtures", "3"]) == 2
    assert "mixture_1/soundbank has soundbank" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("number", "said"), [(signal.SIGINT, "wsed: stopped; "), (signal.SIGTERM, "wsed: ended by SIGTERM; ")]
)
def test_a_study_that_is_stopped_writes_the_results_of_finished_runs(tmp_path, capsys, monkeypatch, number, said):
    """Runs are not trained here: the first one is marked as done, then the signal comes."""
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def one_then_a_signal(tasks, pool, view, stop):
        assert not stop()
        job = tasks[0].job
        job.mark()
        report = RunFolder(job.folder).split("test").report
        report.parent.mkdir()
        Report(4, {"event_f1": MetricValue({"macro": 0.25})}).write(report)
        job.mark(1.0)
        signal.raise_signal(number)
        assert stop()
        return []

    monkeypatch.setattr("wsed.study.runner.run_tasks", one_then_a_signal)
    recipe, study = own_recipe(tmp_path / "own"), tmp_path / "out/own"
    command = [
        "reproduce",
        str(recipe),
        "--root",
        str(make_corpus(tmp_path / "corpus")),
        "--out",
        str(tmp_path / "out"),
    ]
    assert main([*command, "--rows", "mil", "oracle"]) == 128 + number
    shown = capsys.readouterr()
    end = "3 of 4 runs are missing, the results have the others; the same command goes on"
    assert shown.err.splitlines()[-1] == f"{said}{end}"
    assert "| mil | event_f1 | 20.0 | 25.0 |" in shown.out
    assert shown.out.startswith((study / "results.md").read_text())
    assert "3 of 4 runs are not done." in (study / "results.md").read_text()
    assert json.loads((study / "results.json").read_text())["rows"]["mil"]["event_f1"]["seeds"] == {"seed_0": 25.0}
    assert (study / "results.csv").is_file()
    assert (study / "results.tex").is_file()
    assert not (study / "report.html").exists()
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers


def test_a_stop_before_the_first_run_or_a_second_one_ends_at_once(tmp_path, capsys, monkeypatch):
    def while_corpora_are_made(corpora, pool):
        signal.raise_signal(signal.SIGTERM)

    def twice(tasks, pool, view, stop):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    recipe, corpus = own_recipe(tmp_path / "own"), make_corpus(tmp_path / "corpus")
    command = ["reproduce", str(recipe), "--root", str(corpus), "--out", str(tmp_path / "out")]
    monkeypatch.setattr("wsed.study.runner.run_tasks", twice)
    assert main(command) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "wsed: stopped; files that were written are kept"
    monkeypatch.setattr("wsed.study.corpora.make_corpora", while_corpora_are_made)
    assert main(command) == 143
    said = "wsed: ended by SIGTERM; files that were written are kept; the same command goes on"
    assert capsys.readouterr().err.splitlines()[-1] == said
    assert not (tmp_path / "out/own/results.md").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_the_runs_and_the_same_command_goes_on(tmp_path, number):
    recipe = own_recipe(tmp_path / "own")
    args = ["reproduce", str(recipe), "--root", str(make_corpus(tmp_path / "corpus")), "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "wsed.cli.main", *args, "--jobs", "1", "--seeds", "2", "--rows", "mil"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    first, second = (tmp_path / f"out/own/mil/seed_{i}" for i in (0, 1))
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (second / "log.txt").is_file():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert err.splitlines()[-1].endswith(
        "1 of 2 runs are missing, the results have the others; the same command goes on"
    )
    assert (first / "test/scores.json").is_file()
    assert (tmp_path / "out/own/results.md").read_text() in out
    log = (second / "log.txt").read_text()
    time.sleep(1)
    assert (second / "log.txt").read_text() == log  # nobody goes on with it
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "2 runs, 1 done before" in done.stderr


@pytest.mark.slow
def test_a_recipe_of_ones_own_with_a_row_that_fails_and_a_kill(tmp_path):
    """Four epochs: the process is killed after the first; the second start does the other three."""
    recipe = own_recipe(tmp_path / "own", BASE.replace("max_epochs: 2", "max_epochs: 4"))
    args = ["reproduce", str(recipe), "--root", str(make_corpus(tmp_path / "corpus")), "--out", str(tmp_path / "out")]
    args += ["--jobs", "2", "--seeds", "2"]
    command = [sys.executable, "-m", "wsed.cli.main", *args]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    log = tmp_path / "out/own/mil/seed_0/log.txt"
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        while not (log.is_file() and "epoch 0" in log.read_text()):
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1  # a row fails
    epochs = re.findall(r"^epoch (\d)", log.read_text(), flags=re.MULTILINE)
    assert sorted(set(epochs)) == list("0123")
    assert len(epochs) <= 5  # no more than one was lost
    found = json.loads((tmp_path / "out/own/results.json").read_text())
    assert list(found["rows"]) == ["mil", "oracle"]
    assert [failure["run"] for failure in found["failures"]] == ["own: broken, seed 0", "own: broken, seed 1"]
    assert "did you mean mil" in found["failures"][0]["log"]
    assert found["claims"][0]["seeds"] == 2
    page = tmp_path / "out/own/report.html"
    assert f"\n{page}\n" in done.stdout
    page.unlink()
    page.mkdir()
    again = subprocess.run(
        [*command, "--rows", "mil", "oracle"], env=environment, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0
    assert "4 runs, 4 done before" in again.stderr
    assert "## Claims" in again.stdout
    assert f"no page {page} (exit status 2): see {page.with_suffix('.log')}" in again.stdout
    assert f"{page} is a folder" in page.with_suffix(".log").read_text()


@pytest.mark.slow
def test_a_run_on_two_devices(tmp_path):
    """Lightning starts the second process with the command of the process that does the run."""
    recipe = own_recipe(
        tmp_path / "own", BASE.replace("accelerator: cpu", "accelerator: cpu, devices: 2, strategy: ddp")
    )
    args = ["reproduce", str(recipe), "--root", str(make_corpus(tmp_path / "corpus")), "--out", str(tmp_path / "out")]
    command = [sys.executable, "-m", "wsed.cli.main", *args, "--jobs", "1", "--seeds", "2", "--rows", "mil"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    for seed in (0, 1):  # the second after the first in one process
        log = (tmp_path / f"out/own/mil/seed_{seed}/log.txt").read_text()
        assert done.returncode == 0, log
        assert "Starting with 2 processes" in log
    assert json.loads((tmp_path / "out/own/results.json").read_text())["rows"].keys() == {"mil"}


def measured(folder, scored, config):
    folder.mkdir(parents=True)
    if config:
        (folder / "config.yaml").touch()
    return MeasuredRun(RunFolder(folder), Report(1, {}), object() if scored else None)


def test_the_page_shows_the_first_run_of_the_rows_of_claims(tmp_path):
    claims = (Claim("a", "mil", "cos", "event_f1", "above"), Claim("a", "mil", "unrun", "event_f1", "above"))
    rows = {"other": (True, True), "embeds": (False, True), "weights": (True, False), "cos": (True, True)}
    runs = {
        name: {f"seed_{i}": measured(tmp_path / name / f"seed_{i}", *there) for i in (1, 3)}
        for name, there in {**rows, "mil": (True, True)}.items()
    }
    study = Results(Recipe(tmp_path, "A paper", {}, {}, claims), "small", "a toy", False, runs)
    assert reproduce._on_page(study) == [tmp_path / name / "seed_1" for name in ("mil", "cos", "other")]
    assert reproduce._on_page(replace(study, runs={})) == []


@pytest.mark.slow
def test_all_papers_as_smoke(tmp_path):
    out = tmp_path / "smoke"
    command = [sys.executable, "-m", "wsed.cli.main", "reproduce", "all", "--scale", "smoke", "--jobs", "2"]
    start = time.monotonic()
    subprocess.run([*command, "--out", str(out)], env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT, check=True)
    print(f"{time.monotonic() - start:.0f} s")
    for paper in ("compare", "cosine_penalty", "desed", "fpd", "mmnet", "waa", "what_wins"):
        found = json.loads((out / paper / "results.json").read_text())
        recipe, study = read_recipe(ROOT / "experiments" / paper), out / paper
        planned = {job.row.name for job in plan(recipe, recipe.scales["smoke"], study)}
        assert found["rows"].keys() == planned
        with (study / "results.csv").open(newline="") as file:
            assert {line[0] for line in csv.reader(file)} == {"system", *(recipe.rows[row].title for row in planned)}
        assert (study / "results.tex").read_text().count(r"\\") == 1 + len(planned)
        report = (study / "results.md").read_text()
        assert all(part in report for part in ("## Rows", "## Claims", *(claim["name"] for claim in found["claims"])))
        assert found["claims"]
        assert not found["failures"]
        assert all(claim["seeds"] == 2 for claim in found["claims"])
        assert (out / paper / "report.html").stat().st_size > 100_000, (out / paper / "report.log").read_text()
