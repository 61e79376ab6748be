"""Clips without a readable sound file: counted, listed and left out, or an error where they are too many."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile

from wsed.data.clip import Clip
from wsed.data.corpus.base import Corpus
from wsed.data.corpus.desed import DESED
from wsed.data.holdout import Holdout
from wsed.data.load import TableLoader, check_names, present
from wsed.data.reading.files import Files
from wsed.errors import WsedError
from wsed.types import Labels


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
    (tmp_path / "missing.tsv").write_text("of an earlier start, before the clips were downloaded")
    there, _, notes = present(clips, Files(), "train", 0.0, tmp_path / "missing.tsv")
    assert [clip.path for clip in there] == [clip.path for clip in clips]
    assert notes == ()
    assert not (tmp_path / "missing.tsv").exists()
    assert list(present([], Files(), "train", 0.0)[0]) == []


def test_clips_to_score_of_one_name_are_refused() -> None:
    """Scores are kept by name; the same sound in two lists is one clip."""
    clips = [Clip("0.wav", Path(folder, "0.wav"), "validation") for folder in ("weak", "strong")]
    with pytest.raises(WsedError, match=r"validation: two clips have the name 0.wav: weak/0.wav and strong/0.wav; "):
        check_names(clips, "validation")
    check_names([clips[0], clips[0]], "validation")
    parts = [Clip("0.wav", Path("0.wav"), "test", start=start) for start in (0.0, 5.0)]
    with pytest.raises(WsedError, match="test: two clips have the name"):
        check_names(parts, "test")


def test_held_out_clips_of_two_sources(tmp_path: Path) -> None:
    """Files of DESED have the same names in two folders; before, one of two validation clips was scored."""
    for source in ("weak", "strong"):
        (tmp_path / "audio/train" / source).mkdir(parents=True)
        for i in range(4):
            sound(tmp_path / "audio/train" / source / f"{i}.wav")
    (tmp_path / "metadata/train").mkdir(parents=True)
    weak = [f"{i}.wav\tDog" for i in range(4)]
    (tmp_path / "metadata/train/weak.tsv").write_text("\n".join(["filename\tevent_labels", *weak, ""]))
    strong = [f"{i}.wav\t0.01\t0.05\tCat" for i in range(4)]
    (tmp_path / "metadata/train/strong.tsv").write_text(
        "\n".join(["filename\tonset\toffset\tevent_label", *strong, ""])
    )
    corpus = DESED(tmp_path, labels=["Cat", "Dog"], validation=None, test=None)
    loader = TableLoader(corpus, Files(), ("weak", "strong"), Holdout(0.5, sources=("weak", "strong"), seed=1))
    with pytest.raises(WsedError, match="validation: two clips have the name"):
        loader.load("validation")
    one = TableLoader(corpus, Files(), ("weak", "strong"), Holdout(0.5, sources=("weak",)))
    assert len(one.load("validation").table.clips) == 2


class Listed(Corpus):
    """A corpus of one's own: a list of clips."""

    sources, labels = ("weak",), Labels(["Dog"])

    def __init__(self, clips: list[Clip]) -> None:
        self.all = clips

    def clips(self, split, sources=None):
        return self.all


def test_no_clip_is_read_for_longer_than_the_duration_because_another_is_cut(tmp_path: Path) -> None:
    """Of a file of 2.05 s, all was read if another file was cut into parts."""
    for name, seconds in (("a.wav", 2.05), ("b.wav", 5.0)):
        soundfile.write(tmp_path / name, np.zeros(round(8000 * seconds)), 8000)
    clips = [Clip(name, tmp_path / name, "weak", frozenset({"Dog"})) for name in ("a.wav", "b.wav")]
    table = TableLoader(Listed(clips), Files(), duration=2.0).load("train").table
    assert (len(table.clips), table.end) == (4, 2.0)


@pytest.mark.parametrize("events", [None, (), (("Dog", 0.5, 1.0),)])
def test_parts_keep_the_tags_for_which_there_are_no_events(tmp_path: Path, events) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000 * 4), 8000)
    clip = Clip("a.wav", tmp_path / "a.wav", "weak", frozenset({"Dog", "Cat"}), events)
    corpus = Listed([clip])
    corpus.labels = Labels(["Cat", "Dog"])
    table = TableLoader(corpus, Files(), duration=2.0).load("train").table
    assert table.tags.tolist() == [[1.0, 1.0], [1.0, 0.0 if events else 1.0]]
    assert table.unsure is None


def test_clips_that_are_parts_of_a_long_file_are_not_longer_than_what_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(8000 * 6), 8000)
    part = partial(Clip, path=tmp_path / "a.wav", source="weak", tags=frozenset({"Dog"}), duration=2.0)
    loader = TableLoader(Listed([part(f"{i}", start=2.0 * i) for i in range(3)]), Files(), duration=2.0)
    assert [loader.load(split).notes for split in ("train", "test")] == [(), ()]
