"""The encoder `fusion` with frozen embeddings that are computed once."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
import yaml

import wsed
from tests.models.cached import fit_counting
from wsed import WsedError
from wsed.augment.base import augmented
from wsed.augment.mixup import Mixup
from wsed.augment.spec_masks import SpecAugment
from wsed.build import build
from wsed.data.augmenting import check
from wsed.models import CRNN, LogMel, Waveform
from wsed.models.embeddings import Embeddings
from wsed.models.encoders.cached_fusion import CachedFusion, FusionFeatures
from wsed.models.encoders.cdur import CDur, CDurFeatures
from wsed.models.encoders.cnn import CNN
from wsed.models.encoders.fusion import Fusion
from wsed.models.frontends import Standardised
from wsed.models.teacher import MeanTeacher
from wsed.spec import spec_of
from wsed.testing import batch
from wsed.types import Batch

OWN = LogMel(8000, 64, 16, 16)
SLOW = LogMel(8000, 64, 20, 16)  # with a CNN of stride 4: 80 samples, 5 frames of OWN
SIZES = {"channels": 4, "pools": [(2, 4)], "gru": 4, "dense": 8}
BESIDE = partial(CNN, channels=2, pools=[(4, 4)])


def pair(**more):
    """The encoder `fusion`, and frontend and encoder that compute the same from features that can be cached."""
    whole = Fusion(1, BESIDE, SLOW, OWN, **SIZES, **more).eval()
    frontend = FusionFeatures(Embeddings(BESIDE, SLOW), OWN)
    frontend.embeddings.encoder.load_state_dict(whole.pretrained_encoder.state_dict())
    cached = CachedFusion(frontend.n_bands, *frontend.beside, **SIZES, **more).eval()
    missing = cached.load_state_dict(whole.state_dict(), strict=False).missing_keys
    assert not missing
    return whole, frontend, cached


@pytest.mark.parametrize("lengths", [[1700, 1700], [1700, 900], [1700, 79], [1600, 1599], [1693, 1583]])
def test_the_result_is_that_of_fusion(lengths):
    """Compared before the GRUs, which would spread a difference: at the end of a clip, `fusion` may have one more
    embedding, and one frame less."""
    whole, frontend, cached = pair()
    seen = []
    for encoder in (whole, cached):
        encoder.join.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
    n_samples = torch.tensor(lengths)
    valid = torch.arange(max(lengths)) < n_samples[:, None]
    audio = torch.randn(2, max(lengths)) * valid
    with torch.no_grad():
        expected = whole(audio[:, None], valid)
        actual = cached(*frontend(audio, n_samples))
    n = expected.frames.shape[1]
    assert torch.equal(actual.valid[:, :n] & expected.valid, expected.valid)
    assert bool((actual.valid.sum(1) - expected.valid.sum(1) <= 1).all())
    for clip, length in enumerate(lengths):
        whole_ones = int(expected.valid[clip].sum()) if length % 80 == 0 else length // 80 * 80 // 32
        for one, other in zip(*seen, strict=True):
            assert torch.allclose(one[clip, :whole_ones], other[clip, :whole_ones], atol=1e-5)


def test_a_clip_of_whole_embeddings_gives_exactly_what_fusion_gives():
    whole, frontend, cached = pair()
    audio, n_samples = torch.randn(2, 1600), torch.tensor([1600, 1600])
    with torch.no_grad():
        expected = whole(audio[:, None], None).frames
        assert torch.allclose(cached(*frontend(audio, n_samples)).frames, expected, atol=1e-5)


def test_clips_of_different_lengths_from_the_cache_give_what_each_gives_alone():
    """The features of shorter clips are filled with those of silence, as the reader fills them."""
    _, frontend, cached = pair()
    lengths = [1700, 1583, 950, 60]
    audio = [torch.randn(1, n) for n in lengths]
    features = [frontend.raw(each, torch.tensor([each.shape[1]]))[0] for each in audio]
    silence = frontend.raw(torch.zeros(1, 1700), torch.tensor([1700]))[0][0, :, 50]
    together = silence[None, :, None].repeat(4, 1, features[0].shape[2])
    for i, each in enumerate(features):
        together[i, :, : each.shape[2]] = each[0]
    valid = frontend.valid(torch.tensor(lengths), together.shape[2])
    with torch.no_grad():
        encoded = cached(frontend.finish(together), valid)
        for i, each in enumerate(audio):
            alone = cached(*frontend(each, torch.tensor([each.shape[1]])))
            n = int(encoded.valid[i].sum())
            assert n == int(alone.valid.sum())
            assert torch.allclose(encoded.frames[i, :n], alone.frames[0, :n], atol=1e-4)


@pytest.mark.filterwarnings("ignore:frontend embeddings. the weights are random", "ignore:Found .* in eval mode")
def test_epochs_and_later_runs_do_not_run_the_pretrained_encoder(monkeypatch, corpus, tmp_path):
    labels = wsed.Labels(["high", "low"])

    def network():
        torch.manual_seed(0)
        frontend = FusionFeatures(Embeddings(BESIDE, SLOW), OWN)
        return wsed.Composed(labels, partial(CachedFusion, beside_dim=8, beside_step=5, **SIZES), frontend=frontend)

    first = fit_counting(monkeypatch, CNN, network(), corpus, tmp_path / "cache")
    assert first[0] > 2
    assert len(set(first[1])) == 1  # never within an epoch
    again = fit_counting(monkeypatch, CNN, network(), corpus, tmp_path / "cache")
    assert again[0] <= 2  # for the name of the file


def test_mixup_of_the_cached_features_mixes_bands_and_embeddings():
    frontend = FusionFeatures(Embeddings(BESIDE, SLOW), OWN)
    network = wsed.Composed(
        wsed.Labels("abc"), partial(CachedFusion, beside_dim=8, beside_step=5, **SIZES), frontend=frontend
    )
    mixup = Mixup(p=1.0, on="features")
    check([mixup], network)
    inputs = batch(n_clips=4, n_labels=3)
    features = frontend.raw(inputs.samples(), inputs.n_samples)[0]
    given = Batch(**(vars(inputs) | {"audio": None, "features": features}))
    mixed = augmented(given, [mixup], torch.Generator().manual_seed(0)).features
    for own, new in zip(features, mixed, strict=True):
        shares = [
            (((new - other) * (own - other)).sum() / (own - other).square().sum()).item()
            for other in features
            if other is not own
        ]
        fits = [
            torch.allclose(new, share * own + (1 - share) * other, atol=1e-3)
            for share, other in zip(shares, [other for other in features if other is not own], strict=True)
        ]
        assert any(fits)
        assert not torch.equal(own, new)


def test_masks_of_bands_are_refused():
    frontend = FusionFeatures(Embeddings(BESIDE, SLOW), OWN)
    factory = partial(
        wsed.Composed, encoder=partial(CachedFusion, beside_dim=8, beside_step=5, **SIZES), frontend=frontend
    )
    with pytest.raises(WsedError, match="spec_augment: it changes features, but those of the frontend cached_fusion"):
        check([SpecAugment()], factory(wsed.Labels("ab")))
    with pytest.raises(WsedError, match="hold embeddings beside the frequency bands"):
        MeanTeacher(wsed.Labels("ab"), factory, views=[SpecAugment()])


def test_the_second_stage_starts_from_the_first(tmp_path):
    """What the stage with cached embeddings has learned fits the encoder `fusion` by name."""
    _, _, cached = pair()
    second = Fusion(1, BESIDE, SLOW, OWN, **SIZES)
    left = second.load_state_dict(cached.state_dict(), strict=False)
    assert not left.unexpected_keys
    assert all(name.split(".")[0] in ("pretrained_encoder", "frontend", "pretrained_frontend") for name in left[0])


def test_what_does_not_fit_is_refused():
    frontend = FusionFeatures(Embeddings(BESIDE, SLOW), OWN)
    labels = wsed.Labels("ab")
    wanted = r"give `encoder: {class_path: cached_fusion, init_args: {beside_dim: 8, beside_step: 5}}`"
    with pytest.raises(WsedError, match=f"but encoder crnn does not read them so; {wanted}"):
        wsed.Composed(labels, partial(CRNN, **SIZES), frontend=frontend)
    with pytest.raises(WsedError, match=wanted):
        wsed.Composed(labels, partial(CachedFusion, beside_dim=4, beside_step=5, **SIZES), frontend=frontend)
    with pytest.raises(WsedError, match="encoder cached_fusion needs the frontend cached_fusion, not frontend logmel"):
        wsed.Composed(labels, partial(CachedFusion, beside_dim=8, beside_step=5, **SIZES), frontend=LogMel())
    with pytest.raises(
        WsedError, match="features of 2 values per frame do not hold an embedding of 8 values for 4 frames"
    ):
        CachedFusion(2, 8, 4)
    with pytest.raises(WsedError, match="must be 1 or more"):
        CachedFusion(20, 8, 0)
    with pytest.raises(WsedError, match="frontend is of 8000 Hz, beside of 22050 Hz"):
        FusionFeatures(Embeddings(CDur, CDurFeatures()), OWN)
    uneven = LogMel(22050, hop_length=512)
    with pytest.raises(WsedError, match=r"lasts 1764 samples, a frame 512, .* hop_length of frontend to 441 or 588"):
        FusionFeatures(Embeddings(CDur, CDurFeatures()), uneven)
    learns = FusionFeatures(Embeddings(BESIDE, SLOW), Standardised(OWN))
    assert not learns.learned
    with pytest.raises(WsedError, match="frontend standardised must learn from the training set first"):
        learns.learn(SimpleNamespace(batches=list, in_order=list, label_counts=list))


def test_yaml_and_checkpoint_build_it():
    text = """
      class_path: composed
      init_args:
        frontend:
          class_path: cached_fusion
          init_args:
            beside: {class_path: embeddings, init_args: {frontend: cdur, encoder: cdur}}
            frontend: {class_path: logmel, init_args: {sample_rate: 22050, hop_length: 882}}
        encoder: {class_path: cached_fusion, init_args: {beside_dim: 256, beside_step: 2}}
    """
    network = build(wsed.Network, yaml.safe_load(text), wsed.Labels(["Dog"]))
    assert network.frontend.beside == (256, 2)
    again = build(wsed.Network, spec_of(network), wsed.Labels(["Dog"]))
    again.load_state_dict(network.state_dict())
    inputs = batch(sample_rate=22050, n_labels=1)
    network.eval(), again.eval()
    assert torch.equal(network(inputs).frame_logits, again(inputs).frame_logits)


def test_what_standardises_the_features_keeps_their_layout():
    frontend = Standardised(FusionFeatures(Embeddings(BESIDE, SLOW), OWN))
    assert (frontend.beside, frontend.n_drawn) == ((8, 5), 16)
    with pytest.raises(WsedError, match="encoder crnn does not read them so"):
        wsed.Composed(wsed.Labels("ab"), partial(CRNN, **SIZES), frontend=frontend)
    with pytest.raises(WsedError, match=r"beside_dim \(80\) and beside_step \(5\) leave 2 bands"):
        CachedFusion(18, 80, 5, **SIZES)


def test_an_embedding_of_one_frame_says_which_hop_fits():
    with pytest.raises(WsedError, match=r"set hop_length of frontend to 1$"):
        FusionFeatures(Waveform(8000), OWN)
