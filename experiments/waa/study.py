"""All 54 cells of Tables 2 and 3 by one command: 18 trainings a seed, each tested at three durations.

    OMP_NUM_THREADS=1 python -m experiments.waa.study --waa data/waa --waa_200ms data/waa_200ms --out runs/waa \\
        --seeds 0 1 2 --jobs 2
    python -m experiments.waa.table runs/waa

A training is `wsed fit` on the rows of this folder, within a process that does many; triplet and prototypes are two
runs chained by a path. Features are computed once for the study and mapped into memory. Killed, and started again with
the same command, it goes on from the last epochs; a cell whose result is there is skipped, and with other settings
(`study.json` has those it was begun with) it is refused. Each cell writes `cells/*.json` when it is done, and all of
them are in `cells.tsv`. Other arguments go to every `wsed fit`. `--methods classifier` is the control: a classifier on
embeddings of a network that learned nothing.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from itertools import product
from multiprocessing import get_context
from pathlib import Path

from wsed.cli.configs import merged
from wsed.files import locked, write_text
from wsed.run import RunFolder
from wsed.study.rows import read_recipe

HERE = Path(__file__).parent
RECIPE = read_recipe(HERE)
DATA = ("waa_200ms", "waa")
METHODS = ("end_to_end", "triplet", "prototypical")
SECONDS = (0.2, 1.0, 10.0)
EPOCHS = (30, 30, 24)
"""At most, with segments of 0.2, 1 and 10 s: what two cores do in an hour, with the settings of `two_cores.yaml`; the
rows have the paper's."""
EVERY = (5, 5, 2)
"""Epochs from one validation of embeddings to the next."""
CLASSIFIER_EPOCHS = 60
"""At most, of the classifier on frozen embeddings."""


@dataclass(frozen=True)
class Training:
    """One network (with its classifier), to be tested at three durations."""

    data: str
    method: str
    train: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.data}-{self.method}-{self.train:g}"

    def cell(self, test: float) -> str:
        return f"{self.name}-{test:g}-{self.seed}"


@dataclass(frozen=True)
class Study:
    """Where corpora and results lie, and how long a training may last."""

    roots: dict[str, str]
    out: Path
    epochs: tuple[int, ...] | None
    extra: tuple[str, ...] = ()

    def result(self, training: Training, test: float) -> Path:
        return self.out / "cells" / f"{training.cell(test)}.json"

    def missing(self, training: Training) -> list[float]:
        return [test for test in SECONDS if not self.result(training, test).is_file()]

    def settings(self, methods: list[str]) -> dict[str, str]:
        """All that cells depend on but their place: of two studies in one folder they must agree."""
        shorter = {"epochs": self.epochs, "every": EVERY, "classifier_epochs": CLASSIFIER_EPOCHS, "extra": self.extra}
        rows = {f"{row}.yaml": RECIPE.configs(row)[-1] for row in (*methods, "classifier")}
        rows |= {name: HERE / name for name in ("base.yaml", "two_cores.yaml")}
        corpora = {data: table_of(data, Path(root)) for data, root in self.roots.items()}
        files = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in (rows | corpora).items()}
        return {name: json.dumps(value) for name, value in shorter.items()} | files

    def check_settings(self, methods: list[str]) -> None:
        """Keep them, or refuse to go on with others than the study was begun with."""
        path, asked = self.out / "study.json", self.settings(methods)
        begun = json.loads(path.read_text()) if path.is_file() else {}
        other = [name for name, value in asked.items() if begun.get(name, value) != value]
        if other:
            raise SystemExit(
                f"study.py: {self.out} was begun with other settings ({', '.join(other)}; see {path}): "
                "give them again, or another --out"
            )
        write_text(path, json.dumps(begun | asked, indent=1) + "\n")


def table_of(data: str, root: Path) -> Path:
    """The table of events by which the corpus of a study is recognised."""
    path = root / "metadata/train/strong.tsv"
    if not path.is_file():
        raise SystemExit(
            f"study.py: --{data} {root}: no {path}, the events of the training clips. `wsed data synth --recipe waa` "
            "writes it; a table of another name must be copied there"
        )
    return path


def run(study: Study, training: Training) -> float:
    """Train what is missing, test it, write the cells; returns the seconds it took.

    One process at a time: that of a study which was killed may still be at it.
    """
    folder = study.out / training.name / f"seed_{training.seed}"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock"):
        begin = time.monotonic()
        if study.missing(training):
            make(study, training, folder)
        return time.monotonic() - begin


def make(study: Study, training: Training, folder: Path) -> None:
    """The network, its classifier, and the cells."""
    embeds = two_stages(training.method)
    classifier = ["--data.reader", "features", "--data.reader.folder", str(study.out / "features")]
    if embeds:
        fit(study, training, folder / "embedding", training.method, classifier)
        best = RunFolder(folder / "embedding").best
        # of these weights alone: deleted with the run's end
        classifier = [
            "--data.reader",
            "features",
            "--data.reader.folder",
            str(folder / "features"),
            "--model.network.frontend.init_args.pretrained",
        ]
        classifier += [str(best), *as_in_stage_one(training.method)]
    fit(study, training, folder / "classifier", "classifier" if embeds else training.method, classifier)
    for test in study.missing(training):
        scores = tested(folder / "classifier", test, classifier)
        found = {"test": test, "f1": scores["tagging_f1"]["macro"], "step": scores["step"]}
        write(study.result(training, test), asdict(training) | found)
    shutil.rmtree(folder / "features", ignore_errors=True)


def two_stages(row: str) -> bool:
    """Whether a row trains an embedding, which needs a classifier on top, and not a classifier end to end."""
    return "tags" not in merged(RECIPE.configs(row))["model"]["losses"]


def as_in_stage_one(row: str) -> list[str]:
    """The settings with which stage two computes the embedding of a row, and makes one of those of a clip's windows."""
    network = merged(RECIPE.configs(row))["model"]["network"]["init_args"]
    flags = ["--model.network.head.init_args.aggregation"]
    flags += [network["head"].get("init_args", {}).get("aggregation", "mean")]
    return [*flags, "--model.network.frontend.init_args.encoder", json.dumps(network["encoder"])]


def configs(row: str) -> list[str]:
    return [f"--config={path}" for path in RECIPE.configs(row)]


def fit(study: Study, training: Training, folder: Path, row: str, settings: list[str]) -> None:
    """`wsed fit`, unless it is done; from its last epoch if it was begun."""
    if (folder / "done").is_file():
        return
    args = ["fit", *configs(row), "--data.corpus.root", study.roots[training.data]]
    args += ["--data.windows.length", f"{training.train:g}", "--seed_everything", str(training.seed)]
    args += ["--trainer.default_root_dir", str(folder), "--trainer.accelerator", "cpu", "--test_after_fit", "false"]
    if study.epochs is not None:
        args += shorter(row, SECONDS.index(training.train), study.epochs)
    if RunFolder(folder).last.is_file():
        args += ["--ckpt_path", "last"]
    command([*args, *settings, *study.extra])
    (folder / "done").touch()


def shorter(row: str, duration: int, epochs: tuple[int, ...]) -> list[str]:
    """The settings that fit a row into an hour."""
    if row == "classifier":
        return ["--trainer.max_epochs", str(CLASSIFIER_EPOCHS)]
    args = ["--config", str(HERE / "two_cores.yaml"), "--trainer.max_epochs", str(epochs[duration])]
    return args + (["--trainer.check_val_every_n_epoch", str(EVERY[duration])] if two_stages(row) else [])


def tested(run: Path, seconds: float, settings: list[str]) -> dict:
    """The scores of a run's best checkpoint on test segments of a length."""
    trained, folder = RunFolder(run), run / f"test_{seconds:g}"
    args = ["test", "--config", str(trained.config), "--ckpt_path", str(trained.best)]
    command([*args, "--data.windows.test_length", f"{seconds:g}", "--trainer.default_root_dir", str(folder), *settings])
    return json.loads(RunFolder(folder).split("test").report.read_text())


def command(args: list[str]) -> None:
    from wsed.cli.main import main

    print("wsed", *args, flush=True)
    if main(args):
        raise RuntimeError(f"wsed {' '.join(args)}")


def write(path: Path, cell: dict) -> None:
    """The cell, and the table of all cells so far."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(cell) + "\n")
    cells = [json.loads(file.read_text()) for file in sorted(path.parent.glob("*.json"))]
    lines = ["\t".join(cell), *("\t".join(str(value) for value in one.values()) for one in cells)]
    write_text(path.parents[1] / "cells.tsv", "\n".join(lines) + "\n")


def into_log(out: Path) -> None:
    """Of a process that trains: everything it says."""
    log = os.open(out / f"log_{os.getpid()}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)


def trainings(args: argparse.Namespace) -> list[Training]:
    """What is asked for, the longest first, so that no core waits at the end."""
    every = [Training(*each, seed) for seed in args.seeds for each in product(DATA, args.methods, reversed(SECONDS))]
    chosen = [t for t in every if any(fnmatch(t.name, pattern) for pattern in args.cells)] if args.cells else every
    return sorted(chosen, key=lambda t: (t.seed, -t.train))


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for data in DATA:
        parser.add_argument(f"--{data}", default=f"data/{data}", metavar="DIR", help=f"corpus (default: data/{data})")
    parser.add_argument("--out", type=Path, default=Path("runs/waa"), help="folder of the study (default: runs/waa)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--jobs", type=int, default=2, help="processes that train, a thread each (default: 2)")
    parser.add_argument(
        "--methods", nargs="+", default=list(METHODS), metavar="ROW", help="rows of this folder (default: the paper's)"
    )
    parser.add_argument(
        "--cells", nargs="+", default=[], metavar="PATTERN", help="which trainings, as 'waa-triplet-*' or '*-10'"
    )
    parser.add_argument(
        "--epochs", nargs="+", default=list(EPOCHS), metavar="N",
        help=f"at most at 0.2, 1 and 10 s (default: {EPOCHS}); or the word paper: the rows as they are",
    )  # fmt: skip
    args, args.extra = parser.parse_known_args()
    for method in args.methods:
        if method not in RECIPE.rows:
            parser.error(f"--methods: no row {method}.yaml in {HERE / 'rows'}")
    if args.epochs != ["paper"] and not (len(args.epochs) == 3 and all(str(n).isdigit() for n in args.epochs)):
        parser.error("--epochs takes three numbers, or the word paper")
    return args


def main() -> int:
    args = parsed()
    epochs = None if args.epochs == ["paper"] else tuple(int(n) for n in args.epochs)
    study = Study({data: getattr(args, data) for data in DATA}, args.out, epochs, tuple(args.extra))
    study.out.mkdir(parents=True, exist_ok=True)
    study.check_settings(args.methods)
    waiting = [t for t in trainings(args) if study.missing(t)]
    print(f"{len(waiting)} trainings of {len(trainings(args))}, logs in {study.out}/log_*.txt", flush=True)
    os.environ["OMP_NUM_THREADS"] = "1"
    begin, failed = time.monotonic(), 0
    with ProcessPoolExecutor(args.jobs, get_context("spawn"), into_log, (study.out,)) as pool:
        futures = {pool.submit(run, study, training): training for training in waiting}
        for count, future in enumerate(as_completed(futures), 1):
            training, minutes = futures[future], (time.monotonic() - begin) / 60
            if error := future.exception():
                failed += 1
                print(f"{training.name} seed {training.seed}: failed: {error}", flush=True)
                continue
            cells = [json.loads(study.result(training, test).read_text())["f1"] for test in SECONDS]
            shown = " ".join(f"{100 * f1:.1f}" for f1 in cells)
            print(
                f"{count}/{len(waiting)}  {minutes:.1f} min  {training.name} seed {training.seed}: F1 {shown} "
                f"at {SECONDS} s, took {future.result():.0f} s",
                flush=True,
            )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
