"""Opening soundbanks, and mistakes in them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.data.synth.tones import RATE, RECIPE, break_bank, empty, silence, tone
from wsed.data import audio, table
from wsed.data.synth.bank_files import content_id
from wsed.data.synth.soundbank import open_soundbank
from wsed.data.synth.soundscape import synthesise
from wsed.errors import WsedError


def test_segments_of_a_manifest_win(bank_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "bank"
    (root / "foreground/train/fan").mkdir(parents=True)
    (root / "background/train").mkdir(parents=True)
    audio.write(root / "foreground/train/fan/0.wav", tone(300, 1.2), RATE)
    audio.write(root / "background/train/0.wav", tone(100, 1.0), RATE)
    rows = [("foreground/train/fan/0.wav", "0.10-0.30;0.40-0.50;0.90-1.20", "a")]
    table.write_rows(root / "manifest.tsv", ("path", "segments", "recording_id"), rows)
    (recording,) = open_soundbank(root, ["train"], RATE).sounds["train"]["fan"][0]
    assert [(s.onset, s.offset) for s in recording.stretches] == [(0.1, 0.5), (0.9, 1.2)]


def silent(root: Path) -> None:
    audio.write(root / "foreground/train/bell/0.wav", silence(1.0), RATE)


def two_splits(root: Path) -> None:
    rows = [("foreground/train/bell/0.wav", "r1"), ("foreground/eval/bell/0.wav", "r1")]
    table.write_rows(root / "manifest.tsv", ("path", "recording_id"), rows)


def no_class_in_eval(root: Path) -> None:
    empty(root / "foreground/eval/bell")
    (root / "foreground/eval/bell").rmdir()


def bad_segments(root: Path) -> None:
    rows = [("foreground/train/bell/0.wav", "0.1-0.2;x")]
    table.write_rows(root / "manifest.tsv", ("path", "segments"), rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: empty(r / "foreground/train/bell"), r"foreground/train/bell holds no sound files"),
        (lambda r: empty(r / "background/eval"), r"no background for 'eval'.*background/eval.*eval=0"),
        (lambda r: (r / "foreground/validation").rename(r / "elsewhere"), r"no folder .*foreground/validation"),
        (silent, r"bell/0.wav is silent"),
        (
            two_splits,
            r"manifest.tsv: recording 'r1' is in two splits \(foreground/train/bell/0.wav and foreground/eval",
        ),
        (no_class_in_eval, r"class 'bell' has no recording .* split 'eval'.*classes: \{bell: 0\}"),
        (bad_segments, r"segments of foreground/train/bell/0.wav are '0.1-0.2;x'"),
        (lambda r: (r / "foreground/train/bell/0.wav").write_bytes(b"no sound"), r"cannot read .*bell/0.wav"),
        (
            lambda r: (r / "foreground/train/bell").rename(r / "foreground/train/background"),
            r"foreground/train/background: a class cannot be called background",
        ),
    ],
)
def test_mistakes_in_a_soundbank(
    bank_folder: Path, tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    with pytest.raises(WsedError, match=message):
        synthesise(tmp_path / "out", soundbank=break_bank(bank_folder, tmp_path, change), recipe=RECIPE, workers=1)


def test_what_a_file_manager_leaves_makes_no_other_soundbank(bank_folder: Path) -> None:
    before = content_id(bank_folder)
    (bank_folder / "foreground/train/.DS_Store").write_text("")
    (bank_folder / "foreground/train/Thumbs.db").write_text("")
    assert content_id(bank_folder) == before
    for name in (".DS_Store", "Thumbs.db"):
        (bank_folder / "foreground/train" / name).unlink()


def test_missing_soundbank(tmp_path: Path) -> None:
    with pytest.raises(WsedError, match="nowhere is not a soundbank"):
        synthesise(tmp_path / "out", soundbank=tmp_path / "nowhere", recipe=RECIPE)
    assert not (tmp_path / "out").exists()
