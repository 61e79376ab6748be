"""Any module of torch as an encoder."""

from functools import partial

import pytest
import torch
from torch import nn

import wsed
from wsed import WsedError
from wsed.checkpoint import Checkpoint, facts_of
from wsed.models.encoders.module import ModuleEncoder
from wsed.models.frontends import LogMel

CONVOLUTION = partial(nn.Conv1d, in_channels=64, out_channels=8, kernel_size=4, stride=4)
ENCODER = partial(ModuleEncoder, module=CONVOLUTION, dim=8, stride=4, gives="dims_first")


def test_what_the_module_returns_is_checked():
    for wrong in ({"dim": 9}, {"stride": 2}, {"gives": "frames_first"}):
        with pytest.raises(WsedError, match=r"Conv1d returned \[1, .*it must return \[1, "):
            ENCODER(64, **wrong)(torch.randn(1, 64, 40), None)
    with pytest.raises(WsedError, match="GRU returned tuple"):
        ModuleEncoder(64, partial(nn.GRU, 64, 8, batch_first=True), 8, takes="frames_first")(
            torch.randn(1, 64, 9), None
        )
    with pytest.raises(WsedError, match="give `frontend: waveform`"):
        ENCODER(64, takes="samples")


def test_weights_come_from_a_file(tmp_path):
    torch.save(CONVOLUTION().state_dict(), tmp_path / "a.pth")
    encoder = ENCODER(64, pretrained=str(tmp_path / "a.pth"), freeze=True)
    assert torch.equal(encoder.module.weight, torch.load(tmp_path / "a.pth")["weight"])
    torch.save(nn.Conv1d(64, 8, 3).state_dict(), tmp_path / "b.pth")
    with pytest.raises(WsedError, match=r"weight is \[8, 64, 3\], not \[8, 64, 4\]"):
        ENCODER(64, pretrained=str(tmp_path / "b.pth"))


def test_another_frontend_than_the_one_of_the_settings_is_refused():
    trained = partial(ENCODER, trained_frontend=LogMel(16000, hop_length=160))
    network = wsed.Composed(wsed.Labels("ab"), trained, frontend=LogMel(16000, hop_length=160))
    assert len(list(network.encoder.children())) == 1  # the frontend is only compared
    with pytest.raises(WsedError, match=r"encoder module: its weights were trained on other .*hop_length: 160"):
        wsed.Composed(wsed.Labels("ab"), trained, frontend=LogMel(16000))
    wsed.Composed(wsed.Labels("ab"), ENCODER, frontend=LogMel(16000))


def test_a_checkpoint_imports_nothing_that_it_names(tmp_path):
    network = wsed.Composed(wsed.Labels("ab"), ENCODER)
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    facts = facts_of(network, {"class_path": "steps", "init_args": {}}, wsed.__version__)
    torch.save({"state_dict": weights, "wsed": facts}, tmp_path / "a.ckpt")
    with pytest.raises(WsedError, match=r"Conv1d is not registered.*pass network=\.\.\. to wsed.load"):
        wsed.load(tmp_path / "a.ckpt")
    other = wsed.Composed(wsed.Labels("ab"), ENCODER)
    wsed.load(tmp_path / "a.ckpt", network=other)
    assert torch.equal(other.encoder.module.weight, network.encoder.module.weight)
    assert Checkpoint.open(tmp_path / "a.ckpt").spec is not None
