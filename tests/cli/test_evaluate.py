"""`wsed evaluate` through the real command line, on the DESED baseline's outputs and on small made ones."""

import json
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from matplotlib.image import imread

import wsed
from wsed.cli.main import main
from wsed.metrics.base import METRICS, Metric, MetricValue

LINES = ("a.wav\t0.0\t1.0\tDog", "a.wav\t2.0\t3.0\tCat", "b.wav\t1.0\t4.0\tDog", "c.wav\t0.0\t5.0\tCat")


def table(path: Path, rows: tuple[str, ...], header: str = "filename\tonset\toffset\tevent_label") -> str:
    path.write_text("\n".join([header, *rows]) + "\n")
    return str(path)


@pytest.fixture
def files(tmp_path):
    return {
        "reference": table(tmp_path / "ref.tsv", LINES),
        "perfect": table(tmp_path / "perfect.tsv", LINES),
        "half": table(tmp_path / "half.tsv", LINES[:2]),
        "durations": table(tmp_path / "dur.tsv", tuple(f"{c}.wav\t10.0" for c in "abc"), "filename\tduration"),
    }


@pytest.fixture(scope="module")
def baseline(shared):
    return shared / "data/reference/desed_baseline2021_teacher"


def test_the_known_scores_of_a_real_system(baseline, tmp_path, capsys):
    given = ["evaluate", "--reference", str(baseline / "validation.tsv")]
    out = tmp_path / "scores.json"
    one = ["--predictions", str(baseline / "predictions0.5.csv"), "--json", str(out), "--resamples", "50"]
    assert main([*given, *one]) == 0
    found = json.loads(out.read_text())
    known = {"event_f1": ("42.14", "42.35"), "segment_f1": ("71.57", "77.03")}
    for figure, (macro, micro) in known.items():
        assert (f"{100 * found[figure]['macro']:.2f}", f"{100 * found[figure]['micro']:.2f}") == (macro, micro)
        interval = found["intervals"][figure]["macro"]
        assert interval["low"] < found[figure]["macro"] < interval["high"]
    assert f"{100 * found['intersection_f1']['macro']:.2f}" == "66.17"
    assert found["psds1"] is found["psds2"] is None
    said = "no PSDS: it needs the duration of every clip (--durations), and a column confidence in the table, a folder"
    assert said in capsys.readouterr().err

    folder = ["--predictions", str(baseline / "predictions_operating_points"), "--resamples", "10"]
    more = ["--durations", str(baseline / "validation_durations.tsv"), "--figure", str(tmp_path / "roc.png")]
    assert main([*given, *folder, *more, "--json", str(out)]) == 0
    found = json.loads(out.read_text())
    assert (f"{found['psds1']:.4f}", f"{found['psds2']:.4f}") == ("0.3535", "0.5483")
    assert (len(found["operating_points"]), found["threshold"], found["clips"]) == (50, 0.49, 1168)
    assert found["intervals"]["psds1"]["low"] < found["psds1"] < found["intervals"]["psds1"]["high"]
    assert "F1 at the operating point 0.49" in capsys.readouterr().out
    assert imread(tmp_path / "roc.png").std() > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["sed_scores_eval", "psds_eval"])
def test_the_known_scores_of_a_real_system_by_others(baseline, tmp_path, backend):
    pytest.importorskip("sed_scores_eval", reason="needs the extra `eval`")
    out = tmp_path / "scores.json"
    given = ["evaluate", "--reference", str(baseline / "validation.tsv")]
    given += ["--predictions", str(baseline / "predictions_operating_points")]
    given += ["--durations", str(baseline / "validation_durations.tsv")]
    assert main([*given, "--backend", backend, "--json", str(out)]) == 0
    theirs = json.loads(out.read_text())
    assert theirs["backend"] == backend
    assert theirs["psds1"] == pytest.approx(0.3535, abs=6e-5)  # psds_eval does not round to microseconds
    assert (theirs["segment_f1"] is None) == (backend == "psds_eval")


def test_a_system_that_is_always_right(files, tmp_path, capsys):
    out = tmp_path / "out.json"
    wanted = ["--reference", files["reference"], "--predictions", files["perfect"], "--json", str(out)]
    assert main(["evaluate", *wanted]) == 0
    found = json.loads(out.read_text())
    for figure in ("event_f1", "segment_f1", "intersection_f1", "tagging_f1"):
        assert found[figure]["macro"] == found[figure]["micro"] == 1.0
        assert found["intervals"][figure]["micro"] == {"low": 1.0, "high": 1.0, "std": 0.0}
    assert found["labels"] == ["Cat", "Dog"]
    shown = capsys.readouterr().out
    assert "100.0" in shown
    assert max(map(len, shown.splitlines()[1:])) <= 80


def test_only_the_metrics_that_are_named_are_computed(files, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out.json"
    wanted = [
        "--reference",
        files["reference"],
        "--predictions",
        files["half"],
        "--json",
        str(out),
        "--resamples",
        "20",
    ]
    assert main(["evaluate", *wanted, "--metrics", "psds1", "onset_f1", "--durations", files["durations"]]) == 2
    said = "half.tsv lacks what was asked for: psds1 needs durations (--durations) and confidences, operating points or"
    assert said in capsys.readouterr().err
    assert main(["evaluate", *wanted, "--metrics", "onset_f1"]) == 0
    read = json.loads(out.read_text())
    assert read["onset_f1"]["micro"] == pytest.approx(2 / 3)
    assert not {"event_f1", "segment_f1", "psds2"} & read.keys()
    assert read["intervals"].keys() & {"onset_f1", "event_f1", "psds1"} == {"onset_f1"}
    told = capsys.readouterr()
    assert "onset" in told.out.splitlines()[1]
    assert "PSDS" not in told.err  # nobody asked for it
    assert main(["evaluate", *wanted, "--metrics", "onset"]) == 2
    assert "unknown metric 'onset' (did you mean onset_f1" in capsys.readouterr().err


def test_a_metric_of_a_plugin_is_computed_by_its_name(files):
    class Detected(Metric):
        """How many events were detected."""

        title, needs, by_default = "detected", frozenset({"events"}), False

        def compute(self, system):
            return MetricValue({"value": float(len(system.need_timed().detected))})

    with plugin(METRICS, "detected", Detected):
        report = wsed.evaluate(files["reference"], files["half"], metrics=["detected", "event_f1"])
        assert report.value("detected") == 2.0
        assert report["detected"] == 2.0
        assert "detected" not in wsed.evaluate(files["reference"], files["half"]).computed


@contextmanager
def plugin(registry, name, cls):
    """As a package that declares the class under an entry point."""
    registry.names()
    point = EntryPoint(name, "theirs:Metric", f"wsed.{registry.kind}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._plugins, name, point)
        patch.setattr(EntryPoint, "load", lambda self: cls)
        yield
        registry._classes.pop(name)


def test_two_systems_are_compared(files, tmp_path, capsys):
    out = tmp_path / "out.json"
    given = ["--reference", files["reference"], "--predictions", files["half"], files["perfect"], "--json", str(out)]
    assert main(["evaluate", *given, "--figure", str(tmp_path / "two.png")]) == 0
    found = json.loads(out.read_text())
    event = found["comparison"]["event_f1"]["micro"]
    assert (event["first"], event["second"]) == (pytest.approx(2 / 3), 1.0)
    assert event["difference"] == pytest.approx(1 / 3)
    assert [s["predictions"] for s in found["systems"]] == [files["half"], files["perfect"]]
    assert "difference" in capsys.readouterr().out
    assert imread(tmp_path / "two.png").std() > 0.05


def test_a_system_that_detects_nothing_is_a_system(files, tmp_path):
    found = wsed.evaluate(
        files["reference"], table(tmp_path / "none.tsv", ()), durations=files["durations"], resamples=10
    )
    assert found["event_f1"]["macro"] == found["tagging_f1"]["micro"] == 0.0
    assert found["event_f1"]["macro_recall"] == 0.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--resamples", "-1"], "not a whole number of 0 or more"),
        (["--seed", "-1"], "not a whole number of 0 or more"),
        (["--backend", "mine"], "invalid choice"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(files, change, message, capsys):
    with pytest.raises(SystemExit):
        main(["evaluate", "--reference", files["reference"], "--predictions", files["half"], *change])
    assert message in capsys.readouterr().err


def test_mistakes_name_the_file_and_the_row(files, tmp_path, capsys):
    bad = table(tmp_path / "bad.tsv", (LINES[0], "b.wav\t3.0\t1.0\tDog"))
    assert main(["evaluate", "--reference", files["reference"], "--predictions", bad]) == 2
    assert f"{bad}:3: offset 1 is not after onset 3" in capsys.readouterr().err
    wrong = table(tmp_path / "wrong.tsv", ("a.wav\t0\t1\tDogg",))
    assert main(["evaluate", "--reference", files["reference"], "--predictions", wrong]) == 2
    error = capsys.readouterr().err
    assert "wrong.tsv:2: unknown label 'Dogg'" in error
    assert "Dog" in error
    assert "--labels" in error
    here = ["--reference", files["reference"], "--predictions", files["half"]]
    assert main(["evaluate", *here, "--json", str(tmp_path / "no" / "where.json")]) == 2
    assert "no folder" in capsys.readouterr().err
    assert main(["evaluate", *here, files["half"], files["half"]]) == 2
    assert "two to compare, not 3" in capsys.readouterr().err
    assert main(["evaluate", *here, "--threshold", "x"]) == 2
    assert "--threshold 'x' is neither a number" in capsys.readouterr().err
    assert main(["evaluate", *here, "--labels", "Cat,Dog,Cow", "--resamples", "10"]) == 0
    assert "Cow" in capsys.readouterr().out


def test_lightning_and_pandas_are_not_imported(files):
    code = (
        "import sys; from wsed.cli.main import main; "
        f"main(['evaluate', '--reference', {files['reference']!r}, '--predictions', {files['half']!r}]); "
        "print({'lightning', 'pandas', 'torchaudio'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "set()"


def test_class_names_are_shown_as_they_are(tmp_path, capsys):
    names = (r"[red]Dog", "[/x]", r"$\frac$", "M\u00f6we")
    lines = tuple(f"a.wav\t{i}.0\t{i}.5\t{name}" for i, name in enumerate(names))
    files = table(tmp_path / "ref.tsv", lines), table(tmp_path / "said.tsv", lines)
    out = ["--json", str(tmp_path / "o.json"), "--figure", str(tmp_path / "o.png"), "--resamples", "10"]
    assert main(["evaluate", "--reference", files[0], "--predictions", files[1], *out]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in names)
    assert json.loads((tmp_path / "o.json").read_text())["labels"] == sorted(names)


def test_files_that_cannot_be_written_are_refused_before_the_work(files, tmp_path, capsys):
    given = ["evaluate", "--reference", files["reference"], "--predictions", files["half"]]
    for change, message in (
        (["--json", str(tmp_path)], "a folder"),
        (["--json", files["reference"]], "is an input: name another"),
        (["--figure", str(tmp_path / "o.foo")], "ends in .png, .pdf, .svg"),
    ):
        assert main([*given, *change]) == 2
        assert message in capsys.readouterr().err


def test_a_backend_gives_its_own_figures_only(tmp_path, capsys):
    pytest.importorskip("sed_scores_eval", reason="needs the extra `eval`")
    touching = (*LINES, "a.wav\t1.0\t1.5\tDog")
    given = ["--reference", table(tmp_path / "ref.tsv", touching), "--predictions", table(tmp_path / "p.tsv", touching)]
    out = tmp_path / "o.json"
    found = {}
    for backend in ("sed_scores_eval", "psds_eval"):
        assert main(["evaluate", *given, "--backend", backend, "--json", str(out), "--resamples", "20"]) == 0
        found[backend] = json.loads(out.read_text())
        assert f"computed by {backend}" in capsys.readouterr().out
    assert found["sed_scores_eval"]["event_f1"]["macro"] == 1.0
    assert any("joined" in note for note in found["sed_scores_eval"]["notes"])
    assert found["psds_eval"]["event_f1"] is None
    assert "event_f1" not in found["psds_eval"]["intervals"]
    assert "tagging" not in found["psds_eval"]
    assert any("does not compute event_f1" in note for note in found["psds_eval"]["notes"])


def test_times_of_another_unit_are_noted(files, tmp_path, capsys):
    wrong = table(tmp_path / "ms.tsv", ("a.wav\t0\t1000\tDog",))
    assert main(["evaluate", "--reference", files["reference"], "--predictions", wrong, "--resamples", "0"]) == 0
    assert "milliseconds?" in capsys.readouterr().err
