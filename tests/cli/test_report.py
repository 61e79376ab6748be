"""`wsed report` of a run and of files: with and without sound, and what it refuses."""

import json

import pytest
import torch
import yaml

from wsed.cli.main import main
from wsed.data.corpus.desed import DESED
from wsed.decoding import StepDecoder
from wsed.report.run import Evaluation
from wsed.run import RunFolder
from wsed.scoring.formats.run_scores import truth_of, write_scores
from wsed.scoring.score import score, system_of
from wsed.values import Scores


def make_run(path, root, noise=0.5):
    """The folder of a tested run, without training; with more noise than 0.5 it detects more than there is."""
    corpus = DESED(root)
    clips = corpus.clips("test")
    ids = tuple(sorted(clip.id for clip in clips))
    truth = truth_of(clips, ids, corpus.labels)
    random = torch.rand(len(ids), 20, 2, generator=torch.Generator().manual_seed(0))
    frames = (0.6 * truth.events.rasterise(len(ids), 2, 20, 20.0) + noise * random).clamp(0, 1)
    scores = Scores.of_padded(frames, 20.0, clip_ids=ids, clip_scores=frames.amax(1))
    decoder = StepDecoder()
    detected = decoder(scores)
    run = RunFolder(path)
    folder = run.split("test")
    folder.path.mkdir(parents=True)
    report = score(system_of(scores, truth, corpus.labels, decoder, detected.events))
    report.without_curves().write(folder.report)
    write_scores(folder.path, scores, corpus.labels)
    Evaluation(scores, truth, detected, report, corpus.labels, decoder).write_predictions(folder.predictions)
    settings = {"data": {"corpus": {"class_path": "desed", "init_args": {"root": str(root)}}}}
    run.config.write_text(yaml.safe_dump(settings))
    run.versions("fit").write_text(json.dumps({"wsed": "0.2.0"}))
    (path / "csv/version_0").mkdir(parents=True)
    (path / "csv/version_0/metrics.csv").write_text("epoch,step,train/loss,val/event_f1\n0,3,0.5,\n0,3,,0.25\n")
    return path


def data_of(page):
    text = page.read_text(encoding="utf-8")
    return json.loads(text.split('id="data">')[1].split("</script>")[0])


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("runs") / "seed_0", corpus)


def test_a_run(run, capsys):
    assert main(["report", str(run), "--resamples", "0"]) == 0
    assert "8 clips, 8 with picture, 8 with sound" in capsys.readouterr().err
    data = data_of(run / "test/report.html")
    system = data["systems"][0]
    assert system["learning"] == {"epochs": [0], "values": {"train/loss": [0.5], "val/event_f1": [0.25]}}
    assert {"frames", "clips", "events"} == system["reliability"].keys()
    assert system["rocs"].keys() == {"psds1", "psds2"}
    assert sum(system["true"]) == 8
    assert system["chosen"] == {"high": 0.5, "low": 0.5}


def test_sounds_and_tables_that_moved(run, corpus, tmp_path, capsys):
    config = run / "config.yaml"
    before = config.read_text()
    config.write_text(before.replace(str(corpus), str(tmp_path / "gone")))
    try:
        assert main(["report", str(run), "--out", str(tmp_path / "page.html"), "--resamples", "0"]) == 0
    finally:
        config.write_text(before)
    assert "without true events and sound" in capsys.readouterr().err
    assert data_of(tmp_path / "page.html")["systems"][0]["scores"]  # the scores of the test are still there


def test_files_with_and_without_sound(corpus, run, tmp_path, capsys):
    reference, predictions = corpus / "metadata/eval/public.tsv", run / "test/predictions.tsv"
    page = tmp_path / "page.html"
    given = ["report", str(predictions), "--reference", str(reference), "--out", str(page), "--resamples", "20"]
    assert main([*given, "--audio", str(corpus / "audio/eval/public"), "--sounds", "2"]) == 0
    assert "8 with picture, 2 with sound" in capsys.readouterr().err
    assert data_of(page)["systems"][0]["level"] == 0.95
    assert main(given) == 0
    assert "no sound: give the folder of the clips with --audio" in capsys.readouterr().err
    assert main(["report", str(predictions), "--out", str(page)]) == 0
    assert "nothing to score against" in capsys.readouterr().err


def test_two_runs_and_their_differences(run, tmp_path):
    assert (
        main(
            ["report", str(run), str(run), "--out", str(tmp_path / "page.html"), "--resamples", "20", "--pictures", "0"]
        )
        == 0
    )
    rows = data_of(tmp_path / "page.html")["comparisons"][0]["rows"]
    assert {row["difference"] for row in rows} == {0.0}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "no such run or file: none"),
        (["{runs}"], "holds 1 runs: name those to show"),
        (["{run}", "--split", "validation"], "run `wsed validate"),
        (["{run}", "--out", "{run}"], "is a folder: name a file"),
        (["{run}", "--out", "none/page.html"], "no folder"),
        (["{run}/config.yaml"], "give --reference TSV"),
    ],
)
def test_mistakes(run, capsys, arguments, message):
    filled = [text.format(run=run, runs=run.parent) for text in arguments]
    assert main(["report", *filled]) == 2
    assert message in capsys.readouterr().err
