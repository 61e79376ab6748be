"""`wsed reproduce`: the study of a paper by one command, from the corpus to the verdicts on its claims."""

import argparse
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from wsed.cli.arguments import parsed
from wsed.cli.types import whole
from wsed.errors import WsedError

if TYPE_CHECKING:
    from wsed.study.plan import Job
    from wsed.study.results import Results

HELP = "run the study of a paper and judge its claims"
GROUP = "train"
ON_PAGE = 6
"""Most rows on the page of a study."""

DESCRIPTION = """\
Run the rows of a paper's tables with several seeds, and judge its claims by paired tests.

PAPER is the name of a folder of experiments/ (here, or in the library), the path of a folder with a recipe.yaml of
your own, or `all`. The corpus is made if the scale has one; finished runs are kept, and only missing ones are made. The
same command continues a study that was stopped or killed; each run goes on from its last epoch.

Writes OUT/PAPER/results.md and results.json: the values of the paper, ours (mean, deviation, best, seeds), and the
verdict on each claim: holds, fails, equal (within a stated margin) or open. Intervals are over seeds and, if they are
known, over test recordings. Numbers are never compared with those of the paper on another corpus. The rows are also
written as tables for a paper, results.tex and results.csv, and report.html is the page of `wsed report` for the first
run of the rows that the claims are about. With --mixtures, mixtures.md and mixtures.json have the verdicts over
several corpora, made from one soundbank with other recordings for training and for test."""

EXAMPLES = """\
examples:
  wsed reproduce all --scale smoke                  every paper in minutes: a few clips of built-in sounds
  wsed reproduce cosine_penalty --scale small --soundbank ../shared/data/soundbank --jobs 2
  wsed reproduce mmnet --scale small --rows resnet att mmnet --seeds 5
  wsed reproduce mmnet --scale full --root data/dcase2017
  wsed reproduce cosine_penalty --scale small --soundbank ../shared/data/soundbank --mixtures 3
  wsed reproduce compare --scale small --soundbank ../shared/data/soundbank --rows linear_softmax cos --seeds 3
  wsed reproduce my/study --scale small --root my/corpus"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `wsed reproduce` to a parser."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description, parser.epilog = DESCRIPTION, EXAMPLES
    parser.add_argument("paper", metavar="PAPER", help="name or folder of a recipe, or all")
    parser.add_argument(
        "--scale",
        choices=("smoke", "small", "full"),
        default="small",
        help="smoke: tests that all rows run; small: for two cores (default); full: the protocol of the paper",
    )
    parser.add_argument(
        "--rows", nargs="+", default=[], metavar="ROW", help="names or patterns (default: those of the scale)"
    )
    parser.add_argument("--seeds", type=whole(1), metavar="N", help="seeds of each row (default: those of the recipe)")
    parser.add_argument(
        "--jobs", type=whole(1), metavar="J", help="runs side by side (default: one per GPU, or per core)"
    )
    parser.add_argument("--root", type=Path, metavar="CORPUS", help="folder of your corpus, instead of a made one")
    parser.add_argument(
        "--soundbank",
        default="builtin",
        metavar="DIR",
        help="soundbank from which the corpus is made (default: built-in sounds)",
    )
    parser.add_argument(
        "--mixtures", type=whole(1), default=1, metavar="N",
        help="corpora from the soundbank; from the second on, its recordings are dealt anew to training and test",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder of the studies (default: runs/reproduce/SCALE)")


@dataclass(frozen=True)
class Asked:
    """The arguments of `wsed reproduce`, see its help."""

    paper: str
    scale: str
    rows: list[str]
    seeds: int | None
    jobs: int | None
    root: Path | None
    soundbank: str
    out: Path | None
    mixtures: int = 1


def main(arguments: Sequence[str]) -> int:
    """Run the studies, write and print their results; the exit status is 1 if a run failed."""
    asked = Asked(**vars(parsed("reproduce", add_arguments, arguments)))
    from wsed.files import try_lock

    out = asked.out or Path("runs/reproduce") / asked.scale
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = try_lock(out / ".lock")
    except OSError as error:
        raise WsedError(f"--out {out} cannot be written: {error.strerror}") from None
    if lock is None:
        raise WsedError(f"another `wsed reproduce` is running in {out}: wait for it, or give another --out")
    with lock:
        return reproduce(asked, out)[0] if asked.mixtures == 1 else over_mixtures(asked, out)


def over_mixtures(asked: Asked, out: Path) -> int:
    """The studies on each mixture, then the verdicts over mixtures."""
    from wsed.data.synth.exchange import exchange
    from wsed.files import write_text
    from wsed.study.mixtures import Mixtures

    if asked.root is not None or asked.soundbank == "builtin":
        what = "--root" if asked.root is not None else "built-in sounds"
        raise WsedError(f"--mixtures deals the recordings of a soundbank: give it by --soundbank, without {what}")
    folders = [out, *(out / f"mixture_{i}" for i in range(1, asked.mixtures))]
    for i, folder in enumerate(folders[1:], 1):
        exchange(asked.soundbank, folder / "soundbank", seed=i)
    status, studies = 0, []
    for folder in folders:
        soundbank = asked.soundbank if folder == out else str(folder / "soundbank")
        failed, found = reproduce(replace(asked, soundbank=soundbank), folder)
        status |= failed
        studies.append(found)
    for of in zip(*studies, strict=True):
        mixtures, file = Mixtures(of), out / of[0].recipe.folder.name / "mixtures.md"
        write_text(file, mixtures.markdown())
        write_text(file.with_suffix(".json"), mixtures.to_json())
        print(f"{mixtures.markdown()}\n{file}, {file.with_suffix('.json')}", flush=True)
    return status


def reproduce(asked: Asked, out: Path) -> "tuple[int, list[Results]]":
    """Make what is missing, then write and print the results of each study; returns the exit status too."""
    from wsed.cli.reproduce_view import View
    from wsed.files import write_text
    from wsed.study.corpora import corpus_of, make_corpora
    from wsed.study.plan import check_begun, plan
    from wsed.study.pool import Pool
    from wsed.study.recipes import find_recipes
    from wsed.study.results import results
    from wsed.study.runner import Task, run_tasks

    recipes = find_recipes(asked.paper, asked.scale)
    if asked.root is not None and len(recipes) > 1:
        raise WsedError("--root is the corpus of one paper: name the paper instead of all")
    corpora = [corpus_of(recipe, asked.scale, out, asked.root, asked.soundbank) for recipe in recipes]
    plans = [
        plan(recipe, recipe.scales[asked.scale], out / recipe.folder.name, asked.rows, asked.seeds)
        for recipe in recipes
    ]
    gpus = _gpus()
    console = Console(stderr=True)
    if not gpus:
        plans = [_in_float32(jobs, console) for jobs in plans]
    states = [job.state() for jobs in plans for job in jobs]  # refuses folders of others before anything is run
    _say_seeds(plans, console)
    jobs = asked.jobs or gpus or os.cpu_count() or 1
    with Pool(jobs, _environment([recipe.folder for recipe in recipes], gpus), gpus) as pool:
        with console.status("making corpora") if console.is_terminal else contextlib.nullcontext():
            make_corpora(corpora, pool)
        for recipe, corpus in zip(recipes, corpora, strict=True):
            check_begun(out / recipe.folder.name, asked.scale, corpus.root)
        tasks = [Task(job, corpus.root) for jobs_of, corpus in zip(plans, corpora, strict=True) for job in jobs_of]
        with View(console, total=len(states), done=states.count("done"), jobs=jobs) as view:
            failures = run_tasks(tasks, pool, view)
        pages, studies = [], []
        for recipe, corpus, jobs_of in zip(recipes, corpora, plans, strict=True):
            folder, paper = out / recipe.folder.name, recipe.scales[asked.scale].paper is not None
            own = [failure for failure in failures if failure.name in {job.name for job in jobs_of}]
            study = results(recipe, asked.scale, jobs_of, corpus.root, corpus.words, paper, own)
            studies.append(study)
            text = study.markdown()
            write_text(folder / "results.md", text)
            write_text(folder / "results.json", study.to_json())
            write_text(folder / "results.tex", study.table("latex") + "\n")
            write_text(folder / "results.csv", study.table("csv") + "\n")
            print(f"{text}\n{folder / 'results.md'}, {folder / 'results.json'}\n", flush=True)
            if shown := _on_page(study):
                pages.append((page := folder / "report.html", pool.submit([_report(shown, page)], _log_of(page))))
        for page, written in pages:  # made by other processes, so that none can cost a table
            why = written.result().failure
            print(page if why is None else f"no page {page} ({why}): see {_log_of(page)}", flush=True)
    return (1 if failures else 0), studies


def _say_seeds(plans: Sequence[Sequence[object]], console: Console) -> None:
    """Warn before hours of training that one seed decides nothing."""
    from wsed.study.plan import Job

    seeds = [len({job.seed for job in jobs if isinstance(job, Job)}) for jobs in plans]
    if seeds and max(seeds) < 2:
        console.print("one seed: a paired test needs two or more, so every claim will be open", highlight=False)


def _in_float32(jobs: Sequence["Job"], console: Console) -> "list[Job]":
    """The runs, on a CPU without bfloat16 in float32: else they take about ten times as long."""
    from wsed.ops.precision import slow_bfloat16

    if not slow_bfloat16():
        return list(jobs)
    slow = [job for job in jobs if _precision(job) == "bf16-mixed"]
    if slow:
        console.print(f"{slow[0].study}: in float32, since this CPU has no instructions for bfloat16", highlight=False)
    return [replace(job, flags=(*job.flags, "--trainer.precision", "32-true")) if job in slow else job for job in jobs]


def _precision(job: "Job") -> object:
    """The precision of a run's training: that of its flags, or of the last configuration that has one."""
    from wsed.text import read_yaml

    if "--trainer.precision" in job.flags:
        return job.flags[job.flags.index("--trainer.precision") + 1]
    trainers = [content.get("trainer") for content in map(read_yaml, job.configs) if isinstance(content, dict)]
    return next((t["precision"] for t in reversed(trainers) if isinstance(t, dict) and "precision" in t), None)


def _on_page(study: "Results") -> list[Path]:
    """The first run of each row in the claims, then of the others, that has scores and settings of its own."""
    in_claims = [row for claim in study.recipe.claims for row in (claim.first, claim.second)]
    first = (next(iter(study.runs.get(row, {}).values()), None) for row in dict.fromkeys([*in_claims, *study.runs]))
    there = (run.folder for run in first if run is not None and run.scored is not None)
    return [folder.path for folder in there if folder.config.is_file()][:ON_PAGE]


def _report(runs: Sequence[Path], page: Path) -> list[str]:
    return ["report", *map(str, runs), "--out", str(page), "--pictures", "100", "--sounds", "50"]


def _log_of(page: Path) -> Path:
    return page.with_suffix(".log")


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()


def _environment(folders: Sequence[Path], gpus: int) -> dict[str, str]:
    """Environment of the processes: one core each on a CPU; the package of the recipe can be imported."""
    paths = [str(folder.resolve().parents[1]) for folder in folders]
    environment = {
        "PYTHONPATH": os.pathsep.join([*dict.fromkeys(paths), *filter(None, [os.environ.get("PYTHONPATH")])])
    }
    if not gpus:
        environment["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")
    return environment
