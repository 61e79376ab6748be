"""Label tables: the real ones read with the right counts, malformed ones name file and row."""

import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsed.data import table
from wsed.errors import WsedError
from wsed.text import composed

STRONG = "filename\tonset\toffset\tevent_label\n"
WEAK = "filename\tevent_labels\n"


def write(folder: Path, text: str, name: str = "table.tsv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_real_weak_labels(shared: Path) -> None:
    path = shared / "data/metadata/dcase2019_task4/weak.tsv"
    tags = table.read_weak(path)
    assert len(tags) == 1578
    # The file names 2,247 labels; three clips name one of theirs twice.
    assert sum(len(row["event_labels"].split(",")) for _, row in table.read_rows(path, ("event_labels",))) == 2247
    assert sum(map(len, tags.values())) == 2244
    assert tags["Y-6p32k2WUCs_0.000_10.000.wav"] == {"Alarm_bell_ringing"}


@pytest.mark.parametrize(
    ("name", "clips", "events"),
    [
        ("dcase2019_task4/synthetic.tsv", 2045, 6032),  # its README counts line breaks, and the last row has none
        ("dcase2019_task4/test_dcase2018.tsv", 288, 908),
        ("dcase2019_task4/validation_without_eval2018.tsv", 288, 908),
    ],
)
def test_real_events(shared: Path, name: str, clips: int, events: int) -> None:
    found = table.read_strong(shared / "data/metadata" / name)
    assert len(found) == clips
    assert sum(map(len, found.values())) == events
    assert len({label for rows in found.values() for label, _, _ in rows}) == 10


def test_real_events_of_the_later_edition(shared: Path) -> None:
    found = table.read_strong(shared / "data/metadata/desed_task/validation_psds_without_eval2018.tsv")
    durations = table.read_durations(shared / "data/metadata/desed_task/validation_durations_without_eval2018.tsv")
    assert len(durations) == 288
    assert found.keys() <= durations.keys()


def test_real_unlabelled(shared: Path) -> None:
    names = table.read_names(shared / "data/metadata/dcase2019_task4/unlabel_in_domain.tsv")
    assert len(names) == len(set(names)) == 14412


def test_a_row_without_labels_lists_a_clip_without_events(tmp_path: Path) -> None:
    for row in ("a.wav", "a.wav\t\t\t", "a.wav\t \t\t "):
        assert table.read_strong(write(tmp_path, STRONG + row)) == {"a.wav": ()}
    assert table.read_weak(write(tmp_path, f"{WEAK}a.wav\t\nb.wav")) == {"a.wav": frozenset(), "b.wav": frozenset()}


def test_tidied_on_the_way(tmp_path: Path) -> None:
    """A byte order mark, Windows line ends, blank lines, spaces, columns in another order, columns of others."""
    text = "\ufeffevent_label\tnote\tfilename\tonset\toffset\r\n\r\n Dog \tx\t a.wav \t0.5\t1\r\n"
    assert table.read_strong(write(tmp_path, text)) == {"a.wav": (("Dog", 0.5, 1.0),)}
    assert table.read_weak(write(tmp_path, f"{WEAK}a.wav\tDog, Cat,\na.wav\tDog,Speech")) == {
        "a.wav": {"Dog", "Cat", "Speech"}
    }
    assert table.read_weak(write(tmp_path, 'filename,event_labels\na.wav,"Dog,Cat"\n')) == {"a.wav": {"Dog", "Cat"}}


def test_a_quote_in_a_name_swallows_no_rows(tmp_path: Path) -> None:
    path = write(tmp_path, 'filename\n"a.wav\nb.wav\nc".wav\n')
    assert table.read_names(path) == ['"a.wav', "b.wav", 'c".wav']


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a.wav\tsoon\t1\tDog", "onset is 'soon'"),
        ("a.wav\t0\t\tDog", "offset is ''"),
        ("a.wav\t-1\t1\tDog", "onset is '-1'"),
        ("a.wav\tnan\t1\tDog", "onset is 'nan'"),
        ("a.wav\t0\tinf\tDog", "offset is 'inf'"),
        ("a.wav\t0,5\t1\tDog", "onset is '0,5'"),
        ("a.wav\t2\t1\tDog", "offset 1 is not after onset 2"),
        ("a.wav\t1\t1\tDog", "offset 1 is not after onset 1"),
        ("a.wav\t0\t1", "no event_label"),
        ("a.wav\t0\t1\t ", "no event_label"),
        ("a.wav\t\t\tDog", "onset is ''"),
        ("\t0\t1\tDog", "no filename"),
        ("a.wav\t0\t1\tDog\tCat", "5 cells where the header has 4"),
    ],
)
def test_malformed_events(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path, f"{STRONG}ok.wav\t0\t1\tDog\n\n{row}\nlast.wav\t0\t1\tCat\n")
    with pytest.raises(WsedError) as caught:
        table.read_strong(path)
    assert str(caught.value).startswith(f"{path}:4: ")
    assert message in str(caught.value)
    problems: list[table.RowError] = []
    rows = table.strong_rows(path, problems)
    assert [line for line, _, _ in rows] == [2, 5]
    assert [(p.path, p.line) for p in problems] == [(path, 4)]
    assert message in problems[0].text


def test_all_malformed_rows_are_collected(tmp_path: Path) -> None:
    path = write(tmp_path, f"{WEAK}a.wav\tDog\n\tCat\nb.wav\tDog\tCat\n")
    problems: list[table.RowError] = []
    assert table.weak_rows(path, problems) == [(2, "a.wav", frozenset({"Dog"}))]
    assert [p.line for p in problems] == [3, 4]


def test_malformed_tables(tmp_path: Path) -> None:
    with pytest.raises(WsedError, match=r"no such table: .*gone\.tsv"):
        table.read_names(tmp_path / "gone.tsv")
    with pytest.raises(WsedError, match=r"table\.tsv: no column onset, offset, event_label"):
        table.read_strong(write(tmp_path, "filename\n"))
    with pytest.raises(WsedError, match=r"no column filename; its header is \['a\.wav'\]"):
        table.read_names(write(tmp_path, "a.wav\nb.wav\n"))
    with pytest.raises(WsedError, match="no column filename"):
        table.read_names(write(tmp_path, ""))
    with pytest.raises(WsedError, match=r"table\.tsv:2: duration is 'long'.*a\.wav"):
        table.read_durations(write(tmp_path, "filename\tduration\na.wav\tlong\n"))
    path = tmp_path / "latin.tsv"
    path.write_bytes("filename\nM\xfcll.wav\n".encode("latin-1"))
    with pytest.raises(WsedError, match=r"latin\.tsv is not UTF-8 text"):
        table.read_names(path)


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_only_line_breaks_end_a_row(tmp_path: Path, separator: str) -> None:
    path = write(tmp_path, f"filename\na{separator}b.wav\n\nc.wav\n")
    assert [line for line, _ in table.read_rows(path, ("filename",))] == [2, 4]


_cells = st.text(st.characters(exclude_characters="\t\n\r", exclude_categories=("Cs",)), min_size=1)
_names = _cells.map(str.strip).filter(lambda name: name and not name.startswith("\ufeff"))


@given(st.lists(st.tuples(_names, st.integers(0, 9000), st.integers(1, 9000), _names)))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, rows) -> None:
    path = tmp_path_factory.mktemp("written") / "table.tsv"
    events = [
        (composed(name), start / 1000, (start + length) / 1000, composed(label)) for name, start, length, label in rows
    ]
    table.write_rows(path, ("filename", "onset", "offset", "event_label"), events)
    assert [(name, *event[1:], event[0]) for _, name, event in table.strong_rows(path) if event] == events


@pytest.mark.parametrize("mark", ["\t", "\n", "\r"])
def test_cells_that_would_break_the_table_are_refused(tmp_path: Path, mark: str) -> None:
    with pytest.raises(WsedError, match=r"table\.tsv: .*tab or a line break"):
        table.write_rows(tmp_path / "table.tsv", ("filename",), [(f"a{mark}b.wav",)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ('"Horn,Siren"', {"Horn", "Siren"}),
        (' "Horn, Siren" ', {"Horn", "Siren"}),
        ('"the ""big"" horn"', {'the "big" horn'}),
        ('""', set()),
        ('"', {'"'}),
        ('12" horn', {'12" horn'}),
        ('"Horn', {'"Horn'}),
        ('Horn"', {'Horn"'}),
        ('"a" and "b"', {'"a" and "b"'}),
    ],
)
def test_quotes_of_spreadsheets(tmp_path: Path, cell: str, tags: set[str]) -> None:
    """Matched around a whole cell they go; others are letters, and no row is swallowed."""
    path = write(tmp_path, f"{WEAK}a.wav\t{cell}\nb.wav\tDog\n")
    assert table.read_weak(path) == {"a.wav": tags, "b.wav": {"Dog"}}


def test_a_table_with_all_cells_in_quotes(tmp_path: Path) -> None:
    text = '"filename"\t"onset"\t"offset"\t"event_label"\n"a.wav"\t"0.5"\t1\t"Dog"\n'
    assert table.read_columns(write(tmp_path, text)) == ["filename", "onset", "offset", "event_label"]
    assert table.read_strong(write(tmp_path, text)) == {"a.wav": (("Dog", 0.5, 1.0),)}


@pytest.mark.parametrize("separator", ["\t", ","])
def test_empty_rows_of_a_spreadsheet(tmp_path: Path, separator: str) -> None:
    rows = ["filename", "onset", "offset", "event_label"], ["a.wav", "0.5", "1", "Dog"], [""] * 4, [" "] * 4, [""] * 9
    path = write(tmp_path, "\n".join(separator.join(row) for row in rows))
    assert table.read_strong(path) == {"a.wav": (("Dog", 0.5, 1.0),)}


def test_decomposed_letters_are_composed(tmp_path: Path) -> None:
    """macOS writes `é` as two characters."""
    path = write(tmp_path, f"{WEAK}cafe\u0301.wav\tHu\u0308ndchen\n")
    assert table.read_weak(path) == {"caf\u00e9.wav": {"H\u00fcndchen"}}


def test_a_row_error_crosses_processes() -> None:
    error = pickle.loads(pickle.dumps(table.RowError("a.tsv", 3, "no filename")))
    assert str(error) == "a.tsv:3: no filename"
    assert (error.path, error.line, error.text) == (Path("a.tsv"), 3, "no filename")
