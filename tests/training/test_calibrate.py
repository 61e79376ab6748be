"""What thresholds and confidences are worth, measured on clips of which events or tags are known."""

import pytest
import torch

from wsed.calibration import calibration_file, read_calibration
from wsed.decoding import StepDecoder
from wsed.errors import WsedError
from wsed.training.calibrate import calibrate
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Scores

LABELS = Labels(["good", "bad", "rare"])
N = 60


@pytest.fixture(scope="module")
def clips():
    """`good` is right where its score is high, `bad` never more than by chance, `rare` is hardly ever detected."""
    draw = torch.Generator().manual_seed(0)
    level = torch.rand(N, 3, generator=draw)
    level[:, 2] = 0.01
    true = torch.stack([level[:, 0] > 0.5, torch.rand(N, generator=draw) > 0.6, level[:, 2] > 1], dim=1)
    frames = torch.zeros(N, 10, 3)
    frames[:, 3:7] = level[:, None]
    rows = [(i, c, 0.3, 0.7) for i, c in true.nonzero().tolist()]
    scores = Scores.of_padded(frames, frame_rate=10.0)
    return scores, Truth.of_events(Events.of(rows), N, 3)


def test_thresholds_reach_what_is_wanted_and_confidences_are_shares(clips):
    found = calibrate(StepDecoder(), *clips, LABELS, "isotonic")
    values, notes = found.thresholds(StepDecoder(), LABELS, precision=0.95)
    assert 0.4 < values[0] < 0.6
    assert values[1] == 0.5 or notes
    assert "rare: no threshold reaches precision 0.95 (at most 0.00), kept 0.5" in notes
    values, notes = found.thresholds(StepDecoder(), LABELS, recall=0.5)
    assert values[0] > 0.6
    assert found.confidence("good", 0.9) > 0.95
    assert found.confidence("good", 0.2) < 0.2
    assert 0.2 < found.confidence("bad", 0.5) < 0.6
    assert found.confidence("good", 0.1) <= found.confidence("good", 0.5) <= found.confidence("good", 0.8)


def test_platt_gives_a_smooth_curve(clips):
    found = calibrate(StepDecoder(), *clips, LABELS, "platt")
    assert len(found.classes["good"].scores) == 51
    assert found.confidence("good", 0.9) > 0.9 > 0.1 > found.confidence("good", 0.1)


def test_tags_do_where_no_events_are_known(clips):
    scores, truth = clips
    nothing = torch.zeros_like(truth.timed)
    found = calibrate(
        StepDecoder(), scores, Truth(truth.tags, truth.tagged, Events.of([]), nothing), LABELS, "isotonic"
    )
    assert found.confidence("good", 0.9) > 0.95
    with pytest.raises(WsedError, match="but none are known"):
        calibrate(StepDecoder(), scores, Truth(truth.tags, nothing, Events.of([]), nothing), LABELS, "isotonic")


def test_a_hysteresis_is_tried_above_its_low_threshold(clips):
    found = calibrate(StepDecoder(threshold=0.5, low=0.3), *clips, LABELS, "isotonic")
    assert found.classes["good"].thresholds[0] == 0.3


def test_it_is_kept_beside_the_checkpoint_and_of_that_decoder_only(clips, tmp_path):
    checkpoint = tmp_path / "best.ckpt"
    checkpoint.write_bytes(b"weights")
    found = calibrate(StepDecoder(), *clips, LABELS, "isotonic")
    assert read_calibration(checkpoint, StepDecoder()) is None
    assert found.write(checkpoint) == calibration_file(checkpoint) == tmp_path / "best.calibration.yaml"
    assert read_calibration(checkpoint, StepDecoder(threshold=0.3)) == found
    assert read_calibration(checkpoint, StepDecoder(smooth=0.2)) is None
    checkpoint.write_bytes(b"other weights")
    assert read_calibration(checkpoint, StepDecoder()) is None
    calibration_file(checkpoint).write_text("classes: 3")
    with pytest.raises(WsedError, match="is damaged: delete it"):
        read_calibration(checkpoint, StepDecoder())
