"""The folder of a run."""

import json

import pytest

import wsed
from wsed.cli.main import main
from wsed.errors import WsedError
from wsed.run import RunFolder


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
