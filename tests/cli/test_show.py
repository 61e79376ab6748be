"""Runs of several seeds are averaged; runs that differ in more are said to."""

import pytest

from wsed.cli.show import differences, show
from wsed.metrics.base import MetricValue
from wsed.run import RunFolder
from wsed.scoring.report import Report

CONFIG = "seed_everything: {seed}\ndata: {{corpus: {{class_path: desed, init_args: {{root: {root}}}}}, workers: 1}}\n"


@pytest.mark.parametrize(("root", "differing"), [("a", []), ("b", ["data.corpus.root"])])
def test_settings_that_differ_are_named(tmp_path, root, differing):
    runs = []
    for seed, of_seed in enumerate(("a", root)):
        (tmp_path / str(seed)).mkdir()
        (tmp_path / str(seed) / "config.yaml").write_text(CONFIG.format(seed=seed, root=of_seed))
        runs.append(RunFolder(tmp_path / str(seed)))
    assert differences(runs) == differing


def test_paths_with_square_brackets_are_shown_as_they_are(tmp_path, capsys):
    """`[best]` is markup in rich, which would leave it out."""
    run = RunFolder(tmp_path / "run[best]")
    report = run.split("test").report
    report.parent.mkdir(parents=True)
    Report(2, {"event_f1": MetricValue({"macro": 0.25})}).write(report)
    (report.parent / "curves.png").touch()
    show(run.path, "test")
    assert f"{tmp_path}/run[best]/test/curves.png" in capsys.readouterr().out.replace("\n", "")
