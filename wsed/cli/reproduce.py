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
    from wsed.study.corpora import StudyCorpus
    from wsed.study.job import Job
    from wsed.study.pool import Pool
    from wsed.study.results import Failure, Results
    from wsed.study.rows import Recipe

HELP = "run the study of a paper and judge its claims"
GROUP = "train"
ON_PAGE = 6
"""Most rows on the page of a study."""

DESCRIPTION = """\
Run the rows of a paper's tables with several seeds, and judge its claims by paired tests.

PAPER is the name of a folder of experiments/ (here, or in the library), the path of a folder with a recipe.yaml of
your own, or `all`. The corpus is made if the scale has one; finished runs are kept, and only missing ones are made. The
same command continues a study that was stopped or killed; each run goes on from its last epoch. After Ctrl-C or SIGTERM
the results of the finished runs are written, without a page, before the command ends.

Writes OUT/PAPER/results.md and results.json: the values of the paper, ours (mean, deviation, best, seeds), and the
verdict on each claim: holds, fails, equal (within a stated margin) or open. Finished runs of earlier calls with other
--rows and --seeds are reported too. Intervals are over seeds and, if they are known, over test recordings. Where the
corpus is not the paper's, its values are shown, but never judged. The rows are also written as tables for a paper,
results.tex and results.csv, and report.html is the page of `wsed report` for the first run of the rows that the
claims are about.
With --mixtures, mixtures.md and mixtures.json have the verdicts over several divisions of the recordings."""

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
        help="smoke: tests that a few rows run; small: for two cores (default); full: the protocol of the paper",
    )
    parser.add_argument(
        "--rows",
        nargs="+",
        default=[],
        metavar="ROW",
        help="names or patterns, `!` in front takes out (default: those of the scale); with all, of any paper",
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
        help="train and test on N corpora: all but the first use another random division of the recordings of the "
        "soundbank into training, validation and test (default: 1)",
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
    from wsed.files import lock_holder, try_lock

    out = asked.out or Path("runs/reproduce") / asked.scale
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = try_lock(out / ".lock")
    except OSError as error:
        raise WsedError(f"--out {out} cannot be written: {error.strerror}") from None
    if lock is None:
        holder = lock_holder(out / ".lock")
        raise WsedError(f"another `wsed reproduce` is running in {out}: wait for it, or give another --out{holder}")
    with lock:
        return reproduce(asked, out)


@dataclass(frozen=True)
class _Study:
    """The study of one paper on one corpus.

    Args:
        recipe: the recipe.
        folder: folder of the study.
        corpus: the corpus.
        jobs: the runs that are asked for.
        before: runs of earlier calls in the same folder.
    """

    recipe: "Recipe"
    folder: Path
    corpus: "StudyCorpus"
    jobs: "list[Job]"
    before: "list[Job]"


def reproduce(asked: Asked, out: Path) -> int:
    """Make what is missing, then write and print the results of each study, also of runs that were stopped.

    Raises:
        Stopped: after a signal during the runs; the results of finished runs are written, but no pages.
    """
    from wsed.cli.ending import Ending
    from wsed.cli.reproduce_view import View
    from wsed.study.corpora import make_corpora
    from wsed.study.plan import check_begun
    from wsed.study.pool import Pool
    from wsed.study.recipes import find_recipes, with_rows
    from wsed.study.runner import Task, run_tasks

    every_recipe = find_recipes(asked.paper, asked.scale)
    rows_of = with_rows(every_recipe, asked.rows)
    if asked.root is not None and len(every_recipe) > 1:
        raise WsedError("--root is the corpus of one paper: name the paper instead of all")
    console, gpus = Console(stderr=True, markup=False), _gpus()
    mixtures = _mixtures(asked, out, rows_of, console, gpus)
    studies = [study for mixture in mixtures for study in mixture]
    every = [job for study in studies for job in study.jobs]
    states = [job.state() for job in every]  # refuses folders of others before anything is run
    kept = [job for study in studies for job in study.before if job.begun()]
    _say_seeds([*every, *kept], asked.mixtures, console)
    jobs = asked.jobs or gpus or os.cpu_count() or 1
    environment = _environment([recipe.folder for recipe, _ in rows_of], gpus)
    with Ending() as ending:
        with Pool(jobs, environment, gpus) as pool:
            with console.status("making corpora") if console.is_terminal else contextlib.nullcontext():
                make_corpora([study.corpus for study in studies], pool)
            for study in studies:
                check_begun(study.folder, asked.scale, study.corpus.root)
            tasks = [Task(job, study.corpus.root) for study in studies for job in study.jobs]
            with View(console, total=len(states), done=states.count("done"), jobs=jobs) as view, ending.keeping():
                failures = run_tasks(tasks, pool, view, ending.came)
            if not ending.came():
                _write_results(asked, mixtures, failures, pool)
        if ending.came():  # by now, the processes of the runs have ended
            console.print("stopping: the results of finished runs are written", highlight=False)
            _write_results(asked, mixtures, failures, None)
            missing = sum(job.state() != "done" for job in every)
            have = f"{missing} of {len(every)} runs are missing, the results have the others"
            raise ending.stopped(have if missing else "all runs are done, but there is no page")
    return 1 if failures else 0


def _mixtures(
    asked: Asked, out: Path, rows_of: "Sequence[tuple[Recipe, list[str]]]", console: Console, gpus: int
) -> list[list[_Study]]:
    """The studies of each mixture, of recipes with their chosen rows; the first mixture has the soundbank as it is."""
    from wsed.data.synth.exchange import exchange
    from wsed.study.corpora import corpus_of
    from wsed.study.plan import earlier, plan

    if asked.mixtures > 1 and (asked.root is not None or asked.soundbank == "builtin"):
        raise WsedError("--mixtures needs --soundbank DIR, and a scale that makes its corpus from it")
    mixtures = []
    for i in range(asked.mixtures):
        place, soundbank = (out / f"mixture_{i}", str(out / f"mixture_{i}/soundbank")) if i else (out, asked.soundbank)
        studies = []
        for recipe, rows in rows_of:
            scale, folder = recipe.scales[asked.scale], place / recipe.folder.name
            corpus = corpus_of(recipe, asked.scale, place, asked.root, soundbank)
            jobs = _precise(plan(recipe, scale, folder, rows, asked.seeds), console if i == 0 else None, gpus)
            before = _precise(earlier(recipe, scale, folder, jobs), None, gpus)
            studies.append(_Study(recipe, folder, corpus, jobs, before))
        mixtures.append(studies)
    for i in range(1, asked.mixtures):
        exchange(asked.soundbank, out / f"mixture_{i}/soundbank", seed=i)
    return mixtures


def _write_results(
    asked: Asked, mixtures: Sequence[Sequence[_Study]], failures: "Sequence[Failure]", pool: "Pool | None"
) -> None:
    """Write and print the results of each study, then those over mixtures; without processes, no pages."""
    from wsed.data.synth.exchange import share_of_tests
    from wsed.study.mixtures import Mixtures

    pages, found = [], []
    for studies in mixtures:
        found.append([_written(asked.scale, study, failures) for study in studies])
        for study, result in zip(studies, found[-1], strict=True):
            if pool is not None and (shown := _on_page(result)):
                page = study.folder / "report.html"
                pages.append((page, pool.submit([_report(shown, page)], _log_of(page))))
    share = share_of_tests(asked.soundbank) if len(mixtures) > 1 else 0.0
    for study, *of_mixtures in zip(mixtures[0], *found, strict=True) if len(mixtures) > 1 else ():
        over = Mixtures(of_mixtures, share)
        _write(study.folder / "mixtures", over.markdown(), over.to_json())
    for page, written in pages:  # made by other processes, so that none can cost a table
        why = written.result().failure
        print(page if why is None else f"no page {page} ({why}): see {_log_of(page)}", flush=True)


def _written(scale: str, study: _Study, failures: "Sequence[Failure]") -> "Results":
    """The results of a study, which are written and printed."""
    from wsed.files import write_text
    from wsed.study.results import results

    is_paper = study.recipe.scales[scale].paper is not None
    own = [failure for failure in failures if failure.folder in {job.folder for job in study.jobs}]
    corpus = study.corpus
    found = results(study.recipe, scale, study.jobs, corpus.root, corpus.words, is_paper, own, study.before)
    write_text(study.folder / "results.tex", found.table("latex") + "\n")
    write_text(study.folder / "results.csv", found.table("csv") + "\n")
    _write(study.folder / "results", found.markdown(), found.to_json())
    return found


def _write(path: Path, markdown: str, json: str) -> None:
    """Write both forms of a report, and print it."""
    from wsed.files import write_text

    files = [path.with_suffix(".md"), path.with_suffix(".json")]
    for file, text in zip(files, (markdown, json), strict=True):
        write_text(file, text)
    print(f"{markdown}\n{files[0]}, {files[1]}\n", flush=True)


def _say_seeds(jobs: "Sequence[Job]", mixtures: int, console: Console) -> None:
    """Warn before hours of training that one seed, or two mixtures, decide next to nothing."""
    seeds: dict[str, set[int]] = {}
    for job in jobs:
        seeds.setdefault(job.study, set()).add(job.seed)
    if mixtures == 1 and seeds and max(map(len, seeds.values())) < 2:
        console.print("one seed: a paired test needs two or more, so every claim will be open", highlight=False)
    if mixtures == 2:
        text = "two mixtures: an interval over two values is so wide that most claims will be open"
        console.print(text, highlight=False)


def _precise(jobs: "Sequence[Job]", console: Console | None, gpus: int) -> "list[Job]":
    """The runs; on a CPU without bfloat16 in float32, unless they were begun in bfloat16."""
    from wsed.ops.precision import BFLOAT16, slow_bfloat16

    chosen, slow = [], not gpus and slow_bfloat16()
    for job in jobs:
        other = replace(job, flags=(*job.flags, "--trainer.precision", "32-true"))
        changes = not job.begun() and (slow or other.begun()) and job.setting("trainer.precision") in BFLOAT16
        chosen.append(other if changes else job)
    if console is not None and slow and chosen != list(jobs):
        text = f"{jobs[0].study}: in float32, since this CPU has no instructions for bfloat16"
        console.print(text, markup=False, highlight=False)
    return chosen


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
    paths = [str(folder.resolve().parent.parent) for folder in folders]
    environment = {
        "PYTHONPATH": os.pathsep.join([*dict.fromkeys(paths), *filter(None, [os.environ.get("PYTHONPATH")])])
    }
    if not gpus:
        environment["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")
    return environment
