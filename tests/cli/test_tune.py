"""The verb `tune`: trials of the tiny experiment, shared by processes, resumed after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.cli.test_training import SMALL
from wsed.cli.main import main
from wsed.cli.space import Range, places, read_space
from wsed.cli.tune import Search
from wsed.errors import WsedError

optuna = pytest.importorskip("optuna", reason="the extra tune is not installed")

SPACE = {
    "model.network.encoder.dropout": {"low": 0.0, "high": 0.5},
    "model.network.encoder.channels": {"low": 2, "high": 4},
    "model.network.head.pooling": {"choices": ["max", "mean"]},
}


@pytest.fixture
def files(tmp_path, corpus):
    """An experiment, a space, and where the study goes."""
    network = {**SMALL["model"]["network"], "head": {"class_path": "framewise", "init_args": {"pooling": "max"}}}
    data = {"class_path": "desed", "init_args": {"batch": {"weak": 4}, "workers": 0, "root": str(corpus)}}
    config = {**SMALL, "model": {**SMALL["model"], "network": network}, "data": data}
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE))
    return ["--config", str(tmp_path / "exp.yaml"), "--space", str(tmp_path / "space.yaml"), "--out", str(tmp_path)]


def rows(folder: Path) -> list[dict[str, str]]:
    lines = [line.split("\t") for line in (folder / "trials.tsv").read_text().splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def study(folder: Path):
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1)
    return optuna.load_study(study_name="wsed", storage=f"sqlite:///{folder / 'study.db'}", pruner=pruner)


def tune(*args: str) -> subprocess.Popen[str]:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "wsed.cli.main", "tune", *args], env=env, stdout=subprocess.PIPE)


def test_trials_and_more_of_them(files, tmp_path, capsys):
    assert main(["tune", *files, "--trials", "2", "--trainer.max_epochs", "1"]) == 0
    assert "best of 2 trials" in capsys.readouterr().out
    first = rows(tmp_path)
    assert [row["state"] for row in first] == ["complete", "complete"]
    assert (tmp_path / "trials.png").is_file()
    for row in first:
        made = yaml.safe_load((tmp_path / f"trial_{int(row['trial']):04d}" / "settings.yaml").read_text())
        network = made["model"]["network"]["init_args"]
        assert network["encoder"]["init_args"]["channels"] == int(row["model.network.encoder.channels"])
        assert network["encoder"]["init_args"]["dropout"] == float(row["model.network.encoder.dropout"])
        assert f'"{network["head"]["init_args"]["pooling"]}"' == row["model.network.head.pooling"]
        assert made["trainer"]["max_epochs"] == 1
    assert main(["tune", *files, "--trials", "3", "--trainer.max_epochs", "1"]) == 0
    again = rows(tmp_path)
    assert again[:2] == first
    assert len(again) == 3


def test_a_killed_trial_goes_on_and_two_processes_share_a_study(files, tmp_path):
    args = [*files, "--trials", "3", "--first_rung", "1000"]
    process = tune(*args, "--trainer.max_epochs", "1000")
    log = tmp_path / "trial_0000" / "log.txt"
    for _ in range(1200):
        if log.is_file() and "epoch 2 " in log.read_text():
            break
        time.sleep(0.25)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (running,) = study(tmp_path).trials
    assert running.state.name == "RUNNING"
    # where it stopped: the settings of the trial are kept, so the two that follow end it at its next epoch
    settings, params = tmp_path / "trial_0000" / "settings.yaml", running.params
    done = max(running.intermediate_values)
    two = [tune(*args, "--trainer.max_epochs", str(done + 2)) for _ in range(2)]
    said = [process.communicate()[0].decode() for process in two]
    assert [process.returncode for process in two] == [0, 0], said
    assert sum("trial 0 goes on" in text for text in said) == 1
    trials = study(tmp_path).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    assert trials[0].params == params
    assert max(trials[0].intermediate_values) == done + 2
    assert yaml.safe_load(settings.read_text())["trainer"]["max_epochs"] == done + 2
    assert log.read_text().count("epoch 0 ") == 1  # not from the start
    assert all(sum(f"trial {n}:" in text for text in said) == 1 for n in range(3))


def test_bad_trials_are_stopped_early(files, tmp_path):
    main(["tune", *files, "--trials", "1", "--trainer.max_epochs", "1"])
    before = study(tmp_path)
    for _ in range(4):  # four that were better at the first rung than anything can be
        trial = before.ask()
        for name, values in read_space(tmp_path / "space.yaml").items():
            values.suggest(trial, name)
        trial.report(9.0, 1)
        trial.should_prune()
        before.tell(trial, 9.0)
    assert main(["tune", *files, "--trials", "6", "--first_rung", "1", "--trainer.max_epochs", "3"]) == 0
    assert rows(tmp_path)[5]["state"] == "pruned"
    assert rows(tmp_path)[5]["epochs"] == "1"


@pytest.mark.parametrize(
    ("space", "said"),
    [
        (
            {"model.network.encoder.chanels": {"low": 1, "high": 2}},
            "no setting 'model.network.encoder.chanels' (did you",
        ),
        ({"model.network.encoder.channels": {"low": 3}}, "needs the numbers low and high, or choices"),
        ({"model.network.encoder.channels": {"low": 3, "high": 2}}, "low (3) must be below high (2)"),
        ({"model.network.encoder.channels": {"low": 0, "high": 2, "log": True}}, "above 0 with log"),
        ({"model.network.encoder.channels": {"lo": 0, "high": 2}}, "has 'lo' (did you mean low or log?)"),
        ({"model.network.encoder.channels": {"choices": []}}, "choices is a list with a value or more"),
        ({"model.network.encoder.channels": 3}, "write {low: ..., high: ...} or {choices: [...]}"),
        ({}, "names no settings"),
    ],
)
def test_mistakes_in_the_space(files, tmp_path, capsys, space, said):
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
    assert main(["tune", *files]) == 2
    assert said in capsys.readouterr().err


def test_other_mistakes(files, tmp_path, capsys):
    assert main(["tune", *files, "--trials", "1", "--monitor", "val/f1", "--trainer.max_epochs", "1"]) == 2
    assert "the training logs no 'val/f1'; it logs" in capsys.readouterr().err
    (tmp_path / "space.yaml").write_text("model.network.encoder.channels: {low: 1, high: 9}")
    assert main(["tune", *files]) == 2
    assert "searches another space" in capsys.readouterr().err
    (tmp_path / "space.yaml").unlink()
    assert main(["tune", *files]) == 2
    assert "cannot read --space" in capsys.readouterr().err


def test_a_trial_that_breaks_is_not_tried_again(files, tmp_path, monkeypatch):
    def broken(self, trial, report):
        raise RuntimeError("no memory is left")

    with monkeypatch.context() as patch:
        patch.setattr(Search, "_train", broken)
        with pytest.raises(RuntimeError, match="no memory is left"):
            main(["tune", *files, "--trials", "2"])
    assert [trial.state.name for trial in study(tmp_path).trials] == ["FAIL"]
    assert main(["tune", *files, "--trials", "2", "--trainer.max_epochs", "1"]) == 0
    assert [row["state"] for row in rows(tmp_path)] == ["fail", "complete"]


def test_paths_may_leave_init_args_out():
    config = {"model": {"network": {"class_path": "x", "init_args": {"dropout": 0.1}}}}
    where = ("model", "network", "init_args", "dropout")
    for name in ("model.network.dropout", "model.network.init_args.dropout"):
        assert places(config, {name: Range(0, 1)}) == {name: where}
    with pytest.raises(WsedError, match="did you mean model"):
        places(config, {"model.network.dropot": Range(0, 1)})


def test_help_reads_well(capsys):
    with pytest.raises(SystemExit):
        main(["tune", "--help"])
    said = capsys.readouterr().out
    assert "asynchronous successive halving" in said
    assert "choices: [mean, max]" in said
