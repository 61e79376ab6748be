"""Finding recipes by name: in `experiments/` of the working folder, or of the library."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from wsed.errors import WsedError, near
from wsed.shipped import home
from wsed.study.rows import Recipe, read_recipe


def homes() -> list[Path]:
    """Folders whose subfolders hold recipes.

    >>> all(folder.is_dir() for folder in homes())
    True
    """
    library = home()
    places = (Path("experiments"), *(() if library is None else (library / "experiments",)))
    return [place for place in places if place.is_dir()]


def find_recipes(name: str, scale: str) -> list[Recipe]:
    """The recipe of a name or path; all recipes that make their corpus at this scale if the name is `all`.

    Raises:
        WsedError: there is no such recipe, or it does not have the scale.

    >>> find_recipes("mmnnet", "smoke")
    Traceback (most recent call last):
    wsed.errors.WsedError: no recipe 'mmnnet' (did you mean mmnet?); known: ...
    """
    known: dict[str, Path] = {}
    for folder in _folders():
        known.setdefault(folder.name, folder)
    if name == "all":
        every = [read_recipe(folder) for _, folder in sorted(known.items())]
        made = [recipe for recipe in every if scale in recipe.scales and recipe.scales[scale].corpus is not None]
        if not made:
            raise WsedError(f"no recipe makes its corpus at scale {scale}: name one paper, and its corpus by --root")
        return made
    path = Path(name)
    folder = path.parent if path.name == "recipe.yaml" else path
    if (folder / "recipe.yaml").is_file():
        recipe = read_recipe(folder.resolve() if folder.name in ("", "..") else folder)
    elif name in known:
        recipe = read_recipe(known[name])
    else:
        names = ", ".join(sorted(known)) or "none here"
        raise WsedError(
            f"no recipe {name!r}{near(name, known)}; known: {names}; or all, or the path of a folder with recipe.yaml"
        )
    if scale not in recipe.scales:
        there = ", ".join(recipe.scales) or "none"
        raise WsedError(f"{recipe.folder / 'recipe.yaml'} has no scale {scale}; it has: {there}")
    return [recipe]


def with_rows(recipes: Sequence[Recipe], patterns: Sequence[str]) -> list[tuple[Recipe, list[str]]]:
    """The recipes that have rows of these names, each with the names and patterns that it has rows for.

    Args:
        recipes: one recipe, which must have them all, or several, of which one must have each.
        patterns: names and patterns of rows; if there are none, every recipe runs the rows of its scale.

    Raises:
        WsedError: no recipe has a row of a name; the message has similar names.

    >>> from wsed.study.rows import Row
    >>> one, other = (Recipe(Path(name), name, {name: Row(name, name, (), (0,))}, {}, ()) for name in ("mil", "cos"))
    >>> [(recipe.title, rows) for recipe, rows in with_rows([one, other], ["co*"])]
    [('cos', ['co*'])]
    >>> with_rows([one, other], ["mill"])
    Traceback (most recent call last):
    wsed.errors.WsedError: --rows: no row is called 'mill' (did you mean mil?) in mil, cos
    """
    found = [(recipe, [p for p in patterns if _has(recipe, p)]) for recipe in recipes]
    for pattern in patterns:
        if not any(pattern in own for _, own in found):
            names = [name for recipe in recipes for name in recipe.rows]
            where = ", ".join(str(recipe.folder) for recipe in recipes)
            known = f"; known: {', '.join(names)}" if len(recipes) == 1 else ""
            raise WsedError(f"--rows: no row is called {pattern!r}{near(pattern, names)} in {where}{known}")
    return [(recipe, own) for recipe, own in found if not patterns or any(not p.startswith("!") for p in own)]


def _has(recipe: Recipe, pattern: str) -> bool:
    return any(fnmatch(name, pattern.removeprefix("!")) for name in recipe.rows)


def _folders() -> Iterator[Path]:
    for folder in homes():
        yield from (path.parent for path in sorted(folder.glob("*/recipe.yaml")))
