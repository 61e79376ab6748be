"""Mixing scenes."""

from dataclasses import replace

import numpy as np
import pytest

from tests.data.synth.tones import RATE, RECIPE, mixes
from wsed.data.synth.activity import power_db
from wsed.data.synth.mix import fade, loop
from wsed.data.synth.soundbank import Soundbank


def test_snr_reached_measured_from_the_stems(bank: Soundbank) -> None:
    recipe = replace(RECIPE, snr=(0.0, 20.0), max_gain=60.0, fade=0.005)
    seen = 0
    for scene, mixed in mixes(recipe, bank, 25):
        total = mixed.background.copy()
        for stem in mixed.stems:
            total[stem.start : stem.start + len(stem.audio)] += stem.audio
            alone = np.zeros_like(total)
            alone[stem.start : stem.start + len(stem.audio)] = stem.audio
            active = np.concatenate([alone[round(a * RATE) : round(b * RATE)] for _, a, b in stem.sound.events])
            snr = power_db(active) - power_db(mixed.background)
            assert snr == pytest.approx(stem.sound.snr, abs=0.2)
            assert snr == pytest.approx(stem.snr, abs=0.2)
            seen += 1
        np.testing.assert_allclose(mixed.audio, total, atol=1e-6)
        assert {s.sound.recording.path for s in mixed.stems} == {s.recording.path for s in scene.sounds}
    assert seen > 25


def test_max_gain_limits_the_snr(bank: Soundbank) -> None:
    recipe = replace(RECIPE, snr=(40.0, 40.0), max_gain=3.0, gain=(0.0, 0.0), background_level=-20.0)
    for _, mixed in mixes(recipe, bank, 5):
        for stem in mixed.stems:
            assert stem.gain - mixed.gain == pytest.approx(3.0, abs=1e-6)
            assert stem.snr < 40


def test_nothing_sounds_outside_the_events(bank: Soundbank) -> None:
    for _, mixed in mixes(replace(RECIPE, fade=0.01), bank, 20):
        for stem in mixed.stems:
            time = (stem.start + np.arange(len(stem.audio))) / RATE
            outside = np.ones(len(time), bool)
            for _, onset, offset in stem.sound.events:
                outside &= (time < onset - 0.0102) | (time > offset + 0.0102)
            assert not stem.audio[outside].any()


def test_loud_clips_are_scaled_not_clipped(bank: Soundbank) -> None:
    recipe = replace(RECIPE, snr=(60.0, 60.0), max_gain=60.0, gain=(0.0, 0.0))
    for _, mixed in mixes(recipe, bank, 5):
        assert np.abs(mixed.audio).max() == pytest.approx(0.99, abs=1e-3)
        assert mixed.gain < 0


def test_background_fills_the_clip_at_its_level(bank: Soundbank) -> None:
    recipe = replace(RECIPE, events={0: 1.0}, gain=(0.0, 0.0), background_level=-30.0, background_floor=-60.0, clip=5.0)
    for _, mixed in mixes(recipe, bank, 5):
        tenths = mixed.audio.reshape(50, -1)
        assert power_db(mixed.audio) == pytest.approx(-30, abs=0.7)
        assert min(power_db(t) for t in tenths) > -33


def test_fade_and_loop() -> None:
    steady = np.ones(100, np.float32)
    faded = fade(steady, 10, 20)
    assert faded[0] < 0.01
    assert faded[-1] < 0.01
    assert (faded[10:80] == 1).all()
    assert (np.diff(faded[:10]) > 0).all()
    ramp = np.linspace(-1, 1, 1000, dtype=np.float32)
    looped = loop(ramp, 5000, 200, start=1300)
    assert len(looped) == 5000
    # Without the crossfade the seam would jump by 2; the ramp itself climbs by 0.002.
    assert np.abs(np.diff(looped)).max() < 0.02
    assert np.abs(np.diff(loop(ramp, 5000, 0))).max() == pytest.approx(2.0)
