"""`wsed table` and `wsed show` of several runs."""

import pytest

from tests.cli.test_report import make_run
from wsed.cli.main import main
from wsed.metrics.base import MetricValue
from wsed.run import RunFolder
from wsed.scoring.report import Report
from wsed.scoring.resampling import Intervals, Range, Resampling


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two experiments of three seeds, without clips."""
    folder = tmp_path_factory.mktemp("runs")
    for row, base in (("mil", 0.2), ("glu", 0.3)):
        for seed in range(3):
            run = RunFolder(folder / row / f"seed_{seed}")
            run.split("test").path.mkdir(parents=True)
            run.config.write_text("seed_everything: 0\n")
            f1 = MetricValue({"macro": base + 0.01 * seed, "micro": 0.5 - base}, {"Dog": {"f1": base}})
            intervals = Intervals(Resampling(10), {"event_f1": {"macro": Range(0.1, 0.4, 0.1)}})
            Report(3, {"event_f1": f1, "psds1": MetricValue({"value": 0.25})}, intervals=intervals).write(
                run.split("test").report
            )
    return folder


def test_seeds(runs, capsys):
    pytest.importorskip("scipy.stats", reason="the extra study is not installed")
    assert main(["table", str(runs / "mil"), str(runs / "glu"), "--names", "MIL", "GLU"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "| system | event F1 | PSDS1 |",
        "|---|---|---|",
        "| MIL | 21.0 ± 1.0 | 0.250 ± 0.000 |",
        "| GLU | **31.0 ± 1.0** | 0.250 ± 0.000 |",
    ]


def test_single_runs_have_intervals(runs, tmp_path, capsys):
    out = tmp_path / "table.tex"
    one = str(runs / "mil/seed_0")
    assert main(["table", one, "--metrics", "event_f1/micro", "event_f1", "--format", "latex", "--out", str(out)]) == 0
    assert "30.0 & 20.0 [10.0, 40.0]" in out.read_text()
    assert main(["show", one, str(runs / "glu")]) == 0
    shown = capsys.readouterr().out
    assert "[10.0, 40.0]" in shown
    assert "31.0 ± 1.0" in shown


def test_single_runs_are_paired_by_clip(corpus, tmp_path, capsys):
    good, bad = make_run(tmp_path / "good", corpus), make_run(tmp_path / "bad", corpus, noise=0.9)
    given = ["table", str(good), str(bad), "--names", "good", "bad", "--metrics", "event_f1"]
    assert main([*given, "--resamples", "50"]) == 0
    assert "| good | **100.0** |" in capsys.readouterr().out
    assert main([*given, "--resamples", "0"]) == 0
    assert "| good | 100.0 |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{runs}/none"], "no such folder of a run"),
        (["{runs}/mil", "--split", "validation"], "wsed validate"),
        (["{runs}/mil", "--out", "/proc/table.md"], "cannot write /proc/table.md"),
        (["{runs}/mil", "--metrics", "event_f"], "did you mean event_f1"),
        (["{runs}/mil", "{runs}/glu", "--names", "one"], "2 runs need as many different names"),
    ],
)
def test_mistakes(runs, capsys, arguments, message):
    assert main(["table", *(text.format(runs=runs) for text in arguments)]) == 2
    assert message in capsys.readouterr().err
