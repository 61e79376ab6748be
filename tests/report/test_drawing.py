"""Names in pictures are shown as they are."""

import numpy as np
import pytest
import torch

from wsed.formats.event import Event
from wsed.formats.recording import Recording
from wsed.report import detections, embeddings, spectrogram
from wsed.report.pictures import ClipPicture, curves
from wsed.types import Labels
from wsed.values import Scores

ODD = Labels(["$^$", "a_b", r"\$x$"])
NAME = "take $1_$2.wav"
FRAMES = torch.rand(20, 3, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def recording():
    events = (Event("$^$", 0.0, 1.0, 0.9), Event(r"\$x$", 0.5, 1.0, 0.8))
    return Recording(NAME, NAME, 2.0, 8000, events)


def test_names_with_dollars_are_no_formulas(recording, tmp_path):
    """Before, matplotlib read them as formulas, and ended with a traceback where they are none."""
    detections.draw(tmp_path / "scores.png", recording, Scores.of_padded(FRAMES[None], frame_rate=10.0), ODD)
    embeddings.draw(tmp_path / "embeddings.png", torch.rand(12, 4), np.arange(12) % 3, ODD, "title")
    events = [(0, 0.0, 1.0), (2, 0.5, 1.0)]
    clip = ClipPicture(NAME, torch.rand(8, 20), "band", 2.0, 10.0, FRAMES, FRAMES, (0.5,) * 3, events, events)
    curves(tmp_path / "curves.png", clip, ODD)
    assert {path.name for path in tmp_path.iterdir()} == {"scores.png", "embeddings.png", "curves.png"}
    assert spectrogram.draw(np.zeros((9, 20), dtype=np.float32), 8000, recording, ODD)[:4] == b"\x89PNG"
