"""Finished runs of rows, and their scores beside what is true."""

import json
from pathlib import Path

import pytest
import torch

from wsed.data.clip import Clip
from wsed.errors import WsedError
from wsed.run import RunFolder
from wsed.scoring.formats.run_scores import write_scores
from wsed.study.runs import ScoredClips, by_row, finished
from wsed.types import Labels
from wsed.values import Scores

LABELS = Labels(["bark", "hum"])


def test_finished_runs_are_of_the_first_folder_that_has_any(tmp_path):
    for run in ("ours/att/seed_10", "ours/att/seed_9", "theirs/att/seed_2", "theirs/mil/seed_0"):
        (tmp_path / run / "test").mkdir(parents=True)
        (tmp_path / run / "config.yaml").touch()
        (tmp_path / run / "test/scores.json").write_text("{}")
    (tmp_path / "ours/mil/seed_0").mkdir(parents=True)  # not finished
    (tmp_path / "ours/mil/seed_0/config.yaml").touch()
    both = [tmp_path / "ours", tmp_path / "theirs"]
    assert [run.path.name for run in finished(both, "att")] == ["seed_9", "seed_10"]
    assert finished(both, "mil") == [RunFolder(tmp_path / "theirs/mil/seed_0")]
    assert finished(tmp_path / "ours", "mil") == []
    assert list(by_row(tmp_path / "ours", ["mil", "att"])) == ["att"]


def clips():
    return [
        Clip(f"{name}.wav", Path(f"{name}.wav"), "test", frozenset({"bark"}), (("bark", 0.0, 1.0),)) for name in "abc"
    ]


def test_scores_stand_beside_what_is_true(tmp_path):
    run = RunFolder(tmp_path)
    run.split("test").path.mkdir()
    frames = torch.tensor([[[0.1, 0.2], [0.9, 0.3]], [[0.4, 0.8], [0.7, 0.9]]])
    valid = torch.tensor([[True, True], [True, False]])
    scores = Scores.of_padded(frames, 2.0, valid=valid, clip_ids=("b.wav", "a.wav"))
    write_scores(run.split("test").path, scores, LABELS)
    scored = ScoredClips.read(run, "test", clips())
    assert scored.labels == LABELS
    torch.testing.assert_close(scored.clip_scores, torch.tensor([[0.9, 0.3], [0.4, 0.8]]))
    assert scored.tags.tolist() == [[True, False]] * 2
    assert scored.truth.events.offset.tolist() == [1.0, 1.0]
    with pytest.raises(WsedError, match=r"a\.wav and 0 more clips with scores"):
        ScoredClips.read(run, "test", clips()[1:])


def test_clip_scores_of_their_own_come_first(tmp_path):
    run = RunFolder(tmp_path)
    run.split("test").path.mkdir()
    own = torch.tensor([[0.25, 0.75]])
    write_scores(run.split("test").path, Scores(("a.wav",), torch.ones(1).double(), clip_scores=own), LABELS)
    assert torch.equal(ScoredClips.read(run, "test", clips()).clip_scores, own)


def test_a_corpus_with_other_labels_than_the_run_was_scored_on_is_refused(tmp_path):
    run = RunFolder(tmp_path)
    run.split("test").path.mkdir()
    scores = Scores(("a.wav", "b.wav"), torch.ones(2).double(), clip_scores=torch.rand(2, 2))
    write_scores(run.split("test").path, scores, LABELS)
    for metric, there, said in (("event_f1", 3, "3 events of bark"), ("tagging_f1", 1, "1 clips of bark")):
        report = {metric: {"macro": 0.5, "per_class": {"bark": {"n_ref": there}, "hum": {"n_ref": None}}}}
        run.split("test").report.write_text(json.dumps(report))
        with pytest.raises(WsedError, match=rf"was scored on {said} \(test\), but the corpus has 2"):
            ScoredClips.read(run, "test", clips())
        report[metric]["per_class"]["bark"]["n_ref"] = 2
        run.split("test").report.write_text(json.dumps(report))
        assert ScoredClips.read(run, "test", clips()).tags.sum() == 2
