"""The encoder `cdur`: published scores, files that do not fit, frozen weights."""

import json
from functools import partial

import pytest
import soundfile
import soxr
import torch
from torch import nn
from torch.nn import functional as F

import wsed
from wsed import WsedError
from wsed.models.encoders.cdur import CDur, CDurFeatures, Pool
from wsed.models.encoders.pretrained import load_tensors, read_tensors
from wsed.models.frontends import LogMel
from wsed.models.heads.cdur import CDurHead, interpolated
from wsed.ops.pooling import linear_softmax

DOGS = wsed.Labels(["Dog", "Cat"])


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Random weights in a file such as the authors publish, with three classes."""
    torch.manual_seed(0)
    weights = CDur(64).state_dict() | {"outputlayer.weight": torch.ones(3, 256), "outputlayer.bias": torch.ones(3)}
    path = tmp_path_factory.mktemp("cdur") / "teacher.pth"
    torch.save(weights, path, _use_new_zipfile_serialization=False)
    return str(path)


@pytest.mark.parametrize("teacher", ["teacher1", "teacher2"])
def test_scores_are_those_that_are_published(shared, teacher):
    """In float32, the quiet bands of the spectrogram are rounding of the Fourier transform, which differs by processor:
    float32 and float64 differ by up to 0.004 in a frame, 0.0014 in a clip, and 0.005 in the sum over 527 classes."""
    folder = shared / "data/pretrained/gpv"
    labels = (folder / "labels.txt").read_text().splitlines()
    weights = folder / f"{teacher}.pth"
    network = wsed.Composed(wsed.Labels(labels), partial(CDur, pretrained=str(weights)), CDurHead, CDurFeatures())
    output = {k.removeprefix("outputlayer."): v for k, v in read_tensors(weights).items() if k.startswith("output")}
    load_tensors(network.heads[0].linear, output, weights)
    for name, golden in json.loads((folder / "golden.json").read_text())[teacher].items():
        audio, rate = soundfile.read(shared / "data" / name, dtype="float32")
        audio = torch.from_numpy(soxr.resample(audio, rate, 22050, "HQ"))[None]
        with torch.no_grad():
            features, valid = network.eval().frontend(audio, torch.tensor([audio.shape[1]]))
            output = network.heads[0](network.encoder(features, valid))
        scores = output.frame_scores
        assert list(scores.shape[1:]) == golden["frames"]
        fine = F.interpolate(scores.clamp(min=1e-7).transpose(1, 2), features.shape[2], mode="linear").transpose(1, 2)
        clips, top = linear_softmax(fine)[0], [labels.index(label) for label in golden["top"]]
        assert clips[top].tolist() == pytest.approx(list(golden["top"].values()), abs=1e-3)
        assert clips.sum().item() == pytest.approx(golden["sum_of_clip_scores"], abs=2e-3)
        frames = [scores[0, int(scores.shape[1] * share), top[0]].item() for share in (0.25, 0.5, 0.75)]
        assert frames == pytest.approx(golden["frame_score_of_top_at_25_50_75_percent"], abs=2e-3)
        # four frames per frame; the published curve is stretched over the frames that pooling leaves out
        assert output.clip_scores[0, top].tolist() == pytest.approx(list(golden["top"].values()), abs=2e-3)


def test_the_pool_is_that_of_torch_and_silence_has_a_gradient():
    x = torch.randn(2, 3, 9, 8)
    torch.testing.assert_close(Pool(2)(x, None), nn.LPPool2d(4, (2, 4))(x))
    silent = torch.zeros(1, 1, 4, 4, requires_grad=True)
    Pool(2)(silent, None).sum().backward()
    assert not silent.grad.any()


def test_weights_come_from_a_file(file):
    one, two = (CDur(64, pretrained=file).eval() for _ in range(2))
    features = torch.randn(1, 64, 30)
    torch.testing.assert_close(one(features, None).frames, two(features, None).frames)
    assert not torch.allclose(one(features, None).frames, CDur(64).eval()(features, None).frames)


def test_frozen_weights_stay_as_they_are(file):
    network = wsed.Composed(DOGS, partial(CDur, pretrained=file, freeze=True), frontend=CDurFeatures()).train()
    before = {name: value.clone() for name, value in network.encoder.state_dict().items()}
    optimizer = torch.optim.SGD([p for p in network.parameters() if p.requires_grad], lr=1.0)
    network(wsed.testing.batch(2, 2, sample_rate=22050)).clip_logits.sum().backward()
    optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in network.encoder.state_dict().items())
    assert sum(p.requires_grad for p in network.parameters()) == 2


def test_a_checkpoint_needs_no_file(file):
    from wsed.build import build
    from wsed.spec import spec_of

    network = wsed.Composed(DOGS, partial(CDur, pretrained=file, freeze=True), frontend=CDurFeatures()).eval()
    other = build(wsed.Network, spec_of(network).to_plain(), DOGS)
    other.load_state_dict(network.state_dict())
    inputs = wsed.testing.batch(2, 2, sample_rate=22050)
    torch.testing.assert_close(other.eval()(inputs).clip_logits, network(inputs).clip_logits)


def test_another_frontend_is_refused(file):
    encoder = partial(CDur, pretrained=file)
    for frontend in (LogMel(), LogMel(22050, 2048, 441, 64, 0.0), LogMel(n_bands=128)):
        with pytest.raises(WsedError, match=r"encoder cdur: its weights were trained on other.*give `frontend: cdur`"):
            wsed.Composed(DOGS, encoder, frontend=frontend)
    wsed.Composed(DOGS, CDur)  # random weights take any features
    with pytest.raises(WsedError, match="leave nothing of 32 bands"):
        CDur(32)


def test_a_file_of_another_network_names_the_tensors(file, tmp_path):
    weights = read_tensors(file)
    weights["gru.weight_ih_l0"] = torch.ones(384, 64)
    del weights["features.0.block.1.weight"]
    torch.save({"state_dict": weights | {"extra": torch.ones(1)}}, tmp_path / "a.pth")
    found = r"missing: features.0.block.1.weight; gru.weight_ih_l0 is \[384, 64\], not \[384, 128\]; unknown: extra"
    with pytest.raises(WsedError, match=found):
        CDur(64, pretrained=str(tmp_path / "a.pth"))
    torch.save(read_tensors(file) | {"gru.bias_ih_l0": torch.full((384,), float("nan"))}, tmp_path / "b.pth")
    with pytest.raises(WsedError, match="holds NaN in gru"):
        CDur(64, pretrained=str(tmp_path / "b.pth"))


class Trap:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize("content", [Trap(), nn.Linear(1, 1), {"a": 1}, [], {}])
def test_a_file_with_anything_but_tensors_is_refused(tmp_path, content, capsys):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WsedError, match=r"save (its|a) state_dict"):
        read_tensors(tmp_path / "a.pth")
    assert "executed" not in capsys.readouterr().out


def test_a_file_of_safetensors_and_a_file_of_noise(tmp_path):
    safetensors = pytest.importorskip("safetensors.torch", reason="the extra hub is not installed")
    safetensors.save_file({"a": torch.ones(2)}, tmp_path / "a.safetensors")
    assert read_tensors(tmp_path / "a.safetensors")["a"].tolist() == [1, 1]
    (tmp_path / "b.safetensors").write_bytes(b"noise" * 9)
    with pytest.raises(WsedError, match="cannot be read safely"):
        read_tensors(tmp_path / "b.safetensors")


def test_interpolated_scores_do_not_depend_on_padding():
    scores, valid = torch.rand(1, 6, 2), torch.tensor([[True] * 4 + [False] * 2])
    fine, of_signal = interpolated(scores, valid, 4)
    alone, _ = interpolated(scores[:, :4], valid[:, :4], 4)
    torch.testing.assert_close(fine[of_signal], alone[0])
    with pytest.raises(WsedError, match="upsample must be 1 or more"):
        CDurHead(4, 2, 0)
