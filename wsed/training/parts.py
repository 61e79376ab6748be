"""Settings of the optimiser for parts of the network: rates by part and by layer, and parts that start later."""

import math
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
        frozen_epochs: number of epochs before the parameters are trained. Until then, modules without other weights are
            in eval mode.

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
        at = f"model.parts: of pattern {self.pattern!r},"
        if not 0 < self.layer_decay <= 1:
            raise WsedError(f"{at} layer_decay must be above 0 and at most 1, not {self.layer_decay:g}")
        for name, value in (
            ("lr", self.lr),
            ("weight_decay", self.weight_decay),
            ("frozen_epochs", self.frozen_epochs),
        ):
            if value is not None and not 0 <= value < math.inf:
                raise WsedError(f"{at} {name} must be 0 or more, not {value:g}")
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
        WsedError: a pattern is found in no name, only in names that earlier parts have taken, or only in names of
            parameters that are never trained.

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
        if not any(parameter.requires_grad for of_layer in layers.values() for parameter in of_layer):
            raise WsedError(
                f"model.parts: pattern {part.pattern!r} is found only in names of parameters that are never trained, "
                "such as those of a teacher or of an encoder with freeze: true; take this part out, or name others"
            )
        top = max(layers)
        groups += [_group(part, layers[layer], top - layer) for layer in sorted(layers)]
    return groups


class Held:
    """What is frozen in this epoch: weights of parts with `frozen_epochs`.

    Modules that have no other weights are in eval mode: dropout is off, and statistics of batch norm stay. Each epoch
    starts by giving back what was held, so that weights that were never trained stay so.

    >>> import torch
    >>> layers = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 1))
    >>> groups = parameter_groups(layers.named_parameters(), [Part("^0", frozen_epochs=1)])
    >>> held, optimizer = Held(), torch.optim.SGD(groups, lr=0.1)
    >>> held.start_epoch(layers, [optimizer], epoch=0)
    >>> layers(torch.ones(2, 2)).sum().backward()
    >>> layers[0].training, layers[0].weight.grad is None, layers[1].weight.grad is None
    (False, True, False)
    >>> held.drop_gradients()  # there are none here
    >>> held.start_epoch(layers, [optimizer], epoch=1)
    >>> layers[0].training, layers[0].weight.requires_grad
    (True, True)
    """

    def __init__(self) -> None:
        self._weights: list[nn.Parameter] = []
        self._modules: list[nn.Module] = []

    def start_epoch(self, task: nn.Module, optimizers: Iterable[Optimizer], epoch: int, graph: bool = True) -> None:
        """Release what the last epoch held, and hold what is frozen in this one.

        Args:
            task: what is trained.
            optimizers: with groups from `parameter_groups`.
            epoch: the current epoch, from 0.
            graph: whether gradients may be left out of the backward pass; if not, they are computed and dropped.

        Raises:
            WsedError: nothing would be trained in this epoch.
        """
        self.release()
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        frozen = [weight for group in groups if epoch < group.get("frozen_epochs", 0) for weight in group["params"]]
        self._weights = [weight for weight in frozen if weight.requires_grad]
        if not self._weights:
            return
        held = {id(weight) for weight in self._weights}
        if _trained(task) <= held:
            raise WsedError(f"model.parts: frozen_epochs leaves nothing to train in epoch {epoch}, counted from 0")
        within = [
            module for part in task.modules() if _trained(part) and _trained(part) <= held for module in part.modules()
        ]
        self._modules = [module for module in within if module.training]
        for module in self._modules:
            module.training = False
        for weight in self._weights if graph else ():
            weight.requires_grad = False

    def drop_gradients(self) -> None:
        """Drop the gradients of what is held, if there are any, so that a step does not change it."""
        for weight in self._weights:
            weight.grad = None

    def release(self) -> None:
        """Give all back, as it was."""
        for weight in self._weights:
            weight.requires_grad = True
        for module in self._modules:
            module.training = True
        self._weights, self._modules = [], []


def _trained(module: nn.Module) -> set[int]:
    """Identities of the weights that are trained."""
    return {id(weight) for weight in module.parameters() if weight.requires_grad}


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
