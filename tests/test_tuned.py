"""The file of a tuned decoder."""

from pathlib import Path

import pytest

from wsed import WsedError
from wsed.tuned import TunedDecoder, decoder_file, read_tuned


def test_it_is_bound_to_the_state_of_its_checkpoint(tmp_path: Path) -> None:
    checkpoint = tmp_path / "best.ckpt"
    checkpoint.write_bytes(b"weights")
    assert read_tuned(checkpoint) is None
    tuned = TunedDecoder(
        {"threshold": [0.1, 1 / 3]}, {"threshold": 0.5}, {"split": "validation"}, {"class_path": "crnn"}
    )
    assert tuned.write(checkpoint) == decoder_file(checkpoint)
    assert read_tuned(checkpoint) == tuned
    assert checkpoint.read_bytes() == b"weights"
    checkpoint.write_bytes(b"others")
    assert read_tuned(checkpoint) is None


def test_a_damaged_one_is_named(tmp_path: Path) -> None:
    checkpoint = tmp_path / "best.ckpt"
    checkpoint.write_bytes(b"weights")
    decoder_file(checkpoint).write_text("decoder: {}\n")
    with pytest.raises(WsedError, match=r"best\.decoder\.yaml is damaged: delete it"):
        read_tuned(checkpoint)
