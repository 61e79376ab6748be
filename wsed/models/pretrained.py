"""Weights of an earlier run."""

from pathlib import Path
from typing import Any

import torch

from wsed.errors import WsedError
from wsed.models.base import Network

UNSAFE = (
    "no checkpoint that can be read safely: it is damaged, or holds more than weights and plain values, "
    "and reading that could execute code"
)


def read_checkpoint(path: Path) -> dict[str, Any]:
    """The content of a checkpoint; nothing in the file is executed.

    Raises:
        WsedError: no such file, or not a checkpoint, or one that holds more than weights and plain values.
    """
    if not path.is_file():
        raise WsedError(f"no such checkpoint: {path}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        raise WsedError(f"{path} is {UNSAFE}") from None
    if not isinstance(content, dict) or "state_dict" not in content:
        raise WsedError(f"{path} is no checkpoint: it holds no state_dict")
    return content


def load_weights(network: Network, path: str | Path) -> None:
    """The weights of a checkpoint of `wsed fit` into a network of the same build and classes.

    Raises:
        WsedError: as `read_checkpoint`, or the checkpoint is of other classes or of another network.
    """
    content = read_checkpoint(Path(path))
    known = content.get("wsed", {}).get("labels", list(network.labels))
    if list(known) != list(network.labels):
        raise WsedError(
            f"{path} knows the classes {known}, the network {list(network.labels)}: "
            "set data.corpus.labels to the former"
        )
    weights = {k.removeprefix("network."): v for k, v in content["state_dict"].items() if k.startswith("network.")}
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise WsedError(f"{path} is of another network than the one given: {str(error)[:600]}") from None
