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
from wsed.data.corpus.single_event import WAA
from wsed.errors import WsedError
from wsed.models.embeddings import Embeddings
from wsed.models.encoders import waa
from wsed.models.encoders.identity import Identity
from wsed.models.frontends import LogMel, Standardised, Waveform
from wsed.models.heads.mlp import MLP
from wsed.models.network import Composed
from wsed.training.data import LoadedTrainingSet
from wsed.types import Labels, Needs

RATE = 8000
SMALL = partial(LogMel, RATE, 256, 80, 64, 20.0, 4000.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_corpus(tmp_path / "corpus")


def network(frontend=None, encoder=waa.WAA) -> Composed:
    torch.manual_seed(0)
    return Composed(Labels(["high", "low"]), encoder, MLP, frontend or Standardised(SMALL())).eval()


def module(root: Path, of=None, **settings) -> WAA:
    data = WAA(root, **{"segment": 0.5} | settings)
    task = SimpleNamespace(needs={"tags": Needs()}, network=of or network())
    data.trainer = SimpleNamespace(
        lightning_module=task, global_rank=0, world_size=1, is_global_zero=True, default_root_dir=root / "run"
    )
    data.setup()
    return data


@pytest.mark.parametrize("frontend", ["standardised", "embeddings"])
def test_they_are_what_the_audio_gives(root, tmp_path, frontend):
    def build():
        torch.manual_seed(0)
        inner = Standardised(SMALL())
        return inner if frontend == "standardised" else Embeddings(frontend=inner)

    found = {}
    for features in (None, tmp_path / "features"):
        net = network(build(), waa.WAA if frontend == "standardised" else Identity)
        data = module(root, net, features=features)
        net.frontend.learn(LoadedTrainingSet(data))  # of embeddings, what they are made from
        assert net.frontend.learned
        batches = [*data.train_dataloader(), *data.val_dataloader(), *data.test_dataloader()]
        assert all((batch.features is None) == (features is None) for batch in batches)
        found[features is None] = [(batch, net(batch)) for batch in batches]
    for (audio, one), (kept, other) in zip(found[True], found[False], strict=True):
        assert kept.clip_ids == audio.clip_ids
        assert kept.audio.numel() == 0
        torch.testing.assert_close(kept.n_samples, audio.n_samples)
        torch.testing.assert_close(other.clip_logits, one.clip_logits)
        assert torch.equal(other.valid, one.valid)
    assert len(list((tmp_path / "features").glob("*.npy"))) == (3 if frontend == "standardised" else 4)


def test_they_are_computed_once(root, tmp_path, monkeypatch):
    settings = {"features": tmp_path / "features"}
    first = next(iter(module(root, **settings).train_dataloader()))
    monkeypatch.setattr("wsed.data.audio.read", lambda *_: pytest.fail("audio is read again"))
    again = next(iter(module(root, **settings).train_dataloader()))
    torch.testing.assert_close(again.features, first.features, atol=0, rtol=0)


@pytest.mark.parametrize("change", ["segment", "frontend", "audio"])
def test_what_changes_them_makes_others(root, tmp_path, change):
    settings = {"features": tmp_path / "features"}
    next(iter(module(root, **settings).train_dataloader()))
    other = network(Standardised(LogMel(RATE, 256, 80, 64, 30.0, 4000.0))) if change == "frontend" else None
    if change == "audio":
        soundfile.write(root / "audio/train/weak/train_0.wav", np.zeros(RATE + 1), RATE, subtype="PCM_16")
    if change == "segment":
        settings["segment"] = 0.25
    next(iter(module(root, other, **settings).train_dataloader()))
    assert len(list((tmp_path / "features").glob("*.npy"))) == 2


def test_reading_processes_open_the_file_themselves(root, tmp_path):
    data = module(root, features=tmp_path / "features")
    batch = next(iter(data.train_dataloader()))
    dataset = data.train_dataloader().dataset
    assert len(pickle.dumps(dataset)) < 1000
    copied = pickle.loads(pickle.dumps(dataset))
    index = [clip.id for clip in data.table("train").clips].index(batch.clip_ids[0])
    assert np.array_equal(copied[index][1], batch.features[0].numpy())


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
    assert [path.suffix for path in sorted((tmp_path / "features").iterdir())] == [".lock", ".npy"]


def test_mistakes(root, tmp_path):
    system = SimpleNamespace(labels=Labels(["high", "low"]), sample_rate=RATE, frame_rate=50.0)
    with pytest.raises(WsedError, match=r"data\.features needs a network with one frontend"):
        next(iter(module(root, system, features=tmp_path).train_dataloader()))

    class Halved(Waveform):
        def forward(self, audio, n_samples):
            features, valid = super().forward(audio, n_samples)
            return features, valid & (torch.arange(valid.shape[1]) < valid.shape[1] // 2)

    half = SimpleNamespace(labels=system.labels, sample_rate=RATE, frame_rate=50.0, frontend=Halved(RATE))
    with pytest.raises(WsedError, match="the frontend Halved leaves frames out"):
        next(iter(module(root, half, features=tmp_path).train_dataloader()))
