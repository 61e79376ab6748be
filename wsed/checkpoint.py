"""The format of checkpoints: the weights, and all that is needed to use them, as plain values.

Files are read with `weights_only=True`, and only registered components are built, so a file cannot execute code.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from wsed.build import build, weights_are_loaded
from wsed.checkpoint_checks import check_archive, check_numbers, check_sizes, check_version
from wsed.checkpoint_specs import check_same, plain_spec, why_no_spec
from wsed.errors import WsedError
from wsed.registry import registry
from wsed.spec import Spec
from wsed.types import Labels

if TYPE_CHECKING:
    from wsed.models.base import Network

UNSAFE = (
    "not a checkpoint that can be read safely: it is damaged, or holds more than weights and plain values, "
    "and reading that could execute code"
)
NETWORK = "network."
"""Prefix of the names of the network's weights in a checkpoint."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The content of a checkpoint.

    Args:
        path: the file.
        version: the version of wsed that wrote it.
        labels: the classes of the network.
        sample_rate: sample rate of the network, in Hz.
        frame_rate: frame rate of the network's output, in frames per second.
        spec: spec of the network; None if it has none.
        no_spec: the reason why there is no spec; empty if there is one.
        decoder: spec of the decoder, as plain values.
        steps: number of optimiser steps of the training.
        weights: weights of the network, by name.
        seconds: length of the clips or windows in the training, in seconds; None if it is not known.

    >>> import tempfile
    >>> from wsed.models import Composed
    >>> network = Composed.example(Labels(["Dog"]))
    >>> weights = {NETWORK + name: value for name, value in network.state_dict().items()}
    >>> with tempfile.NamedTemporaryFile(suffix=".ckpt") as file:
    ...     torch.save({"state_dict": weights, "wsed": facts_of(network, {}, "0.2.0")}, file.name)
    ...     checkpoint = Checkpoint.open(file.name)
    >>> checkpoint.load_into(checkpoint.network())
    """

    path: Path
    version: str
    labels: Labels
    sample_rate: int
    frame_rate: float
    spec: Spec | None
    no_spec: str
    decoder: Mapping[str, object]
    steps: int
    weights: Mapping[str, Tensor]
    seconds: float | None = None

    @classmethod
    def open(cls, path: str | Path) -> "Checkpoint":
        """Read a checkpoint; no code in the file is executed.

        Raises:
            WsedError: there is no such file, it cannot be read safely, or another version of wsed wrote it.
        """
        path = Path(path)
        content = _read(path)
        facts = content.get("wsed")
        if facts is None:
            raise WsedError(
                f"{path} was not written by wsed: it holds no labels and no sample rate; train with `wsed fit`"
            )
        if "model" in facts:  # wsed 0.1 wrote YAML there
            raise WsedError(
                f"{path} was written by wsed {facts.get('version', '0.1')}, but wsed 0.2 reads only checkpoints "
                "of 0.2: train again, or install that version"
            )
        check_version(path, facts)
        try:
            network = facts["network"]
            return cls(
                path=path,
                version=facts["version"],
                labels=Labels(facts["labels"]),
                sample_rate=facts["sample_rate"],
                frame_rate=facts["frame_rate"],
                spec=None if network is None else Spec.read(network),
                no_spec=facts["no_network"],
                decoder=facts["decoder"],
                steps=content.get("global_step", 0),
                weights=_of_network(content["state_dict"]),
                seconds=facts.get("seconds"),
            )
        except KeyError as error:
            raise WsedError(f"{path} is damaged, or of another version of wsed: it has no {error}") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise WsedError(f"{path} is damaged, or of another version of wsed: {error}") from None

    def network(self, spec: Spec | None = None) -> "Network":
        """Build the network and load the weights into it.

        Args:
            spec: spec of the network, if settings differ from those of the training; None: the spec in the checkpoint.

        Raises:
            WsedError: there is no spec, or it names a component that is not registered.
        """
        spec = self.spec if spec is None else spec
        if spec is None:
            raise WsedError(f"{self.path} holds no spec of its network ({self.no_spec}); pass network=...")
        base: type[Network] | None = registry("network").base
        assert base is not None
        check_sizes(self.path, spec.to_plain())
        try:
            with weights_are_loaded():
                network = build(base, spec, self.labels)
        except WsedError as error:
            raise WsedError(
                f"the network of {self.path}: {error}; install its plugin, or pass network=... to wsed.load"
            ) from None
        except (TypeError, ValueError, RuntimeError, MemoryError, ArithmeticError) as error:
            raise WsedError(f"the network of {self.path} cannot be built, its settings are damaged: {error}") from None
        self.load_into(network)
        return network

    def load_into(self, network: "Network") -> None:
        """Load the weights into a network with the same layers and classes.

        Raises:
            WsedError: the network has other classes or other layers.
        """
        check_numbers(self.path, self.weights)
        if network.labels != self.labels:
            raise WsedError(
                f"{self.path} has the classes {list(self.labels)}, the network {list(network.labels)}: build the "
                "network with the classes of the checkpoint"
            )
        load_exactly(network, self.weights, self.path)


def facts_of(
    network: "Network", decoder: Mapping[str, object], version: str, seconds: float | None = None
) -> dict[str, object]:
    """The entry `wsed` of a checkpoint: facts about the network and its decoder, as plain values.

    Args:
        network: the network that is saved.
        decoder: spec of its decoder, as plain values.
        version: version of wsed.
        seconds: length of the clips or windows in the training, in seconds; None if it is not known.

    >>> from wsed.models import Composed
    >>> facts_of(Composed.example(Labels(["Dog"])), {"class_path": "steps"}, "0.2.0")["sample_rate"]
    8000
    """
    return {
        "version": version,
        "labels": list(network.labels),
        "sample_rate": network.sample_rate,
        "frame_rate": network.frame_rate,
        "network": plain_spec(network),
        "no_network": why_no_spec(network),
        "decoder": dict(decoder),
        "seconds": seconds,
    }


def check_readable(path: str | Path) -> None:
    """Refuse a file that is not a checkpoint.

    Raises:
        WsedError: there is no such file, or it cannot be read safely.
    """
    _read(Path(path))


def read_weights(path: str | Path, labels: Labels | None = None) -> dict[str, Tensor]:
    """The weights of the network in a checkpoint, by name.

    Args:
        path: the checkpoint.
        labels: the classes that the checkpoint must have; None: any classes.

    Raises:
        WsedError: the file is not a checkpoint, or has other classes.
    """
    return read_network(path, labels)[0]


def read_network(path: str | Path, labels: Labels | None = None) -> tuple[dict[str, Tensor], dict[str, Any] | None]:
    """The weights of the network in a checkpoint, by name, and its spec as plain values, if the file holds it.

    Args:
        path: the checkpoint.
        labels: the classes that the checkpoint must have; None: any classes.

    Raises:
        WsedError: the file is not a checkpoint, or has other classes.
    """
    content = _read(Path(path))
    facts = content.get("wsed") or {}
    known = facts.get("labels")
    if labels is not None and known is not None and list(known) != list(labels):
        raise WsedError(
            f"{path} has the classes {known}, the network {list(labels)}: set data.corpus.labels to the classes of the "
            "checkpoint"
        )
    return _of_network(content["state_dict"]), facts.get("network")


def load_exactly(network: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Load all weights of a checkpoint into a network that has exactly the same weights.

    Args:
        network: changed in place.
        weights: the weights, by name.
        path: the checkpoint, for the message.

    Raises:
        WsedError: the network has other weights.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise WsedError(f"{path} is a checkpoint of another network: {str(error)[:600]}") from None


def load_frozen(network: "Network", path: str | Path, labels: Labels, setting: str) -> None:
    """Load the weights of a checkpoint into a network that is not trained, and which must have the same settings.

    Args:
        network: changed in place.
        path: the checkpoint.
        labels: the classes that the checkpoint must have.
        setting: the setting that describes the network, for the message.

    Raises:
        WsedError: the file is not a checkpoint, or is one of other classes or of another network.
    """
    weights, spec = read_network(path, labels)
    load_exactly(network, weights, path)
    check_same(network, spec, path, setting)


@dataclass(frozen=True)
class StartReport:
    """The weights that a network took from a checkpoint to start from, and those that it did not.

    Args:
        loaded: number of tensors that were loaded.
        missing: tensors of the network that the checkpoint does not have.
        reshaped: tensors with another shape in the checkpoint, for example because its classes differ.
        unused: tensors that only the checkpoint has.

    >>> print(StartReport(4, missing=(), reshaped=("head.weight",), unused=()))
    4 weights taken; initial values kept, since the shape in the checkpoint differs: head.weight
    """

    loaded: int
    missing: tuple[str, ...]
    reshaped: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.loaded} weights taken"]
        for names, what in (
            (self.missing, "initial values kept, since the checkpoint lacks them"),
            (self.reshaped, "initial values kept, since the shape in the checkpoint differs"),
            (self.unused, "left out, since only the checkpoint has them"),
        ):
            if names:
                shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
                lines.append(f"{what}: {shown}")
        return "; ".join(lines)


@runtime_checkable
class Wraps(Protocol):
    """A network around another one, such as a mean teacher around its student."""

    def of_wrapped(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of the other network, by the names that they have in this one."""
        ...


def start_from(network: nn.Module, path: str | Path) -> StartReport:
    """Load the weights of a checkpoint that fit a network by name and shape; the classes may differ.

    Student and teacher of a `mean_teacher` take those of a network without one.

    Args:
        network: changed in place.
        path: the checkpoint.

    Raises:
        WsedError: the file is not a checkpoint, or none of its weights fits.
    """
    weights, own = read_weights(path), network.state_dict()
    if isinstance(network, Wraps) and not weights.keys() & own.keys():
        weights = network.of_wrapped(weights)
    fitting = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise WsedError(f"{path} has no weight that fits the network: it is of another network")
    network.load_state_dict(fitting, strict=False)
    return StartReport(
        loaded=len(fitting),
        missing=_sorted(own.keys() - weights.keys()),
        reshaped=_sorted((own.keys() & weights.keys()) - fitting.keys()),
        unused=_sorted(weights.keys() - own.keys()),
    )


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise WsedError(f"no such checkpoint: {path}")
    check_archive(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        raise WsedError(f"{path} is {UNSAFE}") from None
    if not isinstance(content, dict) or "state_dict" not in content:
        raise WsedError(f"{path} is not a checkpoint: it holds no state_dict")
    return content


def _of_network(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(NETWORK): value for name, value in weights.items() if name.startswith(NETWORK)}


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
