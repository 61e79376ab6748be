"""The tables, claims and pictures of `experiments/cosine_penalty`, from made-up runs."""

import json
import sys

import pytest

from experiments.cosine_penalty import claims, pictures, table
from tests.experiments import made_up
from tests.experiments.made_up import LABELS, cells, make_corpus, make_run, name_recordings, numbers
from wsed.types import Labels

TAGGER = json.dumps({"decoder": {"tag_threshold": [0.5] * len(LABELS)}, "tagging_f1": {"macro": 1.0}})
OTHER = {"Dishes": "Cough", "Frying": "Rale", "Speech": "Wheeze"}
BEST = json.dumps(
    {
        "event_f1": {"macro": 1.0, "per_class": {label: {"f1": 1.0} for label in LABELS}},
        "segment_f1": {"macro": 1.0},
        "tagging_f1": {"macro": 1.0},
        "psds1": 1.0,
        "psds2": None,
    }
)


@pytest.fixture
def runs(tmp_path):
    make_corpus(tmp_path / "corpus")
    make_run(tmp_path / "runs/tagger/seed_0", TAGGER)
    make_run(tmp_path / "runs/best/seed_0", BEST)
    for row, missed in (("fsl", "Speech"), ("mil", ""), ("glu_mil", ""), ("glu_mil_cos", "")):
        for seed in (0, 1):
            make_run(tmp_path / f"runs/{row}/seed_{seed}", missed=missed)
    return tmp_path


@pytest.fixture
def other_classes(monkeypatch):
    """Made-up runs and clips get other classes than the paper's."""
    events = {clip: [(OTHER.get(c, c), *times) for c, *times in several] for clip, several in made_up.EVENTS.items()}
    monkeypatch.setattr(made_up, "EVENTS", events)
    monkeypatch.setattr(made_up, "LABELS", Labels([OTHER.get(label, label) for label in LABELS]))


@pytest.fixture
def printed(runs, monkeypatch, capsys):
    def by(script, *more):
        arguments = [f"{script.__name__}.py", str(runs / "runs"), "--root", str(runs / "corpus"), *more]
        monkeypatch.setattr(sys, "argv", arguments)
        script.main()
        return capsys.readouterr().out

    return by


def test_rows_are_decoded_with_the_taggers_tags(printed):
    out = printed(table)
    rows = cells(out)
    assert "tagger: F1 100.0 %" in out
    assert rows["%"] == ["fsl (2)", "mil (2)", "glu_mil (2)", "glu_mil_cos (2)"]
    assert numbers(rows["tagging F1, its own tags"])[1:] == [100.0] * 3
    assert numbers(rows["not rescaled, 0.5, median 0.2 s, no tags"]) == pytest.approx([66.7, 100, 100, 100])
    assert numbers(rows["the published decoder"]) != numbers(rows["no gap closed"])
    assert numbers(rows["Speech"])[0] == 0


def test_claims_are_those_of_the_recipe(printed, monkeypatch):
    monkeypatch.setattr(claims, "GAPS", (0.2,))
    monkeypatch.setattr(claims, "WINDOWS", (0.44,))
    rows = cells(printed(claims))
    assert rows["the penalty decorrelates, the penalty finds Dishes"][:2] == ["glu_mil_cos - glu_mil", "2"]
    assert rows["MIL beats tags on every frame"][0] == "mil - fsl (2)"
    assert rows["MIL beats tags on every frame"][-2] == "above"
    assert rows["GLU helps MIL"][-1] == "open"  # the same scores
    found = rows["the penalty finds Dishes"]  # not the mean over classes: the paper says Dishes from 0 to 4.1
    assert (found[1], found[3:]) == ("dishes_f1", ["above", "open"])
    assert rows["exact"] == ["100.0", "100.0"]
    assert rows["best - mil"][0] == "1"


def test_intervals_of_claims_are_over_recordings_too(tmp_path, monkeypatch, capsys):
    """The seeds agree; one recording decides the difference."""
    corpus = make_corpus(tmp_path / "corpus")
    for row, missed in (("fsl", "Frying"), ("mil", "")):
        for seed in (0, 1):
            make_run(tmp_path / f"runs/{row}/seed_{seed}", missed=missed, clips="b")
    monkeypatch.setattr(claims, "GAPS", (0.2,))
    monkeypatch.setattr(claims, "WINDOWS", (0.44,))
    monkeypatch.setattr(sys, "argv", ["claims.py", str(tmp_path / "runs"), "--root", str(corpus)])
    claims.main()
    out = capsys.readouterr().out
    assert "Intervals are over seeds alone: no groups of the test clips are known." in out
    assert cells(out)["MIL beats tags on every frame"][-1] == "holds"
    name_recordings(corpus)
    claims.main()
    out = capsys.readouterr().out
    assert "Intervals are over seeds and 5 recordings.\n" in out
    assert cells(out)["MIL beats tags on every frame"][-1].startswith("open: 5 groups of test clips are too few")


def test_no_finished_run_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["claims.py", str(tmp_path)])
    with pytest.raises(SystemExit, match="no finished run of fsl"):
        claims.main()


def test_pictures_are_drawn(runs, printed):
    for seed in (0, 1):
        make_run(runs / f"runs/glu_mil_cos_alpha_1/seed_{seed}")
    (runs / "out").mkdir()
    printed(pictures, "--out", str(runs / "out"))
    assert {path.name for path in (runs / "out").iterdir()} == {"curves.png", "correlation.png", "overlap.png"}


def test_a_corpus_with_other_classes(other_classes, tmp_path, monkeypatch, capsys):
    make_corpus(tmp_path / "corpus")
    for row in ("fsl", "mil", "glu_mil", "glu_mil_cos", "glu_mil_cos_alpha_1"):
        make_run(tmp_path / f"runs/{row}/seed_0")
    for script, more in ((claims, ()), (pictures, ("--out", str(tmp_path)))):
        arguments = [str(tmp_path / "runs"), "--root", str(tmp_path / "corpus"), *more]
        monkeypatch.setattr(sys, "argv", [script.__name__, *arguments])
        script.main()
    out = capsys.readouterr().out
    assert "not judged, since the corpus lacks Dishes or Frying: the penalty decorrelates; " in out
    assert cells(out)["GLU helps MIL"][-1] == "open: 1 seed; a test needs 2 or more"
    assert (tmp_path / "curves.png").is_file()
