"""The tables of the SPRSound experiment from runs whose scores are known."""

import numpy as np
import pytest
import soundfile
import torch
import yaml

from experiments.sprsound import table
from wsed.decoding import StepDecoder
from wsed.metrics.groups import Groups
from wsed.scoring.formats.run_scores import write_scores
from wsed.spec import spec_of
from wsed.tuned import TunedDecoder
from wsed.types import Labels
from wsed.values import Scores

LABELS = Labels(["Normal", "Crackle", "Wheeze"])
OF = ("Normal", "Fine Crackle", "Wheeze")
SECONDS, RATE = 2.0, 10.0


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    """Six test recordings of 2 s of each kind of patient, two of each patient, with one event from 0.5 to 1 s."""
    root = tmp_path_factory.mktemp("ward")
    tags, events = ["file,split,patient,labels"], ["file,start,end,label"]
    splits = ("train", *table.SPLITS)
    for i in range(18):
        name = f"r{i:02}.flac"
        soundfile.write(root / name, np.zeros(80), 8000)
        tags.append(f"{name},{splits[i // 6]},p{i // 2},{OF[i % 3]}")
        events.append(f"{name},0.5,1.0,{OF[i % 3]}")
    for label in ("Coarse Crackle", "Wheeze+Crackle"):
        events.append(f"r00.flac,1.5,1.8,{label}")
    (root / "recordings.csv").write_text("\n".join(tags) + "\n")
    (root / "events.csv").write_text("\n".join(events) + "\n")
    return root


def run(folder, right):
    """A run whose scores are 1 in the true events, or everywhere in the recording."""
    frames = torch.zeros(12, round(SECONDS * RATE), 3)
    for i in range(12):
        frames[i, 5:10, i % 3] = 1.0
        if not right:
            frames[i, :, i % 3] = 1.0
    names = tuple(f"r{i:02}.flac" for i in range(6, 18))
    scores = Scores.of_padded(frames, RATE, clip_ids=names, clip_scores=frames.amax(1))
    (folder / "test").mkdir(parents=True)
    (folder / "checkpoints").mkdir()
    write_scores(folder / "test", scores, LABELS)
    (folder / "test" / "scores.json").write_text("{}")
    (folder / "config.yaml").touch()
    checkpoint = folder / "checkpoints" / "best.ckpt"
    checkpoint.write_bytes(b"weights")
    decoder = spec_of(StepDecoder()).to_plain()
    TunedDecoder(decoder, decoder, {}).write(checkpoint)
    assert yaml.safe_load(checkpoint.with_suffix(".decoder.yaml").read_text())["decoder"] == decoder


def test_the_tables_of_finished_runs(ward, tmp_path, monkeypatch, capsys):
    for seed in (0, 1):
        run(tmp_path / "frame_bce" / f"seed_{seed}", right=True)
    run(tmp_path / "mil" / "seed_0", right=False)
    monkeypatch.setattr("sys.argv", ["table", str(tmp_path), "--root", str(ward), "--resamples", "5"])
    table.main()
    printed = capsys.readouterr().out
    assert "test_seen_patients: 6 recordings of 3 patients" in printed
    rows = [[part.strip() for part in line.strip("| ").split(" | ")] for line in printed.splitlines() if " | " in line]
    lines = {tuple(row[:2]): row[2:] for row in rows}
    assert ["frame_bce (2)", "100.0 (100.0 to 100.0)"] in [row[:2] for row in rows]
    assert ["mil (1)", "0.0 (0.0 to 0.0)"] in [row[:2] for row in rows]
    assert [table.BASELINE, "0.0 (0.0 to 0.0)"] in [row[:2] for row in rows]
    assert lines["mil (1)", "event F1"] == ["+0.0 [+0.0, +0.0]", "+100.0 [+100.0, +100.0]", "0 (0 to 0)"]
    assert "events beat tags" not in printed  # `best` was not run


def test_claims_follow_from_patients():
    per_patient = {"best": np.array([0.1, 0.2, 0.3]), "frame_bce": np.array([0.4, 0.5, 0.6])}
    systems = {name: [dict.fromkeys(table.COLUMNS, lambda w, v=v: w @ v / w.sum(1))] for name, v in per_patient.items()}
    found = table.Table(systems, ["p1", "p2", "p3"], resamples=50)
    printed = found.claims(table.read_recipe(table.HERE).claims)
    assert printed.splitlines()[-1].endswith("| event_f1 | +30.0 [+30.0, +30.0] | holds |")
    assert len(printed.splitlines()) == 3  # the rows of the other claims were not run


def test_a_share_of_the_way():
    low, row, high = (lambda weights, part=part: weights[:, 0] * part for part in (1.0, 2.0, 5.0))
    assert table.share_of(low, row, high)(np.array([[2.0]])).tolist() == [0.25]
    assert np.isnan(table.share_of(high, row, low)(np.array([[2.0]]))).all()


def test_resamples_are_of_patients():
    groups = Groups.of(["p1", "p2", "p1"])
    statistic = groups.statistic(lambda weights: weights @ np.array([1.0, 2.0, 4.0]))
    assert len(groups) == 2
    assert statistic(np.array([[1.0, 0.0], [0.0, 2.0]])).tolist() == [5.0, 4.0]


def test_no_finished_run_is_said(ward, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["table", str(tmp_path), "--root", str(ward)])
    with pytest.raises(SystemExit, match="no finished run of mil"):
        table.main()
