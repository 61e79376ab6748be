"""Events as other programs write them: read with the line at fault named."""

import json
from pathlib import Path

import pytest

from wsed.errors import WsedError
from wsed.formats import label_studio
from wsed.formats.cells import are_lists, tags_in
from wsed.formats.event import Event
from wsed.formats.reading import format_of, read_events
from wsed.formats.table import Columns

AUDACITY = "0.5\t1.25\tDog\n\\\t100\t2000\n2,5\t3\tCat\n"
RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tCommon Name\tConfidence\n"
    "1\tWaveform 1\t1\t0.5\t1.25\t0\t4000\tDog\t0.9\n"
    "1\tSpectrogram 1\t1\t0.5\t1.25\t0\t4000\tDog\t0.9\n"
)
RAVEN_ALL = (
    "Selection\tBegin Time (s)\tEnd Time (s)\tCommon Name\tBegin Path\tFile Offset (s)\n"
    "1\t0.5\t1.25\tDog\t/data/a.wav\t0.5\n"
    "2\t12.5\t14\tCat\t/data/b.wav\t2.5\n"
)
LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 4
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "dogs [1]"
        xmin = 0
        xmax = 4
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.25
            text = "Dog ""big"" 2"
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 4
        points: size = 1
        points [1]:
            number = 3
            mark = "Click"
"""
SHORT = '"ooTextFile"\n"TextGrid"\n0\n4\n<exists>\n1\n"IntervalTier"\n"x"\n0\n4\n1\n0.5\n1.25\n"Dog"\n'


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_text(text, encoding=encoding)
    return path


def spans(events: list[Event]) -> list[tuple[str, float, float]]:
    return [(e.label, e.onset, e.offset) for e in events]


DOG, CAT = ("Dog", 0.5, 1.25), ("Cat", 2.5, 3.0)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.txt", AUDACITY, [DOG, CAT]),
        ("a.txt", "", []),
        ("a.Table.1.selections.txt", RAVEN, [DOG]),
        ("all.txt", RAVEN_ALL, [DOG, ("Cat", 2.5, 4.0)]),
        ("a.TextGrid", SHORT, [DOG]),
        ("a.TextGrid", LONG, [('Dog "big" 2', 0.5, 1.25), ("Click", 3.0, 3.0)]),
        ("a.csv", "file,start,end,label\na.wav,0.5,1.25,Dog\n", [DOG]),
        ("a.csv", "file;start;end;label\na.wav;0,5;1,25;Dog\n", [DOG]),
        ("a.tsv", "filename\tonset\toffset\tevent_label\na.wav\t0.5\t1.25\tDog\n", [DOG]),
        ("a.txt", "start_ms,end_ms,class\n500,1250,Dog\n", [DOG]),
        ("a.csv", "onset,duration,trial_type,label\n0.5,0.75,x,Dog\n", [DOG]),
        ("a.csv", "start_ms,duration_ms,class\n500,750,Dog\n", [DOG]),
        ("a.csv", "Audiofilename,Starttime,Endtime,primary_label\na.wav,0.5,1.25,Dog\n", [DOG]),
        ("a.csv", "sep=;\nstart;end;class\n0,5;1,25;Dog\n", [DOG]),
    ],
)
def test_reads(tmp_path, name, text, expected):
    assert spans(read_events(written(tmp_path, name, text))) == expected


def test_reads_utf16_of_praat(tmp_path):
    assert spans(read_events(written(tmp_path, "a.TextGrid", SHORT, "utf-16"))) == [DOG]


def test_facts_of_an_event(tmp_path):
    assert read_events(written(tmp_path, "a.txt", RAVEN))[0].confidence == 0.9
    assert [e.file for e in read_events(written(tmp_path, "all.txt", RAVEN_ALL))] == ["/data/a.wav", "/data/b.wav"]
    assert [e.line for e in read_events(written(tmp_path, "b.txt", AUDACITY))] == [1, 3]


def test_columns_are_named(tmp_path):
    path = written(tmp_path, "a.csv", "wo,anfang,ende,was\na.wav,4000,10000,Dog\n")
    columns = Columns("wo", "anfang", "ende", "was", unit=1 / 8000)
    assert read_events(path, columns) == [Event("Dog", 0.5, 1.25, file="a.wav", line=2)]


def test_a_row_with_a_file_only_is_a_file_without_events(tmp_path):
    path = written(tmp_path, "a.csv", "file,start,end,label\na.wav,,,\n")
    assert read_events(path) == [Event("", 0.0, 0.0, file="a.wav", line=2)]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.txt", "0.5\t1.25\tDog\n2.5\t\n", "a.txt:2: expected start, end and label"),
        ("a.txt", "0.5\t0.25\tDog\n", "a.txt:1: the event ends at 0.25 s, before its start at 0.5 s"),
        ("a.txt", "hello\n", "is not a file of events of a known format.*'hello'"),
        ("a.TextGrid", LONG[:300], "a.TextGrid is not a complete TextGrid"),
        ("a.TextGrid", "hello\n", "is not a (complete )?TextGrid"),
        ("a.txt", RAVEN.replace("Common Name", "Remark"), "has no column of the class; set events.label"),
        ("a.csv", "file,start,end,label\na.wav,half,1,Dog\n", "a.csv:2: start is 'half', expected seconds"),
        ("a.csv", "file,start,end,label\na.wav;0.5;1.25;Dog\n", "separated by semicolons, the header by commas"),
        ("a.csv", "file,start,end,label\na.wav,0.5,1.25,Dog,x\n", "a.csv:2: 5 cells where the header has 4"),
        ("a.csv", "file,start,end,what\na.wav,0.5,1.25,Dog\n", "usual name for the label; set columns.label to one of"),
        (
            "a.csv",
            "0.5,1.25,Dog\n2,3,Cat\n",
            r"a.csv has no header: its first row holds numbers \(0.5, 1.25, Dog\); write",
        ),
        ("a.csv", "file,start,start,end\na.wav,0.5,1.25,Dog\n", "has the column 'start' twice"),
        ("a.csv", "file,start,duration,label\na.wav,0.5,-1,Dog\n", "a.csv:2: duration is '-1', expected seconds"),
        (
            "a.csv",
            "file,start,end,label,score\na.wav,0.5,1.25,Dog,87\n",
            "a.csv:2: score is '87', expected a number from",
        ),
        ("a.csv", "file,start,end,label\na.wav,0.5,1.25,\n", "a.csv:2: no label for this event"),
        ("a.csv", "\n\n", "a.csv is blank"),
    ],
)
def test_mistakes_are_named(tmp_path, name, text, message):
    with pytest.raises(WsedError, match=message):
        read_events(written(tmp_path, name, text))


def test_format_is_known_by_name_and_first_line(tmp_path):
    assert format_of(written(tmp_path, "b.txt", RAVEN)) == "raven"
    assert format_of(tmp_path / "missing.TextGrid") == "textgrid"


def test_label_studio_gives_an_event_per_label_and_skips_what_was_cancelled(tmp_path):
    def region(start, *labels):
        return {"value": {"start": start, "end": start + 1, "labels": list(labels)}}

    path = tmp_path / "export.json"
    annotations = [
        {"was_cancelled": True, "result": [region(5, "Ghost")]},
        {"was_cancelled": False, "result": [region(0, "Dog", "Cat", "Dog"), {"type": "choices"}]},
    ]
    skipped = {"annotations": annotations[:1], "predictions": [{"result": [region(7, "Guess")]}]}
    tasks = [
        {"annotations": annotations},
        skipped,
        {"annotations": [], "predictions": [{"result": [region(2, "Dog")]}]},
    ]
    path.write_text(json.dumps([{"data": {"audio": f"{i}.wav"}, **task} for i, task in enumerate(tasks)]))
    events = label_studio.read(path)
    assert [(e.file, e.label, e.onset) for e in events] == [
        ("0.wav", "Dog", 0),
        ("0.wav", "Cat", 0),
        ("2.wav", "Dog", 2),
    ]
    about = {"type": "choices", "value": {"choices": ["noisy"]}}  # the whole recording
    tasks = [{"annotations": [{"result": [about]}]}, {"annotations": [{"result": [about, region(1, "Dog")]}]}]
    path.write_text(json.dumps([{"data": {"audio": f"{i}.wav"}, **task} for i, task in enumerate(tasks)]))
    assert [(e.file, e.label) for e in label_studio.read(path)] == [("0.wav", ""), ("1.wav", "Dog")]  # 0: no events
    path.write_text(json.dumps({"data": {"audio": "a.wav"}, "annotations": [{"result": [region(0)]}]}))
    with pytest.raises(WsedError, match="not an export of Label Studio"):
        label_studio.read(path)


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("['Dog', ' Cat ', '']", ["Dog", "Cat"]),
        ('["B\\u00e4r", "say \\"hi\\""]', ["Bär", 'say "hi"']),
        ("""['dog\\'s bark', "cat's meow"]""", ["dog's bark", "cat's meow"]),
        ("['Dog' 'Cat']", ["Dog", "Cat"]),
        ("[laughter]", ["[laughter]"]),
        ("[a], [b]", ["[a]", "[b]"]),
        (r"['\x']", [r"\x"]),
        ("[]", []),
        ("{'Dog', 'Cat'}", ["Dog", "Cat"]),
        (r'["\ud800"]', [r"\ud800"]),
        (r'["a\u0308"]', ["ä"]),
        (r"['a\d']", [r"a\d"]),
    ],
)
def test_lists_of_tags(cell, tags):
    assert tags_in(cell, ",") == tags


def test_a_column_of_lists_without_quotes():
    for column, lists in ((["[Dog, Cat]", "", "[Dog]"], True), (["[a], [b]"], False), (["[Dog, Cat]", "Cow"], False)):
        assert are_lists(column, ",") == lists
    assert tags_in("[Dog]", ",", lists=True) == ["Dog"]


def test_a_column_with_a_number_for_a_name_is_no_missing_header(tmp_path):
    path = tmp_path / "e.csv"
    path.write_text("file,onset,offset,2024\na.wav,0,1,x\n")
    with pytest.raises(WsedError, match=r"no column with a usual name for the label; set columns.label to one of"):
        read_events(path)


def test_a_long_cell_that_is_almost_a_list_takes_no_time():
    for cell in (
        "[" + "'a' " * 5000,
        "['a'" + " ,  " * 5000 + "x]",
        "[" + " " * 20000 + "x",
        "['" + r"\'" * 30000 + "]",
    ):
        assert tags_in(cell, None) == [cell.strip()]
