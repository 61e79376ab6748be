"""The second pass of the official baseline: predicted tags of unlabelled clips as a table."""

import sys

import pytest
import torch

from experiments.cosine_penalty import second_pass
from wsed.data.table import read_weak
from wsed.scoring.formats.run_scores import write_scores
from wsed.types import Labels
from wsed.values import Scores


def test_clips_with_predicted_tags_are_listed(tmp_path, monkeypatch):
    run = tmp_path / "run"
    (run / "predict").mkdir(parents=True)
    (tmp_path / "corpus/metadata/train").mkdir(parents=True)
    (tmp_path / "corpus/audio").mkdir()
    scores = torch.tensor([[0.9, 0.6], [0.5, 0.1], [0.2, 0.7]])
    predicted = Scores(("a.wav", "b.wav", "c.wav"), torch.ones(3).double(), clip_scores=scores)
    write_scores(run / "predict", predicted, Labels(["Cat", "Dog"]))
    monkeypatch.setattr(sys, "argv", ["second_pass.py", str(run), "--root", str(tmp_path / "corpus")])
    second_pass.main()
    tags = read_weak(tmp_path / "corpus/metadata/train/pseudo.tsv")
    assert tags == {"a.wav": frozenset({"Cat", "Dog"}), "c.wav": frozenset({"Dog"})}
    (tmp_path / "tagless/predict").mkdir(parents=True)
    write_scores(tmp_path / "tagless/predict", Scores.of_padded(torch.zeros(1, 4, 2), 1.0), Labels(["Cat", "Dog"]))
    monkeypatch.setattr(sys, "argv", ["second_pass.py", str(tmp_path / "tagless"), "--root", str(tmp_path / "corpus")])
    with pytest.raises(SystemExit, match="run wsed predict first"):
        second_pass.main()
