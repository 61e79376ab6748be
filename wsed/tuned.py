"""A tuned decoder, kept in a file of its own beside the checkpoint that it belongs to.

Scoring a checkpoint never changes it. `best.decoder.yaml` beside `best.ckpt` names that file by its SHA-256, so that a
decoder that was tuned for an earlier `best.ckpt` is not used with a later one.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from wsed.build import build
from wsed.decoding import Decoder
from wsed.errors import WsedError
from wsed.files import write_text
from wsed.text import read_yaml

FIELDS = ("decoder", "untuned", "tuned", "network", "checkpoint")
"""What the file holds."""


@dataclass(frozen=True)
class TunedDecoder:
    """A decoder with the values that were tuned for a network.

    Args:
        decoder: its spec, plain values.
        untuned: its spec before tuning.
        tuned: the setting `evaluation.tuning`, the number of clips and the values.
        network: spec of the network whose scores it was tuned on; None if it cannot be written down.
    """

    decoder: Mapping[str, object]
    untuned: Mapping[str, object]
    tuned: Mapping[str, object]
    network: Mapping[str, object] | None = None

    def write(self, checkpoint: str | Path) -> Path:
        """Write it beside a checkpoint; returns the path."""
        path = decoder_file(checkpoint)
        content = asdict(self) | {"checkpoint": digest(checkpoint)}
        write_text(path, yaml.safe_dump(content, sort_keys=False))
        return path


def decoder_file(checkpoint: str | Path) -> Path:
    """Where the tuned decoder of a checkpoint is.

    >>> decoder_file("checkpoints/best.ckpt").as_posix()
    'checkpoints/best.decoder.yaml'
    """
    return Path(checkpoint).with_suffix(".decoder.yaml")


def read_tuned(checkpoint: str | Path) -> TunedDecoder | None:
    """The tuned decoder of a checkpoint; None if there is none, or it is of another state of the checkpoint.

    Raises:
        WsedError: the file is damaged.
    """
    path = decoder_file(checkpoint)
    if not path.is_file():
        return None
    content = read_yaml(path)
    if not isinstance(content, dict) or content.keys() != set(FIELDS):
        raise WsedError(f"{path} is damaged: delete it, and run `wsed validate` to tune the decoder again")
    if content.pop("checkpoint") != digest(checkpoint):
        return None
    return TunedDecoder(**content)


def decoder_of(spec: Mapping[str, object]) -> Decoder:
    """The decoder of a spec, of registered classes only.

    Raises:
        WsedError: its class is not registered, or its settings do not fit.

    >>> decoder_of({"class_path": "steps", "init_args": {"threshold": 0.3}}).threshold
    0.3
    """
    decoder = build(Decoder, spec)
    if not isinstance(decoder, Decoder):
        raise WsedError(f"{spec} is no spec of a decoder")
    return decoder


def digest(path: str | Path) -> str:
    """SHA-256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
