"""The tables of `experiments/fpd`, from made-up runs."""

import shutil
import sys

import pytest

from experiments.fpd import table
from tests.experiments.made_up import cells, make_corpus, make_run, name_recordings, numbers


def test_figures_and_differences_of_made_up_runs(tmp_path, monkeypatch, capsys):
    corpus = make_corpus(tmp_path / "corpus")
    for row, missed in (("weak", "Speech"), ("euc", "")):
        for seed in (0, 1):
            make_run(tmp_path / f"runs/{row}/seed_{seed}", missed=missed)
    (tmp_path / "runs/ip/seed_0").mkdir(parents=True)  # not finished
    arguments = ["table.py", str(tmp_path / "runs"), "--root", str(corpus), "--figure", str(tmp_path / "runs.png")]
    monkeypatch.setattr(sys, "argv", arguments)
    table.main()
    first = capsys.readouterr().out
    rows = cells(first)
    assert numbers(rows["euc (2)"])[:4] == [100.0] * 4
    assert numbers(rows["weak (2)"])[0] == pytest.approx(66.7)
    assert rows["euc - weak (2)"][0].startswith("+33.3 [")
    assert rows["FPD_Euc raises event F1"][-2:] == ["above", "holds"]
    assert "Intervals are over seeds alone: no groups of the test clips are known." in first
    assert "ip (1)" not in rows
    assert (tmp_path / "runs.png").is_file()
    table.main()  # from what it kept
    assert capsys.readouterr().out == first


def test_intervals_are_over_the_recordings_of_the_corpus_too(tmp_path, monkeypatch, capsys):
    corpus = make_corpus(tmp_path / "corpus")
    for row, missed in (("weak", "Frying"), ("euc", "")):
        for seed in (0, 1):
            make_run(tmp_path / f"runs/{row}/seed_{seed}", missed=missed, clips="b")
    monkeypatch.setattr(sys, "argv", ["table.py", str(tmp_path / "runs"), "--root", str(corpus)])
    table.main()
    assert cells(capsys.readouterr().out)["FPD_Euc raises event F1"][2:] == ["+6.7 [+6.7, +6.7]", "above", "holds"]
    name_recordings(corpus)  # the seeds agree, the recordings do not: one of them decides the difference
    table.main()
    crossed = capsys.readouterr().out
    assert "Intervals are over seeds and 5 recordings." in crossed
    assert cells(crossed)["FPD_Euc raises event F1"][-1].startswith("open: 5 groups of test clips are too few")
    table.main()  # from what it kept
    assert capsys.readouterr().out == crossed


def test_a_run_that_was_not_validated_has_no_tuned_number(tmp_path, monkeypatch, capsys):
    corpus = make_corpus(tmp_path / "corpus")
    for row, missed in (("weak", "Speech"), ("euc", "")):
        for seed in (0, 1):
            make_run(tmp_path / f"runs/{row}/seed_{seed}", missed=missed)
    shutil.rmtree(tmp_path / "runs/euc/seed_1/validation")
    monkeypatch.setattr(sys, "argv", ["table.py", str(tmp_path / "runs"), "--root", str(corpus)])
    table.main()
    rows = cells(capsys.readouterr().out)
    assert rows["euc - weak (2)"][:2] == ["+33.3 [+33.3, +33.3], p < 0.01", "+33.3"]
    assert not (tmp_path / "runs/euc/seed_1/numbers.npz").exists()


def test_no_finished_run_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["table.py", str(tmp_path), "--root", str(tmp_path)])
    with pytest.raises(SystemExit, match="no finished run of weak, euc"):
        table.main()
