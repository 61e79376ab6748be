"""Tables find their clips in every variant of the layout, and missing clips are counted, listed and left out."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from wsed.data import sound_files
from wsed.data.clip import Clip
from wsed.data.corpus import desed_layout as layout
from wsed.data.corpus.desed_listing import read_listing
from wsed.errors import WsedError

STRONG = "filename\tonset\toffset\tevent_label\n"


def sound(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(800, 0.1), 8000)
    return path


def table(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("above", ["", "dataset"])
def test_tables_and_their_folders(tmp_path: Path, above: str) -> None:
    home = tmp_path / above
    for name in ("train/weak", "train/synthetic21/soundscapes", "validation/test_dcase2018", "eval/public"):
        table(home / "metadata" / f"{name}.tsv", "filename\n")
    table(home / "metadata/eval/public_durations.tsv", "filename\tduration\nc.wav\t9.5\n")
    table(home / "metadata/train/provenance.tsv", "filename\tonset\n")
    table(home / "metadata/train/.ipynb_checkpoints/weak-checkpoint.tsv", "filename\n")  # a copy of an editor
    for name in ("train/weak", "train/synthetic21/soundscapes", "validation", "eval/public"):
        (home / "audio" / name).mkdir(parents=True)
    assert layout.base(tmp_path) == home
    assert layout.tables(tmp_path) == [
        "eval/public",
        "train/synthetic21/soundscapes",
        "train/weak",
        "validation/test_dcase2018",
    ]
    assert layout.find(tmp_path, "train/weak") == (home / "metadata/train/weak.tsv", home / "audio/train/weak")
    assert layout.find(tmp_path, "train/weak.tsv")[1] == home / "audio/train/weak"
    soundscapes = layout.find(tmp_path, "train/synthetic21/soundscapes")[1]
    assert soundscapes == home / "audio/train/synthetic21/soundscapes"
    assert layout.find(tmp_path, "validation/test_dcase2018")[1] == home / "audio/validation"
    assert layout.find(tmp_path, "train/weak", audio="eval/public")[1] == home / "audio/eval/public"
    assert layout.durations(tmp_path, "eval/public") == {"c.wav": 9.5}
    assert layout.durations(tmp_path, "train/weak") == {}


@pytest.mark.parametrize("separator", ["\t", ","])
def test_tables_may_be_csv(tmp_path: Path, separator: str) -> None:
    cells = [["filename", "onset", "offset", "event_label"], ["a.wav", "0", "1", "Dog"], ["b.wav", "0.5", "2", "Cat"]]
    csv = table(tmp_path / "metadata/test/test.csv", "\n".join(separator.join(row) for row in cells))
    tags = "Dog,Cat" if separator == "\t" else '"Dog,Cat"'
    table(tmp_path / "metadata/train/weak.csv", f"filename{separator}event_labels\na.wav{separator}{tags}\n")
    table(tmp_path / "metadata/train/weak_durations.csv", f"filename{separator}duration\na.wav{separator}9\n")
    for name in ("test", "train/weak"):
        (tmp_path / "audio" / name).mkdir(parents=True)
    assert layout.tables(tmp_path) == ["test/test", "train/weak"]
    assert layout.find(tmp_path, "test/test") == (csv, tmp_path / "audio/test")
    clips = layout.read_clips(tmp_path, "test/test", "test")
    assert [clip.events for clip in clips] == [(("Dog", 0.0, 1.0),), (("Cat", 0.5, 2.0),)]
    assert [clip.tags for clip in layout.read_clips(tmp_path, "train/weak")] == [{"Dog", "Cat"}]
    assert layout.durations(tmp_path, "train/weak.csv") == {"a.wav": 9.0}
    listing = read_listing(tmp_path, "test/test")
    assert (listing.kind, len(listing.rows), listing.problems) == ("strong", 2, ())


def test_a_tsv_wins_over_a_csv_unless_that_is_named(tmp_path: Path) -> None:
    (tmp_path / "audio/train").mkdir(parents=True)
    table(tmp_path / "metadata/train/weak.tsv", "filename\nold.wav\n")
    csv = table(tmp_path / "metadata/train/weak.csv", "filename\nnew.wav\n")
    assert layout.tables(tmp_path) == ["train/weak"]
    assert [clip.id for clip in layout.read_clips(tmp_path, "train/weak")] == ["old.wav"]
    assert layout.find(tmp_path, "train/weak.csv") == (csv, tmp_path / "audio/train")
    with pytest.raises(WsedError, match=r"no such table: .*strong\.tsv"):
        layout.find(tmp_path, "train/strong")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WsedError, match=r"no such folder: .*nowhere"):
        layout.base(tmp_path / "nowhere")
    with pytest.raises(WsedError, match="no metadata/ or dataset/metadata/"):
        layout.base(tmp_path)
    table(tmp_path / "metadata/train/weak.tsv", "filename\n")
    with pytest.raises(WsedError, match=r"no such table: .*waek\.tsv \(did you mean train/weak\?\)"):
        layout.find(tmp_path, "train/waek")
    with pytest.raises(WsedError, match=r"no audio folder for table train/weak: .*audio/train/weak or .*; give"):
        layout.find(tmp_path, "train/weak")
    (tmp_path / "audio/train/weak").mkdir(parents=True)
    with pytest.raises(WsedError, match=r"no audio folder .*audio/other"):
        layout.find(tmp_path, "train/weak", audio="other")


def test_kinds_of_tables(tmp_path: Path) -> None:
    folder = tmp_path / "audio/train"
    for name in "abc":
        sound(folder / f"{name}.wav")
    table(tmp_path / "metadata/train/weak.tsv", "filename\tevent_labels\nb.wav\tDog,Cat\na.wav\t\n")
    table(tmp_path / "metadata/train/strong.tsv", f"{STRONG}a.wav\t0\t1\tDog\nb.wav\na.wav\t0.5\t2\tCat\n")
    table(tmp_path / "metadata/train/unlabel_in_domain.tsv", "filename\nc.wav\na.wav\nc.wav\n")
    both = "filename\tonset\toffset\tevent_label\tevent_labels\na.wav\t0\t1\tDog\tDog,Cat\n"
    table(tmp_path / "metadata/train/both.tsv", both)
    assert layout.read_clips(tmp_path) == [
        Clip("b.wav", folder / "b.wav", "weak", frozenset({"Dog", "Cat"})),
        Clip("a.wav", folder / "a.wav", "weak", frozenset()),
    ]
    assert layout.read_clips(tmp_path, "train/strong", "synthetic") == [
        Clip("a.wav", folder / "a.wav", "synthetic", frozenset({"Dog", "Cat"}), (("Dog", 0.0, 1.0), ("Cat", 0.5, 2.0))),
        Clip("b.wav", folder / "b.wav", "synthetic", frozenset(), ()),
    ]
    assert layout.read_clips(tmp_path, "train/unlabel_in_domain", "unlabelled") == [
        Clip("c.wav", folder / "c.wav", "unlabelled"),
        Clip("a.wav", folder / "a.wav", "unlabelled"),
    ]
    (clip,) = layout.read_clips(tmp_path, "train/both", "x")
    assert clip.tags == {"Dog", "Cat"}
    assert clip.events == (("Dog", 0.0, 1.0),)


def test_the_file_may_have_another_suffix(tmp_path: Path) -> None:
    for name in ("Y_0.000_10.000.flac", "b.MP3", "c.wav", "c.flac", "sub/d.ogg", "x.txt", ".hidden.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = ("Y_0.000_10.000.wav", "Y_0.000_10.000", "b.wav", "c.flac", "c.mp3", "sub/d.wav", "other/d.wav", "x.wav")
    found = sound_files.locate(tmp_path, names)
    assert {name: path.relative_to(tmp_path).as_posix() for name, path in found.items()} == {
        "Y_0.000_10.000.wav": "Y_0.000_10.000.flac",
        "Y_0.000_10.000": "Y_0.000_10.000.flac",
        "b.wav": "b.MP3",
        "c.flac": "c.flac",
        "c.mp3": "c.wav",
        "sub/d.wav": "sub/d.ogg",
        "other/d.wav": "other/d.wav",  # not there: where it should be
        "x.wav": "x.wav",
    }


def test_the_least_nested_file_is_taken_and_a_tie_is_an_error(tmp_path: Path) -> None:
    for name in ("a.wav", "one/a.wav", "one/b.wav", "two/b.wav", "10_events/foreground0.wav"):
        sound(tmp_path / name)
    assert sound_files.locate(tmp_path, ["a.wav"]) == {"a.wav": tmp_path / "a.wav"}
    assert tmp_path / "10_events/foreground0.wav" not in sound_files.sound_files(tmp_path)
    with pytest.raises(WsedError, match=r"b\.wav is in .*one and in .*two; move the wrong one"):
        sound_files.locate(tmp_path, ["b.wav"])
    assert sound_files.locate(tmp_path, ["two/b.wav"]) == {"two/b.wav": tmp_path / "two/b.wav"}
