"""The tables of `experiments/fpd`, from made-up runs."""

import sys

import pytest

from experiments.fpd import table
from tests.experiments.made_up import cells, make_corpus, make_run, numbers


def test_figures_and_differences_of_made_up_runs(tmp_path, monkeypatch, capsys):
    corpus = make_corpus(tmp_path / "corpus")
    for row, missed in (("weak", "Speech"), ("euc", "")):
        for seed in (0, 1):
            make_run(tmp_path / f"runs/{row}/seed_{seed}", missed=missed)
    (tmp_path / "runs/ip/seed_0").mkdir(parents=True)  # not finished
    arguments = ["table.py", str(tmp_path / "runs"), "--reference", str(corpus), "--figure", str(tmp_path / "runs.png")]
    monkeypatch.setattr(sys, "argv", arguments)
    table.main()
    first = capsys.readouterr().out
    rows = cells(first)
    assert numbers(rows["euc (2)"])[:4] == [100.0] * 4
    assert numbers(rows["weak (2)"])[0] == pytest.approx(66.7)
    assert rows["euc - weak (2)"][0].startswith("+33.3 [")
    assert rows["FPD_Euc raises event F1"][-2:] == ["above", "holds"]
    assert "ip (1)" not in rows
    assert (tmp_path / "runs.png").is_file()
    table.main()  # from what it kept
    assert capsys.readouterr().out == first


def test_no_finished_run_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["table.py", str(tmp_path), "--reference", str(tmp_path)])
    with pytest.raises(SystemExit, match="no finished run of weak, euc"):
        table.main()
