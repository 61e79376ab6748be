"""The runs of a study: what makes them, when they are done, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from wsed.errors import WsedError
from wsed.study.corpora import corpus_of
from wsed.study.job import MARK
from wsed.study.plan import check_begun, plan
from wsed.study.recipes import find_recipes
from wsed.study.rows import read_recipe

RECIPE = """
title: A paper
seeds: 3
rows:
  tagger: {seeds: 1}
  mil: {paper: {event_f1: 20}}
  mil_at: {after: tagger, takes: model.network.init_args.pretrained}
  mil_oracle: {weights_of: mil}
  pseudo: {predictions_of: mil}
  again: {predictions_of: pseudo}
  other: {after: tagger}
overlays: {tiny: ["*", "!other"]}
claims: [{name: tags help, rows: [mil, mil_at], measure: event_f1, expect: above}]
scales:
  smoke:
    corpus: {name: toy, clips: {train: 2, eval: 2}}
    overlays: [tiny]
    seeds: 2
    settings: {trainer.max_epochs: 1, trainer.logger: false}
  full: {paper: DESED}
"""


@pytest.fixture
def recipe(tmp_path):
    folder = tmp_path / "paper"
    (folder / "rows").mkdir(parents=True)
    names = ("tagger", "mil", "mil_at", "mil_oracle", "pseudo", "again", "other")
    for name in ("base", "tiny", *(f"rows/{row}" for row in names)):
        (folder / f"{name}.yaml").write_text("{}")
    (folder / "recipe.yaml").write_text(RECIPE)
    return read_recipe(folder)


def finish(job, config="test_checkpoint: last\nevaluation: {tuning: null}\n"):
    """The files that a finished run leaves."""
    for folder in ("test", "checkpoints"):
        (job.folder / folder).mkdir(parents=True)
    (job.folder / "test/scores.json").write_text("{}")
    (job.folder / "config.yaml").write_text(config)
    for name in ("best", "last"):
        (job.folder / f"checkpoints/{name}.ckpt").write_bytes(name.encode())
    job.mark(seconds=1.0)


def test_rows_come_after_those_they_need(recipe, tmp_path):
    jobs = plan(recipe, recipe.scales["smoke"], tmp_path / "out")
    assert [(job.row.name, job.seed) for job in jobs] == [
        (row, seed) for row in ("tagger", "mil", "mil_at", "mil_oracle", "pseudo", "again") for seed in (0, 1)
    ]
    at = next(job for job in jobs if job.name == "paper: mil_at, seed 1")
    assert at.needs == tmp_path / "out/tagger/seed_1"
    finish(jobs[1])
    (line,) = at.commands(tmp_path / "data")
    assert line[:4] == ["fit", *(f"--config={recipe.folder / name}.yaml" for name in ("base", "rows/mil_at", "tiny"))]
    assert line[4:10] == [
        "--data.corpus.root", str(tmp_path / "data"), "--trainer.max_epochs", "1", "--trainer.logger", "false"
    ]  # fmt: skip
    assert line[-2:] == [
        "--model.network.init_args.pretrained",
        str(tmp_path / "out/tagger/seed_1/checkpoints/best.ckpt"),
    ]


def test_chosen_rows_bring_those_they_need(recipe, tmp_path):
    jobs = plan(recipe, recipe.scales["smoke"], tmp_path, ["mil_*"], seeds=1)
    assert [job.row.name for job in jobs] == ["tagger", "mil_at", "mil", "mil_oracle"]
    full = plan(recipe, recipe.scales["full"], tmp_path)
    assert {job.row.name: job.seed for job in full} == {
        "tagger": 0, "mil": 2, "mil_at": 2, "mil_oracle": 2, "pseudo": 2, "again": 2
    }  # fmt: skip
    assert {job.needs for job in full if job.row.name == "mil_at"} == {tmp_path / "tagger/seed_0"}


def test_a_row_trains_on_the_labels_that_another_row_predicts(recipe, tmp_path):
    jobs = plan(recipe, recipe.scales["full"], tmp_path, ["again"], seeds=1)
    assert [job.row.name for job in jobs] == ["mil", "pseudo", "again"]
    mil, pseudo, again = jobs
    finish(mil)
    predict, fit = pseudo.commands(tmp_path / "data")
    own = [f"--config={recipe.folder / name}.yaml" for name in ("base", "rows/pseudo")]
    root = ["--data.corpus.corpus.root", str(tmp_path / "data")]
    labels = str(pseudo.folder / "labels")
    place = ["--trainer.default_root_dir", labels, "--ckpt_path", str(mil.folder / "checkpoints/last.ckpt")]
    config = f"--config={mil.folder / 'config.yaml'}"
    assert predict == ["predict", config, *own, *root, "--data.corpus.predictions", "null", *place]
    assert fit[:5] == ["fit", *own, *root]
    assert fit[-2:] == ["--data.corpus.predictions", labels]
    # The second iteration predicts by the settings of the first, whose corpus is `pseudo` already, at the place of now.
    finish(pseudo, "test_checkpoint: last\ndata: {corpus: {class_path: pseudo, init_args: {predictions: x}}}\n")
    predict, _ = again.commands(tmp_path / "moved")
    config, root = f"--config={pseudo.folder / 'config.yaml'}", ["--data.corpus.corpus.root", str(tmp_path / "moved")]
    labels = str(again.folder / "labels")
    place = ["--trainer.default_root_dir", labels, "--ckpt_path", str(pseudo.folder / "checkpoints/last.ckpt")]
    assert predict == ["predict", config, *root, "--data.corpus.predictions", "null", *place]
    # What is predicted is not predicted again.
    (again.folder / "labels/predict").mkdir(parents=True)
    (again.folder / "labels/predict/predictions.tsv").write_text("")
    assert [line[0] for line in again.commands(tmp_path / "data")] == ["fit"]


def test_patterns_leave_out_what_cannot_run_and_names_say_why(recipe, tmp_path):
    smoke = recipe.scales["smoke"]
    rows = dict.fromkeys(job.row.name for job in plan(recipe, smoke, tmp_path, ["*", "!mil_*"]))
    # There is no row `other`: the recipe does not say how it gets its checkpoint.
    assert list(rows) == ["tagger", "mil", "pseudo", "again"]
    chosen = replace(smoke, rows=("*", "!mil"), seeds=1)
    assert [job.row.name for job in plan(recipe, chosen, tmp_path)] == [
        "tagger", "mil_at", "mil", "mil_oracle", "pseudo", "again"
    ]  # fmt: skip
    text = RECIPE.replace("takes: model.network.init_args.pretrained", "takes: x").replace(
        "after: tagger}\n", "takes: x}\n"
    )
    (recipe.folder / "recipe.yaml").write_text(text)
    with pytest.raises(WsedError, match=r"none of the overlays of the scale \(tiny\) is for the row other"):
        plan(read_recipe(recipe.folder), smoke, tmp_path, ["other"])
    with pytest.raises(WsedError, match="row other"):
        plan(read_recipe(recipe.folder), smoke, tmp_path, ["oth*"])


def test_a_run_goes_on_or_begins_anew_and_is_never_counted_before_it_is_done(recipe, tmp_path):
    (job,) = plan(recipe, recipe.scales["smoke"], tmp_path, ["mil"], seeds=1)
    assert job.state() == "missing"
    job.mark()
    assert (job.state(), job.commands(tmp_path)[0][-1]) == ("begun", str(job.folder))
    (job.folder / "config.yaml").touch()
    assert job.commands(tmp_path)[0][-1] == "--overwrite"
    (job.folder / "checkpoints").mkdir()
    (job.folder / "checkpoints/last.ckpt").touch()
    assert job.commands(tmp_path)[0][-2:] == ["--ckpt_path", "last"]
    (job.folder / "test").mkdir()
    (job.folder / "test/scores.json").write_text("{}")
    assert job.state() == "begun"  # killed after its test: what it left may be of an earlier start
    job.mark(seconds=2.0)
    assert job.state() == "done"
    (job.folder / "test/scores.json").unlink()
    assert job.state() == "begun"


def test_weights_of_another_row_are_scored_without_its_tuned_decoder(recipe, tmp_path):
    trained, scored = plan(recipe, recipe.scales["smoke"], tmp_path, ["mil_oracle"], seeds=1)
    with pytest.raises(WsedError, match="mil"):
        scored.commands(tmp_path)  # nothing is trained yet
    finish(trained)
    (line,) = scored.commands(tmp_path)
    assert (line[0], line[-2:]) == ("test", ["--ckpt_path", "last"])
    assert (scored.folder / "checkpoints/last.ckpt").read_bytes() == b"last"
    (recipe.folder / "rows/mil_oracle.yaml").write_text("evaluation: {tuning: {tags: grid}}\n")
    assert [line[0] for line in scored.commands(tmp_path)] == ["validate", "test"]


def test_folders_of_others_are_refused(recipe, tmp_path):
    (job,) = plan(recipe, recipe.scales["smoke"], tmp_path, ["mil"], seeds=1)
    job.folder.mkdir(parents=True)
    (job.folder / "config.yaml").touch()
    with pytest.raises(WsedError, match=r"did not write: move it away, or give another --out"):
        job.state()
    job.mark()
    (recipe.folder / "rows/mil.yaml").write_text("trainer: {max_epochs: 3}")
    with pytest.raises(WsedError, match=r"other settings \(base.yaml, mil.yaml, tiny.yaml or --scale"):
        job.state()
    (job.folder / MARK).write_text("{")
    with pytest.raises(WsedError, match=MARK):
        job.state()


@pytest.mark.parametrize("file", ["mil/seed_0", "mil", ""])
def test_a_file_where_a_folder_must_be_is_refused(recipe, tmp_path, file):
    (job,) = plan(recipe, recipe.scales["smoke"], tmp_path / "out", ["mil"], seeds=1)
    place = tmp_path / "out" / file
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    with pytest.raises(WsedError, match=f"{place} is a file, where a folder must be"):
        job.state()


def test_another_corpus_or_scale_is_refused(recipe, tmp_path):
    for name, text in (("one", "a"), ("same", "a"), ("other", "b")):
        (tmp_path / name / "metadata").mkdir(parents=True)
        (tmp_path / name / "metadata/weak.tsv").write_text(text)
    out = tmp_path / "out"
    check_begun(out, "small", tmp_path / "one")
    check_begun(out, "small", tmp_path / "same")  # the same corpus may be moved
    with pytest.raises(WsedError, match=r"begun with another corpus \(.*one\)"):
        check_begun(out, "small", tmp_path / "other")
    with pytest.raises(WsedError, match=r"begun with another scale \(small\)"):
        check_begun(out, "full", tmp_path / "one")
    with pytest.raises(WsedError, match="no such folder"):
        check_begun(out, "small", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(WsedError, match="holds no table of labels and no sound file"):
        check_begun(out, "small", tmp_path / "empty")


@pytest.mark.parametrize("label", ["a.txt", "audio/a.txt", "a.TextGrid", "a.CSV", None])
def test_a_corpus_without_tsv_and_csv_is_known_by_its_labels_or_its_sounds(label, tmp_path):
    corpus, out = tmp_path / "corpus", tmp_path / "out"
    for name, samples in (("dog/a.wav", 8000), ("rain/b.wav", 8000)):  # the names of the folders are the labels
        (corpus / name).parent.mkdir(parents=True)
        (corpus / "audio").mkdir(exist_ok=True)
        (corpus / "README.txt").write_text("sounds")
        soundfile.write(corpus / name, np.zeros(samples), 8000)
    if label is not None:
        (corpus / label).write_text("0.0 1.0 dog")
    check_begun(out, "small", corpus)
    check_begun(out, "small", corpus)
    changed = corpus / (label or "rain/b.wav")
    changed.write_bytes(changed.read_bytes() + b"12")
    with pytest.raises(WsedError, match=f"the files of {corpus} have changed since it was begun"):
        check_begun(out, "small", corpus)


def test_corpora_are_made_once_or_ones_own(recipe, tmp_path):
    made = corpus_of(recipe, "smoke", tmp_path, None, "builtin")
    assert (made.root, made.done()) == (tmp_path / "corpora/toy", False)
    made.root.mkdir(parents=True)
    assert not made.done()  # killed while it was made
    made.mark.write_text(json.dumps({"command": made.command}))
    assert made.done()
    with pytest.raises(WsedError, match="made with other settings"):
        corpus_of(recipe, "smoke", tmp_path, None, "my/sounds").done()
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken/corpora").touch()
    with pytest.raises(WsedError, match="taken/corpora is a file"):
        corpus_of(recipe, "smoke", tmp_path / "taken", None, "builtin").done()
    given = corpus_of(recipe, "full", tmp_path, tmp_path, "builtin").words
    assert given == f"`{tmp_path}`, given as the paper's: DESED; this was not checked"
    assert corpus_of(recipe, "smoke", tmp_path, tmp_path, "builtin").words == f"`{tmp_path}`, one's own"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  smoke:", "  smok:", "did you mean smoke"),
        ("overlays: [tiny]\n    seeds", "overlay: [tiny]\n    seeds", "did you mean overlays"),
        ("seeds: 2", "seeds: two", "write a number of seeds"),
        ("name: toy, ", "", "lacks name"),
        ("seeds: 2", "seeds: true", "write a number of seeds"),
        ("clips: {train: 2, eval: 2}", "clips: 2", "number of clips of each split"),
        ("clips: {train: 2, eval: 2}", "clips: {train: many}", "number of clips of each split"),
        ("clips: {train: 2, eval: 2}", "clips: {train: -3}", "number of clips of each split"),
        ("name: toy, ", "name: toy, seed: 1.5, ", r"corpus.seed is 1.5; write a whole number"),
    ],
)
def test_mistakes_in_scales_are_named(recipe, old, new, message):
    assert old in RECIPE
    (recipe.folder / "recipe.yaml").write_text(RECIPE.replace(old, new))
    with pytest.raises(WsedError, match=message):
        read_recipe(recipe.folder)


def test_a_row_without_overlay_is_refused_where_another_needs_it(recipe, tmp_path):
    """It would be trained with the settings of the paper."""
    text = RECIPE.replace('tiny: ["*", "!other"]', "tiny: [mil_oracle]")
    (recipe.folder / "recipe.yaml").write_text(text)
    changed = read_recipe(recipe.folder)
    with pytest.raises(WsedError, match=r"needs the row mil, but none of the overlays of the scale \(tiny\) is for"):
        plan(changed, changed.scales["smoke"], tmp_path)


def test_a_corpus_is_the_same_by_any_spelling_of_its_paths(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bank").mkdir()
    made = corpus_of(recipe, "smoke", Path("out"), None, "bank")
    made.root.mkdir(parents=True)
    made.mark.write_text(json.dumps({"command": made.command}))
    assert corpus_of(recipe, "smoke", tmp_path / "out", None, str(tmp_path / "bank")).done()
    (tmp_path / "other/bank").mkdir(parents=True)
    (tmp_path / "other/out").symlink_to(tmp_path / "out")
    monkeypatch.chdir(tmp_path / "other")
    with pytest.raises(WsedError, match="made with other settings"):
        corpus_of(recipe, "smoke", Path("out"), None, "bank").done()


def test_a_study_with_the_corpus_and_the_soundbank_in_it_can_be_moved(recipe, tmp_path):
    made = corpus_of(recipe, "smoke", tmp_path / "out", None, str(tmp_path / "out/soundbank"))
    made.root.mkdir(parents=True)
    (tmp_path / "out/soundbank").mkdir()
    made.mark.write_text(json.dumps({"command": made.command}))
    (tmp_path / "out").rename(tmp_path / "moved")
    assert corpus_of(recipe, "smoke", tmp_path / "moved", None, str(tmp_path / "moved/soundbank")).done()
    (tmp_path / "bank").mkdir()
    with pytest.raises(WsedError, match="made with other settings"):
        corpus_of(recipe, "smoke", tmp_path / "moved", None, str(tmp_path / "bank")).done()


def test_the_working_folder_may_be_the_recipe(recipe, monkeypatch):
    monkeypatch.chdir(recipe.folder)
    assert find_recipes(".", "smoke")[0].folder == find_recipes("recipe.yaml", "smoke")[0].folder == recipe.folder


def test_mistakes_in_names_are_named(recipe, tmp_path):
    assert find_recipes(str(recipe.folder), "smoke")[0].title == "A paper"
    with pytest.raises(WsedError, match="has no scale small; it has: smoke, full"):
        find_recipes(str(recipe.folder / "recipe.yaml"), "small")
    with pytest.raises(WsedError, match="did you mean waa"):
        find_recipes("wa", "smoke")
    with pytest.raises(WsedError, match="did you mean mil"):
        plan(recipe, recipe.scales["smoke"], tmp_path, ["mill"])
    with pytest.raises(
        WsedError, match="the row other comes after tagger, but the recipe does not say which setting takes"
    ):
        plan(recipe, recipe.scales["smoke"], tmp_path, ["other"])
