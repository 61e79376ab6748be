"""Clips without a readable sound file: counted, listed and left out, or an error where they are too many."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from wsed.data.clip import Clip
from wsed.data.load import present
from wsed.data.reading.files import Files
from wsed.errors import WsedError


def sound(path: Path) -> None:
    soundfile.write(path, np.zeros(800), 8000)


def holes(folder: Path) -> list[Clip]:
    """Ten clips: seven are there, one is missing, one is a web page, one is empty of samples."""
    names = [f"{i}.wav" for i in range(10)]
    for name in names[:7]:
        sound(folder / name)
    (folder / "8.wav").write_text("<html>video unavailable</html>")
    soundfile.write(folder / "9.wav", np.zeros(0), 8000)
    return [Clip(name, folder / name, "weak") for name in names]


def test_holes_are_counted_listed_and_left_out(tmp_path: Path) -> None:
    clips = holes(tmp_path)
    there, _, notes = present(clips, Files(), "train", 0.3, tmp_path / "missing.tsv")
    assert [clip.id for clip in there] == [clip.id for clip in clips[:7]]
    assert {clip.duration for clip in there} == {0.1}
    assert notes[0].startswith("3 of 10 clips have no readable sound file and are left out: no such file")
    assert f"all are listed in {tmp_path / 'missing.tsv'}" in notes[0]
    lines = [line.split("\t") for line in (tmp_path / "missing.tsv").read_text().splitlines()]
    assert lines[0] == ["filename", "source", "path", "reason"]
    assert [line[0] for line in lines[1:]] == ["7.wav", "8.wav", "9.wav"]
    assert "no such file" in lines[1][3]
    assert "cannot read" in lines[2][3]
    assert "no samples" in lines[3][3]


def test_too_many_holes_are_an_error_and_still_listed(tmp_path: Path) -> None:
    with pytest.raises(WsedError) as caught:
        present(holes(tmp_path), Files(), "train", 0.2, tmp_path / "missing.tsv")
    for part in (
        "train (weak): 3 of 10 clips (30.0%)",
        "data.max_missing (0.2)",
        "7.wav",
        str(tmp_path / "missing.tsv"),
    ):
        assert part in str(caught.value)
    assert len((tmp_path / "missing.tsv").read_text().splitlines()) == 4


def test_no_holes_leave_no_report(tmp_path: Path) -> None:
    clips = holes(tmp_path)[:7]
    there, _, notes = present(clips, Files(), "train", 0.0, tmp_path / "missing.tsv")
    assert [clip.path for clip in there] == [clip.path for clip in clips]
    assert notes == ()
    assert not (tmp_path / "missing.tsv").exists()
    assert list(present([], Files(), "train", 0.0)[0]) == []
