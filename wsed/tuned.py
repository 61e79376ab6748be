"""The file of a tuned decoder, beside the checkpoint of its network.

Scoring never changes a checkpoint. `best.decoder.yaml` beside `best.ckpt` holds the SHA-256 of the checkpoint, so a
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
"""The keys of the file."""


@dataclass(frozen=True)
class TunedDecoder:
    """A decoder that was tuned on the scores of a network.

    Args:
        decoder: spec of the decoder, as plain values.
        untuned: spec of the decoder before tuning.
        tuned: the setting `evaluation.tuning`, the number of clips and the tuned values.
        network: spec of the network whose scores the decoder was tuned on; None if the network has no spec.
    """

    decoder: Mapping[str, object]
    untuned: Mapping[str, object]
    tuned: Mapping[str, object]
    network: Mapping[str, object] | None = None

    def write(self, checkpoint: str | Path) -> Path:
        """Write the file beside a checkpoint and return its path."""
        path = decoder_file(checkpoint)
        content = asdict(self) | {"checkpoint": digest(checkpoint)}
        write_text(path, yaml.safe_dump(content, sort_keys=False))
        return path


def decoder_file(checkpoint: str | Path) -> Path:
    """The path of the tuned decoder of a checkpoint.

    >>> decoder_file("checkpoints/best.ckpt").as_posix()
    'checkpoints/best.decoder.yaml'
    """
    return Path(checkpoint).with_suffix(".decoder.yaml")


def read_tuned(checkpoint: str | Path) -> TunedDecoder | None:
    """The tuned decoder of a checkpoint; None if there is none, or if the checkpoint has changed since.

    Raises:
        WsedError: the file is damaged.

    >>> read_tuned("checkpoints/best.ckpt") is None
    True
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
    """Build the decoder of a spec; only registered classes are built.

    Raises:
        WsedError: the class is not registered, or its settings do not fit.

    >>> decoder_of({"class_path": "steps", "init_args": {"threshold": 0.3}}).threshold
    0.3
    """
    decoder = build(Decoder, spec)
    if not isinstance(decoder, Decoder):
        raise WsedError(f"{spec} is not the spec of a decoder")
    return decoder


def digest(path: str | Path) -> str:
    """The SHA-256 of a file, in hexadecimal.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     digest(file.name)[:8]
    'e3b0c442'
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
