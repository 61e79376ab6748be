"""The runs of a study, each after the run that it needs, and the corpus that all of them use."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from wsed.data.audio import SUFFIXES
from wsed.errors import WsedError
from wsed.files import write_text
from wsed.study.job import MARK, Job
from wsed.study.rows import Recipe, Row, rows_matching
from wsed.study.scales import Scale
from wsed.text import read_json_object


def plan(recipe: Recipe, scale: Scale, out: Path, rows: Sequence[str] = (), seeds: int | None = None) -> list[Job]:
    """The runs of a study, each after the run that it needs.

    Args:
        recipe: the recipe.
        scale: its scale.
        out: folder of the runs: `<out>/<row>/seed_<n>`.
        rows: names and patterns of rows, instead of those of the scale; the rows that they need are run too.
        seeds: number of seeds, instead of that of the scale or the row.

    Raises:
        WsedError: there is no such row, or it cannot run at the scale.

    >>> recipe = Recipe(Path("paper"), "A paper", {"mil": Row("mil", "MIL", (), (0, 1))}, {}, ())
    >>> [job.name for job in plan(recipe, Scale(), Path("runs"))]
    ['paper: mil, seed 0', 'paper: mil, seed 1']
    """
    chosen = _chosen(recipe, scale, rows)
    n_seeds = seeds or scale.seeds
    jobs: list[Job] = []
    for row in chosen:
        several = row.seeds if n_seeds is None else tuple(range(n_seeds))
        source = row.needs
        for seed in several:
            needs = None
            if source is not None:
                made = [job for job in jobs if job.row.name == source]
                needs = next((job for job in made if job.seed == seed), made[0]).folder
            jobs.append(_job(recipe, scale, row, seed, out / row.name / f"seed_{seed}", needs))
    return jobs


def earlier(recipe: Recipe, scale: Scale, out: Path, asked: Sequence[Job]) -> list[Job]:
    """The runs in the folder of a study that are not asked for now: rows and seeds of earlier calls, done or not.

    Args:
        recipe: the recipe.
        scale: its scale.
        out: folder of the runs.
        asked: the runs that are asked for.

    >>> recipe = Recipe(Path("paper"), "A paper", {"mil": Row("mil", "MIL", (), (0, 1))}, {}, ())
    >>> earlier(recipe, Scale(), Path("runs/none"), [])
    []
    """
    known = {job.folder for job in asked}
    folders = [(row, place.parent) for row in recipe.rows for place in sorted(out.glob(f"{row}/seed_*/{MARK}"))]
    there = [(row, folder, folder.name.removeprefix("seed_")) for row, folder in folders if folder not in known]
    return [
        _job(recipe, scale, recipe.row(row), int(seed), folder)
        for row, folder, seed in there
        if seed.isdecimal() and why_not(recipe, scale, row) is None
    ]


def _job(recipe: Recipe, scale: Scale, row: Row, seed: int, folder: Path, needs: Path | None = None) -> Job:
    flags = tuple(part for name, value in scale.settings.items() for part in (f"--{name}", _text(value)))
    configs = recipe.configs(row.name, _overlay(recipe, scale, row.name))
    return Job(recipe.folder.name, row, seed, folder, configs, flags, needs)


def _chosen(recipe: Recipe, scale: Scale, patterns: Sequence[str]) -> list[Row]:
    """The rows, and before them those that they need; a pattern leaves out rows that cannot run at the scale."""
    place = f"--rows in {recipe.folder}" if patterns else f"{recipe.folder / 'recipe.yaml'}: rows of a scale"
    wanted = tuple(patterns) or scale.rows or ("*",)
    names = rows_matching(place, wanted, list(recipe.rows))
    reasons = {name: reason for name in names if (reason := why_not(recipe, scale, name)) is not None}
    for name, reason in reasons.items():
        if name in wanted or len(reasons) == len(names):
            raise WsedError(f"{recipe.folder}: {reason}")
    order: dict[str, None] = {}
    for name in names:
        if name not in reasons:
            _add(recipe, name, order)
    for name in order:
        if (reason := why_not(recipe, scale, name)) is not None:
            raise WsedError(f"{recipe.folder}: another row needs the row {name}, but {reason}")
    return [recipe.row(name) for name in order]


def _add(recipe: Recipe, name: str, order: dict[str, None]) -> None:
    row = recipe.row(name)
    if row.needs is not None:
        _add(recipe, row.needs, order)
    order[name] = None


def why_not(recipe: Recipe, scale: Scale, row: str) -> str | None:
    """Why `wsed reproduce` cannot run a row at a scale; None if it can.

    >>> recipe = Recipe(Path("paper"), "A paper", {"mil": Row("mil", "MIL", (), (0,))}, {"tiny": ()}, ())
    >>> why_not(recipe, Scale(), "mil")
    >>> why_not(recipe, Scale(overlays=("tiny",)), "mil")
    'none of the overlays of the scale (tiny) is for the row mil'
    """
    needed = recipe.rows[row].after
    if needed is not None and recipe.rows[row].takes is None:
        return (
            f"the row {row} comes after {needed}, but the recipe does not say which setting takes its checkpoint "
            f"(rows.{row}.takes); run it by its command in the README"
        )
    if scale.overlays and _overlay(recipe, scale, row) is None:
        return f"none of the overlays of the scale ({', '.join(scale.overlays)}) is for the row {row}"
    return None


def _overlay(recipe: Recipe, scale: Scale, row: str) -> str | None:
    """The first overlay of the scale that is for a row."""
    return next((name for name in scale.overlays if row in recipe.overlays.get(name, ())), None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


LABELS = frozenset({".tsv", ".csv", ".txt", ".textgrid"})
"""Endings of files with labels."""


def tables_digest(root: Path) -> str:
    """A digest of the lists and tables of a corpus, by which another corpus is recognised; audio is not read.

    Without a .tsv or .csv, all label files count, and the names and sizes of the sound files: their folders may be the
    labels.

    Raises:
        WsedError: there is no such folder, or neither a table nor a sound file in it.

    >>> tables_digest(Path("none"))
    Traceback (most recent call last):
    wsed.errors.WsedError: --root: no such folder: none
    """
    if not root.is_dir():
        raise WsedError(f"--root: no such folder: {root}")
    digest, files = hashlib.sha256(), list(_tables(root))
    if not any(path.suffix.lower() in (".tsv", ".csv") for path in files):  # labels beside the sounds, or their folders
        files = sorted(path for path in root.rglob("*") if path.suffix.lower() in LABELS.union(SUFFIXES))
    if not files:
        raise WsedError(f"--root {root} holds no table of labels and no sound file: is it the folder of a corpus?")
    for path in files:
        content = path.read_bytes() if path.suffix.lower() in LABELS else str(path.stat().st_size).encode()
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + content)
    return digest.hexdigest()[:16]


def _tables(root: Path) -> Iterable[Path]:
    """Tables in the folder and in folders of lists, not among millions of sound files."""
    skipped = {"audio", "soundbank"}
    for path in sorted(root.iterdir()):
        if path.is_dir() and path.name not in skipped:
            yield from sorted(inner for inner in path.rglob("*") if inner.suffix.lower() in LABELS)
        elif path.suffix.lower() in LABELS and path.is_file():
            yield path


def check_begun(out: Path, scale: str, root: Path) -> None:
    """Keep the scale and the corpus of a study, or refuse to go on with others.

    Args:
        out: folder of the study.
        scale: name of the scale.
        root: folder of the corpus.

    Raises:
        WsedError: the study was begun with another scale or corpus.

    >>> check_begun(Path("runs/none"), "small", Path("none"))
    Traceback (most recent call last):
    wsed.errors.WsedError: --root: no such folder: none
    """
    path, facts = out / "study.json", {"scale": scale, "corpus": tables_digest(root), "root": str(root.resolve())}
    if path.is_file():
        begun = read_json_object(path, "remove the folder")
        for name, what in (("scale", "scale"), ("corpus", "corpus")):
            if begun.get(name) != facts[name]:
                was = begun.get("root") if name == "corpus" else begun.get(name)
                if name == "corpus" and was == facts["root"]:
                    raise WsedError(f"{out}: the files of {was} have changed since it was begun: give another --out")
                raise WsedError(f"{out} was begun with another {what} ({was}): give it again, or another --out")
        return
    out.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(facts, indent=1) + "\n")
