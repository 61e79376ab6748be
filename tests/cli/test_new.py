"""`wsed new`: what it makes of a folder, and that a detector is trained from it."""

import numpy as np
import pytest
import soundfile

from wsed.cli.main import main
from wsed.text import read_yaml

RATE = 8000


def recordings(folder, n=18, seconds=1.0):
    """Two sounds in folders named by class."""
    for i in range(n):
        name = ("low", "high")[i % 2]
        (folder / name).mkdir(parents=True, exist_ok=True)
        time = np.arange(round(seconds * RATE)) / RATE
        tone = 0.3 * np.sin(2 * np.pi * (300, 2000)[i % 2] * time) * ((time > 0.2) & (time < 0.6))
        noise = 0.01 * np.random.default_rng(i).standard_normal(len(time))
        soundfile.write(folder / name / f"{i}.wav", tone + noise, RATE)
    return folder


def test_from_a_folder_to_a_detector(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    recordings(tmp_path / "my birds")
    assert main(["new", "my birds"]) == 0
    printed = capsys.readouterr().out
    assert "14 train, 2 validation, 2 test files" in printed
    assert "wsed fit --config 'my birds.yaml'" in printed
    config = read_yaml("my birds.yaml")
    assert config["data"]["corpus"]["init_args"]["tags"] == "folders"
    assert config["data"]["batch"] == {"weak": 4}
    assert config["data"]["duration"] == 1
    assert config["model"]["network"]["frontend"]["init_args"]["sample_rate"] == RATE
    short = ["--trainer.max_epochs", "1", "--trainer.accelerator", "cpu", "--data.workers", "0"]
    assert main(["fit", "--config", "my birds.yaml", *short]) == 0
    assert (tmp_path / "runs/my birds/seed_0/checkpoints/best.ckpt").is_file()


def test_a_table_in_this_folder_is_named_and_not_read_as_a_setting(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    files = [path.relative_to(tmp_path / "ward") for path in recordings(tmp_path / "ward").rglob("*.wav")]
    rows = [f"{path},{path.parent.name}" for path in files]
    (tmp_path / "tags.csv").write_text("\n".join(["filename,event_labels", *rows]) + "\n")
    assert main(["new", "ward", "--labels", "tags.csv"]) == 0
    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        main(["fit", "--config", "ward.yaml", "--print_config"])
    assert end.value.code in (0, None)
    assert "tags: tags.csv\n" in capsys.readouterr().out


def test_events_long_files_groups_and_rare_classes(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    recordings(tmp_path / "ward", n=10, seconds=1.0)
    silence = np.zeros(40 * RATE, dtype=np.float32)
    soundfile.write(tmp_path / "ward/long.flac", silence, RATE)
    rows = [f"{('low', 'high')[i % 2]}/{i}.wav,p{i},0.2,0.6,{'Odd' if i == 9 else 'Tone'}" for i in range(10)]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["file,patient,start,end,label", "long.flac,p10,1,39,Tone", *rows]) + "\n")
    assert main(["new", "ward", "--labels", "labels.csv", "--out", "mine.yaml"]) == 0
    printed = capsys.readouterr().out
    assert "left out, too rare for every split: Odd" in printed
    config = read_yaml("mine.yaml")
    arguments = config["data"]["corpus"]["init_args"]
    assert arguments["splits"] == {"group": "patient", "validation": 0.15, "test": 0.15}
    assert arguments["classes"] == ["Tone"]
    assert config["data"]["windows"] == {"length": 10} or config["data"]["duration"] == 1
    assert list(config["model"]["losses"]) == ["events"]
    capsys.readouterr()
    assert main(["data", "check", "mine.yaml", "--quick"]) == 0
    assert "labels.csv train (strong)" in (printed := capsys.readouterr().out)
    assert "fit for training" in printed


def test_labels_that_cannot_be_read_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").mkdir()
    soundfile.write(tmp_path / "plain/a.wav", np.zeros(RATE), RATE)
    for name, text, reason in (
        ("a.csv", "0.5,1.25,Dog\n", " has no header: its first row holds numbers"),
        ("a.txt", "0.5 1.25 Dog\n", " is not a file of events of a known format"),
        ("tags.csv", "who,what,when\na.wav,Dog,now\n", " has no column with a usual name for tags"),
        ("tags.csv", "file,what\nb.wav,Dog\n", " names no sound file of plain (such as a.wav)"),
        ("b.txt", "0.5\t1.25\tDog\n", " has the name of no sound file (such as a.wav)"),
        ("tags.csv", "who,what\nme,Dog\n", ": no column names sound files of plain"),
        ("tags.csv", "a.wav,Dog\na.wav,Cat\n", " has no header: its first row names the file 'a.wav'"),
    ):
        (tmp_path / "plain" / name).write_text(text)
        assert main(["new", "plain"]) == 2
        assert f"Left out: plain/{name}{reason}" in capsys.readouterr().err
        (tmp_path / "plain" / name).unlink()
    (tmp_path / "plain/README.txt").write_text("hello, world\n")
    assert main(["new", "plain"]) == 2
    assert "Left out" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["missing"], "nothing in missing|no such folder"),
        (["plain"], "the classes of the files in plain are unknown.*--labels"),
        (["plain", "--labels", "missing.csv"], "no such table or folder of labels: missing.csv"),
        (["plain", "--labels", "other.csv"], "other.csv: no cell names a sound file of plain.*first row is b.wav, Dog"),
        (["plain", "--out", "gone/my.yaml"], "--out gone/my.yaml: no such folder: gone"),
        (["plain", "--out", "taken.yaml"], "taken.yaml exists; choose another --out, or pass --overwrite"),
    ],
)
def test_mistakes(args, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").mkdir()
    soundfile.write(tmp_path / "plain/a.wav", np.zeros(RATE), RATE)
    (tmp_path / "taken.yaml").touch()
    (tmp_path / "other.csv").write_text("filename,tags\nb.wav,Dog\n")
    assert main(["new", *args]) == 2
    import re

    assert re.search(message, capsys.readouterr().err)
