"""What checkpoints of a training carry beside the weights."""

from dataclasses import asdict
from typing import Any, Protocol, runtime_checkable

import lightning.pytorch as pl

import wsed
from wsed.decoding import Decoder
from wsed.errors import WsedError
from wsed.models.base import Network
from wsed.types import Labels


@runtime_checkable
class Decodes(Protocol):
    """A callback that decodes scores; checkpoints carry its decoder."""

    def decoding(self) -> dict[str, Any]:
        """The decoder as plain values."""


def checkpoint_facts(network: Network, config: str, trainer: pl.Trainer) -> dict[str, Any]:
    """What a stranger needs to use the network, as plain values: no pickled object.

    Args:
        network: the one that is saved.
        config: YAML that builds it; "" if it is not known.
        trainer: one of its callbacks may tell the decoder; else it is the default one.
    """
    decoder = asdict(Decoder())
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Decodes):
            decoder = callback.decoding()
    return {
        "version": wsed.__version__,
        "labels": list(network.labels),
        "sample_rate": network.sample_rate,
        "frame_rate": network.frame_rate,
        "decoder": decoder,
        "model": config,
    }


def check_labels(checkpoint: dict[str, Any], labels: Labels) -> None:
    """Refuse a checkpoint of other classes.

    Raises:
        WsedError: its classes are others, or in another order.
    """
    known = checkpoint.get("wsed", {}).get("labels")
    if known is not None and list(known) != list(labels):
        raise WsedError(
            f"the checkpoint knows the classes {known}, the data has {list(labels)}: "
            "set data.corpus.labels to the checkpoint's, in its order, or train anew"
        )
