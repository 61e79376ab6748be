"""The folder of a run."""

import json

import pytest
import torch

import wsed
from wsed.cli.main import main
from wsed.decoding import StepDecoder
from wsed.errors import WsedError
from wsed.metrics.base import MetricValue
from wsed.models.encoders.cnn import CNN
from wsed.models.network import Composed
from wsed.report.run import Evaluation
from wsed.run import RunFolder
from wsed.scoring.report import Report
from wsed.types import Events, Labels
from wsed.values import Detections, Scores, Truth

NOTHING = Truth.of_events(Events.of([]), 2, 2)


def test_seeds_are_in_the_order_of_their_numbers(tmp_path):
    for name in ("seed_10", "seed_9", "seed_0", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("")
    (tmp_path / "empty").mkdir()
    assert [run.path.name for run in RunFolder(tmp_path).seeds()] == ["other", "seed_0", "seed_9", "seed_10"]
    assert RunFolder(tmp_path / "seed_0").seeds() == []


def test_the_checkpoint_is_the_best_else_the_last(tmp_path):
    run = RunFolder(tmp_path)
    assert not run.trained()
    with pytest.raises(WsedError, match="holds no checkpoint: train with"):
        run.checkpoint()
    run.checkpoints.mkdir()
    run.last.touch()
    assert run.checkpoint() == run.last
    run.best.touch()
    assert run.checkpoint() == run.best
    assert run.trained()


def test_scores_are_those_of_frames_if_there_are_any(tmp_path):
    folder = RunFolder(tmp_path).split("test")
    assert folder.scores == folder.clip_scores
    folder.path.mkdir()
    folder.frame_scores.touch()
    assert folder.scores == folder.frame_scores


def test_what_a_run_left_comes_as_values(tmp_path):
    run, labels = RunFolder(tmp_path), Labels(["Cat", "Dog"])
    scores = Scores.of_clips(["a.wav", "b.wav"], [torch.rand(4, 2), torch.rand(4, 2)], frame_rate=1.0)
    events = Events.of([(0, 1, 0.5, 2.0), (1, 0, 1.0, 3.25)])
    report = Report(2, {"psds1": MetricValue({"value": 0.25})})
    written = Evaluation(
        scores, NOTHING, Detections(events, torch.tensor([0.75, 0.125])), report, labels, StepDecoder()
    )
    written.write(run.split("test"), {}, Composed(labels, CNN))
    assert run.report().value("psds1") == 0.25
    assert run.labels() == labels
    assert run.scores().clip_ids == ("a.wav", "b.wav")
    torch.testing.assert_close(run.scores().frames, scores.frames)
    detections = run.detections("test")
    assert (detections.events.label.tolist(), detections.events.offset.tolist()) == ([1, 0], [2.0, 3.25])
    assert detections.confidence.tolist() == [0.75, 0.125]
    run.config.write_text("trainer: {max_epochs: 2}")
    assert run.configuration() == {"trainer": {"max_epochs": 2}}


def test_what_a_run_did_not_leave_is_named_with_the_verb_that_makes_it(tmp_path):
    run = RunFolder(tmp_path)
    with pytest.raises(WsedError, match=r"no .*validation.scores.json: run `wsed validate --config .*config.yaml"):
        run.report("validation")
    with pytest.raises(WsedError, match=r"no .*test.predictions.tsv: run `wsed test"):
        run.detections()
    with pytest.raises(WsedError, match=r"test has no scores of a run"):
        run.scores()
    with pytest.raises(WsedError, match=r"report: unknown split 'tests' \(did you mean test"):
        run.report("tests")


def test_a_run_of_0_1_gets_one_line(tmp_path, capsys):
    RunFolder(tmp_path).versions("fit").write_text(json.dumps({"wsed": "0.1.0"}))
    message = "is a run of wsed 0.1.0, whose settings and checkpoints wsed 0.2 does not read: train again"
    with pytest.raises(WsedError, match=message):
        RunFolder.open(tmp_path)
    with pytest.raises(WsedError, match=message):
        wsed.load(tmp_path)
    assert main(["show", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    RunFolder(tmp_path).versions("fit").write_text("{")
    assert RunFolder.open(tmp_path).path == tmp_path
    with pytest.raises(WsedError, match="no such folder of a run"):
        RunFolder.open(tmp_path / "nowhere")
