"""Reading recipes: those that come with the library, and YAML files."""

import os
from collections.abc import Callable
from dataclasses import fields
from importlib import resources

from wsed.data.synth.recipe import Recipe
from wsed.data.synth.settings import check_name, check_names, checked
from wsed.errors import WsedError, near
from wsed.text import parse_yaml, read_yaml

PACKAGED = resources.files("wsed.data.synth") / "recipes"
"""Folder of the recipes that come with the library."""


def packaged() -> list[str]:
    """Names of the recipes that come with the library.

    >>> packaged()
    ['domestic', 'plain', 'waa', 'waa_200ms']
    """
    return sorted(f.name.removesuffix(".yaml") for f in PACKAGED.iterdir() if f.name.endswith(".yaml"))


def load_recipe(name: str) -> Recipe:
    """Load a packaged recipe by its name (`domestic`) or a recipe from a YAML file.

    `like: NAME` in a file takes all settings that the file does not set from the packaged recipe NAME.

    Raises:
        WsedError: there is no such recipe, the file is not YAML, a setting is unknown or a value is out of range. The
            message names the file and the setting.

    >>> load_recipe("waa_200ms").longest
    0.2
    """
    names = packaged()
    if name not in names and not os.path.exists(name):  # noqa: PTH110 - a name that is too long is no error
        raise WsedError(f"no recipe {name!r}{near(name, names)}: neither a YAML file nor one of {', '.join(names)}")
    source, settings = _read_settings(name)
    try:
        if "like" in settings:
            like = settings.pop("like")
            check_name(like, names, "like", "recipe")
            settings = _read_settings(str(like))[1] | settings
        check_names(settings, [f.name for f in fields(Recipe)], "")
        if "clips" not in settings:
            raise WsedError("no setting 'clips'; say how many clips to make: 'clips: {train: 1500, validation: 300}'")
        build: Callable[..., Recipe] = Recipe  # the types are checked at runtime
        return build(**checked(settings))
    except WsedError as error:
        raise WsedError(f"{source}: {error}") from None


def _read_settings(name: str) -> tuple[str, dict[str, object]]:
    """The name of a recipe for messages, and the settings in its file."""
    if name in packaged():
        settings, source = parse_yaml((PACKAGED / f"{name}.yaml").read_text("utf-8")), f"recipe {name}"
    else:
        settings, source = read_yaml(name, "recipe"), name
    if not isinstance(settings, dict):
        raise WsedError(f"{source}: expected settings such as 'clips: {{train: 100}}', got {type(settings).__name__}")
    return source, settings
