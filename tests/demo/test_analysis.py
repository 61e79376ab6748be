"""What the page of `wsed demo` shows is what `wsed detect` finds."""

import numpy as np
import pytest
import soundfile

from tests.inference.small import RATE, detector, tones
from wsed.cli.main import main
from wsed.demo import analysis
from wsed.demo.analysis import analyse
from wsed.errors import WsedError
from wsed.report.spectrogram import spectrogram

SOUND = tones(3.0, (0.3, 0.7, 0.5), (1.4, 2.62, 0.5)).numpy()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "night.wav"
    soundfile.write(path, SOUND, RATE)
    return path


def test_events_are_those_of_detect_at_any_threshold(file):
    model = detector()
    of = analyse(model, file)
    for threshold in (None, 0.3, 0.99):
        other = model if threshold is None else detector(threshold=threshold)
        found = of.with_events(model, threshold).events
        assert found
        assert [(e.label, e.onset, e.offset, e.confidence) for e in found] == [
            (*event, event.confidence) for event in other.detect(file)
        ]


def test_the_picture_shows_the_events(file):
    model = detector()
    of = analyse(model, file)
    with_events, without = (of.picture(model, r) for r in (of.with_events(model), of.recording))
    assert with_events[:4] == without[:4] == b"\x89PNG"
    assert with_events != without


def test_long_recordings_have_no_more_columns():
    decibels = spectrogram(np.tile(SOUND, 20), RATE)
    assert 600 < decibels.shape[1] <= 1200
    assert decibels[:, : decibels.shape[1] // 300].max() < decibels.max() - 60  # silence before the first tone


def test_what_cannot_be_shown_is_refused(file, tmp_path, monkeypatch):
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(WsedError, match=r"text.wav"):
        analyse(detector(), tmp_path / "text.wav")
    monkeypatch.setattr(analysis, "MOST_SECONDS", 1.0)
    with pytest.raises(WsedError, match=r"night.wav lasts .* `wsed detect`"):
        analyse(detector(), file)


def test_without_gradio_the_fix_is_said(monkeypatch, capsys):
    monkeypatch.setattr("wsed.cli.demo.find_spec", lambda name: None)
    assert main(["demo", "runs/none"]) == 2
    assert "pip install 'wsed[demo]'" in capsys.readouterr().err
