"""The facts in checkpoints beside the weights, and checks of checkpoints that are resumed."""

from typing import Any, Protocol, runtime_checkable

import lightning.pytorch as pl

import wsed
from wsed.checkpoint import facts_of
from wsed.checkpoint_specs import decoder_spec
from wsed.decoding import StepDecoder
from wsed.errors import WsedError
from wsed.models.base import Network
from wsed.training.data import clip_seconds
from wsed.types import Labels


@runtime_checkable
class Decodes(Protocol):
    """A callback with a decoder, which is saved in checkpoints."""

    def decoding(self) -> dict[str, object]:
        """The spec of the decoder, as plain values."""


def checkpoint_facts(network: Network, trainer: pl.Trainer) -> dict[str, object]:
    """The facts that are needed to use a saved network, as plain values.

    Args:
        network: the network that is saved.
        trainer: the trainer; the decoder is that of its `Evaluation`, or the default decoder if it has none.
    """
    decoder = decoder_spec(StepDecoder())
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Decodes):
            decoder = callback.decoding()
    return facts_of(network, decoder, wsed.__version__, clip_seconds(trainer))


class CheckResume(pl.Callback):
    """Refuses to resume a checkpoint whose optimiser has other settings; `SEDTask` adds it to its trainer."""

    def __init__(self) -> None:
        self._saved: list[dict[str, Any]] = []

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        states = checkpoint.get("optimizer_states", [])
        self._saved = [group for state in states for group in state["param_groups"]]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Compare the saved parameter groups with those of the optimiser.

        Raises:
            WsedError: they have other settings or other sizes.
        """
        groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
        saved, self._saved = self._saved, []
        if saved and [_shape(group) for group in saved] != [_shape(group) for group in groups]:
            raise WsedError(
                f"the checkpoint is of a training with another optimiser: its settings are {_settings(saved)}, "
                f"those of model.optimizer {_settings(groups)}; resume with the former, or start a new run"
            )


def _shape(group: dict[str, Any]) -> tuple[int, frozenset[str]]:
    return len(group["params"]), frozenset(group) - {"params", "initial_lr"}


def _settings(groups: list[dict[str, Any]]) -> str:
    parts = [f"{', '.join(sorted(settings))} of {size} parameters" for size, settings in map(_shape, groups)]
    return "; ".join(parts)


def check_labels(checkpoint: dict[str, Any], labels: Labels) -> None:
    """Refuse a checkpoint with other classes.

    Raises:
        WsedError: its classes differ, or are in another order.
    """
    known = checkpoint.get("wsed", {}).get("labels")
    if known is not None and list(known) != list(labels):
        raise WsedError(
            f"the checkpoint has the classes {known}, the data has {list(labels)}: "
            "set data.corpus.labels to those of the checkpoint, in its order, or start a new training"
        )
