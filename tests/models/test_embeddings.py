"""Frozen encoders as frontends: their output is computed once for all epochs."""

from functools import partial

import lightning.pytorch as pl
import pytest
import torch

import wsed
from tests.models.cached import fit_counting
from wsed import Weighted, WsedError, testing
from wsed.checkpoint import facts_of
from wsed.data.corpus.desed import DESED
from wsed.data.module import SEDDataModule
from wsed.losses.bce import ClipBCE
from wsed.models.embeddings import Embeddings
from wsed.models.encoders.cdur import CDur, CDurFeatures
from wsed.models.encoders.identity import Identity
from wsed.models.encoders.pretrained import random_and_frozen
from wsed.models.encoders.waa import WAA
from wsed.models.frontends import LogMel, Standardised, waa_logmel
from wsed.models.network import Composed

LABELS = wsed.Labels(["high", "low"])


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "cdur.pth"
    torch.save(CDur(64).state_dict(), path)
    return str(path)


@pytest.mark.filterwarnings("ignore:Found .* in eval mode")  # of Lightning: frozen parts stay so
def test_no_epoch_runs_a_frozen_encoder_whose_output_is_cached(corpus, file, tmp_path, monkeypatch):
    network = Composed(LABELS, Identity, frontend=Embeddings(partial(CDur, pretrained=file), CDurFeatures()))
    runs, before_epoch, data = fit_counting(monkeypatch, CDur, network, corpus, tmp_path / "cache")
    assert runs == before_epoch[0] == before_epoch[1] > 0
    batch = next(iter(data.train_dataloader()))
    assert batch.features.shape == (4, 256, 12)  # 12.5 frames per second
    assert network(batch).valid.all()


def random_parts():
    return {
        "encoder cdur": Composed(LABELS, partial(CDur, freeze=True), frontend=CDurFeatures()),
        "frontend embeddings": Composed(LABELS, Identity, frontend=Embeddings(CDur, CDurFeatures())),
    }


@pytest.mark.parametrize("name", sorted(random_parts()))
@pytest.mark.filterwarnings("ignore:Found .* in eval mode")
def test_a_training_warns_of_random_weights_that_it_does_not_change(corpus, name):
    def fit(network):
        data = SEDDataModule(DESED(corpus, labels=list(LABELS)), {"weak": 4}, duration=1.0, workers=0)
        options = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        trainer = pl.Trainer(max_steps=1, limit_val_batches=0, enable_checkpointing=False, **options)
        trainer.fit(wsed.SEDTask(network, {"clips": Weighted(ClipBCE())}), data)

    network, other = random_parts()[name], random_parts()[name]
    with pytest.raises(UserWarning, match=f"{name}: the weights are random and are not trained; give `pretrained`"):
        fit(network)
    other.load_state_dict(network.state_dict())  # as `--init-from` and a resumed training do
    fit(other)


def test_weights_from_a_file_are_not_random(file):
    encoder = partial(CDur, pretrained=file, freeze=True)
    for frontend in (CDurFeatures(), Embeddings(encoder, CDurFeatures()), Embeddings(Identity, CDurFeatures())):
        network = Composed(LABELS, Identity if isinstance(frontend, Embeddings) else encoder, frontend=frontend)
        assert random_and_frozen(network) == []


def test_frames_that_are_valid_follow_from_the_length_alone():
    frontend = Embeddings(CDur, CDurFeatures())
    n_samples = torch.tensor([22050, 15000, 882, 0])
    features, valid = frontend(torch.randn(4, 22050), n_samples)
    assert torch.equal(frontend.valid(n_samples, features.shape[2]), valid)
    assert valid.sum(1).tolist() == [12, 8, 0, 0]


def test_a_frontend_that_the_encoder_was_not_trained_with_is_refused(file):
    with pytest.raises(WsedError, match="give `frontend: cdur`"):
        Embeddings(partial(CDur, pretrained=file), LogMel())


def test_settings_of_the_earlier_run_that_have_no_weights_must_be_the_same(tmp_path):
    earlier = Composed(LABELS, partial(WAA, normalize_steps=True), frontend=Standardised(waa_logmel()))
    weights = {f"network.{name}": value for name, value in earlier.state_dict().items()}
    torch.save({"state_dict": weights, "wsed": facts_of(earlier, {}, "0.2.0")}, path := str(tmp_path / "best.ckpt"))
    with pytest.raises(WsedError, match=r"encoder\.init_args\.normalize_steps True, not False: set it to True"):
        Embeddings(pretrained=path)
    louder = LogMel(16000, 512, 160, 64, 125.0, 7500.0, win_length=400, power=2.0, scale="htk", log_offset=0.01)
    with pytest.raises(WsedError, match=r"frontend\.init_args\.frontend\.init_args\.power 1\.0, not 2\.0"):
        Embeddings(partial(WAA, normalize_steps=True), Standardised(louder), pretrained=path)
    frontend = Embeddings(partial(WAA, normalize_steps=True), pretrained=path)  # the default is the same frontend
    batch = testing.batch(sample_rate=frontend.sample_rate)
    with torch.no_grad():
        embeddings = earlier.eval().encoder(*earlier.frontend(batch.audio, batch.n_samples)).frames
        assert torch.equal(frontend(batch.audio, batch.n_samples)[0], embeddings.transpose(1, 2))
