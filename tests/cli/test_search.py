"""The verb `search`: trials of the tiny experiment, shared by processes, resumed after a kill."""

import argparse
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from matplotlib.figure import Figure

from tests.cli.test_training import SMALL
from wsed.cli.main import main
from wsed.cli.search import add_arguments
from wsed.cli.search_space import Range, places, read_space
from wsed.data import table
from wsed.errors import WsedError
from wsed.report.trials import draw_trials, write_trials

optuna = pytest.importorskip("optuna", reason="the extra tune is not installed")

from wsed.cli.search_store import _storage, open_study  # noqa: E402
from wsed.cli.search_trials import Report, Search  # noqa: E402

SPACE = {
    "model.network.encoder.dropout": {"low": 0.0, "high": 0.5},
    "model.network.encoder.channels": {"low": 2, "high": 4},
    "model.network.head.pooling": {"choices": ["max", "mean"]},
}


@pytest.fixture
def files(tmp_path, corpus):
    """An experiment, a space, and where the study goes."""
    network = {**SMALL["model"]["network"], "head": {"class_path": "framewise", "init_args": {"pooling": "max"}}}
    data = {"corpus": {"class_path": "desed", "init_args": {"root": str(corpus)}}, "batch": {"weak": 4}, "workers": 0}
    config = {**SMALL, "model": {**SMALL["model"], "network": network}, "data": data}
    (tmp_path / "exp.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE))
    return ["--config", str(tmp_path / "exp.yaml"), "--space", str(tmp_path / "space.yaml"), "--out", str(tmp_path)]


def rows(folder: Path) -> list[dict[str, str]]:
    text = (folder / "trials.tsv").read_text().splitlines()
    lines = [[table.unquoted(cell) for cell in line.split("\t")] for line in text]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def study(folder: Path):
    pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=1)
    return optuna.load_study(study_name="wsed", storage=_storage(str(folder / "study.journal")), pruner=pruner)


def opened(files: list[str], *more: str):
    """The study as the verb opens it."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    args = parser.parse_args([*files, *more])
    args.out.mkdir(exist_ok=True)
    return open_study(args, read_space(args.space), args.out)


def draw(files: list[str], *more: str) -> dict[str, object]:
    """The settings of the next trial, with a value."""
    found = opened(files, *more)
    trial = found.ask()
    for name, values in read_space(Path(files[3])).items():
        values.suggest(trial, name)
    found.tell(trial, 0.5)
    return trial.params


def search(*args: str) -> subprocess.Popen[str]:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "wsed.cli.main", "search", *args], env=env, stdout=subprocess.PIPE)


def test_trials_and_more_of_them(files, tmp_path, capsys):
    assert main(["search", *files, "--trials", "1", "--trainer.max_epochs", "1"]) == 0
    assert "best of 1 trial" in capsys.readouterr().out
    first = rows(tmp_path)
    assert [row["state"] for row in first] == ["complete"]
    assert (tmp_path / "trials.png").is_file()
    for row in first:
        made = yaml.safe_load((tmp_path / f"trial_{int(row['trial']):04d}" / "settings.yaml").read_text())
        network = made["model"]["network"]["init_args"]
        assert network["encoder"]["init_args"]["channels"] == int(row["model.network.encoder.channels"])
        assert network["encoder"]["init_args"]["dropout"] == float(row["model.network.encoder.dropout"])
        assert f'"{network["head"]["init_args"]["pooling"]}"' == row["model.network.head.pooling"]
        assert made["trainer"]["max_epochs"] == 1
    assert main(["search", *files, "--trials", "2", "--trainer.max_epochs", "1"]) == 0
    assert "best of 2 trials" in capsys.readouterr().out
    again = rows(tmp_path)
    assert again[:1] == first
    assert len(again) == 2


@pytest.mark.slow
def test_a_killed_trial_goes_on_and_two_processes_share_a_study(files, tmp_path):
    args = [*files, "--trials", "3", "--first-rung", "1000"]
    process = search(*args, "--trainer.max_epochs", "1000")
    log = tmp_path / "trial_0000" / "log.txt"
    for _ in range(1200):
        if log.is_file() and re.search(r"epoch 2\b", log.read_text()):  # a star follows if it is the best
            break
        time.sleep(0.25)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (running,) = study(tmp_path).trials
    assert running.state.name == "RUNNING"
    # where it stopped: the settings of the trial are kept, so the two that follow end it at its next epoch
    settings, params = tmp_path / "trial_0000" / "settings.yaml", running.params
    done = max(running.intermediate_values)
    two = [search(*args, "--trainer.max_epochs", str(done + 2)) for _ in range(2)]
    said = [process.communicate()[0].decode() for process in two]
    assert [process.returncode for process in two] == [0, 0], said
    assert sum("trial 0 goes on" in text for text in said) == 1
    trials = study(tmp_path).trials
    assert [trial.state.name for trial in trials] == ["COMPLETE"] * 3
    assert trials[0].params == params
    assert max(trials[0].intermediate_values) == done + 2
    assert yaml.safe_load(settings.read_text())["trainer"]["max_epochs"] == done + 2
    assert log.read_text().count("epoch 0") == 1  # not from the start
    assert all(sum(f"trial {n}:" in text for text in said) == 1 for n in range(3))


def test_processes_that_start_together_begin_one_study(files, tmp_path):
    # a lock of a file keeps threads apart as it does processes: each opens it anew
    start = threading.Barrier(8)

    def begin(_: int) -> int:
        start.wait()
        return opened(files)._study_id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(begin, range(8)))) == 1
    assert len(optuna.get_all_study_names(_storage(str(tmp_path / "study.journal")))) == 1


def test_a_locked_database_is_waited_for(files, tmp_path):
    with opened(
        files, "--storage", f"sqlite:///{tmp_path / 'kept.db'}"
    )._storage._backend.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 60_000  # milliseconds


def test_a_study_of_an_earlier_version_goes_on_in_its_database(files, tmp_path):
    opened(files, "--storage", f"sqlite:///{tmp_path / 'study.db'}").ask()
    assert len(opened(files).trials) == 1
    assert not (tmp_path / "study.journal").exists()


def test_processes_together_take_no_trial_too_many(files, tmp_path, monkeypatch):
    searches = [Search(opened(files), {}, {}, tmp_path, "val/score", 1) for _ in range(2)]
    counted, get_trials = threading.Barrier(2), optuna.Study.get_trials

    def wait_for_the_other(self, *args, **kwargs):
        found = get_trials(self, *args, **kwargs)
        with contextlib.suppress(threading.BrokenBarrierError):
            counted.wait(timeout=2)  # where both may count at the same time, both find the same
        return found

    monkeypatch.setattr(optuna.Study, "get_trials", wait_for_the_other)
    with ThreadPoolExecutor(2) as pool:
        taken = list(pool.map(lambda search: search._next(), searches))
    monkeypatch.undo()
    assert len(study(tmp_path).trials) == 1
    assert sum(found is None for found in taken) == 1
    for found in taken:
        if found is not None:
            found[1].close()


def test_a_study_has_one_folder(files, tmp_path, capsys):
    kept = ["--storage", f"sqlite:///{tmp_path / 'kept.db'}"]
    opened(files, *kept)
    assert opened(files, *kept).study_name == "wsed"  # once more is fine
    elsewhere = [*files[:-1], str(tmp_path / "elsewhere")]
    assert main(["search", *elsewhere, *kept]) == 2
    said = capsys.readouterr().err
    assert f"is not the folder of the study in {kept[1]}; that is" in said
    assert str(tmp_path) in said
    assert main(["search", *files]) == 2
    assert "holds the trials of another study" in capsys.readouterr().err


def test_a_seeded_study_that_goes_on_draws_anew(files, tmp_path):
    first, second = draw(files, "--seed", "3"), draw(files, "--seed", "3")
    assert first != second
    (tmp_path / "again").mkdir()
    again = [*files[:-1], str(tmp_path / "again")]
    assert [draw(again, "--seed", "3"), draw(again, "--seed", "3")] == [first, second]


def test_two_processes_write_the_table_at_once(files, tmp_path, monkeypatch):
    draw(files)
    trials, names, real = study(tmp_path).trials, list(SPACE), table.write_rows

    def overtaken(*args) -> None:
        real(*args)
        monkeypatch.setattr(table, "write_rows", real)
        monkeypatch.setattr(os, "getpid", lambda: 0)
        write_trials(tmp_path / "trials.tsv", trials, names)  # the other process, before this one is done

    monkeypatch.setattr(table, "write_rows", overtaken)
    write_trials(tmp_path / "trials.tsv", trials, names)
    assert [row["value"] for row in rows(tmp_path)] == ["0.5"]
    assert not list(tmp_path.glob(".*part*"))


def test_the_picture_is_whole_or_as_it_was(files, tmp_path, monkeypatch):
    draw(files)
    trials, picture = study(tmp_path).trials, tmp_path / "trials.png"
    draw_trials(picture, trials, read_space(tmp_path / "space.yaml"), "val/score")
    before = picture.read_bytes()
    assert before.startswith(b"\x89PNG")

    def torn(self, path, **settings):
        Path(path).write_bytes(b"half")
        raise OSError("no space is left")

    monkeypatch.setattr(Figure, "savefig", torn)
    with pytest.raises(OSError, match="no space"):
        draw_trials(picture, trials, read_space(tmp_path / "space.yaml"), "val/score")
    assert picture.read_bytes() == before
    assert not list(tmp_path.glob(".*part*"))


@pytest.mark.slow
def test_bad_trials_are_stopped_early(files, tmp_path):
    main(["search", *files, "--trials", "1", "--trainer.max_epochs", "1"])
    before = study(tmp_path)
    for _ in range(4):  # four that were better at the first rung than anything can be
        trial = before.ask()
        for name, values in read_space(tmp_path / "space.yaml").items():
            values.suggest(trial, name)
        trial.report(9.0, 1)
        trial.should_prune()
        before.tell(trial, 9.0)
    assert main(["search", *files, "--trials", "6", "--first-rung", "1", "--trainer.max_epochs", "3"]) == 0
    assert rows(tmp_path)[5]["state"] == "pruned"
    assert rows(tmp_path)[5]["epochs"] == "1"


def test_values_that_are_nan_do_not_hide_others():
    study = optuna.create_study(direction="maximize")
    for values, best in (((float("nan"), 0.2, 0.1), 0.2), ((float("nan"),), None)):
        report = Report(study.ask(), "val", maximize=True)
        for epoch, value in enumerate(values):
            report._should_stop(SimpleNamespace(callback_metrics={"val": value}, current_epoch=epoch))
        assert report.best == best
    assert report.no_value() == "val is NaN after every validation"


@pytest.mark.slow
def test_the_validation_that_tunes_the_decoder_is_no_report(files, tmp_path):
    tuned = ["--evaluation.tuning.split", "validation", "--evaluation.tuning.thresholds", "segments"]
    assert main(["search", *files, "--trials", "1", "--trainer.max_epochs", "2", *tuned]) == 0
    (trial,) = study(tmp_path).get_trials()
    assert sorted(trial.intermediate_values) == [1, 2]
    assert trial.value == max(trial.intermediate_values.values())


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
        ({"model.network.encoder.channels": {"choices": []}}, "choices must be a list that is not empty"),
        ({"model.network.encoder.channels": 3}, "write {low: ..., high: ...} or {choices: [...]}"),
        ({}, "names no settings"),
    ],
)
def test_mistakes_in_the_space(files, tmp_path, capsys, space, said):
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(space))
    assert main(["search", *files]) == 2
    assert said in capsys.readouterr().err


def test_other_mistakes(files, tmp_path, capsys):
    assert main(["search", *files, "--trials", "2", "--monitor", "val_los", "--trainer.max_epochs", "3"]) == 2
    said = "wsed: error: --monitor: the training logs no 'val_los' (did you mean val/loss"
    assert said in capsys.readouterr().err
    (failed,) = study(tmp_path).trials  # another trial would fail as well
    assert failed.state.name == "FAIL"
    epochs = [line for line in (tmp_path / "trial_0000/log.txt").read_text().splitlines() if line.startswith("epoch ")]
    assert len(epochs) <= 1
    (tmp_path / "space.yaml").write_text("model.network.encoder.channels: {low: 1, high: 9}")
    assert main(["search", *files]) == 2
    assert "searches another space" in capsys.readouterr().err
    (tmp_path / "space.yaml").unlink()
    assert main(["search", *files]) == 2
    assert "no such --space" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--monitor", "val/loss"], "--monitor val/loss: a lower value is better; add --minimize"),
        (["--minimize"], "--monitor val/score: a greater value is better; leave out --minimize"),
    ],
)
def test_a_study_of_the_worst_trials(files, tmp_path, capsys, arguments, said):
    assert main(["search", *files, *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.glob("study*"))


@pytest.mark.parametrize("place", [(Path, "write_text"), (optuna.Study, "set_user_attr")])
def test_a_study_that_was_killed_while_it_began_goes_on(files, tmp_path, monkeypatch, place):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*place, killed)
        with pytest.raises(KeyboardInterrupt):
            opened(files)
    begun = opened(files)
    assert (tmp_path / "study.id").read_text() == begun.user_attrs["folder"]


def test_a_trial_that_breaks_is_not_tried_again(files, tmp_path, monkeypatch):
    def broken(self, trial, report):
        raise RuntimeError("no memory is left")

    with monkeypatch.context() as patch:
        patch.setattr(Search, "_train", broken)
        with pytest.raises(RuntimeError, match="no memory is left"):
            main(["search", *files, "--trials", "2"])
    assert [trial.state.name for trial in study(tmp_path).trials] == ["FAIL"]
    assert main(["search", *files, "--trials", "2", "--trainer.max_epochs", "1"]) == 0
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
        main(["search", "--help"])
    said = capsys.readouterr().out
    assert "asynchronous successive halving" in said
    assert "choices: [mean, max]" in said
