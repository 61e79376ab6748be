"""What `wsed evaluate` lets users choose: thresholds per class, curves, annotated classes, seeds, scores of a run."""

import json
import math

import numpy as np
import pytest
import torch

import wsed
from wsed.cli.main import main
from wsed.data.table import write_rows
from wsed.errors import WsedError
from wsed.metrics.chosen import chosen_metrics
from wsed.scoring.formats.curves import write_curves
from wsed.scoring.formats.run_scores import write_scores
from wsed.scoring.formats.thresholds import per_label, read_thresholds
from wsed.types import Labels
from wsed.values import Scores

EVENTS = ("filename", "onset", "offset", "event_label")
TRUE = [("a.wav", 1.0, 3.0, "Dog"), ("b.wav", 2.0, 4.0, "Cat"), ("c.wav", 0.0, 1.0, "Dog")]


@pytest.fixture(scope="module")
def scores():
    """Dog is right above 0.3, Cat above 0.7; frames of 0.5 s, 10 frames a clip."""
    frames = torch.full((3, 10, 2), 0.1)
    frames[0, 2:6, 1], frames[2, 0:2, 1], frames[1, 6:8, 1] = 0.6, 0.4, 0.3
    frames[1, 4:8, 0], frames[0, 0:2, 0] = 0.8, 0.7
    return Scores.of_clips(["a.wav", "b.wav", "c.wav"], list(frames), 2.0)


@pytest.fixture
def files(tmp_path, scores):
    write_rows(tmp_path / "ref.tsv", EVENTS, TRUE)
    write_rows(tmp_path / "dur.tsv", ("filename", "duration"), [(f"{c}.wav", 5.0) for c in "abc"])
    (tmp_path / "run").mkdir()
    write_scores(tmp_path / "run", scores, Labels(["Cat", "Dog"]))
    (tmp_path / "tables").mkdir()
    border = np.arange(11) / 2
    for name, frames in zip(scores.clip_ids, scores.split(), strict=True):
        table = np.column_stack([border[:-1], border[1:], frames.double().numpy()])
        np.savetxt(
            tmp_path / "tables" / f"{name[0]}.tsv", table, "%.9g", "\t", header="onset\toffset\tCat\tDog", comments=""
        )
    return tmp_path


def evaluated(files, predictions, **settings):
    return wsed.evaluate(files / "ref.tsv", files / predictions, durations=files / "dur.tsv", resamples=0, **settings)


def test_scores_of_a_run_are_read_as_score_tables_are(files):
    tables = evaluated(files, "tables")
    for place in ("run", "run/frame_scores.npz"):
        run = evaluated(files, place)
        assert run.value("psds1") == tables.value("psds1")
        assert run["event_f1"] == tables["event_f1"]
        assert run["tagging"] == pytest.approx(tables["tagging"])
    with pytest.raises(WsedError, match="no scores of 'Cow', a class of the reference"):
        evaluated(files, "run", labels=["Cat", "Cow", "Dog"])
    (files / "run" / "frame_scores.npz").write_bytes(b"PK")
    with pytest.raises(WsedError, match=r"frame_scores\.npz are damaged"):
        evaluated(files, "run")


def test_a_threshold_for_each_class(files):
    assert evaluated(files, "tables").value("event_f1/macro") < 1
    best = evaluated(files, "tables", threshold={"Dog": 0.35, "Cat": 0.75})
    assert best.value("event_f1/macro") == 1.0
    assert best["threshold"] == {"Cat": 0.75, "Dog": 0.35}
    assert evaluated(files, "tables", threshold={"Dog": 0.35})["threshold"] == {"Cat": 0.5, "Dog": 0.35}
    with pytest.raises(
        WsedError, match=r"threshold for 'Dogg', which is not a class of the reference \(did you mean Dog"
    ):
        evaluated(files, "tables", threshold={"Dogg": 0.35})


def test_a_threshold_for_each_class_at_operating_points_and_of_confidences(files):
    (files / "points").mkdir()
    write_rows(files / "points" / "th_0.3.tsv", EVENTS, [*TRUE, ("a.wav", 3.5, 4.0, "Cat")])
    write_rows(files / "points" / "th_0.7.tsv", EVENTS, TRUE[1:2])
    point = evaluated(files, "points", threshold={"Dog": 0.2, "Cat": 0.9})
    assert point["threshold"] == {"Cat": 0.7, "Dog": 0.3}
    assert point.value("event_f1/macro") == 1.0
    sure = [(*row, f"{x}") for row, x in zip([*TRUE, ("a.wav", 4.0, 5.0, "Cat")], (0.4, 0.9, 0.4, 0.6), strict=True)]
    write_rows(files / "sure.tsv", (*EVENTS, "confidence"), sure)
    report = evaluated(files, "sure.tsv", threshold={"Dog": 0.3, "Cat": 0.8})
    assert report.value("event_f1/macro") == 1.0
    assert any("of a confidence of their threshold or less" in note for note in report["notes"])


def test_thresholds_as_they_are_typed(tmp_path):
    write_rows(tmp_path / "t.tsv", ("event_label", "threshold", "f1"), [("Dog", 0.25, 1.0)])
    both = read_thresholds([str(tmp_path / "t.tsv"), "Cat=0.75", "0.4"])
    assert both == {"Dog": 0.25, "Cat": 0.75, "": 0.4}
    assert per_label(both, Labels(["Cat", "Cow", "Dog"])) == (0.75, 0.4, 0.25)
    for wrong in ("Dog:0.3", "nowhere.tsv", "Dog=x"):
        with pytest.raises(WsedError, match="is neither a number nor Class=NUMBER"):
            read_thresholds([wrong])


def test_curves_are_written_and_their_best_thresholds_are_read(files, capsys):
    given = [
        "evaluate",
        "--reference",
        str(files / "ref.tsv"),
        "--predictions",
        str(files / "tables"),
        "--resamples",
        "0",
    ]
    assert main([*given, "--curves", str(files / "curves"), "--json", str(files / "o.json")]) == 0
    names = sorted(path.name for path in (files / "curves").iterdir())
    kinds = ("event", "intersection", "segment", "tagging")
    assert names == sorted(f"best_{kind}_f1{end}.tsv" for kind in kinds for end in ("", ".thresholds"))
    rows = [line.split("\t") for line in (files / "curves" / "best_event_f1.tsv").read_text().splitlines()]
    assert rows[0] == ["event_label", "threshold", "f1", "precision", "recall", "tp", "n_sys", "n_ref"]
    dog = [row for row in rows if row[0] == "Dog"]
    assert [float(row[1]) for row in dog] == sorted((float(row[1]) for row in dog), reverse=True)
    assert max(float(row[2]) for row in dog) == 1.0
    read = json.loads((files / "o.json").read_text())
    assert read["best_event_f1"]["macro"] == 1.0
    assert 0.3 < read["best_event_f1"]["per_class"]["Dog"]["threshold"] < 0.4
    best = str(files / "curves" / "best_event_f1.thresholds.tsv")
    assert main([*given, "--threshold", best, "--json", str(files / "o.json")]) == 0
    assert json.loads((files / "o.json").read_text())["event_f1"]["macro"] == 1.0
    assert "F1 at one threshold per class" in capsys.readouterr().out
    write_rows(files / "events.tsv", EVENTS, TRUE)
    assert main([*given[:4], str(files / "events.tsv"), "--curves", str(files / "none"), "--resamples", "0"]) == 0
    assert "events at one threshold: there are no curves" in capsys.readouterr().err


def test_a_threshold_between_scores_that_hardly_differ_is_read_as_it_was(files):
    frames = torch.full((3, 10, 2), 0.1)
    frames[0, 2:6, 1] = frames[2, 0:2, 1] = frames[1, 4:8, 0] = 1.0
    frames[1, 0:2] = torch.nextafter(torch.tensor(1.0), torch.tensor(0.0))
    write_scores(files / "run", Scores.of_clips(["a.wav", "b.wav", "c.wav"], list(frames), 2.0), Labels(["Cat", "Dog"]))
    best = chosen_metrics(["best_event_f1"])
    write_curves(files / "curves", evaluated(files, "run", metrics=best))
    limits = read_thresholds([str(files / "curves" / "best_event_f1.thresholds.tsv")])
    assert evaluated(files, "run", metrics=["event_f1"], threshold=limits).value("event_f1/macro") == 1.0


def test_settings_of_metrics_have_a_place_of_their_own_in_the_report(files):
    names = ["event_f1", "event_f1:onset_collar=1.5,offset_collar=none", "psds1:alpha_st=0", "psds1"]
    report = evaluated(files, "tables", metrics=names)
    assert list(report.metrics) == names[:2] + names[2:]
    write_rows(files / "late.tsv", EVENTS, [(name, onset + 0.4, end + 0.4, label) for name, onset, end, label in TRUE])
    late = evaluated(files, "late.tsv", metrics=names[:2])
    assert (late.value(names[0]), late.value(names[1])) == (0.0, 1.0)
    assert report.value("psds1:alpha_st=0") == report.value("psds1/without_variance_penalty")
    again = wsed.Report.of_dict(report.to_dict())
    assert again.value(names[1]) == report.value(names[1])


def test_classes_that_were_not_annotated_in_a_clip_do_not_count(files):
    write_rows(files / "known.tsv", ("filename", "event_labels"), [("b.wav", "Cat,Dog"), ("*", "Dog")])
    report = evaluated(files, "tables", annotated=files / "known.tsv", threshold=0.35)
    assert report.value("event_f1/per_class/Cat/n_sys") == 1  # the false alarm is in a clip where Cat is unknown
    assert report.value("event_f1/macro") == 1.0
    assert report.value("tagging_f1/macro") == 1.0
    write_rows(files / "known.tsv", ("filename", "event_labels"), [("[ab].wav", "Dog")])
    less = evaluated(files, "tables", annotated=files / "known.tsv")
    assert any("--annotated does not list for their clip, left out: 1" in note for note in less["notes"])
    for rows, message in ((("a.wav", "Cow"), "known.tsv:2: unknown class 'Cow'"), (("z*", "Dog"), "no clip of the")):
        write_rows(files / "known.tsv", ("filename", "event_labels"), [rows])
        with pytest.raises(WsedError, match=message):
            evaluated(files, "tables", annotated=files / "known.tsv")


def test_soft_labels_above_one_half_are_true(files):
    soft = [(*TRUE[0], "0.9"), (*TRUE[1], "0.5"), (*TRUE[2], "0.51"), ("b.wav", 2.0, 4.0, "Cat", "0.8")]
    write_rows(files / "ref.tsv", (*EVENTS, "confidence"), soft)
    report = evaluated(files, "tables")
    assert report["reference_events"] == 3
    assert any("of a confidence of 0.5 or less, left out: 1" in note for note in report["notes"])


def test_several_seeds_have_a_mean_and_a_deviation(files, capsys):
    write_rows(files / "one.tsv", EVENTS, TRUE[:1])
    write_rows(files / "two.tsv", EVENTS, TRUE[:2])
    write_rows(files / "all.tsv", EVENTS, TRUE)
    paths = [str(files / f"{name}.tsv") for name in ("one", "two", "all")]
    given = ["evaluate", "--reference", str(files / "ref.tsv"), "--predictions", *paths, "--resamples", "0"]
    assert main([*given, "--seeds", "--json", str(files / "o.json")]) == 0
    read = json.loads((files / "o.json").read_text())
    micro = read["spread"]["event_f1"]["micro"]
    assert micro == {
        "mean": pytest.approx((0.5 + 0.8 + 1) / 3),
        "std": pytest.approx(np.std([0.5, 0.8, 1], ddof=1)),
        "runs": 3,
    }
    assert [seed["predictions"] for seed in read["seeds"]] == paths
    assert "mean +- standard deviation over 3 runs" in capsys.readouterr().out
    assert main(given) == 2
    assert "--seeds" in capsys.readouterr().err
    assert math.isnan(evaluated(files, "one.tsv").value("psds1"))
