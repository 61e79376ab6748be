"""The study of `experiments/waa`: cells, what is skipped, the tables and the trends."""

import fcntl
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from experiments.waa import study, table
from wsed.cli.configs import merged
from wsed.cli.main import main
from wsed.data.synth import builtin

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Ten classes of made sounds, 10 s clips."""
    folder = tmp_path_factory.mktemp("study") / "waa"
    args = ["--recipe", "waa", "--clips", "train=20", "validation=10", "eval=10", "--seed", "0"]
    with pytest.MonkeyPatch.context() as patch:  # few recordings, as making them takes the time
        patch.setattr(builtin, "COUNTS", {"train": 2, "validation": 2, "eval": 2})
        patch.setattr(builtin, "_N_BACKGROUNDS", {"train": 1, "validation": 1, "eval": 1})
        assert main(["data", "synth", "--out", str(folder), *args]) == 0
    return folder


def started(root, out, *more):
    args = [sys.executable, "-m", "experiments.waa.study", "--waa", str(root), "--waa_200ms", str(root)]
    args += ["--out", str(out)]
    args += ["--epochs", "5", "1", "1", "--jobs", "2", "--trainer.min_epochs", "1", *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(args, capture_output=True, text=True, env=environment, cwd=ROOT)
    logs = "".join(log.read_text()[-3000:] for log in out.glob("log_*.txt"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    return done.stdout


def test_stage_two_computes_the_embedding_as_stage_one_does():
    *_, encoder = study.as_in_stage_one("triplet_per_step")
    assert json.loads(encoder)["init_args"] == {"normalize_steps": True}
    flags = study.as_in_stage_one("triplet_max")
    assert flags[:2] == ["--model.network.head.init_args.aggregation", "max"]


@pytest.mark.parametrize("row", [name for name in study.RECIPE.rows if study.two_stages(name)])
def test_every_embedding_has_a_row_for_stage_two_with_its_settings(row):
    stage_two = study.RECIPE.rows[f"{row}_classifier"]
    assert (stage_two.after, stage_two.takes) == (row, "model.network.frontend.init_args.pretrained")
    flags = study.as_in_stage_one(row)
    by_hand = dict(zip(flags[::2], flags[1::2], strict=True))
    network = merged(study.RECIPE.configs(stage_two.name))["model"]["network"]["init_args"]
    aggregation = network["head"].get("init_args", {}).get("aggregation", "mean")
    assert by_hand["--model.network.head.init_args.aggregation"] == aggregation
    first = json.loads(by_hand["--model.network.frontend.init_args.encoder"])
    encoder = network["frontend"].get("init_args", {}).get("encoder", {"class_path": first["class_path"]})
    assert encoder.get("init_args", {}) == first.get("init_args", {})


def test_a_corpus_without_the_table_is_named(tmp_path):
    asked = study.Study(dict.fromkeys(study.DATA, str(tmp_path / "none")), tmp_path, None)
    with pytest.raises(SystemExit, match=r"--waa_200ms .*none: no .*none/metadata/train/strong.tsv, the events of"):
        asked.check_settings(["triplet"])


@pytest.mark.slow
def test_cells_are_trained_once_and_tested_at_three_durations(root, tmp_path):
    chosen = ["--cells", "waa-triplet-0.2", "waa-end_to_end-1"]
    said = started(root, tmp_path, *chosen)
    assert "2 trainings of 2" in said
    cells = [json.loads(path.read_text()) for path in sorted((tmp_path / "cells").iterdir())]
    assert len(cells) == 6
    assert {(cell["method"], cell["train"]) for cell in cells} == {("end_to_end", 1.0), ("triplet", 0.2)}
    assert all(0 <= cell["f1"] <= 1 and cell["test"] in (0.2, 1.0, 10.0) for cell in cells)
    assert len((tmp_path / "cells.tsv").read_text().splitlines()) == 7
    run = tmp_path / "waa-triplet-0.2/seed_0"
    assert (run / "embedding/checkpoints/best.ckpt").is_file()
    assert not (run / "features").exists()  # of these weights only
    assert "0 trainings of 2" in started(root, tmp_path, *chosen)
    (tmp_path / "cells/waa-triplet-0.2-10-0.json").unlink()  # what is lost is tested again, not trained
    before = (run / "classifier/checkpoints/best.ckpt").stat().st_mtime_ns
    assert "1 trainings of 2" in started(root, tmp_path, *chosen)
    assert (run / "classifier/checkpoints/best.ckpt").stat().st_mtime_ns == before
    assert (tmp_path / "cells/waa-triplet-0.2-10-0.json").is_file()


@pytest.mark.parametrize(
    "given", [["--methods", "triplets"], ["--epochs", "1", "2"], ["--epochs", "a", "b", "c"], ["--seeds", "x"]]
)
def test_mistakes_are_named(given, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["study.py", *given])
    with pytest.raises(SystemExit):
        study.parsed()
    assert given[0] in capsys.readouterr().err


def test_there_are_54_cells_a_seed(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["study.py", "--seeds", "3", "4"])
    planned = study.trainings(study.parsed())
    assert len(planned) * len(study.SECONDS) == 108
    assert [t.seed for t in planned] == [3] * 18 + [4] * 18
    assert planned[0].train == 10  # the longest first


@pytest.fixture
def paper(tmp_path):
    """The paper's own figures as cells of three seeds, a point apart; of one seed only for the 200 ms set."""
    for data, methods in table.PAPER.items():
        for method, rows in methods.items():
            for train, row in zip(table.SECONDS, rows, strict=True):
                for test, f1 in zip(table.SECONDS, row.split(), strict=True):
                    for seed in range(3 if data == "waa" else 1):
                        cell = {"data": data, "method": method, "train": train, "seed": seed, "test": test}
                        noise = (seed - 1) * (1 if train == 1 else -1)
                        path = tmp_path / "cells" / f"{data}{method}{train}{test}{seed}.json"
                        path.parent.mkdir(exist_ok=True)
                        path.write_text(json.dumps(cell | {"f1": (float(f1) + noise) / 100}))
    return tmp_path


def test_tables_and_trends_of_the_papers_own_figures(paper, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["table.py", str(paper)])
    table.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "54 cells, 108 results, seeds [0, 1, 2]"
    assert "| triplet | 0.2 s | 42.5 +- 1.0 (42.5) | 38.2 +- 1.0 (38.2) | 11.7 +- 1.0 (11.7) |" in lines
    assert "| triplet | 0.2 s | 41.5 (42.5) | 1.6 (2.6) | -1.0 (0.0) |" in lines or any("(2.6)" in x for x in lines)
    judged = {line.split("|")[1].strip(): [x.strip() for x in line.split("|")[2:4]] for line in lines if "|" in line}
    for method in ("triplet", "prototypical"):
        assert judged[f"(i) waa {method}: training on 10 s minus on 1 s (mean of tests)"][1] == "holds"
        assert judged[f"(i) waa {method}: the same, beyond what the classifier loses, 3 seeds"][1] == "holds"
    assert judged["(i) waa end_to_end: training on 10 s minus on 1 s (mean of tests)"][0].startswith("+1.0 [")
    points, verdict = judged["(iii) end_to_end: 1 s / 1 s minus the best other cell (10 s / 1 s)"]
    assert (points, verdict.partition(":")[0]) == ("+3.3 [-1.7, +8.3]", "open")
    name = "(ii) waa end_to_end: trained on 0.2 s, test 10 s minus test 0.2 s"
    assert judged[name] == ["-19.0 [-19.0, -19.0]", "holds"]
    open_one = judged["(iv) waa_200ms end_to_end: at 0.2 s, 1 s minus 0.2 s training"]
    assert open_one[1].partition(":")[0] == "open"
    assert judged["(iv) waa triplet: at 0.2 s, 1 s minus 0.2 s training"][1] == "equal"


def test_other_ways_over_windows_are_compared_with_the_mean_of_them(paper, monkeypatch, capsys):
    for path in (paper / "cells").glob("waatriplet10.0*"):
        cell = json.loads(path.read_text())
        path.with_name(f"max{path.name}").write_text(
            json.dumps(cell | {"method": "triplet_max", "f1": cell["f1"] + 0.2 + 0.001 * cell["seed"]})
        )
    monkeypatch.setattr(sys, "argv", ["table.py", str(paper)])
    table.main()
    lines = capsys.readouterr().out
    assert "| waa triplet_max - triplet, test 10 s, 3 seeds | +20.1 [+19.9, +20.3] | holds |" in lines
    assert "| waa triplet_max - end_to_end, test 10 s, 3 seeds | -" in lines


def test_other_settings_are_refused_in_the_same_folder(root, tmp_path, monkeypatch):
    args = ["study.py", "--waa", str(root), "--waa_200ms", str(root), "--out", str(tmp_path), "--cells", "none"]
    monkeypatch.setattr(sys, "argv", args)
    assert study.main() == 0
    assert study.main() == 0
    monkeypatch.setattr(sys, "argv", [*args, "--epochs", "1", "2", "3"])
    with pytest.raises(
        SystemExit, match=r"was begun with other settings \(epochs; see .*study.json\): give them again"
    ):
        study.main()


@pytest.mark.slow
def test_a_training_waits_for_the_process_that_is_at_it(root, tmp_path):
    """And does nothing that was done meanwhile."""
    folder = tmp_path / "waa-end_to_end-0.2/seed_0"
    folder.mkdir(parents=True)
    (tmp_path / "cells").mkdir()
    args = [sys.executable, "-m", "experiments.waa.study", "--waa", str(root), "--waa_200ms", str(root)]
    args += ["--out", str(tmp_path), "--cells", "waa-end_to_end-0.2", "--jobs", "1"]
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = subprocess.Popen(args, stdout=subprocess.DEVNULL, cwd=ROOT)
        end = time.monotonic() + 120
        while not list(tmp_path.glob("log_*.txt")):
            assert running.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(3)  # enough for `wsed fit` to be called
        cell = {"data": "waa", "method": "end_to_end", "train": 0.2, "seed": 0, "f1": 0.5}
        for seconds in (0.2, 1, 10):
            path = tmp_path / f"cells/waa-end_to_end-0.2-{seconds:g}-0.json"
            path.write_text(json.dumps(cell | {"test": seconds}))
    assert running.wait(120) == 0
    assert [path.name for path in folder.iterdir()] == [".lock"]
    assert "wsed fit" not in "".join(log.read_text() for log in tmp_path.glob("log_*.txt"))


def test_intervals_are_over_the_recordings_too(paper, tmp_path, monkeypatch, capsys):
    """Cells whose test clips were kept: the seeds agree, and one of three recordings decides the difference."""
    labels, clips = ("Cat", "Dog"), [f"{i}.wav" for i in range(6)]
    root = tmp_path / "data/waa"
    (root / "metadata/eval").mkdir(parents=True)
    (root / "audio/eval/public").mkdir(parents=True)
    events = [f"{name}\t1\t2\t{labels[i % 2]}" for i, name in enumerate(clips)]
    (root / "metadata/eval/public.tsv").write_text("\n".join(["filename\tonset\toffset\tevent_label", *events]) + "\n")
    rows = [f"{name}\trec_{i // 2}\t" for i, name in enumerate(clips)]
    (root / "metadata/eval/provenance.tsv").write_text("\n".join(["filename\tsource_file\tbackground_file", *rows]))
    for test, train, seed in itertools.product(table.SECONDS, table.SECONDS, range(3)):
        scores = np.array([[i % 2 == c for c in range(2)] for i in range(6)], dtype=np.float32)
        scores[:2] = 0 if train == 10 else scores[:2]  # two of six clips, of one recording, are not tagged
        folder = paper / f"waa-triplet-{train:g}/seed_{seed}/classifier"
        there = folder / f"test_{test:g}/test"
        there.mkdir(parents=True)
        np.savez(
            there / "clip_scores.npz", labels=list(labels), clip_ids=clips, clip_scores=scores, durations=np.ones(6)
        )
        (there / "scores.json").write_text(json.dumps({"clips": 6, "decoder": {"tag_threshold": 0.5}, "step": 0}))
        (folder / "config.yaml").write_text("data: {corpus: {class_path: desed}}\n")
        (paper / f"cells/waatriplet{train}{test}{seed}.json").write_text(
            json.dumps(
                {"data": "waa", "method": "triplet", "train": train, "seed": seed, "test": test}
                | {"f1": 0.8 if train == 10 else 1.0}
            )
        )
    monkeypatch.setattr(sys, "argv", ["table.py", str(paper), "--root", str(tmp_path / "data")])
    table.main()
    out = capsys.readouterr().out
    assert "waa: Intervals are over seeds and 3 recordings. Over seeds alone: 54 results without scores." in out
    assert "waa_200ms: Intervals are over seeds alone" in out
    (line,) = [x for x in out.splitlines() if x.startswith("| (i) waa triplet: training on 10 s minus on 1 s")]
    assert "-20.0 [" in line
    assert "[-20.0, -20.0]" not in line


def test_cells_that_are_missing_are_no_trend(paper, capsys):
    for path in (paper / "cells").glob("*10.0*"):
        path.unlink()
    cells = table.read(paper)
    table.tables(cells, ["end_to_end"])
    table.trends(cells, ["end_to_end"])
    assert "no trend can be judged" in capsys.readouterr().out
