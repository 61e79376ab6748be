"""The format of checkpoints: weights, and what a stranger needs to use them, as plain values.

A file is read with `weights_only=True`, and only registered components are built from it, so that it executes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from wsed.build import build
from wsed.checkpoint_checks import check_archive, check_numbers, check_sizes, check_version
from wsed.errors import WsedError
from wsed.registry import registry
from wsed.spec import Spec, path_of, spec_of
from wsed.types import Labels

if TYPE_CHECKING:
    from wsed.decoding import Decoder
    from wsed.models.base import Network

UNSAFE = (
    "no checkpoint that can be read safely: it is damaged, or holds more than weights and plain values, "
    "and reading that could execute code"
)
NETWORK = "network."
"""What the names of a network's weights begin with in the checkpoint of a training."""


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint holds of a training.

    Args:
        path: of the file.
        version: of wsed, which wrote it.
        labels: the classes of the network.
        sample_rate: of the network, in Hz.
        frame_rate: of the network's output, in frames per second.
        spec: of the network; None if it cannot be written down.
        no_spec: why there is no spec.
        decoder: spec of the decoder, plain values.
        steps: optimiser steps of the training.
        weights: of the network, by name.
        seconds: length of the clips or windows of the training; None: it is not known.
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
        """Read a checkpoint; nothing in the file is executed.

        Raises:
            WsedError: there is no such file, it cannot be read safely, or it is no checkpoint of this version of wsed.
        """
        path = Path(path)
        content = _read(path)
        facts = content.get("wsed")
        if facts is None:
            raise WsedError(
                f"{path} was not written by wsed: it says nothing of labels and sample rate; train with `wsed fit`"
            )
        if "model" in facts:  # the YAML that 0.1 kept
            raise WsedError(
                f"{path} was written by wsed {facts.get('version', '0.1')}, and wsed 0.2 reads the checkpoints of 0.2 "
                "only: train again, or install that version"
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
        """Build the network, with these weights.

        Args:
            spec: other settings of the same network; those of its training if None.

        Raises:
            WsedError: it has no spec, or names a component that is not registered.
        """
        spec = self.spec if spec is None else spec
        if spec is None:
            raise WsedError(f"{self.path} does not tell its network ({self.no_spec}); pass network=...")
        base: type[Network] | None = registry("network").base
        assert base is not None
        check_sizes(self.path, spec.to_plain())
        try:
            network = build(base, spec, self.labels)
        except WsedError as error:
            raise WsedError(
                f"the network of {self.path}: {error}; install its plugin, or pass network=... to wsed.load"
            ) from None
        except (TypeError, ValueError, RuntimeError, MemoryError, ArithmeticError) as error:
            raise WsedError(f"the network of {self.path} cannot be built, its settings are damaged: {error}") from None
        self.weights_into(network)
        return network

    def weights_into(self, network: "Network") -> None:
        """Load the weights into a network of the same build and classes.

        Raises:
            WsedError: the network has other classes, or is another one.
        """
        check_numbers(self.path, self.weights)
        if network.labels != self.labels:
            raise WsedError(
                f"{self.path} knows the classes {list(self.labels)}, the network {list(network.labels)}: build it with "
                "the former"
            )
        load_exactly(network, self.weights, self.path)


def facts_of(
    network: "Network", decoder: Mapping[str, object], version: str, seconds: float | None = None
) -> dict[str, object]:
    """What a checkpoint says of a network, as plain values; the entry `wsed` of the file.

    Args:
        network: the one that is saved.
        decoder: spec of its decoder, plain values.
        version: of wsed.
        seconds: length of the clips or windows of the training; None: it is not known.
    """
    return {
        "version": version,
        "labels": list(network.labels),
        "sample_rate": network.sample_rate,
        "frame_rate": network.frame_rate,
        "network": plain_spec(network),
        "no_network": _why(network),
        "decoder": dict(decoder),
        "seconds": seconds,
    }


def plain_spec(network: "Network") -> dict[str, Any] | None:
    """The spec of a network as plain values; None if it cannot be written down."""
    return None if _why(network) else spec_of(network).to_plain()


def decoder_spec(decoder: "Decoder") -> dict[str, Any]:
    """The spec of a decoder as plain values; also of one that is not registered, which can be named but not loaded."""
    try:
        return spec_of(decoder).to_plain()
    except WsedError:
        return Spec(path_of(type(decoder)), decoder.values()).to_plain()


def _why(network: "Network") -> str:
    """Why a network has no spec; "" if it has one."""
    try:
        spec_of(network)
    except WsedError as error:
        return str(error)
    return ""


def check_readable(path: str | Path) -> None:
    """Refuse a file that is no checkpoint, before anything is built.

    Raises:
        WsedError: there is no such file, or it cannot be read safely.
    """
    _read(Path(path))


def weights_of(path: str | Path, labels: Labels | None = None) -> dict[str, Tensor]:
    """The weights of the network in a checkpoint, by name.

    Args:
        path: of the checkpoint.
        labels: the classes that it should be of; any if None.

    Raises:
        WsedError: the file is no checkpoint, or is of other classes.
    """
    content = _read(Path(path))
    known = content.get("wsed", {}).get("labels")
    if labels is not None and known is not None and list(known) != list(labels):
        raise WsedError(
            f"{path} knows the classes {known}, the network {list(labels)}: set data.corpus.labels to the former"
        )
    return _of_network(content["state_dict"])


def load_exactly(network: nn.Module, weights: Mapping[str, Tensor], path: str | Path) -> None:
    """Load all weights of a checkpoint into a network that has exactly these.

    Raises:
        WsedError: the network is another one.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise WsedError(f"{path} is of another network than the one given: {str(error)[:600]}") from None


@dataclass(frozen=True)
class Leftovers:
    """What a training that starts from a checkpoint could not take from it.

    Args:
        loaded: how many tensors were taken.
        missing: tensors of the network that the checkpoint does not have.
        reshaped: tensors that have another shape there, such as those of other classes.
        unused: tensors that only the checkpoint has.
    """

    loaded: int
    missing: tuple[str, ...]
    reshaped: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.loaded} weights taken"]
        for names, what in (
            (self.missing, "not in the checkpoint, so they start anew"),
            (self.reshaped, "of another shape there, so they start anew"),
            (self.unused, "only in the checkpoint, left out"),
        ):
            if names:
                shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
                lines.append(f"{what}: {shown}")
        return "; ".join(lines)


def start_from(network: nn.Module, path: str | Path) -> Leftovers:
    """Let a network start from the weights of a checkpoint that fit by name and shape; its classes may be others.

    Args:
        network: changed in place.
        path: of the checkpoint.

    Raises:
        WsedError: the file is no checkpoint, or no weight of it fits.
    """
    weights, own = weights_of(path), network.state_dict()
    fitting = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    if not fitting:
        raise WsedError(f"{path} has no weight that fits the network: it is of another network")
    network.load_state_dict(fitting, strict=False)
    return Leftovers(
        loaded=len(fitting),
        missing=_sorted(own.keys() - weights.keys()),
        reshaped=_sorted((own.keys() & weights.keys()) - fitting.keys()),
        unused=_sorted(weights.keys() - own.keys()),
    )


def same_network(one: Mapping[str, object] | None, other: Mapping[str, object] | None) -> bool:
    """Whether two specs of networks, as plain values, agree in the settings that both have; an unknown one does.

    >>> same_network({"class_path": "mmnet", "init_args": {"mu": 0.5}}, {"class_path": "mmnet", "init_args": {}})
    True
    """
    return one is None or other is None or _agree(one, other)


def _agree(one: object, other: object) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return all(_agree(one[key], other[key]) for key in one.keys() & other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_agree, one, other))
    return bool(one == other)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise WsedError(f"no such checkpoint: {path}")
    check_archive(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        raise WsedError(f"{path} is {UNSAFE}") from None
    if not isinstance(content, dict) or "state_dict" not in content:
        raise WsedError(f"{path} is no checkpoint: it holds no state_dict")
    return content


def _of_network(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(NETWORK): value for name, value in weights.items() if name.startswith(NETWORK)}


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
