"""Events as other programs read them: written, and read back by our own readers."""

import json

import pytest

from wsed.errors import WsedError
from wsed.formats import audacity, label_studio, raven, reading, rttm, textgrid
from wsed.formats import json as wsed_json
from wsed.formats.event import Event
from wsed.formats.recording import Recording
from wsed.formats.writing import FORMATS, write_events

FIRST = (
    Event("Fine Crackle", 0.5, 1.25, 0.91),
    Event('the "big" horn', 0.75, 2.0, 0.4),
    Event("Fine Crackle", 3.0, 4.0, 0.5),
)
SECOND = (Event("Wheeze", 0.0, 2.5, 0.75),)
RECORDINGS = (
    Recording("site 1/a.wav", "/data/site 1/a.wav", 10.0, 8000, FIRST),
    Recording("b.flac", "/data/b.flac", 5.0, 48000, ()),
    Recording("c.wav", "/data/c.wav", 4.0, 8000, SECOND),
)


def bare(events, confidence=True):
    """Label, times and confidence, by onset and label."""
    return sorted((e.onset, e.label, e.offset, e.confidence if confidence else None) for e in events if e.label)


@pytest.fixture
def written(tmp_path):
    return {name: write_events(tmp_path, name, RECORDINGS) for name in FORMATS}


@pytest.mark.parametrize("name", ["tsv", "csv"])
def test_tables(written, name):
    (path,) = written[name]
    events = reading.read_events(path)
    assert bare(events) == bare(FIRST + SECOND)
    assert [e.file for e in events] == ["site 1/a.wav"] * 3 + ["b.flac", "c.wav"]


@pytest.mark.parametrize("name", FORMATS)
def test_events_shorter_than_a_millisecond_can_be_read_again(name, tmp_path):
    """They were written as events of 0 s, which are refused."""
    short = (Event("Dog", 0.00012, 0.00048, 0.5), Event("Dog", 9.9997, 10.0, 0.5))
    write_events(tmp_path, name, [Recording("a.wav", "/data/a.wav", 10.0, 8000, short)])
    (path,) = (file for file in tmp_path.rglob("*") if file.is_file() and file.name != "raven.selections.txt")
    own = {"json": wsed_json.read, "rttm": rttm.read, "label-studio": label_studio.read}
    events = own.get(name, reading.read_events)(path)
    assert len(bare(events)) == 2
    assert all(0 <= e.onset < e.offset <= 10.001 for e in events if e.label)


def test_audacity(written, tmp_path):
    assert bare(audacity.read(tmp_path / "audacity/site 1/a.txt")) == bare(FIRST, confidence=False)
    assert (tmp_path / "audacity/b.txt").read_text() == ""
    assert (tmp_path / "audacity/c.txt").read_text() == "0.000000\t2.500000\tWheeze\n"


def test_raven_tables_of_each_file_and_of_all(written, tmp_path):
    assert bare(raven.read(tmp_path / "raven/site 1/a.selections.txt")) == bare(FIRST)
    together = tmp_path / "raven.selections.txt"
    events = raven.read(together)
    assert bare(events) == bare(FIRST + SECOND)
    assert [e.file for e in events] == ["/data/site 1/a.wav"] * 3 + ["/data/c.wav"]
    header, *rows = [line.split("\t") for line in together.read_text().splitlines()]
    assert header == [
        "Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", "Low Freq (Hz)", "High Freq (Hz)",
        "Common Name", "Species Code", "Confidence", "Begin Path", "File Offset (s)",
    ]  # fmt: skip
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    assert rows[-1][3:5] == ["15.000000", "17.500000"]  # after 10 s and 5 s of other recordings
    assert rows[-1][-1] == "0.000000"


def test_rttm(written):
    (path,) = written["rttm"]
    assert path.read_text().splitlines()[0] == "SPEAKER site_1/a 1 0.500 0.750 <NA> <NA> Fine_Crackle 0.9100 <NA>"
    events = rttm.read(path)
    assert [(e.onset, e.offset) for e in events] == [(e.onset, e.offset) for e in FIRST + SECOND]
    assert events[-1] == Event("Wheeze", 0.0, 2.5, 0.75, "c", 4)


def test_textgrids_have_a_tier_per_class_without_gaps(written, tmp_path):
    path = tmp_path / "textgrid/site 1/a.TextGrid"
    assert bare(textgrid.read(path)) == bare(FIRST, confidence=False)
    text = path.read_text()
    assert text.count("IntervalTier") == 2
    crackles = text.split("item [1]:")[1].split("item [2]:")[0]
    borders = [float(line.split("=")[1]) for line in crackles.splitlines() if "xm" in line][2:]
    assert borders[::2][1:] == borders[1::2][:-1]
    assert (borders[0], borders[-1]) == (0.0, 10.0)
    assert textgrid.read(tmp_path / "textgrid/b.TextGrid") == []


def test_overlapping_events_of_a_class_do_not_overlap_in_their_tier(tmp_path):
    events = (Event("a", 0.0, 2.0), Event("a", 1.0, 3.0), Event("a", 1.5, 2.5))
    textgrid.write(tmp_path / "a.TextGrid", [Recording("a.wav", "a.wav", 3.0, 8000, events)])
    assert [(e.onset, e.offset) for e in textgrid.read(tmp_path / "a.TextGrid")] == [(0.0, 2.0), (2.0, 3.0)]


def test_label_studio(written):
    (path,) = written["label-studio"]
    task = json.loads(path.read_text())[0]
    region = task["predictions"][0]["result"][0]
    assert task["data"] == {"audio": "/data/site 1/a.wav"}
    assert region["value"] == {"start": 0.5, "end": 1.25, "channel": 0, "labels": ["Fine Crackle"]}
    assert (region["from_name"], region["to_name"], region["type"], region["score"]) == (
        "label",
        "audio",
        "labels",
        0.91,
    )
    assert bare(label_studio.read(path)) == bare(FIRST + SECOND)
    path.write_text('[{"data": {}}]')
    with pytest.raises(WsedError, match="not an export of Label Studio"):
        label_studio.read(path)


def test_json(written):
    (path,) = written["json"]
    assert bare(wsed_json.read(path)) == bare(FIRST + SECOND)
    assert [e.file for e in wsed_json.read(path)][3:] == ["b.flac", "c.wav"]
    path.write_text('{"recordings": [{}]}')
    with pytest.raises(WsedError, match="not a JSON file of `wsed detect`"):
        wsed_json.read(path)


def test_an_unknown_format_is_named_with_near_ones(tmp_path):
    with pytest.raises(WsedError, match=r"unknown format 'ravne'.*raven"):
        write_events(tmp_path, "ravne", [])


@pytest.mark.parametrize(("name", "mark"), [("tsv", "\t"), ("tsv", "\n"), ("tsv", "\r"), ("csv", "\n"), ("csv", "\r")])
def test_a_name_that_no_table_can_hold_is_refused(tmp_path, name, mark):
    with pytest.raises(WsedError, match=r"holds a (tab or a )?line break"):
        write_events(tmp_path, name, [Recording(f"a{mark}b.wav", "a.wav", 1.0, 8000, ())])
