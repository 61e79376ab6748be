"""`--model.network.encoder.help crnn`: what a component is, and its settings."""

import inspect
from collections.abc import Mapping

from wsed.build import part_of
from wsed.cli.check_settings import settings_of
from wsed.cli.names import annotation_at
from wsed.errors import WsedError
from wsed.literals import members
from wsed.registry import Registry

MOVED = {"data": "data.corpus"}
"""`--data.help` shows the kinds of corpora."""


def setting_help(path: str, name: str | None, config: Mapping[str, object]) -> str:
    """The docstring of a component and its settings with their defaults.

    Args:
        path: path of the setting, such as `model.network.encoder`.
        name: name of the component; None: list all names.
        config: the configuration so far.

    Raises:
        WsedError: the setting takes no component, or the name is unknown.

    >>> print(setting_help("model.network.head", "framewise", {}))  # doctest: +ELLIPSIS
    framewise: ...
    settings, in init_args:
      pooling: max
      dropout: 0.0
    """
    path = MOVED.get(path, path)
    parts = [part for member in members(annotation_at(path, config)) if (part := part_of(member)) is not None]
    if not parts:
        raise WsedError(f"--{path}.help: {path} takes no component; see --help")
    registry: Registry[type] = parts[0].registry
    if name is None:
        return f"{path} takes a {registry.kind}: {', '.join(registry.names())}; add one of them to --{path}.help"
    cls = registry.find(name)
    parameters = inspect.signature(cls).parameters
    lines = [f"  {key}{_default(parameters.get(key))}" for key in settings_of(cls)]
    return "\n".join([f"{name}: {inspect.getdoc(cls) or ''}", "", "settings, in init_args:", *lines])


def _default(parameter: inspect.Parameter | None) -> str:
    if parameter is None or parameter.default is inspect.Parameter.empty:
        return " (must be set)"
    return f": {'null' if parameter.default is None else parameter.default}"
