"""Results of studies: values, claims, and what is said where they cannot be judged."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.experiments.made_up import EVENTS, LABELS, made_scores, make_corpus
from wsed.decoding import StepDecoder
from wsed.metrics.base import default_metrics
from wsed.metrics.chosen import metric_of
from wsed.report.run import Evaluation
from wsed.run import RunFolder
from wsed.scoring.facts import RunFacts
from wsed.scoring.formats.run_scores import read_scores, truth_of, write_scores
from wsed.scoring.score import correlation, detect, score, system_of
from wsed.study.measures import MeasuredRun
from wsed.study.plan import earlier, plan
from wsed.study.results import Failure, results
from wsed.study.rows import read_recipe
from wsed.study.runs import corpus_of

pytest.importorskip("scipy.stats", reason="the extra study is not installed")

RECIPE = """
title: A paper
rows:
  mil: {paper: {event_f1: [20, 1]}}
  cos: {title: "+ cos", paper: {event_f1: 30}}
  unrun: {}
claims:
  - {name: cos helps, rows: [mil, cos], measure: event_f1, expect: above}
  - {name: it parts classes, rows: [mil, cos], measure: parted, expect: equal, margin: 5}
  - {name: no run, rows: [mil, unrun], measure: event_f1, expect: above}
compare: [[cos, mil], [mil, unrun]]
measures: {parted: correlation/Dishes/Frying, ap: tagging/macro_ap}
groups: patient  # which this corpus does not know
scales: {small: {}}
"""


def write_run(folder, corpus, missed):
    """A run that finds every event but those of the class `missed`."""
    run, scores = RunFolder(folder), made_scores(missed)
    decoder, truth = StepDecoder(), truth_of(corpus.clips("test"), scores.clip_ids, LABELS)
    detected = detect(scores, truth, decoder)
    report = score(system_of(scores, truth, LABELS, decoder, detected.events), default_metrics())
    facts = RunFacts(decoder.values(), 1, correlation=correlation(scores, LABELS))
    run.split("test").path.mkdir(parents=True, exist_ok=True)
    replace(report, run=facts).without_curves().write(run.split("test").report)
    write_scores(run.split("test").path, scores, LABELS)
    Evaluation(scores, truth, detected, report, LABELS, decoder).write_predictions(run.split("test").predictions)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two seeds of two rows; `cos` finds one class more."""
    root = tmp_path_factory.mktemp("results")
    corpus = make_corpus(root / "corpus")
    rows = ["filename\tsource_file\tbackground_file", *(f"{name}.wav\tdog_{name}\train" for name in EVENTS)]
    (corpus / "metadata/eval/provenance.tsv").write_text("\n".join(rows) + "\n")
    (root / "paper/rows").mkdir(parents=True)
    for name in ("base", "rows/mil", "rows/cos", "rows/unrun"):
        (root / f"paper/{name}.yaml").write_text("{}")
    (root / "paper/recipe.yaml").write_text(RECIPE)
    recipe = read_recipe(root / "paper")
    jobs = plan(recipe, recipe.scales["small"], root / "out", seeds=2)
    for job in jobs[:4]:
        job.mark()
        config = f"data: {{corpus: {{class_path: desed, init_args: {{root: {corpus}}}}}}}\n"
        (job.folder / "config.yaml").write_text(config)
        write_run(job.folder, corpus_of(RunFolder(job.folder)), "Frying" if job.row.name == "mil" else "")
        job.mark(seconds=1.0)
    return recipe, jobs, corpus


def test_claims_are_judged_over_seeds_and_recordings(study):
    recipe, jobs, corpus = study
    found = results(recipe, "small", jobs, corpus, "a toy")
    assert {row: list(runs) for row, runs in found.runs.items()} == {
        "mil": ["seed_0", "seed_1"], "cos": ["seed_0", "seed_1"]
    }  # fmt: skip
    helps, parts = found.judged()
    assert helps.difference.mean == pytest.approx(100 / 3)
    assert (helps.difference.n, helps.difference.groups) == (2, 4)
    assert helps.difference.error > 0  # seeds alike, recordings not
    assert parts.difference.mean == pytest.approx(
        found.values("cos", "parted")["seed_0"] - found.values("mil", "parted")["seed_0"]
    )
    text = found.markdown()
    assert "This is not the corpus of the paper" in text
    assert "| mil | event_f1 | 20.0 +- 1.0 | 66.7 +- 0.0 | 66.7 | 2 | +46.7 |" in text
    assert "| cos helps | cos - mil | event_f1 | above | +10.0 | +33.3" in text
    assert "2 of 6 runs are not done" in text
    assert "2 seeds, 4 recordings" in text
    (pair,) = re.findall(r"^\| mil - cos \|.*", text, flags=re.MULTILINE)
    assert pair.startswith("| mil - cos | -33.3 [")
    assert pair.count("[") == 3  # in each measure, with its interval
    assert "| mil | ap | - | " in text
    assert "no run" not in text
    plain = json.loads(found.to_json())
    assert plain["rows"]["mil"]["event_f1"]["seeds"] == pytest.approx({"seed_0": 200 / 3, "seed_1": 200 / 3})
    assert [claim["groups"] for claim in plain["claims"]] == [4, 4]
    assert [(each["rows"], each["measure"]) for each in plain["differences"]] == [
        (["cos", "mil"], name) for name in ("event_f1", "parted", "ap")
    ]
    assert plain["differences"][0]["difference"] == pytest.approx(-100 / 3)


def test_the_table_for_a_paper(study):
    recipe, jobs, corpus = study
    found = results(recipe, "small", jobs, corpus, "a toy")
    latex, (head, mil, cos) = found.table("latex"), found.table("csv").splitlines()
    assert r"\begin{tabular}" in latex
    assert r"+ cos & \textbf{100.0 $\pm$ 0.0}" in latex  # both seeds are better, by the same
    assert head.startswith("system,event_f1 mean,event_f1 std")
    assert (mil.split(",")[:2], cos.split(",")[:2]) == (["mil", "66.6667"], ["+ cos", "100"])


def test_one_seed_decides_nothing_and_failures_are_told(study):
    recipe, jobs, corpus = study
    failures = [Failure("paper: unrun, seed 0", "exit status 2", "wsed: error: no such file")]
    found = results(recipe, "small", [jobs[0], jobs[2]], corpus, "a toy", failures=failures)
    assert {judged.verdict for judged in found.judged()} == {"open"}
    text = found.markdown()
    assert "open: 1 seed; a test needs 2 or more" in text
    assert "## Failed: paper: unrun, seed 0 (exit status 2)\n\n```\nwsed: error: no such file\n```" in text


def test_finished_runs_of_earlier_calls_stay_in_the_report(study):
    recipe, jobs, corpus = study
    scale, out = recipe.scales["small"], jobs[0].folder.parents[1]
    asked = plan(recipe, scale, out, ["cos", "unrun"], seeds=1)
    found = results(recipe, "small", asked, corpus, "a toy", before=earlier(recipe, scale, out, asked))
    assert {row: list(runs) for row, runs in found.runs.items()} == {
        row: ["seed_0", "seed_1"] for row in ("mil", "cos")
    }
    assert [judged.difference.n for judged in found.judged()] == [2, 2]
    assert {
        "Made by earlier calls, not asked for now: mil, seed 0 1; cos, seed 1.",
        "1 of 2 runs are not done.",
    } <= set(found.notes)
    other = replace(scale, settings={"trainer.max_epochs": 3})  # runs with other settings do not belong to it
    found = results(recipe, "small", [], corpus, "a toy", before=earlier(recipe, other, out, []))
    assert found.runs == {}


def test_holes_in_the_corpus_of_the_paper_are_counted(study):
    recipe, jobs, corpus = study
    text = results(recipe, "small", jobs[:4], corpus, "DESED", comparable=True).markdown()
    assert "The corpus is incomplete: 3 of 3 sound files of test are missing." in text
    assert "This is not the corpus" not in text


def test_a_run_on_other_clips_has_an_interval_over_seeds_alone(study, tmp_path):
    recipe, jobs, corpus = study
    out = tmp_path / "out"
    shutil.copytree(jobs[0].folder.parents[1], out)
    moved = [replace(job, folder=out / job.folder.relative_to(jobs[0].folder.parents[1])) for job in jobs[:4]]
    labels, scores = read_scores(moved[3].folder / "test")
    write_scores(moved[3].folder / "test", scores.select(torch.arange(len(scores.clip_ids) - 1)), labels)
    found = results(recipe, "small", moved, corpus, "a toy")
    assert [judged.difference.groups for judged in found.judged()] == [0, 0]
    assert (
        "cos, seed_1 was not tested on the clips of the other runs, or in another order: its intervals are over seeds "
        "alone; test it again."
    ) in found.notes
    assert found.runs["cos"]["seed_1"].scored is not None  # measures that need the scores have a value


def test_a_seed_without_a_value_is_left_out_and_not_counted(study):
    recipe, jobs, corpus = study
    found = results(recipe, "small", jobs[:4], corpus, "a toy")
    runs = {"mil": {"seed_0": found.runs["mil"]["seed_0"], "seed_1": found.runs["mil"]["seed_1"]}}
    bare = runs["mil"]["seed_1"].report
    without = replace(bare, metrics={**bare.metrics, "event_f1": None})
    runs["mil"]["seed_1"] = replace(runs["mil"]["seed_1"], report=without)
    some = replace(found, runs=runs)
    assert "| mil | event_f1 | 20.0 +- 1.0 | 66.7 | 66.7 | 1 | +46.7 |" in some.markdown()
    row = json.loads(some.to_json())["rows"]["mil"]["event_f1"]
    assert (row["mean"], row["best"], row["seeds"]["seed_1"]) == (pytest.approx(200 / 3), pytest.approx(200 / 3), None)
    assert some.table("csv").splitlines()[1].split(",")[1] == "66.6667"


def test_a_run_that_only_embeds_has_no_scores_to_compute_anew(study, tmp_path):
    _, jobs, _ = study
    run = RunFolder(tmp_path)
    run.split("test").path.mkdir()
    RunFolder(jobs[0].folder).report("test").write(run.split("test").report)
    measured = MeasuredRun.read(run, {})
    assert (measured.scored, measured.statistic("event_f1")) == (None, None)
    assert measured.value("event_f1") == pytest.approx(200 / 3)


def test_values_of_the_report_are_those_computed_anew(study):
    _, jobs, _ = study
    clips = {clip.id: clip for clip in corpus_of(RunFolder(jobs[0].folder)).clips("test")}
    run = MeasuredRun.read(RunFolder(jobs[0].folder), clips)
    report = score(
        run._system(run.scored), {name: metric_of(name) for name in ("segment_f1:length=0.5", *run.report.metrics)}
    )
    run = replace(run, report=replace(report, run=run.report.run))
    for source in (
        "event_f1", "segment_f1/micro", "segment_f1:length=0.5/macro", "tagging_f1", "tagging/macro_ap",
        "correlation/Dishes/Speech",
    ):  # fmt: skip
        statistic = run.statistic(source)
        assert statistic is not None
        assert statistic(np.ones((1, 3)))[0] == pytest.approx(run.value(source), abs=1e-4), source
    assert run.statistic("event_f1/n_ref") is None
    assert np.isnan(run.value("event_f1/none"))
