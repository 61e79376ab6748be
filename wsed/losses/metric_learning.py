"""Any loss of pytorch-metric-learning, by name."""

import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from wsed.errors import WsedError
from wsed.losses.base import LOSSES, Loss
from wsed.ops.mine import all_clips, relations
from wsed.registry import near
from wsed.types import Batch, Needs, Output


@LOSSES.register("metric_learning")
class MetricLearning(Loss):
    """A loss of pytorch-metric-learning on clip embeddings, with a miner of it, of the clips of all ranks.

    Clips without a known tag are left out, and a loss that takes one class per clip takes the unknown ones as absent.
    Where clips have several tags, only losses of pairs and triplets work, and without
    miner: clips that share a tag are positive pairs, clips that share none negative ones. Needs the extra `metric`.

    Args:
        criterion: a class of `pytorch_metric_learning.losses`, or an import path.
        arguments: its arguments; a distance, a reducer and the like are given as `{class_path: LpDistance, init_args:
            {...}}`, by class name or import path.
        miner: a class of `pytorch_metric_learning.miners`, or an import path; none if None.
        miner_arguments: its arguments, in the same way.

    Raises:
        WsedError: the package is not installed, there is no such loss or miner, or (in training, where no data module
            found it before) clips have several tags, and the loss or the miner takes one.
    """

    needs = Needs(output=frozenset({"clip_embedding"}), known=frozenset({"tagged"}), classes=2, per_class=2)

    def __init__(
        self,
        criterion: str = "TripletMarginLoss",
        arguments: Mapping[str, Any] | None = None,
        miner: str | None = None,
        miner_arguments: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.names = (criterion, miner)
        self.criterion = _made("losses", criterion, arguments)
        self.miner = None if miner is None else _made("miners", miner, miner_arguments)
        if miner is not None or not _takes_pairs(self.criterion):
            self.needs = replace(type(self).needs, one_class=True)

    def forward(self, output: Output, batch: Batch) -> Tensor:
        embeddings, tags, tagged = all_clips(output.need("clip_embedding").float(), batch.clip_labels, batch.tagged)
        tags = torch.where(tagged, tags, 0.0)
        known = (tags > 0).any(1)
        zero = 0 * embeddings.sum()
        if not bool(known.any()):
            return zero
        embeddings, tags, tagged = embeddings[known], (tags[known] > 0).float(), tagged[known]
        with torch.autocast(embeddings.device.type, enabled=False):
            if bool((tags.sum(1) == 1).all()):
                labels = tags.argmax(1)
                indices = None if self.miner is None else self.miner(embeddings, labels)
                loss: Tensor = self.criterion(embeddings, labels, indices)
            else:
                loss = self._of_pairs(embeddings, tags, tagged)
        return zero + loss

    def _of_pairs(self, embeddings: Tensor, tags: Tensor, tagged: Tensor) -> Tensor:
        """The loss of clips with several tags: they have no label, only relations."""
        criterion, miner = self.names
        if self.miner is not None:
            raise WsedError(f"metric_learning: miner {miner} takes one tag a clip, and clips here have several; {HELP}")
        positive, negative = relations(tags, tagged)
        try:
            loss: Tensor = self.criterion(
                embeddings, indices_tuple=(*positive.nonzero().unbind(1), *negative.nonzero().unbind(1))
            )
        except ValueError as error:
            raise WsedError(
                f"metric_learning: {criterion} takes one tag a clip, and clips here have several ({error}); {HELP}"
            ) from error
        return loss


HELP = "use the loss triplet or prototypical, or a corpus with one tag a clip"


def _takes_pairs(criterion: Any) -> bool:
    """Whether it works on relations of clips; the others say at once that they need labels."""
    none = torch.zeros(0, dtype=torch.long)
    try:
        criterion(torch.eye(2), indices_tuple=(none,) * 4)
    except ValueError:
        return False
    return True


PARTS = {"distance": "distances", "reducer": "reducers", "embedding_regularizer": "regularizers"}
"""Where the classes of arguments are that are objects themselves."""


def _made(kind: str, name: str, arguments: Mapping[str, Any] | None) -> Any:
    """A loss, a miner or a part of them, by class name or import path."""
    arguments = {key: _part(key, value) for key, value in (arguments or {}).items()}
    home, _, cls = name.rpartition(".")
    home = home or f"pytorch_metric_learning.{kind}"
    try:
        module = importlib.import_module(home)
    except ModuleNotFoundError as error:
        missing = f"metric_learning: {name} needs the module {error.name}, which is not installed"
        ours = str(error.name).startswith("pytorch_metric_learning")
        raise WsedError(missing + (": pip install 'wsed[metric]'" if ours else "")) from None
    if not hasattr(module, cls):
        raise WsedError(
            f"metric_learning: {home} has no {cls!r}{near(cls, [n for n in dir(module) if n[0].isupper()])}"
        )
    try:
        return getattr(module, cls)(**arguments)
    except TypeError as error:
        raise WsedError(f"metric_learning: arguments of {name}: {error}") from error


def _part(argument: str, value: Any) -> Any:
    if not isinstance(value, Mapping) or "class_path" not in value:
        return value
    return _made(PARTS.get(argument, argument), value["class_path"], value.get("init_args"))
