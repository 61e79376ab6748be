"""Any loss of pytorch-metric-learning, by name."""

import importlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from wsed.build import call, is_spec
from wsed.errors import WsedError, near
from wsed.losses.base import LOSSES, Loss
from wsed.ops.mine import all_clips, relations
from wsed.spec import Spec
from wsed.types import Batch, Needs, Output


@LOSSES.register("metric_learning")
class MetricLearning(Loss):
    """A loss of pytorch-metric-learning, optionally with a miner, on the clip embeddings of all ranks.

    Clips without a known positive tag are left out. Losses and miners that take one class per clip treat unknown
    classes as absent. If clips have several tags, only losses of pairs and triplets without a miner work: clips that
    share a tag are positive pairs, and clips that share none are negative pairs. Needs the extra `metric`.

    Args:
        criterion: a class of `pytorch_metric_learning.losses`, or an import path.
        arguments: arguments of the criterion. Arguments that are objects, such as a distance or a reducer, are written
            as `{class_path: LpDistance, init_args: {...}}`, by class name or import path.
        miner: a class of `pytorch_metric_learning.miners`, or an import path; no miner if None.
        miner_arguments: arguments of the miner, written in the same way.

    Raises:
        WsedError: the package is not installed, the loss or the miner does not exist, or (in training) clips have
            several tags but the loss or the miner takes one class per clip.
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
        self.criterion = _built("losses", Spec(criterion, arguments or {}))
        self.miner = None if miner is None else _built("miners", Spec(miner, miner_arguments or {}))
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
        """The loss of clips with several tags, from positive and negative pairs instead of classes."""
        criterion, miner = self.names
        if self.miner is not None:
            raise WsedError(f"metric_learning: miner {miner} takes one tag per clip, but clips have several; {HELP}")
        positive, negative = relations(tags, tagged)
        try:
            loss: Tensor = self.criterion(
                embeddings, indices_tuple=(*positive.nonzero().unbind(1), *negative.nonzero().unbind(1))
            )
        except ValueError as error:
            raise WsedError(
                f"metric_learning: {criterion} takes one tag per clip, but clips have several ({error}); {HELP}"
            ) from error
        return loss


HELP = "use the loss triplet or prototypical, or a corpus with one tag per clip"


def _takes_pairs(criterion: Any) -> bool:
    """Whether the criterion takes pairs of clips; criteria that need one class per clip raise `ValueError`."""
    none = torch.zeros(0, dtype=torch.long)
    try:
        criterion(torch.eye(2), indices_tuple=(none,) * 4)
    except ValueError:
        return False
    return True


PARTS = {"distance": "distances", "reducer": "reducers", "embedding_regularizer": "regularizers"}
"""The package of the class of an argument that is an object, by the name of the argument."""


def _built(package: str, spec: Spec) -> Any:
    """Build a loss, a miner or one of their arguments by class name or import path."""
    cls = _class(package, spec.class_path)
    parts = {
        name: _built(PARTS.get(name, name), Spec.read(value))
        if isinstance(value, Mapping) and is_spec(value)
        else value
        for name, value in spec.init_args.items()
    }
    try:
        return call(partial(cls, **{**spec.init_args, **parts}))
    except TypeError as error:  # an argument that the class passes on
        raise WsedError(f"arguments of {cls.__name__}: {error}") from error


def _class(package: str, name: str) -> type:
    """Find a class by its name in a package of pytorch-metric-learning, or by its import path."""
    home, _, attribute = name.rpartition(".")
    home = home or f"pytorch_metric_learning.{package}"
    try:
        members = vars(importlib.import_module(home))
    except ModuleNotFoundError as error:
        missing = f"metric_learning: {name} needs the module {error.name}, which is not installed"
        ours = str(error.name).startswith("pytorch_metric_learning")
        raise WsedError(missing + (": pip install 'wsed[metric]'" if ours else "")) from None
    if not isinstance(cls := members.get(attribute), type):
        classes = [known for known, value in members.items() if isinstance(value, type)]
        raise WsedError(f"metric_learning: {home} has no {attribute!r}{near(attribute, classes)}")
    return cls
