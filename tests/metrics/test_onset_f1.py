"""Onset-only event F1: by hand, by sed_eval, and wherever metrics are reported."""

import io
import json

import numpy as np
import pytest
from rich.console import Console

import wsed
from wsed.metrics.base import METRICS, default_metrics
from wsed.metrics.onset_f1 import OnsetF1
from wsed.report.tables import comparison_table, score_table, seeds_table
from wsed.types import Events

HEAD = "filename\tonset\toffset\tevent_label\n"
TRUTH = HEAD + "a.wav\t1.0\t4.0\tDog\nb.wav\t2.0\t3.0\tDog\nb.wav\t5.0\t6.0\tCat\n"
DETECTED = HEAD + "a.wav\t1.1\t9.0\tDog\nb.wav\t2.5\t3.0\tDog\nb.wav\t5.0\t5.2\tCat\n"


@pytest.fixture
def compared(tmp_path):
    for name, text in (("truth", TRUTH), ("late", DETECTED)):
        (tmp_path / f"{name}.tsv").write_text(text)
    truth = tmp_path / "truth.tsv"
    return wsed.evaluate(truth, [tmp_path / "late.tsv", truth], resamples=20)


def test_by_hand(compared):
    """Offsets do not matter: a dog and the cat are hits, the other dog is half a second late."""
    value = compared.systems[0].metrics["onset_f1"]
    assert (value.per_class["Dog"]["f1"], value.per_class["Cat"]["f1"]) == (0.5, 1.0)
    assert (value.numbers["macro"], value.numbers["micro"]) == (0.75, pytest.approx(2 / 3))
    assert compared.systems[0].value("event_f1") == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_sed_eval(judge, same_as_judge, seed):
    rng = np.random.default_rng(seed)

    def rows(n):
        onset = rng.uniform(0, 9, n)
        return [
            (int(c), int(k), a, a + 0.5)
            for c, k, a in zip(rng.integers(0, 3, n), rng.integers(0, 3, n), onset, strict=True)
        ]

    reference = [*rows(20), *((0, k, 0.5, 1.0) for k in range(3))]
    estimated = [(c, k, a + rng.uniform(-0.3, 0.3), b + 2) for c, k, a, b in reference] + rows(6)
    estimated = [(c, k, max(a, 0.0), b) for c, k, a, b in estimated]
    counts = OnsetF1().count(Events.of(reference), Events.of(estimated), 3)
    same_as_judge(counts, judge.events(reference, estimated, 3, evaluate_offset=False), 3)


def test_it_is_reported_everywhere(compared, tmp_path):
    report = compared.systems[0]
    assert json.loads(report.to_json())["onset_f1"]["per_class"]["Cat"]["f1"] == 1.0
    assert report.intervals.of("onset_f1", "macro").high <= 1.0
    assert compared.comparison.differences["onset_f1"]["macro"].difference == 0.25
    shown = io.StringIO()
    console = Console(file=shown, width=100)
    for table in (score_table(report), seeds_table({"seed_0": report}), comparison_table(compared.comparison)):
        console.print(table)
    assert shown.getvalue().count("onset") == 4  # two tables, macro and micro of the comparison
    assert OnsetF1().logged("onset_f1", report.metrics["onset_f1"]) == {
        "onset_f1": 0.75,
        "onset_f1_micro": pytest.approx(2 / 3),
    }
    assert "onset_f1" in default_metrics()
    assert METRICS["onset_f1"] is OnsetF1
