"""`--model.network.encoder.help crnn`, `--evaluation.tuning.help`: what a component or setting is, and its settings."""

import inspect
from collections.abc import Iterator, Mapping
from typing import get_args

from wsed.build import is_sequence, part_of
from wsed.cli.check_settings import settings_of
from wsed.cli.names import annotation_at
from wsed.errors import WsedError, with_article
from wsed.literals import members
from wsed.registry import Registry

MOVED = {"data": "data.corpus"}
"""`--data.help` shows the kinds of corpora."""


def setting_help(path: str, name: str | None, config: Mapping[str, object]) -> str:
    """The docstring of a component, or of a setting that holds further settings, and these with their defaults.

    Args:
        path: path of the setting, such as `model.network.encoder` or `evaluation.tuning`.
        name: name of the component; None: list all names.
        config: the configuration so far.

    Raises:
        WsedError: the setting takes no component and holds no settings, or the name is unknown.

    >>> print(setting_help("model.network.head", "framewise", {}))  # doctest: +ELLIPSIS
    framewise: ...
    settings, in init_args:
      pooling: max
      dropout: 0.0
    """
    path = MOVED.get(path, path)
    kinds = list(_kinds(annotation_at(path, config)))
    part = next((part for kind in kinds if (part := part_of(kind)) is not None), None)
    if part is None:
        return _of_section(path, kinds)
    registry: Registry[type] = part.registry
    if name is None:
        kind, names = with_article(registry.kind), ", ".join(registry.names())
        return f"{path} takes {kind}: {names}; add one of them to --{path}.help"
    cls = registry.find(name)
    return _shown(name, cls, "settings, in init_args:")


def _kinds(annotation: object) -> Iterator[object]:
    """The members of an annotation, and of the items if it is a list."""
    for member in members(annotation):
        yield from members(get_args(member)[0]) if is_sequence(member) else [member]


def _of_section(path: str, kinds: list[object]) -> str:
    classes = [kind for kind in kinds if isinstance(kind, type) and kind.__module__.startswith("wsed.")]
    if not classes:
        above = path.rpartition(".")[0]
        see = f"--{above}.help or --help" if above else "--help"
        raise WsedError(f"--{path}.help: there is no help for {path}; see {see}")
    return _shown(path, classes[0], "settings:")


def _shown(name: str, cls: type, title: str) -> str:
    parameters = inspect.signature(cls).parameters
    lines = [f"  {key}{_default(parameters.get(key))}" for key in settings_of(cls)]
    return "\n".join([f"{name}: {inspect.getdoc(cls) or ''}", "", title, *lines])


def _default(parameter: inspect.Parameter | None) -> str:
    if parameter is None or parameter.default is inspect.Parameter.empty:
        return " (must be set)"
    return f": {'null' if parameter.default is None else parameter.default}"
