"""Finding recipes by name: in `experiments/` of the working folder, or of the library."""

from collections.abc import Iterator
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
        recipe = read_recipe(folder)
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


def _folders() -> Iterator[Path]:
    for folder in homes():
        yield from (path.parent for path in sorted(folder.glob("*/recipe.yaml")))
