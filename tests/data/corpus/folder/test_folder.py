"""One's own recordings: what tables, folders and label files say of them, and what is said of mistakes in them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from wsed.data.checks import rate_note
from wsed.data.clip import Clip
from wsed.data.corpus.folder.classes import Classes
from wsed.data.corpus.folder.corpus import Folder
from wsed.data.corpus.folder.guess import guess
from wsed.data.corpus.folder.settings import EventTable, Splits, TagTable
from wsed.data.corpus.joint import Joint
from wsed.data.doctor.check import check
from wsed.data.load import TableLoader
from wsed.data.reading.files import Files
from wsed.data.windows import Windows
from wsed.errors import WsedError

RATE = 1000


def sounds(root: Path, *names: str, seconds: float = 2.0) -> Path:
    for i, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(i).uniform(-0.3, 0.3, round(seconds * RATE))
        soundfile.write(root / name, noise, RATE)
    return root


def text(root: Path, name: str, *lines: str) -> str:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join(lines) + "\n")
    return name


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """Eight recordings of four patients in folders, with a table of tags and one of events."""
    sounds(tmp_path, *(f"audio/p{p}_{i}.wav" for p in range(1, 5) for i in (1, 2)), "audio/noise/fan.flac")
    rows = [
        f"p{p}_{i}.wav,p{p},{'Fine Crackle;Wheeze' if i == 1 else 'Coarse+Wheeze'},{('train', 'test')[p == 4]}"
        for p in range(1, 5)
        for i in (1, 2)
    ]
    text(tmp_path, "tags.csv", "file,patient,labels,split", *rows)
    events = [f"p{p}_1.wav,0.2,0.8,Fine Crackle\np{p}_1.wav,1,1.5,Wheeze" for p in range(1, 5)]
    text(tmp_path, "events.csv", "file,start,end,label", *events)
    return tmp_path


MERGED = {"Crackle": ["Fine Crackle", "Coarse+Wheeze"], "Wheeze": ["Wheeze", "Coarse+Wheeze"]}


def tagged(corpus: Folder, split: str = "train") -> dict[str, set[str] | None]:
    return {clip.id: None if clip.tags is None else set(clip.tags) for clip in corpus.clips(split)}


def test_tables_of_tags_and_events(ward):
    corpus = Folder(ward, "tags.csv", "events.csv", MERGED, Splits(column="split"))
    assert list(corpus.labels) == ["Crackle", "Wheeze"]
    assert corpus.sources == ("strong", "weak", "background")
    clip = corpus.clips("test")[0]
    groups = {"folder": "audio", "patient": "p4", "split": "test"}
    assert clip == Clip(
        "audio/p4_1.wav",
        ward / "audio/p4_1.wav",
        "test",
        frozenset({"Crackle", "Wheeze"}),
        (("Crackle", 0.2, 0.8), ("Wheeze", 1.0, 1.5)),
        groups=groups,
    )
    weak = corpus.clips("train", ["weak"])
    assert [c.id for c in weak] == ["audio/p1_2.wav", "audio/p2_2.wav", "audio/p3_2.wav"]
    assert all(c.events is None and c.tags == {"Crackle", "Wheeze"} for c in weak)
    fan = corpus.clips("train", ["background"])[0]
    assert fan.id == "audio/noise/fan.flac"
    assert fan.tags == frozenset()
    assert fan.events == ()


def test_the_user_is_told_what_files_are_taken_for(ward):
    sounds(ward, "audio/new.wav", "audio/quiet.wav")
    with (ward / "tags.csv").open("a") as table:
        table.write("quiet.wav,p5,,train\n")
    corpus = Folder(ward, "tags.csv", "events.csv", {"Wheeze": None})
    assert tagged(corpus)["audio/new.wav"] is None
    assert tagged(corpus)["audio/quiet.wav"] == set()
    notes = " | ".join(corpus.notes("train"))
    for part in ("1 files without any labels", "used as negatives", "labels of no class, left out: Fine Crackle"):
        assert part in notes


def test_one_row_a_tag_and_other_separators(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav")
    text(tmp_path, "t.tsv", "clip\tsite\ttag", "a\tx\tDog", "a\tx\tCat", "b\ty\tDog, Cow")
    assert tagged(Folder(tmp_path, "t.tsv")) == {"a.wav": {"Dog", "Cat"}, "b.wav": {"Dog", "Cow"}}
    text(tmp_path, "t.csv", "wo;was", "a.wav;Dog, loud|Cat", "b.wav;Cow")
    named = TagTable("t.csv", file="wo", label="was", between="|")
    assert tagged(Folder(tmp_path, named))["a.wav"] == {"Dog, loud", "Cat"}


def test_a_column_per_class_and_lists_as_python_writes_them(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav", "c.wav", "d.wav")
    rows = ["a.wav,1,0,1,2.0", "b.wav,0,1,0,2.0", "c.wav,TRUE,True,1,2.0", "d.wav,0,,0,2.0"]
    text(tmp_path, "wide.csv", "filename,Dog,Cat,fold,duration", *rows)
    lists = ["a.wav;['Dog']", "b.wav;['Cat', ]", "c.wav;['Dog', \"Cat\"]", "d.wav;[]"]
    text(tmp_path, "lists.csv", "filename;labels", *lists)
    for table in ("wide.csv", "lists.csv"):
        corpus = Folder(tmp_path, tags=table)
        assert sorted(corpus.labels) == ["Cat", "Dog"]  # a fold is no class
        found = {Path(clip.id).name: sorted(clip.tags) for clip in corpus.clips("train")}
        assert found == {"a.wav": ["Dog"], "b.wav": ["Cat"], "c.wav": ["Cat", "Dog"], "d.wav": []}


WIDE = ["a.wav,1,0", "b.wav,0,1", "c.wav,1,1", "d.wav,0,0"]
WANTED = {"a.wav": {"Dog"}, "b.wav": {"Cat"}, "c.wav": {"Dog", "Cat"}, "d.wav": set()}


@pytest.mark.parametrize(
    ("header", "rows", "wanted"),
    [
        (",filename,Dog,Cat", [f"{i},{row}" for i, row in enumerate(WIDE)], WANTED),
        ("Unnamed: 0,filename,Dog,Cat", [f"{i % 2},{row}" for i, row in enumerate(WIDE)], WANTED),
        ("filename,Dog,Cat,Cow", [f"{row}," for row in WIDE], WANTED),
        ("filename,Dog,Cat,latitude,session", [f"{row},51.2,{i % 2}" for i, row in enumerate(WIDE)], WANTED),
        ("filename,start_time,end_time,Dog,Cat", [f"{row[:5]},0.0,1.0,{row[6:]}" for row in WIDE], WANTED),
        ("filename;Dog;Cat", [f"{row[:5]};{row[6]},0;{row[8]},0" for row in WIDE], WANTED),
        ("filename,Dog,Cat,stop", [f"{row},1" for row in WIDE], {k: v | {"stop"} for k, v in WANTED.items()}),
        ("filename,Dog,Cat,age,wind", [f"{row},{30 + i},{'ns'[i % 2]}" for i, row in enumerate(WIDE)], None),
        ("filename,Dog,Cat,hour,id,sex", [f"{row},{'5716'[i]},{i},f" for i, row in enumerate(WIDE)], WANTED),
        ("filename,Dog,Cat,Date", [f"{row},2024-05-01" for row in WIDE], WANTED),
        ("filename,Dog,Cat,Person", [f"{row},1" for row in WIDE], {k: v | {"Person"} for k, v in WANTED.items()}),
        ("filename,Dog,Cat,person", [f"{row},p{i}" for i, row in enumerate(WIDE)], WANTED),
        ("filename,Dog", [row[:-2] for row in WIDE], {k: v & {"Dog"} for k, v in WANTED.items()}),
    ],
)
def test_a_column_per_class_beside_other_columns(tmp_path, header, rows, wanted):
    sounds(tmp_path, *WANTED)
    text(tmp_path, "t.csv", header, *rows)
    if wanted is None:
        with pytest.raises(WsedError, match="but the column wind holds words"):
            read(tmp_path, "t.csv")
        return
    assert guess(tmp_path)["tags"] == "t.csv"
    assert tagged(Folder(tmp_path, "t.csv")) == wanted


def test_the_columns_of_the_classes_can_be_named(tmp_path):
    sounds(tmp_path, *WANTED)
    text(tmp_path, "t.csv", "filename,Dog,Cat,verified,date", *(f"{row},1,2024-05-01" for row in WIDE))
    assert tagged(Folder(tmp_path, TagTable("t.csv", label=["Dog", "Cat"]))) == WANTED
    for label in ([], ["Dog", "Dog"]):
        with pytest.raises(WsedError, match=r"data.corpus.tags.label is \[.*\]: name each column of a class once"):
            TagTable("t.csv", label=label)
    with pytest.raises(WsedError, match=r"t.csv:2: date is '2024-05-01', expected 0 or 1"):
        read(tmp_path, TagTable("t.csv", label=["Dog", "date"]))
    with pytest.raises(WsedError, match=r"no column 'dog' \(did you mean Dog\?\), which data.corpus.tags.label names"):
        read(tmp_path, TagTable("t.csv", label=["dog"]))


def test_a_table_of_other_facts_is_no_table_of_tags(tmp_path):
    sounds(tmp_path, "ill/a.wav", "well/b.wav")
    text(tmp_path, "facts.csv", "filename,age,smoker", "a.wav,40,1", "b.wav,50,0")
    assert guess(tmp_path) == {"root": tmp_path, "tags": "folders"}
    text(tmp_path, "a_flag.csv", "filename,checked", "a.wav,1", "b.wav,1")
    text(tmp_path, "labels.csv", "filename,label", "a.wav,Dog", "b.wav,Cat")
    assert guess(tmp_path)["tags"] == "labels.csv"
    text(tmp_path, "a_flag.csv", "filename,checked,noisy", "a.wav,1,0", "b.wav,1,1")
    assert guess(tmp_path)["tags"] == "labels.csv"
    text(tmp_path, "labels.csv", "filename,onset,offset,label", "a.wav,0,1,Dog", "b.wav,0,1,Cat")
    text(tmp_path, "a_flag.csv", "filename,checked", "a.wav,1", "b.wav,1")
    assert guess(tmp_path) == {"root": tmp_path, "events": "labels.csv"}


def test_a_class_called_as_a_group_draws_no_splits(tmp_path):
    sounds(tmp_path, *WANTED)
    text(tmp_path, "t.csv", "filename,Dog,Cat,Person", *(f"{row},1" for row in WIDE))
    assert "splits" not in guess(tmp_path)
    text(tmp_path, "t.csv", "filename,Dog,Cat,Person", *(f"{row},p{i}" for i, row in enumerate(WIDE)))
    assert guess(tmp_path)["splits"] == Splits(group="Person", validation=0.15, test=0.15)


def test_a_table_of_where_clips_were_cut_from_is_one_of_tags(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav")
    text(tmp_path, "t.csv", "filename,start,end,label", "a.wav,0,1,Dog", "a.wav,1,2,Cat")
    assert guess(tmp_path) == {"root": tmp_path, "events": "t.csv"}
    text(tmp_path, "t.csv", "filename,start,end,label", "a.wav,0,2,Dog", "b.wav,2,4,Cat")  # two halves of one
    assert guess(tmp_path) == {"root": tmp_path, "tags": "t.csv"}
    text(tmp_path, "t.csv", "filename,onset,offset,label", "a.wav,100,700,Dog", "b.wav,0,400,Cat")  # ms
    assert guess(tmp_path) == {"root": tmp_path, "events": "t.csv"}
    text(tmp_path, "t.csv", "filename,start,duration,label", "a.wav,30,2,Dog", "b.wav,50,2,Cat", "b.wav,50,2,Cow")
    assert guess(tmp_path) == {"root": tmp_path, "tags": "t.csv"}
    corpus = Folder(tmp_path, "t.csv")
    assert tagged(corpus) == {"a.wav": {"Dog"}, "b.wav": {"Cat", "Cow"}}
    assert "the times of the table of tags (start, duration) are not used" in " ".join(corpus.notes("train"))


def test_the_column_of_durations_can_be_named(tmp_path):
    sounds(tmp_path, "a.wav")
    text(tmp_path, "e.csv", "file,onset,dauer,label", "a.wav,0.5,1.0,Dog")
    corpus = Folder(tmp_path, events=EventTable(table="e.csv", duration="dauer"))
    assert [clip.events for clip in corpus.clips("train")] == [(("Dog", 0.5, 1.5),)]
    text(tmp_path, "f.csv", "file,von,duration,what", "a.wav,0.5,1.0,Dog")
    named = EventTable(table="f.csv", onset="von", label="what")
    assert [clip.events for clip in Folder(tmp_path, events=named).clips("train")] == [(("Dog", 0.5, 1.5),)]
    for events, message in (
        (EventTable(table="e.csv", offset="dauer", duration="dauer"), r"an offset \(dauer\) and a duration \(dauer\)"),
        (
            EventTable(table="e.csv", offset="duration"),
            "events.offset is 'duration', .*set data.corpus.events.duration",
        ),
        (EventTable(table="f.csv", onset="von"), "set data.corpus.events.label to one of its columns"),
        (EventTable(table="e.csv"), "set data.corpus.events.offset, or data.corpus.events.duration, to one of"),
        (EventTable(table="e.csv", duration="daur"), "no column 'daur' .*which data.corpus.events.duration names"),
    ):
        with pytest.raises(WsedError, match=message):
            read(tmp_path, events=events)


def test_folders_named_by_class(tmp_path):
    sounds(tmp_path, "train/Dog/a.wav", "train/Cat/2020/b.wav", "test/Dog/a.wav", "train/noise/c.wav")
    splits = Splits(column="folder")
    corpus = Folder(tmp_path, "folders", classes=["Dog", "Cat"], splits=splits)
    assert tagged(corpus) == {"train/Cat/2020/b.wav": {"Cat"}, "train/Dog/a.wav": {"Dog"}, "train/noise/c.wav": set()}
    assert tagged(corpus, "test") == {"test/Dog/a.wav": {"Dog"}}


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("labels/a.txt", "0.5\t1\tDog"),
        ("labels/a.Table.1.selections.txt", "Begin Time (s)\tEnd Time (s)\tSpecies\n0.5\t1\tDog"),
        ("labels/a.csv", "start,end,label\n0.5,1,Dog"),
        (
            "labels/a.TextGrid",
            '"ooTextFile"\n"TextGrid"\n0\n2\n<exists>\n1\n"IntervalTier"\n"x"\n0\n2\n1\n0.5\n1\n"Dog"',
        ),
    ],
)
def test_label_files(tmp_path, name, label):
    sounds(tmp_path, "in/a.wav", "in/b.wav", "in/c.wav")
    text(tmp_path, name, label)
    (tmp_path / "labels/b.txt").touch()
    text(tmp_path, "labels/readme.txt", "hello")
    corpus = Folder(tmp_path, events="labels")
    assert [(c.id, c.events) for c in corpus.clips("train")] == [
        ("in/a.wav", (("Dog", 0.5, 1.0),)),
        ("in/b.wav", ()),
        ("in/c.wav", None),
    ]
    assert "1 label files belong to no sound file" in " ".join(corpus.notes("train"))


def test_a_selection_table_of_all_files(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav")
    rows = "1\t0.5\t1\tDog\tC:\\rec\\a.wav\t0.5", "2\t2.5\t3\tCat\tC:\\rec\\b.wav\t0.5"
    text(
        tmp_path, "all.txt", "Selection\tBegin Time (s)\tEnd Time (s)\tCommon Name\tBegin Path\tFile Offset (s)", *rows
    )
    corpus = Folder(tmp_path, events="all.txt")
    assert [c.events for c in corpus.clips("train")] == [(("Dog", 0.5, 1.0),), (("Cat", 0.5, 1.0),)]


def test_merged_labels_that_overlap_are_one_event(tmp_path):
    sounds(tmp_path, "a.wav")
    text(tmp_path, "e.csv", "file,start,end,label", "a.wav,0,1,Fine", "a.wav,0.5,1.5,Coarse", "a.wav,1.5,2,Fine")
    corpus = Folder(tmp_path, events="e.csv", classes={"Crackle": ["Fine", "Coarse"]})
    assert corpus.clips("train")[0].events == (("Crackle", 0.0, 1.5), ("Crackle", 1.5, 2.0))


def test_groups_are_not_divided(ward):
    corpus = Folder(ward, "tags.csv", splits=Splits(group="patient", validation=0.25, test=0.25, seed=1))
    patients = [
        {clip.groups["patient"] for clip in corpus.clips(split) if "patient" in clip.groups}
        for split in ("train", "validation", "test")
    ]
    assert [len(group) for group in patients] == [2, 1, 1]
    assert len(set.union(*patients)) == 4
    again = Folder(ward, "tags.csv", splits=Splits(group="patient", validation=0.25, test=0.25, seed=1))
    assert again.clips("test") == corpus.clips("test")


def test_unlabelled_files_of_a_group_that_is_held_out_are_not_trained_on(tmp_path):
    sounds(tmp_path, *(f"{site}/{name}.wav" for site in "abcd" for name in ("x", "y")))
    text(tmp_path, "t.csv", "file,label", *(f"{site}/x.wav,Dog" for site in "abcd"))
    corpus = Folder(tmp_path, "t.csv", splits=Splits(group="folder", test=0.25))
    held = corpus.clips("test")[0].groups["folder"]
    assert all(clip.groups["folder"] != held for clip in corpus.clips("train"))
    assert len(corpus.clips("train")) == 6


def test_long_recordings_are_cut_with_what_each_window_is_known_to_have(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav", seconds=4.0)
    sounds(tmp_path, "c.wav", seconds=1.5)
    text(tmp_path, "e.csv", "file,start,end,label", "a.wav,0.5,1,Dog")
    text(tmp_path, "t.csv", "file,label", "b.wav,Cat", "c.wav,Dog")
    loader = TableLoader(Folder(tmp_path, "t.csv", "e.csv"), Files(), windows=Windows(2.0))
    loaded = loader.load("train")
    assert [clip.tags for clip in loaded.table.clips] == [{"Dog"}, frozenset(), None, None, {"Dog"}]
    assert "the tags of a whole clip are not those of each window" in " ".join(loaded.notes)
    only = TableLoader(Folder(tmp_path, "t.csv"), Files(), windows=Windows(1.0))
    with pytest.raises(WsedError, match=r"give events, set data.windows to null"):
        only.load("train")


def test_joint_with_another_folder(ward, tmp_path):
    other = sounds(tmp_path / "other", "x/Dog/a.wav", "x/Cat/b.wav")
    joint = Joint({"ward": Folder(ward, "tags.csv"), "farm": Folder(other, "folders")})
    assert {"farm/weak", "ward/weak"} <= set(joint.sources)
    assert "Dog" in joint.annotated["farm/weak"]
    assert any(note.startswith("farm: ") for note in joint.notes("train"))


def test_the_doctor_examines_it(ward):
    report = check(Folder(ward, "tags.csv", "events.csv", MERGED, Splits(column="split")), duration=2.0, quick=True)
    assert [(s.table, s.clips) for s in report.tables] == [
        ("tags.csv train", 6),
        ("tags.csv test", 2),
        ("events.csv train", 3),
        ("events.csv test", 1),
        ("background train", 1),
    ]
    assert report.labels == ("Crackle", "Wheeze")
    assert report.ok
    with (ward / "events.csv").open("a") as table:
        table.write("p1_1.wav,5,6,Wheeze\n")
    broken = check(ward, duration=2.0, quick=True)
    finding = next(f for f in broken.findings if f.check == "event_outside")
    assert finding.where == "events.csv:10 audio/p1_1.wav"
    assert not broken.ok


def test_the_doctor_examines_files_without_a_row_since_a_training_uses_them(ward):
    """They are its unlabelled clips. A file of no split is not used."""
    sounds(ward, "audio/more/a.wav", "audio/more/b.wav")
    (ward / "audio/more/b.wav").write_bytes(b"<html>not found</html>")
    (ward / "tags.csv").write_text((ward / "tags.csv").read_text() + "none.wav,p9,Wheeze,fold7\n")
    sounds(ward, "audio/none.wav", seconds=2.5)
    folder = Folder(ward, "tags.csv", "events.csv", MERGED, Splits(column="split"))
    assert {"unlabelled", "background"} <= set(folder.sources)
    report = check(folder, duration=2.0)
    kinds = {table.table: (table.kind, table.clips, table.readable) for table in report.tables}
    assert kinds["unlabelled train"] == ("unlabelled", 2, 1)
    assert kinds["background train"] == ("weak", 1, 1)
    assert [f.file for f in report.findings if f.check == "unlisted"] == ["audio/none.wav"]
    (unreadable,) = [f for f in report.findings if f.check == "unreadable"]
    assert (unreadable.where, unreadable.table, unreadable.severity) == ("audio/more/b.wav", "unlabelled", "error")
    assert [t.table for t in check(folder, duration=2.0, tables=["tags.csv"]).tables] == [
        "tags.csv train",
        "tags.csv test",
    ]


def test_guess(ward, tmp_path):
    assert guess(ward) == {"root": ward, "tags": "tags.csv", "events": "events.csv", "splits": Splits(column="split")}
    birds = sounds(tmp_path / "birds", "robin/a.wav", "wren/b.wav")
    assert guess(birds) == {"root": birds, "tags": "folders"}
    plain = sounds(tmp_path / "plain", "a.wav", "b.wav")
    assert guess(plain) is None
    table = tmp_path / text(tmp_path, "mine.csv", "file,patient,label", "a.wav,p1,Dog")
    drawn = Splits(group="patient", validation=0.15, test=0.15)
    assert guess(plain, table) == {"root": plain, "tags": str(table), "splits": drawn}
    text(plain, "a.txt", "0\t1\tDog")
    assert guess(plain) == {"root": plain, "events": "."}


def read(root: Path, tags=None, events=None, classes: Classes = None, splits=None) -> None:
    Folder(root, tags, events, classes, splits).clips("train")


def test_mistakes_of_the_folder(tmp_path):
    with pytest.raises(WsedError, match=r"no such folder: .*; set data.corpus.root"):
        read(tmp_path / "missing")
    text(tmp_path, "readme.txt", "hello")
    with pytest.raises(WsedError, match=r"no sound file in .* or below"):
        read(tmp_path)
    sounds(tmp_path, "a.wav", "x/b.wav")
    with pytest.raises(WsedError, match=r"no labels: none of the 2 sound files .* set data.corpus.tags"):
        read(tmp_path)
    with pytest.raises(WsedError, match=r"no .*tag.csv.*set data.corpus.tags to the path of the table"):
        read(tmp_path, "tag.csv")
    with pytest.raises(WsedError, match=r"no label file in it has the name of a sound file"):
        read(tmp_path, events=".")
    with pytest.raises(WsedError, match=r"data.corpus.tags is folders, but none .* a table of tags"):
        read(tmp_path, "folders", classes=["Dog"])


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ["file,label", "c.wav,Dog", "d.wav,Cat"],
            r"none of the 2 files that it names is in .*\(first: 'c.wav'; files there",
        ),
        (["file,label"], "has a header but no rows"),
        (["file,label", "a;Dog"], "t.csv:2: this row is separated by semicolons, the header by commas"),
        (["file,label", "a.wav,Dog,Cat"], "t.csv:2: 3 cells where the header has 2; put cells that hold commas in"),
        (["file,what,checked", "a.wav,Dog,1"], "no column with a usual name for tags; set data.corpus.tags.label"),
        (
            ["file,remark,what", "a.wav,loud,Dog"],
            "no column with a usual name for tags; set data.corpus.tags.label",
        ),
        (["a.wav,Dog", "x/b.wav,Cat"], "t.csv has no header: its first row names the file 'a.wav'; write a row with"),
        (["gone.wav,Dog", "a.wav,Cat"], "has no header: its first row names the file 'gone.wav'"),
        (["file,Dog,Cat,Cow", "a.wav,1,0,3", "x/b.wav,0,1,0"], "t.csv:2: Cow is '3', expected 0 or 1"),
        (
            ["file,Dog,Cat,Cow", "a.wav,1,0,0", "x/b.wav,0,1,NaN"],
            r"t.csv:3: Cow is 'NaN', .*tags.label: \[Dog, ...\]",
        ),
        (["file,Dog,Cat,what", "a.wav,1,0,Cow"], "zeros and ones, but the column what holds words: if"),
        (
            ["file,hasbird,site_id", "a.wav,1,7"],
            r"set .*tags.label to one of its columns \(hasbird, site_id\), or to a",
        ),
        (["remark,label", "loud,Dog"], "no column names sound files .*; set data.corpus.tags.file"),
        (
            ["file,label", "twice.wav,Dog"],
            r"t.csv:2: twice.wav may be x/twice.wav and y/twice.wav .*; write its folder",
        ),
    ],
)
def test_mistakes_of_a_table_of_tags(tmp_path, lines, message):
    sounds(tmp_path, "a.wav", "x/b.wav", "x/twice.wav", "y/twice.wav")
    text(tmp_path, "t.csv", *lines)
    with pytest.raises(WsedError, match=message):
        read(tmp_path, "t.csv")


def test_files_that_are_not_there_are_counted_and_named(tmp_path):
    sounds(tmp_path, "a.wav")
    text(tmp_path, "t.csv", "file,label", "a.wav,Dog", "gone.wav,Dog")
    with pytest.raises(WsedError, match=r"1 of 2 clips \(50.0%\) are missing .* no such file: .*gone.wav"):
        TableLoader(Folder(tmp_path, "t.csv"), Files()).load("train")


def test_a_name_with_a_nul_byte_is_that_of_a_missing_file(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav")
    text(tmp_path, "t.csv", "file,label", "a.wav,Dog", "b.wav,Dog", "\0\0,Dog")
    assert tagged(Folder(tmp_path, "t.csv")) == {"a.wav": {"Dog"}, "b.wav": {"Dog"}, "\0\0": {"Dog"}}


def test_columns_that_are_named_and_not_there(ward):
    with pytest.raises(WsedError, match=r"no column 'filee'.*did you mean file.*data.corpus.tags.file names"):
        read(ward, TagTable("tags.csv", file="filee"))
    with pytest.raises(
        WsedError, match=r"data.corpus.events.onset to one of its columns|data.corpus.events.onset names"
    ):
        read(ward, events=EventTable(table="events.csv", onset="begins"))


def test_times_that_are_no_seconds(ward):
    rows = [f"p{p}_1.wav,{on},{on + 500},Wheeze" for p in range(1, 5) for on in (200, 1000)]
    text(ward, "ms.csv", "file,start,end,label", *rows)
    with pytest.raises(
        WsedError, match=r"4 of 4 clips have events after their end .*set data.corpus.events.unit to 0.001"
    ):
        TableLoader(Folder(ward, events="ms.csv"), Files()).load("train")
    corpus = Folder(ward, events=EventTable(table="ms.csv", unit=0.001))
    assert TableLoader(corpus, Files()).load("train").table.clips[0].events == (
        ("Wheeze", 0.2, 0.7),
        ("Wheeze", 1.0, 1.5),
    )


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({"Crackle": ["Fine Crakle"]}, "no file has the label 'Fine Crakle' .*did you mean Fine Crackle"),
        (["Wheez"], "no file has the label 'Wheez'"),
    ],
)
def test_mistakes_of_classes(ward, classes, message):
    with pytest.raises(WsedError, match=message):
        read(ward, "tags.csv", "events.csv", classes)


def test_mistakes_of_splits(ward):
    for splits, message in (
        (
            Splits(column="splitt"),
            "data.corpus.splits.column is 'splitt' .did you mean split.*existing columns: patient",
        ),
        (Splits(group="ward", test=0.2), "data.corpus.splits.group is 'ward'.* no table of the folder has that column"),
        (
            Splits(column="patient"),
            "has no value for train; its values are p1, p2, p3, p4: set data.corpus.splits.names",
        ),
        (Splits(column="patient", names={"train": "p1", "test": "p9"}), "no file has the value 'p9'"),
    ):
        with pytest.raises(WsedError, match=message):
            read(ward, "tags.csv", None, None, splits)
    for arguments, message in (
        ({}, "makes no split"),
        ({"test": 0.6, "validation": 0.5}, "leave nothing to train on"),
        ({"column": "split", "test": 0.5}, "set column to null"),
        ({"test": 1.5}, "must lie in"),
        ({"column": "split", "names": {"tset": "x"}}, "did you mean test"),
    ):
        with pytest.raises(WsedError, match=message):
            Splits(**arguments)


def test_groups_that_leave_a_split_without_a_class(tmp_path):
    sounds(tmp_path, *(f"{name}.wav" for name in "abcdef"))
    rows = (f"{name}.wav,{'p1' if name == 'a' else name},{'Rare' if name == 'a' else 'Dog'}" for name in "abcdef")
    text(tmp_path, "t.csv", "file,patient,label", *rows)
    with pytest.raises(
        WsedError, match=r"no file of test has the class 'Rare', which is in 1 groups of 'patient'; set"
    ):
        read(tmp_path, "t.csv", splits=Splits(group="patient", test=0.3))


def test_a_group_that_only_one_table_knows(ward):
    """Files of the other table take it from their row in the first; files without such a row are refused."""
    drawn = Splits(group="patient", test=0.25)
    corpus = Folder(ward, "tags.csv", "events.csv", splits=drawn)
    patients = [{clip.groups.get("patient") for clip in corpus.clips(split)} for split in ("train", "test")]
    assert not patients[0] & patients[1]
    sounds(ward, "audio/p1_3.wav")
    with (ward / "events.csv").open("a") as table:
        table.write("p1_3.wav,1,2,Wheeze\n")
    with pytest.raises(
        WsedError,
        match=r"group is 'patient', but events.csv has no such column.* 1 of its files \(first: audio/p1_3.wav",
    ):
        read(ward, "tags.csv", "events.csv", None, drawn)


def test_rows_of_a_file_that_differ_in_its_split_or_group(tmp_path):
    """The first row does not decide; columns that are not used may differ."""
    sounds(tmp_path, *(f"{name}.wav" for name in "abcd"))
    header = "file,label,split,patient,annotator"
    rows = ["a.wav,Dog,train,p1,x", "b.wav,Dog,train,p2,x", "c.wav,Cat,train,p3,x", "d.wav,Dog,test,p4,x"]
    text(tmp_path, "t.csv", header, *rows, "a.wav,Cat,test,p5,y")
    differ = "the rows of a.wav differ in"
    with pytest.raises(WsedError, match=f"column: {differ} split: 'train' in t.csv:2, 'test' in t.csv:6; write"):
        read(tmp_path, "t.csv", splits=Splits(column="split"))
    with pytest.raises(WsedError, match=f"group: {differ} patient: 'p1' in t.csv:2, 'p5' in t.csv:6; write"):
        read(tmp_path, "t.csv", splits=Splits(group="patient", test=0.3))
    assert [clip.groups.get("annotator") for clip in Folder(tmp_path, "t.csv").clips("train")] == [None, "x", "x", "x"]
    text(tmp_path, "t.csv", header, *rows)
    text(tmp_path, "e.csv", "file,start,end,label,split", "d.wav,0,1,Dog,train")
    with pytest.raises(WsedError, match=r"the rows of d.wav differ in split: 'test' in t.csv:5, 'train' in e.csv:2"):
        read(tmp_path, "t.csv", "e.csv", splits=Splits(column="split"))


def test_rows_of_events_that_differ_in_the_split_or_group_of_their_file(tmp_path):
    """One such file does not take the column from the others."""
    sounds(tmp_path, *(f"{name}.wav" for name in "abc"))
    rows = ["a.wav,0,0.5,Dog,train,p1,x", "b.wav,0,0.5,Dog,test,p2,x", "c.wav,0,0.5,Dog,train,p3,x"]
    text(tmp_path, "e.csv", "file,start,end,label,split,patient,note", *rows, "a.wav,0.6,0.8,Dog,test,p4,y")
    with pytest.raises(WsedError, match=r"the rows of a.wav differ in split: 'train' in e.csv:2, 'test' in e.csv:5"):
        read(tmp_path, events="e.csv", splits=Splits(column="split"))
    with pytest.raises(WsedError, match=r"the rows of a.wav differ in patient: 'p1' in e.csv:2, 'p4' in e.csv:5"):
        read(tmp_path, events="e.csv", splits=Splits(group="patient", test=0.3))
    assert [clip.groups.get("note") for clip in Folder(tmp_path, None, "e.csv").clips("train")] == [None, "x", "x"]


def test_an_event_without_a_file(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav")
    text(tmp_path, "all.txt", "0.5\t1\tDog")
    with pytest.raises(WsedError, match=r"all.txt:1: the event names no file"):
        read(tmp_path, events="all.txt")


def test_a_folder_with_tags_alone_has_no_events(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav", "noise/c.wav")
    text(tmp_path, "t.csv", "file,label", "a.wav,Dog", "b.wav,")
    corpus = Folder(tmp_path, "t.csv")
    assert [(c.source, c.tags, c.events) for c in corpus.clips("train")] == [
        ("weak", {"Dog"}, None),
        ("weak", frozenset(), None),
        ("background", frozenset(), None),
    ]


def test_files_without_an_event_are_strong_where_all_events_are_known(tmp_path):
    sounds(tmp_path, "a.wav", "b.wav")
    text(tmp_path, "t.csv", "file,label", "a.wav,Dog", "b.wav,")
    text(tmp_path, "e.csv", "file,start,end,label", "a.wav,0.5,1,Dog")
    corpus = Folder(tmp_path, "t.csv", "e.csv")
    assert [(c.source, c.events) for c in corpus.clips("train")] == [("strong", (("Dog", 0.5, 1.0),)), ("strong", ())]


def test_a_network_of_a_higher_rate_than_the_files(ward):
    clips = Folder(ward, "tags.csv").clips("train")
    assert "are recorded at 1000 Hz, but the network takes 16000 Hz: above 500 Hz they hold nothing" in rate_note(
        clips, 16000
    )
    assert rate_note(clips, 1000) == ""
