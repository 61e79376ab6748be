"""`wsed report` of a run and of files: with and without sound, and what it refuses."""

import json
import shutil
from functools import partial
from pathlib import Path

import pytest
import torch
import yaml

from tests.report.html.systems import NASTY
from wsed.checkpoint import facts_of
from wsed.cli.main import main
from wsed.data.corpus.desed import DESED
from wsed.decoding import StepDecoder
from wsed.models import CRNN, Composed, LogMel
from wsed.models.base import HEADS
from wsed.report.run import Evaluation
from wsed.run import RunFolder
from wsed.scoring.formats.run_scores import read_scores, truth_of, write_scores
from wsed.scoring.score import score, system_of
from wsed.types import Labels
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


def test_sounds_alone_that_moved(run, corpus, tmp_path, capsys):
    """The tables are there: true events are shown, and the page says that there is no sound."""
    shutil.copytree(corpus, tmp_path / "corpus", ignore=shutil.ignore_patterns("*.wav"))
    moved = tmp_path / "seed_0"
    shutil.copytree(run, moved)
    text = (moved / "config.yaml").read_text()
    (moved / "config.yaml").write_text(text.replace(str(corpus), str(tmp_path / "corpus")))
    assert main(["report", str(moved), "--resamples", "0"]) == 0
    assert "8 clips, 0 with picture, 0 with sound" in capsys.readouterr().err
    page = moved / "test/report.html"
    assert sum(data_of(page)["systems"][0]["true"]) == 8
    assert '"missing":' in page.read_text(encoding="utf-8")  # the place of the picture says which file is gone


def media_of(page):
    """The blocks of pictures, sounds and curves."""
    text = page.read_text(encoding="utf-8")
    return [json.loads(part.split("</script>")[0].split(">", 1)[1]) for part in text.split('id="clip-')[1:]]


@pytest.mark.parametrize("head", ["attention", "framewise"])
def test_attention_where_there_is_one(run, tmp_path, head):
    with_network = tmp_path / "seed_0"
    shutil.copytree(run, with_network)
    frontend = LogMel(sample_rate=8000, n_fft=256, hop_length=160, f_max=4000.0)
    small = partial(CRNN, channels=4, gru=4, dense=8)
    network = Composed(RunFolder(run).labels("test"), small, HEADS[head], frontend=frontend)
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    facts = facts_of(network, {"class_path": "steps", "init_args": {}}, "0.2.0")
    checkpoint = RunFolder(with_network).checkpoints / "best.ckpt"
    checkpoint.parent.mkdir()
    torch.save({"state_dict": weights, "wsed": facts}, checkpoint)
    assert main(["report", str(with_network), "--resamples", "0", "--pictures", "2"]) == 0
    blocks = media_of(with_network / "test/report.html")
    assert len(blocks) == 2
    assert all(("attention" in block["curves"][0]) == (head == "attention") for block in blocks)


def test_a_confidence_that_equals_the_threshold_is_not_above_it(tmp_path):
    """0.7 in float32 is below 0.7 in float64."""
    head, rows = "filename\tonset\toffset\tevent_label", [f"{clip}.wav\t1.0\t2.0\tDog" for clip in "abc"]
    (tmp_path / "true.tsv").write_text("\n".join([head, *rows]) + "\n")
    sure = zip(rows, (0.7, 0.9, 0.8), strict=True)
    (tmp_path / "found.tsv").write_text("\n".join([f"{head}\tconfidence", *(f"{row}\t{c}" for row, c in sure)]) + "\n")
    args = ["report", str(tmp_path / "found.tsv"), "--reference", str(tmp_path / "true.tsv"), "--threshold", "0.7"]
    assert main([*args, "--resamples", "0", "--out", str(tmp_path / "page.html")]) == 0
    events = [clip["systems"][0]["events"] for clip in data_of(tmp_path / "page.html")["clips"]]
    assert sorted(len(of_clip) for of_clip in events) == [0, 1, 1]


def test_groups_and_annotated_classes_of_files(corpus, run, tmp_path):
    """Intervals over two groups are not those over eight clips; a class that was not annotated is not judged."""
    reference, predictions, page = (
        corpus / "metadata/eval/public.tsv",
        run / "test/predictions.tsv",
        tmp_path / "p.html",
    )
    groups, annotated = tmp_path / "groups.csv", tmp_path / "annotated.tsv"
    groups.write_text("filename,site\n" + "".join(f"eval_{i}.wav,s{i % 3}\n" for i in range(8)))
    annotated.write_text("filename\tevent_labels\n*\tlow\n")
    given = ["report", str(predictions), "--reference", str(reference), "--out", str(page), "--resamples", "50"]
    found = {}
    for name, more in {
        "": [],
        "groups": ["--groups", str(groups)],
        "annotated": ["--annotated", str(annotated)],
    }.items():
        assert main([*given, *more]) == 0
        found[name] = data_of(page)["systems"][0]
    assert any("by 3 groups of 8 clips" in note for note in found["groups"]["notes"])
    assert [sum(found[name]["true"]) for name in ("", "groups", "annotated")] == [8, 8, 4]
    assert -1 in {event[3] for clip in data_of(page)["clips"] for event in clip["systems"][0]["events"]}


def test_groups_of_runs(run, corpus, tmp_path, capsys):
    groups, page = tmp_path / "groups.csv", tmp_path / "page.html"
    groups.write_text("filename,site\n" + "".join(f"eval_{i}.wav,s{i % 3}\n" for i in range(8)))
    given = ["report", str(run), str(run), "--out", str(page), "--pictures", "0", "--resamples", "20"]
    assert main([*given, "--groups", str(groups)]) == 0
    system = data_of(page)["systems"][0]
    assert "intervals by 3 groups of 8 clips" in system["notes"]
    assert system["groups"] == 3
    assert any(len(cell) == 3 for row in system["scores"] for cell in row["numbers"].values())
    assert main([*given, "--groups", "patient"]) == 2
    assert "no such table or kind of group; the corpus knows no groups" in capsys.readouterr().err


def test_names_with_html_in_files(corpus, tmp_path):
    """Classes and clips of a user's tables stay text, from the command line to the page."""
    table = tmp_path / "events.tsv"
    table.write_text(f"filename\tonset\toffset\tevent_label\n<b>a</b>.wav\t0.1\t0.5\t<i>{NASTY.split('&')[0]}\n")
    page = tmp_path / "page.html"
    assert main(["report", str(table), "--reference", str(table), "--out", str(page), "--resamples", "0"]) == 0
    text = page.read_text(encoding="utf-8")
    assert not any(name in text for name in ("<b>a", "<i></", "<img src=x"))
    assert data_of(page)["clips"][0]["id"] == "<b>a</b>.wav"


def test_no_picture_needs_a_display():
    """Nothing of the library imports pyplot, which opens windows; figures are drawn to files."""
    for path in Path(__file__).parents[2].glob("wsed/**/*.py"):
        assert "pyplot" not in path.read_text(encoding="utf-8"), path


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
        (["{run}", "--out", "/proc/page.html"], "cannot write /proc/page.html"),
        (["{untested}"], "run `wsed test"),
        (["{events}", "{other}", "--reference", "{events}"], "label"),
        (["{run}", "{others}"], "different classes; only one of them has high, loud"),
    ],
)
def test_mistakes(run, tmp_path, capsys, arguments, message):
    files = files_of_mistakes(run, tmp_path)
    filled = [text.format(run=run, runs=run.parent, **files) for text in arguments]
    assert main(["report", *filled]) == 2
    assert message in capsys.readouterr().err


def files_of_mistakes(run, folder):
    """A run that was not tested, a run of other classes, and two tables of events with other classes."""
    names = {name: folder / name for name in ("untested", "others", "events.tsv", "other.tsv")}
    for name in ("untested", "others"):
        shutil.copytree(run, names[name])
    shutil.rmtree(names["untested"] / "test")
    test = names["others"] / "test"
    write_scores(test, read_scores(test)[1], Labels(["loud", "low"]))
    for name in ("predictions.tsv", "scores.json"):
        (test / name).write_text((test / name).read_text(encoding="utf-8").replace("high", "loud"), encoding="utf-8")
    for name in ("events", "other"):
        names[f"{name}.tsv"].write_text(f"filename\tonset\toffset\tevent_label\na.wav\t0\t1\t{name}\n")
    return {name.removesuffix(".tsv"): path for name, path in names.items()}
