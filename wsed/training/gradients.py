"""Names the weights that no loss trains."""

import lightning.pytorch as pl
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.utilities import rank_zero_info
from torch import nn

from wsed.errors import WsedError


class CheckGradients(pl.Callback):
    """Names the weights that have no gradient after the first step, since no loss reads what is computed from them.

    Processes that train together wait for every gradient; they would end in the second step with an error of torch that
    names no weight. `SEDTask` adds this callback to its trainer.
    """

    def __init__(self) -> None:
        self._checked = False

    def on_after_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell it, or refuse it on several processes.

        Raises:
            WsedError: the strategy of the trainer needs a gradient for each weight.
        """
        if self._checked:
            return
        self._checked = True
        parts = untrained(pl_module)
        if not parts:
            return
        told = f"no loss trains {', '.join(parts)}"
        if not needs_all(trainer):
            rank_zero_info(f"{told}: the weights stay as they are")
            return
        raise WsedError(
            f"{told}, and trainer.strategy ddp needs a gradient for each weight: add a loss that reads this part, take "
            "it out or freeze it (a tagger: by pretrained), or set trainer.strategy to ddp_find_unused_parameters_true"
        )


def untrained(module: nn.Module) -> list[str]:
    """The largest parts of a module, none of whose trainable weights has a gradient.

    >>> import torch
    >>> layers = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1)))
    >>> layers[0](torch.ones(1)).sum().backward()
    >>> untrained(layers)
    ['1']
    """
    weights = {name: weight for name, weight in module.named_parameters() if weight.requires_grad}
    without = {name for name, weight in weights.items() if weight.grad is None}
    parts: dict[str, None] = {}
    for name in (name for name in weights if name in without):
        words = name.split(".")
        prefixes = (".".join(words[:i]) for i in range(1, len(words) + 1))
        of = {prefix: {other for other in weights if f"{other}.".startswith(f"{prefix}.")} for prefix in prefixes}
        parts[next(prefix for prefix, inside in of.items() if inside <= without)] = None
    return list(parts)


def needs_all(trainer: pl.Trainer) -> bool:
    """Whether processes wait for the gradient of each weight.

    >>> needs_all(pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False))
    False
    """
    strategy = trainer.strategy
    return isinstance(strategy, DDPStrategy) and not strategy._ddp_kwargs.get("find_unused_parameters", False)
