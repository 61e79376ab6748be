"""Augmentations: on training batches only, with draws that a resumed run repeats."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import lightning.pytorch as pl
import numpy as np
import pytest
import soundfile
import torch

import wsed
from tests.data.modules import module, serving
from wsed import WsedError
from wsed.augment.base import Augment, Compose
from wsed.data.augmenting import augment_batch, check
from wsed.data.corpus.desed import DESED
from wsed.data.reading.features import Features
from wsed.losses.base import Weighted
from wsed.losses.mil import MIL
from wsed.models.embeddings import Embeddings
from wsed.models.encoders.cdur import CDurFeatures
from wsed.models.encoders.crnn import CRNN
from wsed.models.encoders.fusion import Fusion
from wsed.models.encoders.module import ModuleEncoder
from wsed.models.encoders.yamnet import YAMNetFeatures
from wsed.models.fbank import FBank
from wsed.models.frontends import LogMel, Standardised, Waveform
from wsed.models.systems import TagGated
from wsed.models.teacher import MeanTeacher
from wsed.registry import registry
from wsed.testing import batch
from wsed.types import Batch


class Louder(Augment):
    """Multiplies the audio by a random number, which it writes down."""

    def __init__(self) -> None:
        super().__init__()
        self.draws: list[float] = []

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        factor = torch.rand(1, generator=generator)
        self.draws.append(float(factor))
        return replace(batch, audio=batch.audio * factor)


def test_draws_follow_from_the_place():
    louder = Louder()
    for place in ((0, 0, 0, 0), (0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)):
        augment_batch(batch(), [louder], None, *place)
    assert louder.draws[0] == louder.draws[1]
    assert len(set(louder.draws)) == 5


class Masked(Augment):
    """Sets one frame of the features to 0."""

    level = "features"

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        assert batch.features is not None
        frame = torch.randint(batch.features.shape[2], (1,), generator=generator)
        return replace(batch, features=batch.features.index_fill(2, frame, 0.0))


def test_features_are_changed_between_frontend_and_encoder():
    of, labels = batch(), wsed.Labels("abc")
    network = wsed.Composed(labels, lambda n: CRNN(n, channels=4), frontend=LogMel(8000, 256, 160, f_max=4000.0))
    changed = augment_batch(of, [Masked()], network, 0)
    assert changed.features is not None
    assert int((changed.features == 0).all(1).sum(1)[0]) == 1
    plain, masked = network.eval()(of), network(changed)
    assert plain.frame_scores.shape == masked.frame_scores.shape
    assert not torch.allclose(plain.frame_scores, masked.frame_scores)
    assert torch.equal(plain.valid, masked.valid)


def composed(encoder=CRNN, frontend=None):
    return partial(wsed.Composed, encoder=encoder, frontend=frontend or LogMel(8000, 256, 160, f_max=4000.0))


def test_features_inside_the_encoder_cannot_be_changed():
    labels, mixup = wsed.Labels("abc"), wsed.augment.Mixup(on="features")
    fused = composed(*Fusion.example())(labels)
    reads = partial(ModuleEncoder, module=torch.nn.Identity, dim=1, takes="samples")
    wave = composed(reads, Waveform(8000))(labels)
    waveform = "it changes features, but this network takes the waveform .*use augmentations of audio"
    for network, part in ((fused, Masked()), (fused, mixup), (wave, Masked()), (wave, Compose([mixup, Masked()]))):
        with pytest.raises(WsedError, match=waveform):
            check([Louder(), part], network)
    check([mixup], wave)  # waveforms can be mixed
    check([Louder(), wsed.augment.Mixup()], fused)


def test_one_of_several_frontends_cannot_be_changed():
    labels, other = wsed.Labels("abc"), composed(frontend=LogMel(8000, 512, 160, f_max=4000.0))
    check([Masked()], TagGated(labels, composed(), composed()))
    with pytest.raises(WsedError, match="Masked: it changes features, but this network has 2 frontends that differ"):
        check([Masked()], TagGated(labels, composed(), other))
    without = SimpleNamespace(labels=labels, sample_rate=8000, frame_rate=50.0, modules=lambda: iter(()))
    with pytest.raises(WsedError, match="Masked: it changes features, but this network has no frontend"):
        check([Masked()], without)


@pytest.mark.parametrize(
    "frontend",
    [
        LogMel(),
        LogMel(power=1.0),
        LogMel(log_offset=1e-9),
        LogMel(power=1.0, log_offset=1e-9),
        Standardised(),
        CDurFeatures(),
        YAMNetFeatures(),
        FBank(),
        FBank(window="povey", scale=32768.0, mean=15.41663, std=6.55582),
    ],
)
def test_a_decibel_is_that_of_the_frontend(frontend):
    sound = 10 * torch.randn(1, frontend.sample_rate, generator=torch.Generator().manual_seed(0))  # above all offsets
    length = torch.tensor([frontend.sample_rate])
    soft, loud = (frontend.raw(by * sound, length)[0] for by in (1.0, 10 ** (6 / 20)))
    assert (loud - soft).mean().item() == pytest.approx(6 * frontend.decibel, rel=0.01)
    network = composed(frontend=frontend)(wsed.Labels("abc"))
    filters = [wsed.augment.FilterAugment(p=1.0), wsed.augment.FilterAugment(p=1.0)]
    check([filters[0]], network)
    MeanTeacher(wsed.Labels("abc"), composed(frontend=frontend), views=[Compose([filters[1]])])
    features = torch.zeros(50, frontend.n_bands, 3)
    for part in filters:
        gains = part.change(features, *part.plan(_many(features), torch.Generator().manual_seed(0))[1])
        assert 5 < gains.abs().max().item() / frontend.decibel <= 6.001


def _many(features):
    return replace(batch(n_clips=len(features)), features=features)


@pytest.mark.parametrize("part", [wsed.augment.FilterAugment(), wsed.augment.FrequencyWarp()])
def test_embeddings_have_no_frequency_bands(part):
    labels, network = wsed.Labels("abc"), composed(frontend=Embeddings())
    for make in (lambda: check([Compose([part])], network(labels)), lambda: MeanTeacher(labels, network, views=[part])):
        with pytest.raises(WsedError, match="it changes features, but those of frontend embeddings are not logarithms"):
            make()
    check([wsed.augment.SpecAugment(), wsed.augment.MixStyle()], network(labels))


def test_augmentations_are_checked_before_training(corpus: Path, tmp_path: Path):
    data = module(DESED(corpus, test=None), {"weak": 4}, augment=[Masked()])
    with pytest.raises(WsedError, match="this network takes the waveform"):
        serving(data, tmp_path, network=composed(*Fusion.example())(data.labels))
    serving(data, tmp_path, network=composed()(data.labels))


def test_audio_cannot_be_changed_where_features_are_cached(corpus: Path, tmp_path: Path, monkeypatch):
    def never(*_):
        raise AssertionError("the features of the whole corpus are computed first")

    monkeypatch.setattr(Features, "open", never)
    inner = composed()
    message = "augment gain: it changes the audio, but the batch holds cached features and no audio; set reader: files"
    for augment, network in (
        ([Compose([wsed.augment.Gain()])], inner),
        ([], partial(MeanTeacher, student=inner, views=[wsed.augment.Gain()])),
    ):
        data = module(DESED(corpus, test=None), {"weak": 4}, augment=augment, reader=Features(tmp_path / "cache"))
        with pytest.raises(WsedError, match=message):
            serving(data, tmp_path, network=network(data.labels))
    data = module(DESED(corpus, test=None), {"weak": 4}, augment=[Masked()], reader=Features(tmp_path / "cache"))
    serving(data, tmp_path, network=inner(data.labels))


@pytest.mark.parametrize("name", wsed.components("augment"))
def test_nothing_is_changed_in_evaluation(name, corpus: Path):
    augment = registry("augment")[name].example()
    data = module(DESED(corpus, test=None), {"weak": 4}, augment=[augment])
    data.trainer = SimpleNamespace(training=False)
    of = batch()
    assert data.on_after_batch_transfer(of, 0) is of
    if not augment.moves_labels:
        labels = wsed.Labels("abc")
        teacher = MeanTeacher(labels, composed(), views=[augment])
        plain = MeanTeacher(labels, composed())
        plain.load_state_dict(teacher.state_dict())
        assert torch.equal(teacher.eval()(of).frame_logits, plain.eval()(of).frame_logits)


def fitted(corpus: Path, folder: Path, epochs: int, checkpoint: Path | None = None) -> tuple[pl.Trainer, list[float]]:
    louder = Louder()
    data = module(DESED(corpus, test=None), {"weak": 4}, augment=[louder], eval_batch=4)
    network = wsed.Composed(data.labels, lambda n: CRNN(n, channels=4), frontend=LogMel(8000, 256, 160, f_max=4000.0))
    trainer = pl.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False,
        default_root_dir=folder, use_distributed_sampler=False, enable_checkpointing=False,
    )  # fmt: skip
    task = wsed.SEDTask(network, {"tags": Weighted(MIL())})
    trainer.fit(task, data, ckpt_path=checkpoint, weights_only=True)
    return trainer, louder.draws


def noted(monkeypatch, moves=True):
    """How batches are moved from now on."""
    options, to = [], Batch.to

    def noting(of, device, **how):
        options.append(how)
        return to(of, device, **how) if moves else of

    monkeypatch.setattr(Batch, "to", noting)
    return options


@pytest.mark.parametrize(("device", "flag"), [("cuda", True), ("mps", False), ("cpu", False)])
def test_a_batch_goes_to_a_cuda_device_without_waiting(device, flag, corpus: Path, monkeypatch):
    data, options = module(DESED(corpus, test=None), {"weak": 4}), noted(monkeypatch, moves=False)
    data.transfer_batch_to_device(batch(), torch.device(device), 0)
    assert options == [{"non_blocking": flag}]


def test_training_batches_are_changed_and_no_others(corpus: Path, tmp_path: Path, monkeypatch):
    options = noted(monkeypatch)
    trainer, draws = fitted(corpus, tmp_path, 2)
    assert options
    assert all(how == {"non_blocking": False} for how in options)  # Lightning asks the data module to move them
    assert len(draws) == 4  # 2 epochs of 2 steps; validation draws nothing
    assert len(set(draws)) == 4
    trainer, first = fitted(corpus, tmp_path, 1)
    trainer.save_checkpoint(tmp_path / "one.ckpt")
    _, second = fitted(corpus, tmp_path, 2, tmp_path / "one.ckpt")
    assert first + second == draws


def every_augmentation(folder):
    """One of each kind, of the sounds in a folder."""
    soundfile.write(folder / "hum.wav", np.random.default_rng(0).uniform(-0.1, 0.1, 4000), 8000)
    names = set(wsed.components("augment")) - {"compose", "background", "impulse_response", "filter_augment"}
    augment = [registry("augment")[name]() for name in sorted(names)]
    augment += [wsed.augment.Background(str(folder)), wsed.augment.ImpulseResponse(str(folder))]
    return [*augment, wsed.augment.FilterAugment(width=4), Compose([wsed.augment.Background(str(folder), p=1.0)])]


def takes_steps(network, data, folder):
    """Two steps of a training."""
    task = wsed.SEDTask(network, {"tags": Weighted(MIL())}, labels=data.labels)
    off = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = pl.Trainer(max_steps=2, limit_val_batches=1, accelerator="cpu", default_root_dir=folder, **off)
    trainer.fit(task, data)
    assert trainer.global_step == 2
    assert torch.isfinite(trainer.callback_metrics["train/loss"])


def test_a_training_with_every_augmentation_takes_its_steps(corpus, tmp_path):
    data = wsed.SEDDataModule(DESED(corpus), batch={"weak": 4}, augment=every_augmentation(tmp_path), workers=0)
    takes_steps(composed(partial(CRNN, channels=4))(data.labels), data, tmp_path / "run")


@pytest.mark.filterwarnings("ignore:.*in eval mode")  # the teacher
def test_every_augmentation_that_keeps_labels_can_be_a_view(corpus, tmp_path):
    views = [part for part in every_augmentation(tmp_path) if not part.moves_labels]
    assert len(views) > 8
    data = wsed.SEDDataModule(DESED(corpus), batch={"weak": 4}, workers=0)
    network = MeanTeacher(data.labels, composed(partial(CRNN, channels=4)), views=views)
    takes_steps(network, data, tmp_path / "run")


@pytest.mark.parametrize(
    ("view", "student", "message"),
    [
        (wsed.augment.Background("nowhere"), composed(), "augment background: folder nowhere does not exist"),
        (
            Masked(),
            partial(TagGated, detector=composed(), tagger=composed(frontend=LogMel(8000, 512, 160, f_max=4000.0))),
            "2 frontends that",
        ),
    ],
)
def test_views_are_checked_before_training(corpus: Path, tmp_path: Path, view, student, message):
    data = module(DESED(corpus, test=None), {"weak": 4})
    with pytest.raises(WsedError, match=message):
        serving(data, tmp_path, network=MeanTeacher(data.labels, student, views=[view]))
