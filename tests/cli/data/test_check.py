"""`wsed data check` through the real command line: exit status, text for people, JSON for programs."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from tests.data import broken
from wsed.cli.main import main
from wsed.cli.types import read_labels
from wsed.errors import WsedError


def run(*args: str | Path) -> int:
    return main(["data", "check", *map(str, args)])


def test_a_clean_corpus_is_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(broken.clean(tmp_path), "--duration", 1) == 0
    out, err = capsys.readouterr()
    assert "fit for training; 0 errors, 0 warnings, 0 notes" in out
    assert "not fit" not in out
    assert "train/weak (weak): 4 clips, 4 readable, 0.00 h" in out
    assert "Speech" in out
    assert "Traceback" not in err


def test_a_broken_corpus_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = broken.broken(tmp_path / "corpus")
    assert run(root, "--duration", 1, "--max-missing", 0.2, "--show", 1, "--json", tmp_path / "report.json") == 1
    out, _ = capsys.readouterr()
    assert "not fit for training; 13 errors, 10 warnings, 1 note\n" in out
    assert "error truncated: 2\n" in out
    assert "\n  metadata/train/weak.tsv:16 audio/train/weak/truncated.wav: truncated: its header declares" in out
    assert "and 1 more (see --json, or --show 2)" in out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["ok"] is False
    assert len(report["findings"]) == len(broken.DEFECTS) == 24


def test_piped_text_has_one_line_a_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = broken.broken(tmp_path / "corpus")
    run(root, "--duration", 1, "--json", tmp_path / "report.json")
    lines = capsys.readouterr().out.splitlines()
    for finding in json.loads((tmp_path / "report.json").read_text())["findings"]:
        assert any(line.endswith(finding["message"]) for line in lines)


def test_quick_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(broken.clean(tmp_path), "--duration", 1, "--quick", "--workers", 1) == 0
    assert "headers only: run without --quick before training" in capsys.readouterr().out


def test_a_training_is_checked_with_its_own_classes_and_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = broken.clean(tmp_path / "corpus")
    (root / "metadata/labels.txt").unlink()
    (root / "metadata/office").mkdir()
    (root / "metadata/office/weak.tsv").write_text("filename\tevent_labels\n0.wav\tPhone,Cat\n1.wav\tDog\n")
    shutil.copytree(root / "audio/train/weak", root / "audio/office/weak")
    config, corpus = tmp_path / "exp.yaml", {"class_path": "desed", "init_args": {"root": str(root)}}

    def verdict(**settings: object) -> tuple[int, str]:
        corpus["init_args"] = {"root": str(root), **settings}
        config.write_text(yaml.safe_dump({"data": {"corpus": corpus, "max_missing": 0.5}}))
        return run(config, "--duration", 1), capsys.readouterr().out

    status, out = verdict(train={"office": "office/weak"})
    assert (status, "unknown label" in out) == (0, False)
    status, out = verdict()  # a table that is no training table, with a class that is in none
    assert (status, "unknown label 'Phone'" in out) == (1, True)
    status, out = verdict(labels=["Dog", "Phone"])
    assert (status, "unknown label 'Cat'" in out) == (1, True)
    (root / "audio/train/weak/0.wav").unlink()  # of four: fewer than max_missing
    assert verdict(train={"office": "office/weak"})[0] == 0


def test_labels(tmp_path: Path) -> None:
    root = broken.clean(tmp_path / "corpus")
    assert run(root, "--duration", 1, "--labels", "Dog, Cat") == 1
    assert run(root, "--duration", 1, "--labels", "Dog,Cat,Speech") == 0
    (tmp_path / "classes.txt").write_text("Dog\nCat\n\nSpeech of people\n")
    assert read_labels(str(tmp_path / "classes.txt")) == ["Dog", "Cat", "Speech of people"]
    with pytest.raises(WsedError, match=r"no such file: gone\.txt"):
        read_labels("gone.txt")
    with pytest.raises(WsedError, match=r"--classes: no such file: gone\.txt"):
        read_labels("gone.txt", "--classes")
    with pytest.raises(WsedError, match="names no class"):
        read_labels(" , ")
    assert read_labels("Dog,Speech/male") == ["Dog", "Speech/male"]
    assert read_labels("Speech/male") == ["Speech/male"]
    with pytest.raises(WsedError, match="no such file"):
        read_labels(str(tmp_path / "classes"))
    assert len(read_labels(",".join(f"a class with a long name {i}" for i in range(40)))) == 40


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["gone"], "no such folder: gone"),
        (["."], "is not a DESED folder"),
        (["corpus", "--tables", "train/week"], "did you mean train/weak?"),
        (["corpus", "--json", "gone/report.json"], "cannot write --json gone/report.json: No such file or directory"),
    ],
)
def test_mistakes_of_the_user_are_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, args: list[str], message: str
) -> None:
    broken.clean(tmp_path / "corpus")
    monkeypatch.chdir(tmp_path)
    assert run(*args) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "args",
    [["--duration", "0"], ["--duration", "long"], ["--workers", "0"], ["--max-missing", "1.5"], ["--show", "1.5"]],
)
def test_impossible_settings(capsys: pytest.CaptureFixture[str], args: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run(".", *args)
    assert caught.value.code == 2
    assert f"argument {args[0]}" in capsys.readouterr().err
