"""The table of the experiment from reports whose values are known, and the patients whose rows are hidden."""

import csv
import json

import pytest

from experiments.what_wins import corpus, table

pytest.importorskip("scipy.stats", reason="the extra study is not installed")


def run(folder, value):
    """A tested run all of whose measures have one value."""
    (folder / "test").mkdir(parents=True)
    (folder / "config.yaml").touch()
    macro = {"macro": value}
    report = {"event_f1": macro, "segment_f1": macro, "tagging_f1": macro, "psds1": value, "psds2": value}
    (folder / "test" / "scores.json").write_text(json.dumps(report))


def test_shares_of_the_way_are_of_common_seeds(tmp_path, monkeypatch, capsys):
    rows = {"best": (0.30, 0.32), "mixup": (0.35, 0.37, 0.9), "strong": (0.50, 0.52)}
    rows |= {"teacher": (0.2, 0.3, 0.4), "teacher_scored": (0.3, 0.4)}
    for row, values in rows.items():
        for seed, value in enumerate(values):
            run(tmp_path / row / f"seed_{seed}", value)
    monkeypatch.setattr("sys.argv", ["table", str(tmp_path)])
    table.main()
    lines = {line.split(" | ")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["| mixup (3)"].endswith("| +5.0 [+5.0, +5.0] (25 %) | +5.0 [+5.0, +5.0] (25 %) |")
    assert lines["| best (2)"].startswith("| best (2) | 31.0 +- 1.4 |")
    assert (
        lines["| teacher_scored - teacher (2)"]
        == "| teacher_scored - teacher (2) | +10.0 [+10.0, +10.0] | +10.0 [+10.0, +10.0] |"
    )
    assert "| holds |" in lines["| events beat tags"]


def test_no_finished_run_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["table", str(tmp_path)])
    with pytest.raises(SystemExit, match="no finished run of best, mixup"):
        table.main()


def test_patients_without_labels_keep_their_recordings(tmp_path):
    root = tmp_path / "ward"
    (root / "audio").mkdir(parents=True)
    splits = ["train"] * 8 + ["validation", "test_seen_patients"]
    rows = [f"r{i}.flac,{split},p{i // 2}" for i, split in enumerate(splits)]
    (root / "recordings.csv").write_text("\n".join(["file,split,patient", *rows]) + "\n")
    (root / "events.csv").write_text("\n".join(["file,start", *(f"r{i}.flac,0.5" for i in range(10))]) + "\n")
    corpus.sprsound(root, tmp_path / "out", hidden=0.5, seed=0)
    with (tmp_path / "out/recordings.csv").open() as file:
        kept = list(csv.DictReader(file))
    train = [row for row in kept if row["split"] == "train"]
    assert len(train) == 4
    assert len({row["patient"] for row in train}) == 2
    assert len(kept) == 6
    events = (tmp_path / "out/events.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0] for row in events] == [row["file"] for row in kept]
    assert (tmp_path / "out/audio").resolve() == (root / "audio").resolve()
