"""Recipes: the rows of a paper's tables, the configurations of each row, and the comparisons of rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import get_args

from wsed.errors import WsedError, near
from wsed.study.claims import Claim
from wsed.study.expected import Expected, read_expected
from wsed.study.names import check_measure
from wsed.study.scales import Scale, ScaleName, is_whole, read_scale
from wsed.text import read_yaml

ROW_FIELDS = ("title", "base", "paper", "seeds", "after", "takes", "weights_of", "predictions_of")
FIELDS = ("title", "base", "seeds", "rows", "overlays", "claims", "compare", "borrowed", "scales", "measures", "groups")


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Args:
        name: name of `rows/NAME.yaml` and of the folder of the runs.
        title: name of the row in the paper.
        configs: configurations, merged in this order.
        seeds: seeds of the runs.
        paper: values in the paper, by measure.
        after: a row that must be trained before, since this row needs its checkpoint.
        weights_of: the row whose trained weights this row scores with other settings; this row is not trained.
        takes: the setting that gets the checkpoint of the row `after`.
        predictions_of: the row that labels the clips without labels; this row, whose corpus is `pseudo`, trains on
            these labels.

    >>> Row("mil", "MIL", configs=(Path("base.yaml"),), seeds=(0, 1)).seeds
    (0, 1)
    """

    name: str
    title: str
    configs: tuple[Path, ...]
    seeds: tuple[int, ...]
    paper: Mapping[str, Expected] = field(default_factory=dict)
    after: str | None = None
    weights_of: str | None = None
    takes: str | None = None
    predictions_of: str | None = None

    @property
    def needs(self) -> str | None:
        """The row that must be trained before this one.

        >>> Row("oracle", "", (), (0,), weights_of="mil").needs
        'mil'
        """
        return self.weights_of or self.predictions_of or self.after


@dataclass(frozen=True)
class Recipe:
    """The study of a paper.

    Args:
        folder: folder of `recipe.yaml`.
        title: title of the paper.
        rows: rows by name.
        overlays: configurations that can be merged over rows, with the names of these rows.
        claims: claims of the paper, as comparisons of rows.
        compare: further pairs of rows, first and second, whose difference is shown.
        borrowed: rows of the recipe of another paper whose runs are compared with these.
        scales: corpus, rows and settings of `wsed reproduce`, by scale.
        measures: where the measures of the claims and of the paper's values are found, see `wsed.study.measures`; all
            of them are shown.
        groups: the group of a clip, such as `patient`, by which test clips are drawn for intervals; the recordings in
            them if the corpus has no such groups.

    >>> mil = Row("mil", "MIL", configs=(Path("base.yaml"),), seeds=(0,))
    >>> recipe = Recipe(Path("paper"), "A paper", {"mil": mil}, overlays={"quick": ("mil",)}, claims=())
    >>> recipe.row("mil").title, [path.name for path in recipe.configs("mil", "quick")]
    ('MIL', ['base.yaml', 'quick.yaml'])
    >>> recipe.combinations(), recipe.pairs()
    ((('mil', None), ('mil', 'quick')), ())
    """

    folder: Path
    title: str
    rows: Mapping[str, Row]
    overlays: Mapping[str, tuple[str, ...]]
    claims: tuple[Claim, ...]
    compare: tuple[tuple[str, str], ...] = ()
    borrowed: tuple[str, ...] = ()
    scales: Mapping[str, Scale] = field(default_factory=dict)
    measures: Mapping[str, str] = field(default_factory=dict)
    groups: str | None = None

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The pairs of rows of all claims, then those of `compare`; each pair once."""
        return tuple(dict.fromkeys((*((claim.first, claim.second) for claim in self.claims), *self.compare)))

    def row(self, name: str) -> Row:
        """A row by its name.

        Raises:
            WsedError: there is no such row; the message has similar names.
        """
        if name not in self.rows:
            raise WsedError(f"{self.folder}: no row {name!r}{near(name, self.rows)}; known: {', '.join(self.rows)}")
        return self.rows[name]

    def configs(self, row: str, overlay: str | None = None) -> tuple[Path, ...]:
        """The configurations of a row, for `wsed fit --config ... --config ...`.

        Raises:
            WsedError: there is no such row or overlay, or the overlay is not for this row.
        """
        configs = self.row(row).configs
        if overlay is None:
            return configs
        if overlay not in self.overlays:
            raise WsedError(f"{self.folder}: no overlay {overlay!r}{near(overlay, self.overlays)}")
        if row not in self.overlays[overlay]:
            raise WsedError(f"{self.folder}: the overlay {overlay} is not for the row {row}")
        return (*configs, self.folder / f"{overlay}.yaml")

    def combinations(self) -> tuple[tuple[str, str | None], ...]:
        """Each row alone, then each row with each of its overlays."""
        pairs = [(row, overlay) for overlay, rows in self.overlays.items() for row in rows]
        return (*((row, None) for row in self.rows), *pairs)


def read_recipe(folder: Path) -> Recipe:
    """Read the recipe of a folder: `recipe.yaml`, `base.yaml` and `rows/*.yaml`.

    Raises:
        WsedError: a file is missing, a field of the recipe is unknown or malformed, or no run can have a measure.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "recipe.yaml").write_text("title: A paper")
    ...     read_recipe(Path(folder)).title
    'A paper'
    """
    path = folder / "recipe.yaml"
    content = _mapping(str(path), read_yaml(path))
    _check(str(path), content, FIELDS)
    entries = _mapping(f"{path}: rows", content.get("rows", {}))
    base, seeds = content.get("base", "base.yaml"), _seeds(f"{path}: seeds", content.get("seeds", [0]))
    rows = {str(name): _row(folder, str(name), entry, base, seeds) for name, entry in entries.items()}
    for row in rows.values():
        for config in row.configs:
            if not config.is_file():
                raise WsedError(f"{path}: the row {row.name} needs {config}, which does not exist")
    overlays = {
        str(name): _rows_of(f"{path}: overlays.{name}", entry, list(rows))
        for name, entry in _mapping(f"{path}: overlays", content.get("overlays", {})).items()
    }
    claims, pairs, borrowed = (_list(path, name, content) for name in ("claims", "compare", "borrowed"))
    judged = tuple(Claim.read(f"{path}: claim {i + 1}", entry) for i, entry in enumerate(claims))
    compare = tuple(_pair(f"{path}: compare {i + 1}", entry) for i, entry in enumerate(pairs))
    title, others = str(content.get("title", folder.name)), tuple(map(str, borrowed))
    scales, measures = (_mapping(f"{path}: {name}", content.get(name, {})) for name in ("scales", "measures"))
    _check(f"{path}: scales", scales, get_args(ScaleName))
    recipe = Recipe(
        folder,
        title,
        rows,
        overlays,
        judged,
        compare,
        others,
        {str(name): read_scale(f"{path}: scales.{name}", entry) for name, entry in scales.items()},
        {str(name): str(source) for name, source in measures.items()},
        str(content["groups"]) if "groups" in content else None,
    )
    for name in (name for pair in recipe.pairs() for name in pair):
        if name not in others:
            recipe.row(name)
    for name in overlays:
        if not (folder / f"{name}.yaml").is_file():
            raise WsedError(f"{path}: overlays.{name} needs {folder / f'{name}.yaml'}, which does not exist")
    _check_needs(path, recipe)
    _check_measures(path, recipe)
    return recipe


def _check_needs(path: Path, recipe: Recipe) -> None:
    """Refuse rows that need each other."""
    for row in recipe.rows.values():
        needed, chain = row, [row.name]
        while needed.needs is not None:
            needed = recipe.row(needed.needs)
            if needed.name in chain:
                raise WsedError(f"{path}: the row {row.name} needs itself: {' after '.join([*chain, needed.name])}")
            chain.append(needed.name)


def _check_measures(path: Path, recipe: Recipe) -> None:
    for name in recipe.measures:
        check_measure(f"{path}: measures.{name}", name, recipe.measures)
    for i, claim in enumerate(recipe.claims):
        check_measure(f"{path}: claim {i + 1} ({claim.name})", claim.measure, recipe.measures)
    for row in recipe.rows.values():
        for name in row.paper:
            check_measure(f"{path}: rows.{row.name}.paper", name, recipe.measures)


def _row(folder: Path, name: str, entry: object, base: object, seeds: tuple[int, ...]) -> Row:
    place = f"{folder / 'recipe.yaml'}: rows.{name}"
    fields = _mapping(place, entry or {})
    _check(place, fields, ROW_FIELDS)
    below = fields.get("base", base)  # null: the row has no base
    bases = [] if below is None else below if isinstance(below, list) else [below]
    if not all(isinstance(one, str) for one in bases):
        raise WsedError(f"{place}.base is {below!r}; write a file, a list of files, or null")
    return Row(
        name,
        str(fields.get("title", name)),
        (*(folder / str(one) for one in bases), folder / "rows" / f"{name}.yaml"),
        _seeds(place, fields["seeds"]) if "seeds" in fields else seeds,
        read_expected(f"{place}.paper", fields.get("paper", {})),
        str(fields["after"]) if "after" in fields else None,
        str(fields["weights_of"]) if "weights_of" in fields else None,
        str(fields["takes"]) if "takes" in fields else None,
        str(fields["predictions_of"]) if "predictions_of" in fields else None,
    )


def _list(path: Path, name: str, content: Mapping[str, object]) -> list[object]:
    entry = content.get(name, [])
    if not isinstance(entry, list):
        raise WsedError(f"{path}: {name} must be a list, not {entry!r}")
    return entry


def _pair(place: str, entry: object) -> tuple[str, str]:
    if not isinstance(entry, list) or len(entry) != 2:
        raise WsedError(f"{place}: rows must be two names, [first, second], not {entry!r}")
    return str(entry[0]), str(entry[1])


def _seeds(place: str, entry: object) -> tuple[int, ...]:
    seeds = list(range(entry)) if is_whole(entry) else entry
    numbers = isinstance(seeds, list) and all(is_whole(seed) and seed >= 0 for seed in seeds)
    if not isinstance(seeds, list) or not numbers or not seeds or len({*seeds}) < len(seeds):
        raise WsedError(f"{place}: seeds must be a number of 1 or more, or a list of different numbers, not {entry!r}")
    return tuple(seeds)


def _rows_of(place: str, entry: object, rows: Sequence[str]) -> tuple[str, ...]:
    patterns = [entry] if isinstance(entry, str) else entry
    if not isinstance(patterns, list):
        raise WsedError(f"{place} is {entry!r}; name the rows it is for")
    return rows_matching(place, patterns, rows)


def rows_matching(place: str, patterns: Iterable[object], rows: Sequence[str]) -> tuple[str, ...]:
    """The rows that names and patterns match; a pattern with `!` in front takes its rows out.

    Args:
        place: the place of the patterns, for messages.
        patterns: names and patterns.
        rows: names of all rows; the result is in their order.

    Raises:
        WsedError: a name or pattern matches no row; the message has similar names.

    >>> rows_matching("scale", ["*", "!mil_*"], ["mil", "mil_at", "fsl"])
    ('mil', 'fsl')
    """
    chosen: list[str] = []
    for pattern in map(str, patterns):
        matched = _matching(place, pattern.removeprefix("!"), rows)
        chosen = [r for r in chosen if r not in matched] if pattern.startswith("!") else [*chosen, *matched]
    return tuple(row for row in rows if row in chosen)


def _matching(place: str, pattern: str, rows: Iterable[str]) -> list[str]:
    matched = [row for row in rows if fnmatch(row, pattern)]
    if not matched:
        raise WsedError(f"{place}: no row is called {pattern!r}{near(pattern, rows)}")
    return matched


def _mapping(place: str, entry: object) -> Mapping[str, object]:
    if not isinstance(entry, Mapping):
        raise WsedError(f"{place} is {type(entry).__name__}, not a mapping")
    return entry


def _check(place: str, fields: Mapping[str, object], known: Sequence[str]) -> None:
    for name in fields:
        if name not in known:
            raise WsedError(f"{place} has {name!r}{near(str(name), known)}; known: {', '.join(known)}")
