"""Noise, backgrounds, impulse responses and polarity."""

import numpy as np
import pytest
import soundfile
import torch

from wsed import WsedError, testing
from wsed.augment import Background, Compose, ImpulseResponse, Noise, ReversePolarity
from wsed.augment.impulse_response import convolve, stacked
from wsed.data import augmenting
from wsed.data.augmenting import prepare, read_sounds


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16000)
    soundfile.write(tmp_path / "deep" / "street.wav", noise, 16000)
    return tmp_path


@pytest.mark.parametrize("kind", [Noise, Background])
def test_sound_is_added_at_its_ratio_and_padding_stays_silent(kind, folder):
    args = (folder,) if kind is Background else ()
    augment = kind(*map(str, args), snr_low=13.0, snr_high=13.0, p=1.0)
    prepare([augment], 8000)
    of = testing.batch()
    added = augment(of, seeded()).audio - of.audio
    ratio = 10 * (of.audio.square().sum(1) / added.square().sum(1)).log10()
    torch.testing.assert_close(ratio, torch.full((4,), 13.0), atol=1e-3, rtol=0)
    assert not added[-1, of.n_samples[-1] :].any()


def test_folders_are_read_once_at_the_rate_of_the_training(folder):
    background = Background(str(folder))
    prepare([Compose([background])], 8000)
    assert len(background.sound) == 8000
    kept = background.sound
    prepare([background], 8000)
    assert background.sound is kept


def test_recordings_are_repeated_only_when_a_batch_is_longer_than_all_before():
    def background():
        made = Background("street", p=1.0)
        made.prepare(8000, lambda folder, rate: [torch.randn(5000, generator=seeded()).numpy()])
        return made

    used = background()
    used(testing.batch(seconds=2.0), seeded())
    kept = used.sound.data_ptr()
    for seconds in (1.0, 1.5, 2.0):
        of = testing.batch(seconds=seconds)
        assert torch.equal(used(of, seeded(1)).audio, background()(of, seeded(1)).audio)
        assert used.sound.data_ptr() == kept
    of = testing.batch(seconds=3.0)
    assert torch.equal(used(of, seeded(1)).audio, background()(of, seeded(1)).audio)


def test_a_folder_without_sound_is_refused_before_training(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(WsedError, match=r"augment background: folder .*empty has no sound files; give one with WAV"):
        prepare([Background(str(tmp_path / "empty"))], 8000)
    with pytest.raises(WsedError, match=r"augment impulse_response: folder .*gone does not exist; give the folder"):
        prepare([Compose([ImpulseResponse(str(tmp_path / "gone"))])], 8000)
    soundfile.write(tmp_path / "empty" / "quiet.wav", np.zeros(100), 8000)
    with pytest.raises(WsedError, match="are silent"):
        prepare([Background(str(tmp_path / "empty"))], 8000)
    with pytest.raises(WsedError, match=r"quiet.wav is a file, not a folder; give the folder that holds"):
        prepare([Background(str(tmp_path / "empty" / "quiet.wav"))], 8000)


def written(folder, n_files, seconds):
    draws = np.random.default_rng(0)
    for i in range(n_files):
        soundfile.write(folder / f"{i:03}.wav", draws.uniform(-0.5, 0.5, round(8000 * seconds)), 8000)
    return str(folder)


def test_many_short_files_are_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(augmenting, "HOUR", 5.0)
    monkeypatch.setattr(augmenting, "LEAST", 1.0)
    folder = written(tmp_path, 60, 0.25)
    with pytest.warns(
        UserWarning, match=r"augment x: about an hour .* of 60 files in folder .*, 20 are used, 0 of them"
    ):
        sounds = read_sounds(folder, 8000, "augment x")
    assert [len(sound) for sound in sounds] == [2000] * 20
    with pytest.warns(UserWarning, match="20 are used"):
        again = read_sounds(folder, 8000)
    assert all(np.array_equal(one, other) for one, other in zip(sounds, again, strict=True))
    monkeypatch.setattr(augmenting, "HOUR", 15.1)
    assert len(read_sounds(folder, 8000)) == 60  # no warning


def test_few_long_files_are_cut_to_their_share(tmp_path, monkeypatch):
    monkeypatch.setattr(augmenting, "HOUR", 3.0)
    monkeypatch.setattr(augmenting, "LEAST", 0.5)
    with pytest.warns(
        UserWarning, match=r"of 2 files .*, 2 are used, 2 of them cut to 1.5 s; give a folder with fewer"
    ):
        sounds = read_sounds(written(tmp_path, 2, 2.0), 8000)
    assert [len(sound) for sound in sounds] == [12000] * 2


def test_a_response_begins_at_its_peak_with_energy_1():
    rows = stacked([np.array([0.1, -3, 4, 0, 3], np.float32)], 3)
    assert rows.tolist() == [[pytest.approx(0.8), 0.0, pytest.approx(0.6)]]


def test_convolution_is_that_of_numpy():
    audio, response = torch.randn(2, 100, generator=seeded()), torch.randn(2, 7, generator=seeded(1))
    wanted = [np.convolve(a, r)[:100] for a, r in zip(audio.numpy(), response.numpy(), strict=True)]
    torch.testing.assert_close(convolve(audio, response), torch.tensor(np.stack(wanted)), atol=1e-5, rtol=1e-4)


def test_polarity_is_that_of_whole_clips():
    of = testing.batch(n_clips=16)
    turned = ReversePolarity()(of, seeded()).audio
    signs = [torch.equal(new, -old) for new, old in zip(turned, of.audio, strict=True)]
    assert 0 < sum(signs) < 16
    assert all(sign or torch.equal(new, old) for sign, new, old in zip(signs, turned, of.audio, strict=True))
