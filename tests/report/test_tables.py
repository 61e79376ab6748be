"""What a reader of the printed scores and of the picture is told."""

import io
import re
from dataclasses import replace

import pytest
import torch
from matplotlib.image import imread
from rich.console import Console

from wsed.decoding import StepDecoder, Tuning
from wsed.errors import WsedError
from wsed.formats.event import Event
from wsed.formats.recording import Recording
from wsed.metrics import EventF1, event_counts
from wsed.metrics.base import METRICS, default_metrics
from wsed.metrics.system import System
from wsed.report import pictures
from wsed.report.detections import draw
from wsed.report.tables import score_table, seeds_table
from wsed.scoring.facts import RunFacts
from wsed.scoring.report import Report
from wsed.scoring.resampling import Resampling, resample, samples
from wsed.scoring.score import score, system_of
from wsed.testing.metrics import system
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Scores

ABC = Labels("abc")


def text(table) -> str:
    console = Console(width=120, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def tagger(golden) -> tuple[Scores, Truth]:
    """The tagger of the golden values, on 20 clips."""
    g = golden("mmnet_metrics")
    tags, clip_scores = torch.tensor(g["y"]).bool(), torch.tensor(g["p"], dtype=torch.float64)
    seconds, none = torch.full((len(tags),), 10.0, dtype=torch.float64), torch.zeros_like(tags)
    scores = Scores(tuple(f"{i:02d}" for i in range(len(tags))), seconds, clip_scores=clip_scores)
    return scores, Truth(tags, torch.ones_like(tags), Events.of([]), none)


def test_thresholds_tuned_on_the_test_clips_give_the_papers_figures(tagger, golden) -> None:
    """M&mnet's protocol from tuning to print: a grid of thresholds for each class on the very clips that are scored."""
    g = golden("mmnet_metrics")
    decoder, how = Tuning(split="test", tags="grid").tune(StepDecoder(), *tagger, event_counts)
    assert how["split"] == "test"
    report = score(system_of(*tagger, ABC, decoder))
    found = report.to_dict()
    assert found["tagging"]["macro_ap"] == pytest.approx(g["mAP"], abs=1e-12)
    assert found["tagging"]["macro_auroc"] == pytest.approx(g["AUC_macro"], abs=1e-12)
    tags, macro, micro = found["tagging_f1"], g["macro"], g["micro_at_those_thresholds"]
    assert (tags["macro"], tags["macro_recall"], tags["macro_precision"]) == pytest.approx(
        (macro["F1"], macro["R"], macro["P"]), abs=1e-12
    )
    assert tags["macro_f_harmonic"] == pytest.approx(macro["harmonic_of_macro_P_R"], abs=1e-12)
    assert (tags["micro"], tags["micro_recall"], tags["micro_precision"]) == pytest.approx(
        (micro["F1"], micro["R"], micro["P"]), abs=1e-12
    )
    for label, best in zip(ABC, g["best_per_class_threshold_F1_R_P"], strict=True):
        own = tags["per_class"][label]
        assert (own["f1"], own["recall"], own["precision"]) == pytest.approx(best[1:], abs=1e-12)
    told = text(score_table(report))
    assert "mAP 83.5, AUROC 91.1" in told
    assert "tags: macro precision 75.0, recall 87.8; F1 of these means 80.9" in told


@pytest.mark.parametrize("same", [True, False])
def test_every_report_says_what_was_tuned_on_its_own_clips(tagger, tmp_path, same, monkeypatch) -> None:
    titles = []
    monkeypatch.setattr("matplotlib.axes.Axes.set_title", lambda self, title, **how: titles.append(title))
    decoder, how = Tuning(split="test", tags="grid").tune(StepDecoder(), *tagger, event_counts)
    found = replace(score(system_of(*tagger, ABC, decoder)), run=RunFacts(decoder.values(), 0, how, same))
    told = text(score_table(found))
    assert ("the scores are too good" in told) == same
    assert "decoder tuned on the test set: tag_threshold" in told
    several = text(seeds_table({"seed_0": replace(found, run=None), "seed_1": found}))
    assert ("the scores are too good (seed_1)" in several) == same
    pictures.class_f1(tmp_path / "f1.png", found)
    assert titles == ["the decoder was tuned on these clips: too good"] * same
    assert (tmp_path / "f1.png").stat().st_size > 1000


def test_a_system_without_tags_has_no_line_of_them() -> None:
    yes = torch.ones(2, 3, dtype=torch.bool)
    whole = System(ABC, Truth(yes, yes, Events.of([]), ~yes), tags=yes)
    assert "tags: macro precision 100.0" in text(score_table(score(whole)))
    assert "tags" not in text(score_table(score(replace(whole, tags=None))))


def many(n: int, length: int = 26) -> System:
    """A system of `n` classes with long names; class `i` is detected in all clips if `i` is even."""
    labels = Labels([f"{i:04d}".ljust(length, "x") for i in range(n)])
    true = Events.of([(clip, label, 1.0, 2.0) for clip in range(2) for label in range(n)])
    yes = torch.ones(2, n, dtype=torch.bool)
    detected = true[(true.label % 2 == 0).nonzero()[:, 0]]
    return System(labels, Truth(yes, yes, true, yes), detected, torch.tensor([10.0, 10.0]).double(), tags=yes)


def test_at_80_columns_no_name_is_cut_and_no_line_is_broken() -> None:
    console = Console(width=80, file=io.StringIO())
    report = score(many(4))
    report = replace(report, intervals=resample(samples(many(4), default_metrics()), Resampling(20)))
    console.print(score_table(report, 80))
    lines = console.file.getvalue().splitlines()
    assert all(f"{i:04d}".ljust(26, "x") in console.file.getvalue() for i in range(4))
    assert "ref." in console.file.getvalue()
    assert "…" not in console.file.getvalue()
    (tags,) = (line for line in lines if line.startswith("tags: macro"))
    assert re.fullmatch(r"tags: macro precision [\d.]+, recall [\d.]+; F1 of these means [\d.]+", tags)  # whole
    assert max(map(len, lines)) <= 80
    names = [line[:4] for line in lines if line.startswith("000")]
    assert names == ["0000", "0002", "0001", "0003"]  # the best first


@pytest.mark.parametrize("n_labels", [1, 527])
def test_pictures_of_any_number_of_classes(tmp_path, n_labels) -> None:
    report = score(many(n_labels, 6), {"event_f1": EventF1()})
    pictures.class_f1(tmp_path / "f1.png", report)
    pictures.evaluation(tmp_path / "two.png", [("a", report), ("b", report)])
    for name in ("f1.png", "two.png"):
        assert 1000 < (tmp_path / name).stat().st_size < 300_000
    scores = Scores.of_clips(["a"], [torch.rand(20, n_labels)], 2.0)
    labels = Labels([f"{i:04d}" for i in range(n_labels)])
    draw(tmp_path / "a.png", Recording("a", "a.wav", 10.0, 8000, (Event("0000", 1.0, 2.0),)), scores, labels)
    assert imread(tmp_path / "a.png").shape[0] < 1300


def test_metrics_without_intervals_are_named() -> None:
    metrics = {**default_metrics(), "best_event_f1": METRICS["best_event_f1"]()}
    made = system()
    report = score(made, metrics)
    report = replace(report, intervals=resample(samples(made, metrics), Resampling(20)))
    told = text(score_table(report))
    assert "no intervals of: best event F1" in told
    assert "event F1," not in told.split("no intervals of: ")[1].replace("best event F1", "")
    assert "no intervals of" not in text(score_table(replace(report, intervals=None)))


@pytest.mark.parametrize("gone", ["micro", "0000xx", "f1"])
def test_a_report_that_lacks_a_number_is_damaged(gone) -> None:
    plain = score(many(2, 6)).to_dict()
    part = {**plain["segment_f1"], "per_class": {k: dict(v) for k, v in plain["segment_f1"]["per_class"].items()}}
    for group in (part, part["per_class"], part["per_class"]["0001xx"]):
        group.pop(gone, None)
    with pytest.raises(WsedError, match=rf"the report lacks '{gone}' \(it has .*\); score again"):
        score_table(Report.of_dict({**plain, "segment_f1": part}))
