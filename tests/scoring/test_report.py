"""A report and its JSON file."""

import json
import math
from dataclasses import replace

import pytest
import torch

import wsed
from tests.scoring.test_score import comparison, system
from wsed import WsedError
from wsed.metrics.base import MetricValue, default_metrics
from wsed.scoring.facts import Input, RunFacts
from wsed.scoring.report import Report
from wsed.scoring.resampling import Resampling, resample, samples
from wsed.scoring.score import correlation, score
from wsed.scoring.seeds import SeedReports
from wsed.values import Scores

HEAD = "filename\tonset\toffset\tevent_label\n"


@pytest.fixture(scope="module")
def report():
    mine = system()
    scores = Scores.of_padded(torch.rand(4, 6, 3, generator=torch.Generator().manual_seed(0)), 2.0)
    run = RunFacts({"threshold": 0.5}, 7, {"split": "test", "values": {}}, True, correlation(scores, mine.labels))
    intervals = resample(samples(mine, default_metrics()), Resampling(resamples=20))
    return replace(score(mine), intervals=intervals, run=run)


def same(one, other):
    """Equal plain values, NaN being equal to NaN and to null."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    missing = [value is None or (isinstance(value, float) and math.isnan(value)) for value in (one, other)]
    return all(missing) or one == other


def test_what_is_written_is_read_back(report, tmp_path):
    report.write(tmp_path / "scores.json")
    again = Report.read(tmp_path / "scores.json")
    assert same(report.to_dict(), again.to_dict())
    assert again.to_json() == report.to_json()
    for path in ("event_f1/macro", "event_f1", "psds1", "psds2/without_variance_penalty", "tagging/macro_ap"):
        assert again.value(path) == report.value(path)
    assert again.intervals == report.intervals
    assert again.run == report.run
    assert again.confusion.counts.pairs.tolist() == report.confusion.counts.pairs.tolist()
    curves = again.metrics["psds1"].curves
    assert curves.roc.tpr.tolist() == report.metrics["psds1"].curves.roc.tpr.tolist()
    assert "roc" not in report.without_curves().to_dict()["psds"]["psds1"]


def test_the_keys_of_the_file_are_those_of_wsed_0_1(report):
    plain = json.loads(report.to_json())
    metrics = {"event_f1", "segment_f1", "intersection_f1", "tagging_f1", "tagging", "psds1", "psds2", "psds"}
    more = {"clips", "confusion", "overlap_minutes", "intervals"}
    run = {"correlation", "decoder", "step", "tuned", "tuned_on_these_clips"}
    assert metrics | more | run <= plain.keys()
    averages = {"macro", "micro", "macro_precision", "macro_recall", "macro_error_rate", "macro_f_harmonic"}
    averages |= {"micro_precision", "micro_recall", "micro_error_rate", "n_ref", "n_sys", "tp", "per_class"}
    assert plain["event_f1"].keys() == averages | {"substitutions", "deletions", "insertions"}
    assert plain["event_f1"]["per_class"]["a"].keys() == {
        "f1", "precision", "recall", "error_rate", "n_ref", "n_sys", "tp",
    }  # fmt: skip
    assert plain["psds"]["psds1"].keys() == {
        "per_class", "without_variance_penalty", "parameters", "roc", "class_rocs",
    }  # fmt: skip
    assert plain["intervals"]["psds1"].keys() == {"low", "high", "std"}
    assert plain["intervals"]["event_f1"]["macro"].keys() == {"low", "high", "std"}


def test_no_number_is_null(tmp_path):
    bare = Report(1, {"event_f1": MetricValue({"macro": float("nan"), "n_ref": 0}), "psds1": None})
    assert json.loads(bare.to_json()) == {"clips": 1, "event_f1": {"macro": None, "n_ref": 0}, "psds1": None}
    bare.write(tmp_path / "o.json")
    again = Report.read(tmp_path / "o.json")
    assert math.isnan(again.value("event_f1/macro"))
    assert math.isnan(again.value("psds1"))
    assert again.metrics["psds1"] is None


def test_numbers_by_path(report):
    assert report.value("event_f1/per_class/a/f1") == report["event_f1"]["per_class"]["a"]["f1"]
    assert report.value("nothing", 0.0) == 0.0
    for path, message in (
        ("evnt_f1/macro", r"no 'evnt_f1' \(did you mean event_f1"),
        ("event_f1/makro", r"no number 'makro' \(did you mean macro"),
        ("event_f1/per_class/z/f1", "no class 'z'"),
    ):
        with pytest.raises(WsedError, match=message):
            report.value(path)


def test_a_file_that_is_no_report(tmp_path):
    for text, message in (
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"event_f1": {"per_class": 3}}', "not a report of wsed"),
        ('{"confusion": {}}', "not a report of wsed"),
    ):
        (tmp_path / "scores.json").write_text(text)
        with pytest.raises(WsedError, match=message):
            Report.read(tmp_path / "scores.json")
    with pytest.raises(WsedError, match="no such file"):
        Report.read(tmp_path / "gone.json")


def test_a_metric_of_a_plugin_that_is_not_installed_is_kept(report, tmp_path):
    strange = replace(report, metrics={**report.metrics, "their_f1": MetricValue({"macro": 0.5}, {"a": {"f1": 0.5}})})
    strange.write(tmp_path / "scores.json")
    assert Report.read(tmp_path / "scores.json").value("their_f1/per_class/a/f1") == 0.5


def test_evaluate_gives_typed_reports(tmp_path):
    (tmp_path / "truth.tsv").write_text(HEAD + "a.wav\t0\t1\tDog\n")
    one = wsed.evaluate(tmp_path / "truth.tsv", tmp_path / "truth.tsv", resamples=10)
    assert isinstance(one.input, Input)
    assert one.value("event_f1/micro") == 1.0
    one.write(tmp_path / "o.json")
    assert Report.read(tmp_path / "o.json").input == one.input
    two = wsed.evaluate(tmp_path / "truth.tsv", [tmp_path / "truth.tsv"] * 2, resamples=10)
    assert [report.value("event_f1") for report in two.systems] == [1.0, 1.0]
    assert two["systems"][0]["clips"] == 1


def test_a_comparison_as_plain_values():
    plain = comparison(system(0.3), system(0.9), resamples=20)
    assert plain["event_f1"]["macro"].keys() == {"first", "second", "difference", "low", "high", "p"}
    assert plain["psds1"].keys() == {"first", "second", "difference", "low", "high", "p"}


def test_no_seeds_have_no_mean():
    with pytest.raises(WsedError, match="needs the report of one seed or more"):
        SeedReports(()).spread()
