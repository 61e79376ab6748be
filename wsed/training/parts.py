"""Settings of the optimiser for parts of the network: rates by part and by layer, and parts that start later."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import nn
from torch.optim import Optimizer

from wsed.errors import WsedError

Named: TypeAlias = Iterable[tuple[str, nn.Parameter]]
Group: TypeAlias = dict[str, object]
"""A parameter group, as optimisers of torch take it."""


@dataclass(frozen=True)
class Part:
    r"""Parameters chosen by their names, and their own settings of the optimiser.

    Args:
        pattern: a regular expression that is searched in the names of parameters, such as `encoder\.model`.
        lr: learning rate; that of the optimiser if None.
        weight_decay: that of the optimiser if None.
        layer_decay: factor of the rate from each layer to the one below it: the topmost layer has `lr`. The pattern
            then holds the number of the layer in brackets: `layers\.(\d+)`.
        frozen_epochs: number of epochs before the parameters are trained.

    Raises:
        WsedError: a setting is out of its range, or the pattern is not a regular expression.

    >>> Part(r"encoder\.layers\.(\d+)", lr=2e-4, layer_decay=0.5).frozen_epochs
    0
    """

    pattern: str
    lr: float | None = None
    weight_decay: float | None = None
    layer_decay: float = 1.0
    frozen_epochs: int = 0

    def __post_init__(self) -> None:
        try:
            brackets = re.compile(self.pattern).groups
        except re.error as error:
            raise WsedError(f"model.parts: pattern {self.pattern!r} is not a regular expression: {error}") from None
        if not 0 < self.layer_decay <= 1 or self.frozen_epochs < 0:
            raise WsedError("model.parts: layer_decay must be above 0 and at most 1, frozen_epochs 0 or more")
        if self.layer_decay < 1 and (brackets != 1 or self.lr is None):
            raise WsedError(
                f"model.parts: layer_decay needs lr, and a pattern with the number of the layer in brackets such as "
                rf"layers\.(\d+), not {self.pattern!r}"
            )


def parameter_groups(named: Named, parts: Sequence[Part]) -> list[Group]:
    """Parameter groups; a parameter belongs to the first part whose pattern is found in its name.

    Args:
        named: names and parameters.
        parts: the parts; all other parameters form the first group, with the settings of the optimiser.

    Raises:
        WsedError: a pattern is found in no name, or only in names that earlier parts have taken.

    >>> net = nn.ModuleDict({"encoder": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    >>> groups = parameter_groups(net.named_parameters(), [Part("encoder", lr=1e-4)])
    >>> [(len(group["params"]), group.get("lr")) for group in groups]
    [(2, None), (2, 0.0001)]
    """
    rest: list[nn.Parameter] = []
    members: list[dict[int, list[nn.Parameter]]] = [{} for _ in parts]
    names = []
    for name, parameter in named:
        names.append(name)
        place, layer = _place(name, parts)
        if place is None:
            rest.append(parameter)
        else:
            members[place].setdefault(layer, []).append(parameter)
    groups: list[Group] = [{"params": rest}] if rest else []
    for part, layers in zip(parts, members, strict=True):
        if not layers:
            raise WsedError(
                f"model.parts: pattern {part.pattern!r} is found in no name of a parameter, or only in names "
                f"that earlier parts have taken; names are like {', '.join(names[:: max(1, len(names) // 3)][:3])}"
            )
        top = max(layers)
        groups += [_group(part, layers[layer], top - layer) for layer in sorted(layers)]
    return groups


def hold(optimizer: Optimizer, epoch: int) -> None:
    """Drop the gradients of parts that are still frozen, so that a step does not change them.

    Args:
        optimizer: with groups from `parameter_groups`.
        epoch: the current epoch, from 0.

    >>> import torch
    >>> layer = nn.Linear(2, 1)
    >>> groups = parameter_groups(layer.named_parameters(), [Part("weight", frozen_epochs=1)])
    >>> layer(torch.ones(1, 2)).backward()
    >>> hold(torch.optim.SGD(groups, lr=0.1), epoch=0)
    >>> layer.weight.grad is None, layer.bias.grad is None
    (True, False)
    """
    for group in optimizer.param_groups:
        if epoch < group.get("frozen_epochs", 0):
            for parameter in group["params"]:
                parameter.grad = None


def _place(name: str, parts: Sequence[Part]) -> tuple[int | None, int]:
    """The part of a parameter (None: of no part), and its layer; 0 without `layer_decay`."""
    for place, part in enumerate(parts):
        match = re.search(part.pattern, name)
        if match is not None:
            return place, _layer(match) if part.layer_decay < 1 else 0
    return None, 0


def _layer(match: re.Match[str]) -> int:
    try:
        return int(match.group(1))
    except ValueError:
        raise WsedError(f"model.parts: {match.group(1)!r} in {match.string} is not the number of a layer") from None


def _group(part: Part, parameters: list[nn.Parameter], below: int) -> Group:
    group: Group = {"params": parameters, "frozen_epochs": part.frozen_epochs}
    if part.lr is not None:
        group["lr"] = part.lr * part.layer_decay**below
    if part.weight_decay is not None:
        group["weight_decay"] = part.weight_decay
    return group
