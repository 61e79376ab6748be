"""Impulse responses of simulated rooms."""

import numpy as np
import pytest
import soundfile

from experiments.what_wins.corpus import response, responses
from wsed.augment.impulse_response import ImpulseResponse
from wsed.data.augmenting import read_sounds


def test_a_response_begins_with_the_direct_sound_and_falls_by_60_db():
    rng = np.random.default_rng(1)
    for _ in range(5):
        room = response(rng, 16000)
        assert np.abs(room).argmax() == 0
        assert 0.2 * 16000 <= len(room) <= 0.8 * 16000
        tail = room[1:]
        early, late = (np.square(part).mean() for part in (tail[:200], tail[-200:]))
        assert 10 * np.log10(early / late) == pytest.approx(60 * (1 - 200 / len(tail)), abs=3)


def test_the_folder_can_be_read_by_the_augmentation(tmp_path):
    responses(tmp_path / "rooms", 3)
    responses(tmp_path / "again", 3)
    first, again = (sorted((tmp_path / name).iterdir()) for name in ("rooms", "again"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in again]
    assert soundfile.info(first[0]).samplerate == 16000
    augment = ImpulseResponse(str(tmp_path / "rooms"))
    augment.prepare(16000, lambda folder, rate: read_sounds(folder, rate))
    assert len(augment.responses) == 3
