"""Features computed once: the same as from audio, found again, and shared."""

import multiprocessing
import pickle
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch

from tests.conftest import make_corpus
from tests.data.modules import RATE, crops, serving
from tests.data.modules import module as whole
from wsed.data.corpus.desed import DESED
from wsed.data.module import SEDDataModule
from wsed.data.reading.features import Features, frontend_of
from wsed.data.reading.files import Files
from wsed.data.reading.memory import Memory
from wsed.errors import WsedError
from wsed.models.embeddings import Embeddings
from wsed.models.encoders import waa
from wsed.models.encoders.identity import Identity
from wsed.models.frontends import LogMel, Standardised, Waveform
from wsed.models.heads.mlp import MLP
from wsed.models.network import Composed
from wsed.training.data import LoadedTrainingSet
from wsed.types import Labels, Needs

SMALL = partial(LogMel, RATE, 256, 80, 64, 20.0, 4000.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_corpus(tmp_path / "corpus")


def network(frontend=None, encoder=waa.WAA) -> Composed:
    torch.manual_seed(0)
    return Composed(Labels(["high", "low"]), encoder, MLP, frontend or Standardised(SMALL())).eval()


def module(root: Path, of=None, features: Path | None = None, kept: bool = False, **settings) -> SEDDataModule:
    reader = Memory() if features is None else Memory(Features(features)) if kept else Features(features)
    return serving(crops(root, reader=reader, **settings), root / "run", {"tags": Needs()}, of or network(), stage=None)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("frontend", ["standardised", "embeddings"])
def test_they_are_what_the_audio_gives(root, tmp_path, frontend, kept):
    def build():
        torch.manual_seed(0)
        inner = Standardised(SMALL())
        return inner if frontend == "standardised" else Embeddings(frontend=inner)

    found = {}
    for features in (None, tmp_path / "features"):
        net = network(build(), waa.WAA if frontend == "standardised" else Identity)
        data = module(root, net, features=features, kept=kept)
        net.frontend.learn(LoadedTrainingSet(data))  # of embeddings, what they are made from
        assert net.frontend.learned
        batches = [*data.train_dataloader(), *data.val_dataloader(), *data.test_dataloader()]
        assert all((batch.features is None) == (features is None) for batch in batches)
        found[features is None] = [(batch, net(batch)) for batch in batches]
    for (audio, one), (stored, other) in zip(found[True], found[False], strict=True):
        assert stored.clip_ids == audio.clip_ids
        assert stored.audio is None
        with pytest.raises(WsedError, match="features instead of audio"):
            stored.samples()
        torch.testing.assert_close(stored.n_samples, audio.n_samples)
        torch.testing.assert_close(other.clip_logits, one.clip_logits)
        assert torch.equal(other.valid, one.valid)
    assert len(list((tmp_path / "features").glob("*.npy"))) == (3 if frontend == "standardised" else 4)


def test_they_are_computed_once(root, tmp_path, monkeypatch):
    settings = {"features": tmp_path / "features"}
    first = next(iter(module(root, **settings).train_dataloader()))
    monkeypatch.setattr("wsed.data.audio.read", lambda *_: pytest.fail("audio is read again"))
    again = next(iter(module(root, **settings).train_dataloader()))
    torch.testing.assert_close(again.features, first.features, atol=0, rtol=0)


@pytest.mark.parametrize("change", ["length", "frontend", "audio"])
def test_what_changes_them_makes_others(root, tmp_path, change):
    settings = {"features": tmp_path / "features"}
    next(iter(module(root, **settings).train_dataloader()))
    other = network(Standardised(LogMel(RATE, 256, 80, 64, 30.0, 4000.0))) if change == "frontend" else None
    if change == "audio":
        soundfile.write(root / "audio/train/weak/train_0.wav", np.zeros(RATE + 1), RATE, subtype="PCM_16")
    if change == "length":
        settings["length"] = 0.25
    next(iter(module(root, other, **settings).train_dataloader()))
    assert len(list((tmp_path / "features").glob("*.npy"))) == 2


def test_reading_processes_open_the_file_themselves(root, tmp_path):
    data = module(root, features=tmp_path / "features")
    batch = next(iter(data.train_dataloader()))
    dataset = data.train_dataloader().dataset
    assert len(pickle.dumps(dataset)) < 1000
    copied = pickle.loads(pickle.dumps(dataset))
    index = [clip.id for clip in data.table("train").clips].index(batch.clip_ids[0])
    assert np.array_equal(copied[index].features, batch.features[0].numpy())


def begin(root: Path, features: Path) -> None:
    next(iter(module(root, features=features).train_dataloader()))


def test_two_processes_at_once(root, tmp_path):
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=begin, args=(root, tmp_path / "features")) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    assert [path.suffix for path in sorted((tmp_path / "features").iterdir())] == [".lock", ".npy", ".npz"]


@pytest.mark.parametrize("damage", ["a byte", "the end", "the sizes"])
def test_damaged_features_are_noticed(root, tmp_path, damage):
    data = module(root, features=tmp_path)
    list(data.train_dataloader())
    (path,) = tmp_path.glob("*.npy")
    path = path.with_suffix(".npz") if damage == "the sizes" else path
    content = bytearray(path.read_bytes())
    if damage == "the end":
        del content[-100:]
    else:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(WsedError, match=r"holds damaged features; delete it"):
        list(module(root, features=tmp_path).train_in_order())


def test_a_full_disk_is_named(root, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wsed.data.reading.features._write", full)
    with pytest.raises(WsedError, match=r"features: cannot write .*npy: No space left on device"):
        list(module(root, features=tmp_path).train_dataloader())
    assert [path.suffix for path in tmp_path.iterdir() if path.is_file()] == [".lock"]


def test_mistakes(root, tmp_path):
    bare = SimpleNamespace(labels=Labels(["high", "low"]), sample_rate=RATE, frame_rate=50.0, modules=lambda: iter(()))
    with pytest.raises(WsedError, match=r"the reader features needs a network with a frontend"):
        next(iter(module(root, bare, features=tmp_path).train_dataloader()))

    class Halved(Waveform):
        def forward(self, audio, n_samples):
            features, valid = super().forward(audio, n_samples)
            return features, valid & (torch.arange(valid.shape[1]) < valid.shape[1] // 2)

    half = SimpleNamespace(**vars(bare) | {"modules": lambda: iter([Halved(RATE)])})
    with pytest.raises(WsedError, match="the frontend Halved drops frames"):
        next(iter(module(root, half, features=tmp_path).train_dataloader()))
    two = SimpleNamespace(**vars(bare) | {"modules": lambda: iter([SMALL(), LogMel(RATE, 256, 80, 32)])})
    with pytest.raises(WsedError, match="stores the features of one frontend, but the network has 2 that differ"):
        next(iter(module(root, two, features=tmp_path).train_dataloader()))


def test_clips_of_any_corpus_and_any_length(root, tmp_path):
    """Of a corpus of whole clips, one of them shorter, features are as from audio, padded with those of silence."""
    soundfile.write(root / "audio/train/weak/train_1.wav", np.ones(3000) / 4, RATE, subtype="PCM_16")
    table = root / "metadata/train/weak.tsv"
    net, batches = network(SMALL()), {}
    features = Features(tmp_path / "features")
    for name, reader in (("audio", Files()), ("features", features), ("kept", Memory(features))):
        data = whole(DESED(root, validation=None, test=None), {"weak": 8}, reader=reader)
        batches[name] = next(iter(serving(data, root / "run", network=net).train_dataloader()))
    assert table.is_file()
    assert batches["audio"].n_samples.tolist() == batches["features"].n_samples.tolist()
    assert 3000 in batches["audio"].n_samples.tolist()
    torch.testing.assert_close(batches["kept"].features, batches["features"].features, rtol=0, atol=0)
    expected, valid = net.frontend.features(batches["audio"])
    found, also_valid = net.frontend.features(batches["features"])
    assert torch.equal(valid, also_valid)
    inside = valid[:, None].expand_as(expected)
    torch.testing.assert_close(found[inside], expected[inside], atol=1e-3, rtol=0)
    assert (found - expected).abs().amax(1).gt(0.1).sum() <= 3  # frames at the end of the short clip


def test_two_networks_with_one_frontend(root, tmp_path):
    """A teacher's copy of the student's frontend gives the same features: they are kept once."""
    one, other = SMALL(), SMALL()
    pair = SimpleNamespace(
        labels=Labels(["high", "low"]), sample_rate=RATE, frame_rate=50.0, modules=lambda: iter([one, other])
    )
    assert frontend_of(pair) is one
    assert next(iter(module(root, pair, features=tmp_path).train_dataloader())).features is not None
