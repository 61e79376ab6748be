"""The synthetic soundbank."""

from pathlib import Path

import numpy as np
import pytest

from wsed.data.synth import builtin
from wsed.data.synth.activity import power_db
from wsed.data.synth.builtin import background, recording, write_soundbank
from wsed.data.synth.formulas import CLASSES
from wsed.data.synth.signals import RATE
from wsed.data.synth.soundbank import open_soundbank
from wsed.data.synth.soundscape import synthesise
from wsed.errors import WsedError

SHORT = {"Alarm_bell_ringing", "Cat", "Dishes", "Dog", "Speech"}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"train": 2, "validation": 1, "eval": 1}
    monkeypatch.setattr(builtin, "COUNTS", counts)
    monkeypatch.setattr(builtin, "_N_BACKGROUNDS", counts)


def spectrum(sound: np.ndarray) -> np.ndarray:
    """Mean and spread of the log power in 24 bands of 20 ms frames: features for a nearest-neighbour classifier."""
    frames = sound[: len(sound) // 320 * 320].reshape(-1, 320) * np.hanning(320)
    power = np.square(np.abs(np.fft.rfft(frames)))[:, 1:161]
    edges = np.unique(np.geomspace(1, 160, 25).astype(int)) - 1
    bands = np.log(np.add.reduceat(power, edges[:-1], axis=1) + 1e-4)
    return np.concatenate([bands.mean(0), bands.std(0)])


def test_recordings_differ_and_are_reproducible() -> None:
    for label in CLASSES:
        first = recording(label, "train", 0)
        assert np.array_equal(first, recording(label, "train", 0))
        assert np.abs(first).max() == pytest.approx(10 ** (-3 / 20), abs=1e-4)
        for other in (recording(label, "train", 1), recording(label, "eval", 0), recording(label, "train", 0, seed=1)):
            assert len(first) != len(other) or not np.array_equal(first, other)


def test_half_short_half_long() -> None:
    seconds = {label: np.mean([len(recording(label, "train", i)) / RATE for i in range(6)]) for label in CLASSES}
    assert {label for label, s in seconds.items() if s < 2} == SHORT
    assert all(s > 3 for label, s in seconds.items() if label not in SHORT)


def test_classes_can_be_told_apart_across_splits() -> None:
    def features(split: str, n: int) -> tuple[np.ndarray, list[str]]:
        pairs = [(spectrum(recording(label, split, i)), label) for label in CLASSES for i in range(n)]
        return np.stack([p[0] for p in pairs]), [p[1] for p in pairs]

    train, train_labels = features("train", 8)
    test, test_labels = features("eval", 4)
    scale = train.std(0) + 1e-6
    distance = np.square((test[:, None] - train[None]) / scale).sum(-1)
    nearest = [train_labels[i] for i in distance.argmin(1)]
    assert np.mean([a == b for a, b in zip(nearest, test_labels, strict=True)]) >= 0.9


def test_backgrounds_are_steady() -> None:
    sound = background("train", 0)
    assert len(sound) == 12 * RATE
    seconds = [power_db(s) for s in sound.reshape(12, -1)]
    assert max(seconds) - min(seconds) < 10


@pytest.mark.usefixtures("few")
def test_folder_is_a_soundbank_and_is_kept(tmp_path: Path) -> None:
    folder = write_soundbank(tmp_path / "bank")
    bank = open_soundbank(folder)
    assert bank.labels == sorted(CLASSES)
    first = folder / "foreground/train/Cat/000.flac"
    written = first.stat().st_mtime_ns
    assert write_soundbank(folder) == folder
    assert first.stat().st_mtime_ns == written
    with pytest.raises(WsedError, match="not the builtin soundbank of seed 3"):
        write_soundbank(folder, seed=3)


@pytest.mark.usefixtures("few")
def test_default_recipe_takes_it(tmp_path: Path) -> None:
    summary = synthesise(tmp_path, clips={"train": 10, "validation": 0, "eval": 0}, workers=1)
    assert summary.clips == {"train": 10}
    assert summary.labels == tuple(sorted(CLASSES))
    assert (tmp_path / "soundbank/background/train/000.flac").exists()
