"""`wsed data synth` through the command line, killed and started again."""

import argparse
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from wsed.cli.data.synth import add_arguments
from wsed.cli.main import main
from wsed.data import audio
from wsed.data.table import read_rows, read_strong

RATE = 8000


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bank")
    rng = np.random.default_rng(0)
    for split in ("train", "validation", "eval"):
        for label in ("hum", "rattle"):
            (root / "foreground" / split / label).mkdir(parents=True)
            audio.write(root / "foreground" / split / label / "0.wav", 0.2 * rng.standard_normal(RATE), RATE)
        (root / "background" / split).mkdir(parents=True)
        audio.write(root / "background" / split / "0.wav", 0.05 * rng.standard_normal(RATE), RATE)
    return root


def command(bank: Path, out: Path, *more: str) -> list[str]:
    return ["data", "synth", "--soundbank", str(bank), "--out", str(out), "--recipe", "plain", *more]


def test_makes_a_corpus_and_tells_what_is_in_it(bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "corpus"
    assert main(command(bank, out, "--clips", "train=4", "validation=2", "eval=0", "--workers", "1")) == 0
    printed = capsys.readouterr().out
    assert "6 clips made" in printed
    assert str(out) in printed
    assert [line.split() for line in printed.splitlines() if line.startswith("clips")] == [["clips", "4", "2"]]
    events = next(line for line in printed.splitlines() if line.startswith("events (recordings)"))
    tables = [out / f"metadata/{split}/provenance.tsv" for split in ("train", "validation")]
    used = [len({row["source_file"] for _, row in read_rows(path, ())}) for path in tables]
    assert events.split()[3::2] == [f"({n})" for n in used]
    assert len(read_strong(out / "metadata/train/strong.tsv")) == 4
    assert main(command(bank, out, "--clips", "train=4", "validation=2", "eval=0")) == 0
    assert "0 clips made, 6 existed before" in capsys.readouterr().out


def test_mistakes_are_one_line_and_status_2(bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(bank / "nowhere", tmp_path / "a")) == 2
    assert "is not a soundbank" in capsys.readouterr().err
    assert main(command(bank, tmp_path / "a", "--recipe", "wwa")) == 2
    assert "did you mean waa?" in capsys.readouterr().err
    assert main(command(bank, tmp_path / "a", "--recipe", "domestic")) == 2
    assert "use the recipe 'plain'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--clips", "trian=3"], "no split 'trian' (did you mean train?)"),
        (["--clips", "train"], "lacks a number of clips"),
        (["--workers", "0"], "not a whole number of 1 or more"),
    ],
)
def test_bad_arguments(flags: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(SystemExit):
        parser.parse_args(["--out", "x", *flags])
    assert message in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_run_goes_on(bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    n = 150
    flags = ["--clips", f"train={n}", "validation=0", "eval=0", "--workers", "1"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    run = subprocess.Popen(
        [sys.executable, "-m", "wsed.cli.main", *command(bank, killed, *flags)], stdout=subprocess.DEVNULL
    )
    journal, deadline = killed / "synth.jsonl", time.monotonic() + 60
    while time.monotonic() < deadline and run.poll() is None:
        if journal.exists() and journal.read_bytes().count(b"\n") >= 5:
            break
        time.sleep(0.005)
    os.kill(run.pid, signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert not (killed / "metadata/train/strong.tsv").exists()
    for folder in (killed, whole):
        assert main(command(bank, folder, *flags)) == 0
    assert "existed before" in capsys.readouterr().out
    for name in ("metadata/train/strong.tsv", "metadata/train/provenance.tsv", "synth.json"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes()
    clips = [f.name for f in (killed / "audio/train/weak").iterdir()]
    assert len(clips) == n
    for name in clips:
        assert (killed / "audio/train/weak" / name).read_bytes() == (whole / "audio/train/weak" / name).read_bytes()
    assert len([json.loads(line) for line in journal.read_text().splitlines()]) == n


def test_a_full_disk_is_one_line(
    bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("wsed.data.synth.corpus_files.write_text", full)
    assert main(command(bank, tmp_path / "out", "--clips", "train=1", "validation=0", "eval=0", "--workers", "1")) == 2
    assert "synth.json: No space left on device; make room or pass another --out" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(command(bank, tmp_path / "file" / "out", "--clips", "train=1", "--workers", "1")) == 2
    assert "Not a directory" in capsys.readouterr().err


@pytest.mark.parametrize("head", ["{", "[]", '{"clips": 3}', "\x00", '{"clips": {"train": "many"}}'])
def test_a_damaged_head_is_refused(bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], head: str) -> None:
    (tmp_path / "synth.json").write_text(head)
    assert main(command(bank, tmp_path, "--clips", "train=1", "validation=0", "eval=0", "--workers", "1")) == 2
    assert "holds a corpus" in capsys.readouterr().err


def test_damaged_lines_of_the_journal_are_made_again(bank: Path, tmp_path: Path) -> None:
    make = command(bank, tmp_path, "--clips", "train=2", "validation=0", "eval=0", "--workers", "1")
    assert main(make) == 0
    rows = (tmp_path / "metadata/train/strong.tsv").read_text()
    first = (tmp_path / "synth.jsonl").read_bytes().split(b"\n")[0]
    broken = [b"\xff", b"{", b"[]", b"3", b'{"split": "train"}', first.replace(b'"train"', b'"other"'), first]
    (tmp_path / "synth.jsonl").write_bytes(b"\n".join(broken))
    assert main(make) == 0
    assert (tmp_path / "metadata/train/strong.tsv").read_text() == rows
