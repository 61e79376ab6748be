"""Tables for papers: formats, and bold only where the paired test says so."""

import csv
import io

import pytest

from wsed.errors import WsedError
from wsed.study.paper import Cell, paper_table, surely_best

CELLS = {
    "mil_1": {"F1 %": Cell(20.0, 0.5, runs=3)},
    "glu|x": {"F1 %": Cell(30.25, low=28.0, high=32.0), "PSDS1": Cell(0.25, digits=3)},
}


def test_markdown_and_latex():
    assert paper_table(CELLS, {"F1 %": "glu|x"}).splitlines() == [
        "| system | F1 % | PSDS1 |",
        "|---|---|---|",
        "| mil_1 | 20.0 ± 0.5 | - |",
        r"| glu\|x | **30.2 [28.0, 32.0]** | 0.250 |",
    ]
    assert paper_table(CELLS, {"F1 %": "mil_1"}, "latex").splitlines() == [
        r"\begin{tabular}{lrr}",
        r"\toprule",
        r"system & F1 \% & PSDS1 \\",
        r"\midrule",
        r"mil\_1 & \textbf{20.0 $\pm$ 0.5} & - \\",
        r"glu|x & 30.2 [28.0, 32.0] & 0.250 \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_csv_has_numbers():
    rows = list(csv.DictReader(io.StringIO(paper_table(CELLS, {"F1 %": "mil_1"}, "csv"))))
    assert [row["F1 % mean"] for row in rows] == ["20", "30.25"]
    assert [row["F1 % best"] for row in rows] == ["1", "0"]
    assert (rows[0]["F1 % std"], rows[0]["F1 % runs"], rows[0]["PSDS1 mean"]) == ("0.5", "3", "")


def test_unknown_format():
    with pytest.raises(WsedError, match="latex"):
        paper_table(CELLS, form="latx")


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ({"a": {"0": 1.0, "1": 2.0}, "b": {"0": 3.0, "1": 4.1}}, "b"),
        ({"a": {"0": 1.0, "1": 2.0}, "b": {"0": 3.0, "1": 1.0}}, None),  # the interval holds 0
        ({"a": {"0": 1.0}, "b": {"0": 3.0}}, None),  # one seed says nothing
        ({"a": {"0": 1.0, "1": 2.0}, "b": {"2": 3.0, "3": 4.0}}, None),  # no seed in common
        ({"a": {"0": 1.0, "1": 2.0}, "b": {"0": 3.0, "1": 4.1}, "c": {"0": 3.0, "1": 3.9}}, None),
        ({"a": {"0": 1.0, "1": 2.0}, "b": {"0": float("nan"), "1": 4.1}}, None),
        ({"a": {"0": 1.0, "1": 2.0}}, None),
    ],
)
def test_bold(values, best):
    pytest.importorskip("scipy.stats", reason="the extra study is not installed")
    assert surely_best(values) == best
