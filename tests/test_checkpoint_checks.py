"""Checkpoints that are damaged, of a stranger or of a later version are refused in one line."""

import zipfile
from functools import partial

import pytest
import torch

import wsed
from wsed.checkpoint import Checkpoint, check_readable, facts_of
from wsed.checkpoint_checks import check_archive
from wsed.errors import WsedError
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.network import Composed
from wsed.types import Labels


@pytest.fixture(scope="module")
def content():
    network = Composed(
        Labels(["cat", "dog"]), partial(CRNN, channels=4, gru=4, dense=8), frontend=LogMel(8000, 256, 160, 64, 20.0)
    )
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    return {"wsed": facts_of(network, {}, wsed.__version__), "state_dict": weights, "global_step": 1}


def with_gru(size):
    return {"class_path": "composed", "init_args": {"encoder": {"class_path": "crnn", "init_args": {"gru": size}}}}


def saved(path, content, **facts):
    torch.save(content | {"wsed": content["wsed"] | facts}, path)
    return path


def test_a_good_checkpoint_is_read(tmp_path, content):
    assert list(Checkpoint.open(saved(tmp_path / "a.ckpt", content)).network().labels) == ["cat", "dog"]


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"version": "9.1"}, "was written by wsed 9.1, which is later than this"),
        ({"labels": 7}, "is damaged, or of another version"),
        ({"labels": ["cat", "dog\x1b[2J"]}, "cannot be a class name"),
        ({"network": with_gru(10**12)}, "setting 1000000000000, which is far too large"),
        ({"network": with_gru("x")}, "cannot be built, its settings are damaged"),
    ],
)  # fmt: skip
def test_facts_that_cannot_be(tmp_path, content, facts, message):
    with pytest.raises(WsedError, match=message):
        Checkpoint.open(saved(tmp_path / "a.ckpt", content, **facts)).network()


def test_weights_that_are_nan_are_named(tmp_path, content):
    weights = dict(content["state_dict"])
    name = next(name for name, value in weights.items() if value.is_floating_point())
    weights[name] = torch.full_like(weights[name], torch.nan)
    torch.save(content | {"state_dict": weights}, tmp_path / "a.ckpt")
    with pytest.raises(WsedError, match=f"holds NaN in {name.removeprefix('network.')}: its training diverged"):
        Checkpoint.open(tmp_path / "a.ckpt").network()


def test_a_changed_byte_of_a_weight_is_found(tmp_path, content):
    path = saved(tmp_path / "a.ckpt", content)
    with zipfile.ZipFile(path) as archive:
        part = max((info for info in archive.infolist() if "/data/" in info.filename), key=lambda info: info.file_size)
    data = bytearray(path.read_bytes())
    data[part.header_offset + 30 + part.file_size // 2 + 64] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(WsedError, match="does not fit its checksum"):
        check_readable(path)


def test_an_archive_that_unpacks_beyond_its_size_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb/data.pkl", b"\0" * 10_000_000)
    with pytest.raises(WsedError, match="unpacks to more than its size"):
        check_archive(tmp_path / "bomb.ckpt")
