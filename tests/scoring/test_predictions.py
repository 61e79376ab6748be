"""Reading references and outputs of any system: real ones give the published figures, bad ones name file and line."""

import contextlib
import dataclasses
import itertools
import math
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.errors import WsedError
from wsed.metrics import PSDS1, PSDS2, event_counts, psds_from_operating_points, psds_from_scores
from wsed.metrics.joined import joined, overlapping
from wsed.scoring.formats.predictions import read_predictions
from wsed.scoring.formats.reference import Reference, read_reference
from wsed.types import Events, Labels

HEAD = "filename\tonset\toffset\tevent_label\n"
TRUTH = HEAD + "b.wav\t0\t1\tDog\na.wav\t2\t3.5\tCat\nc.wav\n"
LENGTHS = "filename\tduration\na.wav\t4\nb.wav\t4\nc.wav\t4\n"


def write(folder: Path, text: str, name: str = "said.tsv") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def rows(events: Events) -> list[tuple[int, int, float, float]]:
    columns = (events.clip, events.label, events.onset, events.offset)
    return list(zip(*(c.tolist() for c in columns), strict=True))


def says(note: str, words: str, end: str) -> None:
    assert words in note
    assert note.endswith(end)


@pytest.fixture
def truth(tmp_path: Path) -> Reference:
    """Clips a, b, c; Cat from 2 to 3.5 s in a, Dog from 0 to 1 s in b."""
    return read_reference(write(tmp_path, TRUTH, "truth.tsv"), write(tmp_path, LENGTHS, "lengths.tsv"))


ABSENT = "clips of the reference that no row names, where nothing was detected"


# Real data


def test_the_published_figures_of_a_real_system(shared: Path) -> None:
    folder = shared / "data/reference/desed_baseline2021_teacher"
    reference = read_reference(folder / "validation.tsv", folder / "validation_durations.tsv")
    assert (len(reference.clip_ids), len(reference.events), len(reference.labels)) == (1168, 4224, 10)
    assert reference.durations is not None
    said = read_predictions(folder / "predictions0.5.csv", reference)
    assert (said.kind, said.used_threshold(0.3), said.clip_scores(1168, 10)) == ("events", None, None)
    (absent,) = said.notes
    assert absent.startswith(f"{ABSENT}: 23 (first: ")
    assert event_counts(reference.events, said.detected(0.5), 10).macro_f1 == pytest.approx(0.4214, abs=1e-4)
    said = read_predictions(folder / "predictions_operating_points", reference)
    assert said.kind == "operating points"
    assert said.thresholds == pytest.approx(np.arange(50) * 0.02 + 0.01)
    assert said.used_threshold(0.5) == 0.49
    for parameters, value, bare in ((PSDS1, 0.3535, 0.3534930), (PSDS2, 0.5483, 0.5483290)):
        found = psds_from_operating_points(reference.events, said.points, 10, reference.durations, parameters)
        assert found.value == pytest.approx(value, abs=1e-4)
        p = dataclasses.replace(parameters, decimals=None)
        found = psds_from_operating_points(reference.events, said.points, 10, reference.durations, p)
        assert found.value == pytest.approx(bare, abs=1e-7)  # psds_eval 0.5.3 on the same files


# The reference


def test_a_reference(tmp_path: Path, truth: Reference) -> None:
    assert truth.clip_ids == ("a.wav", "b.wav", "c.wav")
    assert truth.labels.names == ("Cat", "Dog")
    assert rows(truth.events) == [(1, 1, 0.0, 1.0), (0, 0, 2.0, 3.5)]
    assert truth.durations is not None
    assert truth.durations.tolist() == [4.0] * 3
    assert truth.notes == ()
    path = write(tmp_path, TRUTH)
    assert read_reference(path).durations is None
    named = read_reference(str(path), labels=Labels(["Dog", "Bird", "Cat"]))
    assert named.labels.names == ("Dog", "Bird", "Cat")
    assert [row[1] for row in rows(named.events)] == [0, 2]


def test_clips_with_a_duration_only_hold_no_event(tmp_path: Path) -> None:
    lengths = write(tmp_path, LENGTHS + "0.wav\t7\n" + "0.wav\t7.0\n", "lengths.tsv")
    found = read_reference(write(tmp_path, TRUTH), lengths)
    assert found.clip_ids == ("0.wav", "a.wav", "b.wav", "c.wav")
    assert found.durations is not None
    assert found.durations.tolist() == [7.0, 4.0, 4.0, 4.0]


def test_what_is_odd_in_a_reference_is_counted(tmp_path: Path) -> None:
    text = HEAD + "a.wav\t0\t1\tDog\na.wav\t1\t1\tDog\na.wav\t0.0\t1.00\tDog\na.wav\t0.5\t1.5\tDog\n"
    text += "a.wav\t3\t4.2\tDog\na.wav\t4\t4.05\tDog\na.wav\t3.5\t4.1\tCat\nb.wav\t0\t1\tDog\n"
    path = write(tmp_path, text)
    found = read_reference(path, write(tmp_path, LENGTHS, "lengths.tsv"))
    assert len(found.events) == 6
    zero, repeated, overlap, silent, late = found.notes
    says(silent, "only the durations name", f": 1 (first: 'c.wav', {tmp_path / 'lengths.tsv'})")
    says(zero, "0 s", f": 1 (first: {path}:3)")
    says(repeated, "rows that repeat an earlier one", f": 1 (first: {path}:4)")
    says(overlap, "overlap", f": 2 (first: {path}:5)")
    says(late, "after their clip", f": 2 (first: {path}:6)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"said\.tsv is empty.*expected rows of filename, onset, offset, event_label"),
        (HEAD, r"said\.tsv holds no event"),
        (HEAD + "a.wav\nb.wav\n", r"said\.tsv holds no event"),
        (HEAD + "a.wav\t1\t1\tDog\n", r"said\.tsv holds no event"),
        ("filename\tonset\toffset\n", r"said\.tsv: no column event_label; its header is \['filename', 'onset'"),
        (HEAD.replace("offset", "onset"), r"said\.tsv: more than one column onset"),
    ],
)
def test_references_without_use(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(WsedError, match=message):
        read_reference(write(tmp_path, text))


def test_labels_of_the_reference_must_be_known(tmp_path: Path) -> None:
    path = write(tmp_path, TRUTH)
    with pytest.raises(WsedError, match=r"said\.tsv:2: unknown label 'Dog' \(did you mean Doge\?\).*--labels"):
        read_reference(path, labels=Labels(["Cat", "Doge"]))


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ("", r"lengths\.tsv is empty; expected rows of filename and duration"),
        ("filename\tseconds\n", r"lengths\.tsv: no column duration"),
        ("filename\tduration\n", r"no duration for 'a\.wav' \(.*said\.tsv:3\), nor for 2 other clips"),
        (LENGTHS.replace("a.wav", "a"), r"lengths\.tsv: no duration for 'a\.wav' \(.*said\.tsv:3\); add a row"),
        (LENGTHS + "a.wav\t5\n", r"lengths\.tsv:5: 'a\.wav' lasts 5 s, but 4 s in line 2"),
        (LENGTHS + "d.wav\tlong\n", r"lengths\.tsv:5: duration is 'long', expected seconds"),
        (LENGTHS + "d.wav\t-1\n", r"lengths\.tsv:5: duration is '-1', expected seconds"),
        (LENGTHS + "d.wav,4\n", r"lengths\.tsv:5: this row is separated by commas, the header by tabs"),
    ],
)
def test_durations_that_do_not_serve(tmp_path: Path, lengths: str, message: str) -> None:
    with pytest.raises(WsedError, match=message):
        read_reference(write(tmp_path, TRUTH), write(tmp_path, lengths, "lengths.tsv"))


# Tables of events

BAD_ROWS = [
    ("a.wav\tsoon\t1\tDog", "onset is 'soon', expected seconds (a number from 0 to 1000000)"),
    ("a.wav\t0\t\tDog", "offset is '', expected seconds"),
    ("a.wav\t-1\t1\tDog", "onset is '-1', expected seconds"),
    ("a.wav\tnan\t1\tDog", "onset is 'nan', expected seconds"),
    ("a.wav\t0\tinf\tDog", "offset is 'inf', expected seconds"),
    ("a.wav\t0,5\t1\tDog", "onset is '0,5', expected seconds"),
    ("a.wav\t2\t1\tDog", "offset 1 is not after onset 2; correct the times, or delete the row"),
    ("a.wav\t0\t1\t", "no event_label for this onset and offset"),
    ("a.wav\t0\t1", "no event_label for this onset and offset"),
    ("a.wav\t\t\tDog", "onset is '', expected seconds"),
    ("\t0\t1\tDog", "no filename"),
    ("a.wav\t0\t1\tDog\tCat", "5 cells where the header has 4"),
    ("a.wav,0,1,Dog", "this row is separated by commas, the header by tabs; separate the whole file alike"),
    ("a.wav,,,", "this row is separated by commas"),
]


@pytest.mark.parametrize(("row", "message"), BAD_ROWS)
@pytest.mark.parametrize("blank", ["", "\n"], ids=["", "after a blank line"])
def test_a_row_at_fault_is_named(tmp_path: Path, truth: Reference, row: str, message: str, blank: str) -> None:
    path = write(tmp_path, f"{HEAD}a.wav\t0\t1\tDog\n{blank}{row}\nb.wav\t0\t1\tCat\n")
    line = 4 if blank else 3
    for read in (lambda: read_reference(path), lambda: read_predictions(path, truth)):
        with pytest.raises(WsedError) as caught:
            read()
        assert str(caught.value).startswith(f"{path}:{line}: {message}")


@pytest.mark.parametrize("row", ["a.wav\t0\t1\tDog", "0\ta.wav\t0,5\t1\tDog", "a.wav\t\t\t"])
def test_tabs_in_a_comma_separated_table(tmp_path: Path, truth: Reference, row: str) -> None:
    path = write(tmp_path, f",filename,onset,offset,event_label\n0,a.wav,0,1,Dog\n{row}\n")
    with pytest.raises(WsedError, match=r"said\.tsv:3: this row is separated by tabs, the header by commas"):
        read_predictions(path, truth)


@pytest.mark.parametrize(
    ("row", "line"), [('"a.wav,0,1,Dog', 3), ('a.wav,0,1,"Dog', 3), ('"a.wav",0,1,"Do"g', 3), ('"a.wav,0,1,Dog\n"', 3)]
)
def test_a_quote_left_open_swallows_no_rows(tmp_path: Path, truth: Reference, row: str, line: int) -> None:
    path = write(tmp_path, f"filename,onset,offset,event_label\na.wav,0,1,Dog\n{row}\nb.wav,0,1,Cat\n")
    with pytest.raises(WsedError, match=rf"said\.tsv:{line}: .*correct the row, or its quotes"):
        read_predictions(path, truth)


cells = st.sampled_from(
    ["a.wav", "b.wav", "x", "", " ", "0", "1", "2.5", "-1", "nan", "Dog", "Cat", '"', "0,5", "\0", "1e400"]
)
lines = st.lists(st.tuples(st.sampled_from("\t,"), st.lists(cells, max_size=6)).map(lambda row: row[0].join(row[1])))


@given(st.sampled_from(["filename,onset,offset,event_label", HEAD.strip(), "onset\toffset\tDog\tCat", ""]), lines)
@settings(deadline=None, max_examples=300)
def test_whatever_a_file_holds_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, head: str, lines: list[str]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    reference = read_reference(write(folder, TRUTH, "truth.tsv"))
    path = write(folder / "p", "\n".join([head, *lines]), "a0.5.tsv")
    for read in (lambda: read_reference(path), lambda: read_predictions(path, reference).detected(0.5)):
        with contextlib.suppress(WsedError):
            read()
    with contextlib.suppress(WsedError):
        read_predictions(write(folder / "s", "\n".join([head, *lines]), "a.tsv").parent, reference).clip_scores(3, 2)


def test_a_clip_with_commas_in_its_name_is_no_row_of_commas(tmp_path: Path) -> None:
    found = read_reference(write(tmp_path, TRUTH + "rain, wind, birds, dawn.wav\na,b.wav\n"))
    assert found.clip_ids == ("a,b.wav", "a.wav", "b.wav", "c.wav", "rain, wind, birds, dawn.wav")


@pytest.mark.parametrize(
    "text",
    [
        "filename\tonset\toffset\tevent_label\na.wav\t0\t0.5\tDog\nb.wav\t1\t2\tCat\n",
        "filename\tonset\toffset\tevent_label\na.wav\t0\t0.5\tDog\n\n \nb.wav\t1\t2\tCat\nc.wav\n",
        ",event_label,onset,offset,filename\n0,Dog,0.0,0.50,a.wav\n1,Cat,1,2,b.wav",
        '"event_label","onset","offset","filename"\r\n"Dog",0,"0.5","a.wav"\r\nCat,1,2,b.wav\r\n',
        "\ufeffevent_label\tonset\toffset\tfilename\tindex\r\n Dog\t0 \t0.5\ta.wav \t7\r\nCat\t1\t2\tb.wav\t8\t\r\n",
        '"filename"\t"onset"\t"offset"\t"event_label"\n"a.wav"\t"0"\t0.5\t"Dog"\n"b.wav"\t1\t2\t"Cat"\n',
        f"{HEAD}a.wav\t0\t0.5\tDog\nb.wav\t1\t2\tCat\n\t\t\t\n \t\t\t\n",
        "filename,onset,offset,event_label\na.wav,0,0.5,Dog\nb.wav,1,2,Cat\n,,,\n",
    ],
    ids=["tabs", "gaps", "pandas", "quotes", "Windows", "quotes and tabs", "empty rows", "empty rows of commas"],
)
def test_the_ways_in_which_tables_are_written(tmp_path: Path, truth: Reference, text: str) -> None:
    path = tmp_path / "said.csv"
    path.write_bytes(text.encode())
    said = read_predictions(str(path), truth)
    assert (said.name, said.kind, said.thresholds, said.scores) == (str(path), "events", (), None)
    assert rows(said.detected(0.9)) == [(0, 1, 0.0, 0.5), (1, 0, 1.0, 2.0)]
    assert said.notes == (() if "c.wav" in text else (f"{ABSENT}: 1 (first: c.wav)",))


def test_unknown_labels(tmp_path: Path, truth: Reference) -> None:
    path = write(tmp_path, f"{HEAD}x.wav\t0\t1\tHorse\na.wav\t0\t1\tdog\n")
    with pytest.raises(WsedError) as caught:
        read_predictions(path, truth)
    text = str(caught.value)
    assert text.startswith(f"{path}:3: unknown label 'dog' (did you mean Dog?); rename it; or, if the reference")
    assert "name all classes with --labels; known: Cat, Dog" in text


def test_what_is_odd_in_detections_is_counted(tmp_path: Path, truth: Reference) -> None:
    text = HEAD + "a.wav\t0\t1\tDog\na.wav\t0\t1\tDog\na.wav\t2\t2\tDog\na.wav\t0.5\t1.5\tDog\na.wav\t1.5\t2\tDog\n"
    path = write(tmp_path, f"{text}x.wav\t0\t1\tDog\nx.wav\t1\t2\tDog\ny.wav\nb.wav\t4\t5\tDog\n")
    said = read_predictions(path, truth)
    assert rows(said.detected(0.5)) == [(0, 1, 0, 1), (0, 1, 0.5, 1.5), (0, 1, 1.5, 2), (1, 1, 4, 5)]
    zero, repeated, overlap, late, strangers, absent = said.notes
    assert absent == f"{ABSENT}: 1 (first: c.wav)"
    says(zero, "0 s", f": 1 (first: {path}:4)")
    says(repeated, "rows that repeat an earlier one", f": 1 (first: {path}:3)")
    says(overlap, "one by one", f": 1 (first: {path}:5)")
    says(late, "after the end", f": 1 (first: {path}:10)")
    assert strangers == f"clips that the reference lacks, left out: 2 (first: 'x.wav', {path}:7)"


def test_no_clip_of_the_reference(tmp_path: Path, truth: Reference) -> None:
    path = write(tmp_path, f"{HEAD}audio/x.wav\t0\t1\tDog\naudio/y.wav\t0\t1\tDog\n")
    with pytest.raises(WsedError, match=r"none of its 2 clips.*'audio/x\.wav', .*said\.tsv:2.*'a\.wav'.*suffixes"):
        read_predictions(path, truth)


@pytest.mark.parametrize("text", ["", "\n", HEAD, HEAD + "a.wav\n"])
def test_a_system_that_detects_nothing(tmp_path: Path, truth: Reference, text: str) -> None:
    said = read_predictions(write(tmp_path, text), truth)
    assert len(said.detected(0.5)) == 0
    *empty, absent = said.notes
    assert [note.split(",")[0] for note in empty] == ([] if text.strip() else ["empty files"])
    assert absent.startswith(f"{ABSENT}: {2 if 'a.wav' in text else 3} ")


def test_paths_that_hold_nothing(tmp_path: Path, truth: Reference) -> None:
    with pytest.raises(WsedError, match=r"no such file or folder: .*gone"):
        read_predictions(tmp_path / "gone", truth)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "inner.tsv").mkdir()
    write(folder, HEAD, ".hidden_0.5.tsv")
    write(folder, HEAD, "scores.json")
    with pytest.raises(WsedError, match=r"nothing to read in the folder .*folder: no file in it ends in \.tsv, \.csv"):
        read_predictions(folder, truth)
    write(folder, "", "th_0.5.tsv")
    silent = read_predictions(folder, truth)
    assert (silent.kind, silent.thresholds, len(silent.detected(0.5))) == ("operating points", (0.5,), 0)
    with pytest.raises(WsedError, match=r"no such table: .*gone"):
        read_reference(tmp_path / "gone")
    (tmp_path / "latin.tsv").write_bytes((HEAD + "M\xfcll.wav").encode("latin-1"))
    with pytest.raises(WsedError, match=r"latin\.tsv is not UTF-8 text"):
        read_predictions(tmp_path / "latin.tsv", truth)
    with pytest.raises(WsedError, match=r"said\.tsv:3: "):
        read_predictions(write(tmp_path, f"{HEAD}a.wav\n{'x' * 200_000}\n"), truth)


# Operating points


def test_operating_points(tmp_path: Path, truth: Reference) -> None:
    folder = tmp_path / "points"
    write(folder, f"{HEAD}a.wav\t0\t1\tDog\nb.wav\t0\t1\tCat\nx.wav\t0\t1\tCat\n", "predictions_th_0.1.tsv")
    write(folder, "event_label,onset,offset,filename\nDog,0,1,a.wav\n", "0.50.csv")
    write(folder, "", "th-0.75.txt")
    write(folder, HEAD, "at 1e-3.TSV")
    write(folder, "what I did", "notes.md")
    seen: list[tuple[int, str]] = []

    def progress(files: Sequence[Path], what: str) -> Sequence[Path]:
        seen.append((len(files), what))
        return files

    said = read_predictions(folder, truth, progress)
    assert seen == [(4, "reading operating points")]
    assert (said.kind, said.thresholds) == ("operating points", (0.001, 0.1, 0.5, 0.75))
    assert [len(point) for point in said.points] == [0, 2, 1, 0]
    assert [(t, said.used_threshold(t)) for t in (0.0, 0.3, 0.31, 0.7)] == [
        (0.0, 0.001),
        (0.3, 0.1),
        (0.31, 0.5),
        (0.7, 0.75),
    ]
    assert said.detected(0.2) is said.points[1]
    scores = said.clip_scores(3, 2)
    assert scores is not None
    never = -math.inf
    assert scores.tolist() == [[never, 0.5], [0.1, never], [never, never]]
    empty, strangers, absent = said.notes
    assert absent.startswith(f"{ABSENT}: 1 ")
    says(empty, "empty files", "th-0.75.txt)")
    says(strangers, "clips that the reference lacks", "th_0.1.tsv:4)")


def test_notes_of_all_operating_points_are_counted_together(tmp_path: Path, truth: Reference) -> None:
    for t in (0.2, 0.4):
        write(tmp_path / "p", f"{HEAD}a.wav\t0\t1\tDog\na.wav\t0\t1\tDog\nx.wav\t0\t1\tDog\ny{t}.wav\n", f"{t}.tsv")
    repeated, strangers, _ = read_predictions(tmp_path / "p", truth).notes
    assert repeated.endswith("left out: 2 (first: " + str(tmp_path / "p/0.2.tsv") + ":3)")
    assert "left out: 3 (first: 'x.wav'" in strangers


def test_one_operating_point_ranks_no_clips(tmp_path: Path, truth: Reference) -> None:
    write(tmp_path / "p", f"{HEAD}a.wav\t0\t1\tDog\n", "0.5.tsv")
    said = read_predictions(tmp_path / "p", truth)
    assert said.clip_scores(3, 2) is None
    assert said.used_threshold(0.9) == 0.5


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"0.5.tsv": HEAD, "best.tsv": HEAD}, r"best\.tsv: no threshold in the name"),
        ({"0.5.tsv": HEAD, "th_0.50.tsv": HEAD}, r"0\.5\.tsv and th_0\.50\.tsv have the same threshold, 0\.50"),
        (
            {"0.5.tsv": HEAD, "a.tsv": "onset\toffset\tDog\n"},
            r"mixes tables of events \(0\.5\.tsv\).*scores \(a\.tsv\)",
        ),
        (
            {"0.5.tsv": HEAD, "readme_1.txt": "These are\nmy outputs"},
            r"readme_1\.txt is not a table.*header is These are",
        ),
        ({"0.5.tsv": HEAD, "1.tsv": "\nfilename"}, r"1\.tsv is not a table of predictions"),
        ({"0.5.tsv": "filename\tonset\toffset\tlabel\n"}, r"0\.5\.tsv: no column event_label"),
        (
            {"0.5.tsv": HEAD + "x.wav\n", "1.tsv": HEAD + "y.wav\n"},
            r"none of its 2 clips; one is 'x\.wav', .*0\.5\.tsv:2",
        ),
    ],
)
def test_folders_that_do_not_belong_together(
    tmp_path: Path, truth: Reference, files: dict[str, str], message: str
) -> None:
    for name, text in files.items():
        write(tmp_path / "p", text, name)
    with pytest.raises(WsedError, match=message):
        read_predictions(tmp_path / "p", truth)


# Frame scores


def table(scores: Sequence[Sequence[float]], classes: Sequence[str] = ("Cat", "Dog"), start: float = 0.0) -> str:
    """Frames of half a second."""
    lines = [["onset", "offset", *classes]]
    lines += [[repr(start + i / 2), repr(start + (i + 1) / 2), *map(repr, row)] for i, row in enumerate(scores)]
    return "".join("\t".join(line) + "\n" for line in lines)


QUIET = [[0.1, 0.2]] * 8


def test_frame_scores(tmp_path: Path, truth: Reference) -> None:
    folder = tmp_path / "scores"
    write(folder, table([[0.9, 0.5], [0.9, 0.6], [0.1, 0.5], [0.7, 0.6], [0.1, 0.2], [0.1, 0.7]]), "a.tsv")
    write(folder, table([[0.5, 0.2], [0.6, 0.2]], ("Dog", "Cat"), start=1.5).replace("\t", ","), "b.wav.csv")
    seen: list[tuple[int, str]] = []

    def progress(files: Sequence[Path], what: str) -> Sequence[Path]:
        seen.append((len(files), what))
        return files

    said = read_predictions(folder, truth, progress)
    assert seen == [(2, "reading frame scores")]
    assert (said.kind, said.thresholds, said.points, said.used_threshold(0.4)) == ("frame scores", (), (), 0.4)
    found = [(0, 0, 0, 1), (0, 0, 1.5, 2), (0, 1, 0.5, 1), (0, 1, 1.5, 2), (0, 1, 2.5, 3), (1, 1, 2, 2.5)]
    assert rows(said.detected(0.5)) == found
    assert len(said.detected(1.0)) == 0
    assert rows(said.detected(0.0)) == [(0, 0, 0, 3), (0, 1, 0, 3), (1, 0, 1.5, 2.5), (1, 1, 1.5, 2.5)]
    scores = said.clip_scores(3, 2)
    assert scores is not None
    assert scores.tolist() == [[0.9, 0.7], [0.2, 0.6], [-math.inf, -math.inf]]
    assert said.scores is not None
    assert [list(clip.shape) for clip in said.scores.split()] == [[6, 2], [2, 2], [0, 2]]
    odd, silent = said.notes
    says(odd, "files whose frames end over 1 s before or after", "b.wav.csv)")
    assert silent == "clips of the reference without a file of scores, where nothing is detected: 1 (first: 'c.wav')"
    assert truth.durations is not None
    psds = psds_from_scores(said.scores, truth.events, PSDS1)
    assert 0 <= psds.value <= 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            table(QUIET).replace("0.5\t1.0", "0.6\t1.0"),
            "a.tsv:3: the frame starts at 0.6 s, but the one before ends at 0.5 s",
        ),
        (
            table(QUIET).replace("0.5\t1.0", "0.4\t1.0"),
            "a.tsv:3: the frame starts at 0.4 s, but the one before ends at 0.5",
        ),
        (table(QUIET).replace("0.5\t1.0", "0.5\t0.5"), "a.tsv:3: offset 0.5 is not after onset 0.5"),
        (table(QUIET).replace("0.5\t1.0\t0.1", "0.5\t1.0\tnan"), "a.tsv:3: Cat is 'nan', expected a score (a number)"),
        (
            table(QUIET).replace("0.5\t1.0\t0.1", "0.5\t1.0\thigh"),
            "a.tsv:3: Cat is 'high', expected a score (a number)",
        ),
        (table(QUIET).replace("0.5\t1.0\t0.1", "0.5\t1.0\t"), "a.tsv:3: Cat is '', expected a score (a number)"),
        (table(QUIET).replace("0.5\t1.0\t", "inf\t1.0\t"), "a.tsv:3: onset is 'inf', expected seconds (a number)"),
        (table(QUIET).replace("0.5\t1.0\t", "\n0.5\tx\t"), "a.tsv:4: offset is 'x', expected seconds (a number)"),
        (table(QUIET).replace("0.5\t1.0\t0.1\t0.2", "0.5\t1.0\t0.1"), "a.tsv:3: Dog is '', expected a score"),
        (table(QUIET).replace("0.5\t1.0\t", "0.5\t1.0\t7\t"), "a.tsv:3: 5 cells where the header has 4"),
        (table(QUIET).replace("0.5\t1.0\t0.1\t0.2", "0.5,1.0,0.1,0.2"), "a.tsv:3: this row is separated by commas"),
        (
            table(QUIET, ("cat", "Dog")),
            "a.tsv: no column for 'Cat', a class of the reference (did you mean cat?); add it",
        ),
        (
            table(QUIET, ("cat", "dog")),
            "a.tsv: no column for 'Cat', a class of the reference (did you mean cat?) (and 1",
        ),
        (table([[0.1] * 3] * 8, ("Cat", "Dog", "Cat")), "a.tsv: more than one column Cat; every class has one column"),
    ],
)
def test_scores_at_fault_are_named(tmp_path: Path, truth: Reference, text: str, message: str) -> None:
    write(tmp_path / "s", text, "a.tsv")
    with pytest.raises(WsedError) as caught:
        read_predictions(tmp_path / "s", truth)
    assert str(caught.value).startswith(str(tmp_path / "s") + "/" + message)


def test_frames_may_miss_one_another_by_rounding(tmp_path: Path, truth: Reference) -> None:
    write(tmp_path / "s", table(QUIET).replace("0.5\t1.0", "0.5000005\t1.0") + "\n\n", "a.tsv")
    assert len(read_predictions(tmp_path / "s", truth).detected(0.15)) == 1


def test_columns_without_use_are_left_out(tmp_path: Path, truth: Reference) -> None:
    plain = [[i, *row, 0.9, 0.8] for i, row in enumerate(QUIET)]
    write(tmp_path / "s", table(plain, ("", "Cat", "Dog", "Owl", "Bird")), "a.tsv")
    write(tmp_path / "s", table(plain, ("", "Cat", "Dog", "Owl", "Bird")).replace("0.9", "-"), "b.tsv")
    write(tmp_path / "s", table(QUIET).split("\n")[0] + "\tOwl\tBird\n", "c.tsv")
    said = read_predictions(tmp_path / "s", truth)
    assert said.scores is not None
    assert [clip.tolist() for clip in said.scores.split()] == [QUIET, QUIET, []]
    (note,) = said.notes
    says(note, "score columns of other classes", "alarms count): 2 (first: Bird)")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a": QUIET, "a.wav": QUIET}, r"a\.tsv and a\.wav\.tsv both belong to the clip 'a\.wav'; remove one"),
        (
            {"x": QUIET, "y": QUIET},
            r"reference has none of its 2 clips; one is .*x\.tsv; one of the reference is 'a\.wav'",
        ),
        ({"a": QUIET, "both": [[1, 1, 1]]}, None),
    ],
)
def test_score_files_that_do_not_fit(
    tmp_path: Path, truth: Reference, files: dict[str, list[list[float]]], message: str | None
) -> None:
    for name, scores in files.items():
        write(tmp_path / "s", table(scores), f"{name}.tsv")
    if message is None:
        assert f"left out: 1 (first: {tmp_path}/s/both.tsv)" in read_predictions(tmp_path / "s", truth).notes[0]
        return
    with pytest.raises(WsedError, match=message):
        read_predictions(tmp_path / "s", truth)


def test_all_files_have_the_same_classes(tmp_path: Path, truth: Reference) -> None:
    write(tmp_path / "s", table(QUIET), "a.tsv")
    write(tmp_path / "s", table([[0.1] * 3] * 8, ("Cat", "Dog", "Owl")), "b.tsv")
    with pytest.raises(WsedError, match=r"b\.tsv has a column 'Owl' and .*a\.tsv has none: all must have the same"):
        read_predictions(tmp_path / "s", truth)
    with pytest.raises(WsedError, match=r"a\.tsv has the frame scores of one clip; pass the folder"):
        read_predictions(tmp_path / "s/a.tsv", truth)


def test_clips_by_name_without_folder_and_extension(tmp_path: Path) -> None:
    names = ("one/Y_1.000_2.000.wav", "Y_1.000", "two/x.flac", "two/x.wav")
    reference = read_reference(write(tmp_path, HEAD + "".join(f"{name}\t0\t1\tDog\n" for name in names)))
    write(tmp_path / "s", table([[1.0]], ["Dog"]), "Y_1.000_2.000.tsv")
    write(tmp_path / "s", table([[1.0]], ["Dog"]), "Y_1.000.tsv")
    write(tmp_path / "s", "", "none.tsv")
    write(tmp_path / "s", " \n", "Y_1.000_2.tsv")
    said = read_predictions(tmp_path / "s", reference)
    assert [reference.clip_ids[i] for i in said.detected(0.5).clip] == ["Y_1.000", "one/Y_1.000_2.000.wav"]
    write(tmp_path / "s", table([[1.0]], ["Dog"]), "x.tsv")
    with pytest.raises(WsedError, match=r"x\.tsv may be of 'two/x\.flac' and 'two/x\.wav'; name score files like"):
        read_predictions(tmp_path / "s", reference)


def test_score_files_in_subfolders(tmp_path: Path) -> None:
    """`wsed detect --format scores` repeats the folders of the recordings."""
    names = ("site1/001.wav", "site2/001.wav", "002.wav", "long/003.wav")
    reference = read_reference(write(tmp_path, HEAD + "".join(f"{name}\t0\t1\tDog\n" for name in names)))
    for folder, name in (("site1", "001"), ("site2", "001.wav"), ("site9", "002"), ("", "003"), (".cache", "002")):
        write(tmp_path / "s" / folder, table([[1.0]], ["Dog"]), f"{name}.tsv")
    said = read_predictions(tmp_path / "s", reference)
    assert [reference.clip_ids[i] for i in said.detected(0.5).clip] == list(reference.clip_ids)
    (tmp_path / "s/003.tsv").unlink()
    said = read_predictions(tmp_path / "s", reference)  # no table in the folder itself
    assert len(said.detected(0.5)) == 3
    write(tmp_path / "s" / "long", table([[1.0]], ["Dog"]), "003.tsv")
    write(tmp_path / "s" / "other", table([[1.0]], ["Dog"]), "003.tsv")  # of no clip: another file has the path
    assert f"left out: 1 (first: {tmp_path}/s/other/003.tsv)" in read_predictions(tmp_path / "s", reference).notes[0]
    write(tmp_path / "s" / "site8", table([[1.0]], ["Dog"]), "002.tsv")
    with pytest.raises(WsedError, match=r"site8/002\.tsv and 002\.tsv both belong to the clip '002\.wav'"):
        read_predictions(tmp_path / "s", reference)
    write(tmp_path / "s" / "site8", HEAD, "002.tsv")
    (tmp_path / "s/site9/002.tsv").rename(tmp_path / "s/002.tsv")
    write(tmp_path / "s" / "site9", "name,value\nloss,1\n", "log.csv")
    (tmp_path / "s/site8/003.tsv").write_text("")
    said = read_predictions(tmp_path / "s", reference)  # the folder itself has frame scores
    assert f"hold no frame scores, left out: 2 (first: {tmp_path}/s/site8/002.tsv)" in said.notes[0]
    assert len(said.detected(0.5)) == 4
    (tmp_path / "s/002.tsv").unlink()
    (tmp_path / "s/site9/log.csv").unlink()
    with pytest.raises(
        WsedError, match=r"mixes tables of events \(site8/002.tsv\) and of frame scores \(long/003.tsv\)"
    ):
        read_predictions(tmp_path / "s", reference)
    write(tmp_path / "p" / "points", HEAD, "th_0.5.tsv")
    with pytest.raises(WsedError, match="name the folder inside it"):
        read_predictions(tmp_path / "p", reference)


def test_an_empty_score_file_is_a_clip_without_frames(tmp_path: Path, truth: Reference) -> None:
    write(tmp_path / "s", table(QUIET), "a.tsv")
    write(tmp_path / "s", "", "b.tsv")
    said = read_predictions(tmp_path / "s", truth)
    assert said.scores is not None
    assert [len(clip) for clip in said.scores.split()] == [8, 0, 0]
    assert said.notes[0].startswith("empty files")


@pytest.mark.parametrize("values", [[0.0, 0.7], [-2.0, 5.0], [-math.inf, math.inf], [-math.inf, 0.0]])
def test_clip_scores_are_the_highest_as_they_are(tmp_path: Path, values: list[float]) -> None:
    """Of probabilities, of logits, and where a logarithm was infinite; clip c has no frames and ranks last."""
    reference = read_reference(write(tmp_path, HEAD + "a\t0\t1\tDog\nb\nc\n"))
    for name, value in zip("ab", values, strict=True):
        write(tmp_path / "s", table([[value]], ["Dog"]), f"{name}.tsv")
    scores = read_predictions(tmp_path / "s", reference).clip_scores(3, 1)
    assert scores is not None
    assert scores.tolist() == [[values[0]], [values[1]], [-math.inf]]


def test_scores_that_differ_by_little_do_not_tie(tmp_path: Path, truth: Reference) -> None:
    write(tmp_path / "s", table([[0.1, 0.1 + 1e-12], [0.1, 0.1]]), "a.tsv")
    assert rows(read_predictions(tmp_path / "s", truth).detected(0.1)) == [(0, 1, 0.0, 0.5)]


@given(st.lists(st.lists(st.tuples(*[st.integers(0, 3)] * 2), max_size=5), min_size=1, max_size=3))
@settings(deadline=None, max_examples=50)
def test_runs_of_frames_equal_a_loop(
    tmp_path_factory: pytest.TempPathFactory, clips: list[list[tuple[int, int]]]
) -> None:
    folder = tmp_path_factory.mktemp("loop")
    names = [f"clip{i}" for i in range(len(clips))]
    text = HEAD + "".join(f"{name}\t0\t1\tCat\n{name}\t0\t1\tDog\n" for name in names)
    reference = read_reference(write(folder, text))
    for name, scores in zip(names, clips, strict=True):
        write(folder / "s", table(scores), f"{name}.tsv")
    expected = []
    for clip, label in itertools.product(range(len(clips)), range(2)):
        active = [scores[label] > 1 for scores in clips[clip]]
        for on, run in itertools.groupby(enumerate(active), key=lambda pair: pair[1]):
            frames = [i for i, _ in run]
            expected += [(clip, label, frames[0] / 2, (frames[-1] + 1) / 2)] if on else []
    assert rows(read_predictions(folder / "s", reference).detected(1.0)) == expected


def test_the_format_of_sed_scores_eval(tmp_path: Path) -> None:
    """What it writes is read; PSDS and detections are what it makes of its files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = pytest.importorskip("sed_scores_eval", reason="needs the extra `eval`")
        from sed_scores_eval.base_modules.detection import scores_to_event_list
        from sed_scores_eval.base_modules.io import read_sed_scores, write_sed_scores
        from sed_scores_eval.base_modules.scores import create_score_dataframe

        rng = np.random.default_rng(0)
        n_frames = {f"Y{i}_10.000_20.000": int(n) for i, n in enumerate(rng.integers(10, 20, 12))}
        frames = {
            name: create_score_dataframe(rng.random((n, 2)), np.arange(n + 1) * 0.25, ["Dog", "Cat"])
            for name, n in n_frames.items()
        }
        write_sed_scores(frames, tmp_path / "scores")
        events = {name: [(0.5, 1.75, "Dog"), (1.0, 2.25, "Cat")] for name in list(frames)[:8]}
        lengths = {name: n * 0.25 for name, n in n_frames.items()}
        text = HEAD + "".join(f"{name}.wav\t{a}\t{b}\t{c}\n" for name, e in events.items() for a, b, c in e)
        text_lengths = "filename\tduration\n" + "".join(f"{name}.wav\t{s}\n" for name, s in lengths.items())
        value, *_ = theirs.intersection_based.psds(
            str(tmp_path / "scores"),
            events | {name: [] for name in list(frames)[8:]},
            lengths,
            dtc_threshold=0.3,
            gtc_threshold=0.3,
            cttc_threshold=0.3,
            alpha_ct=0.5,
            alpha_st=1.0,
            max_efpr=3000.0,
            num_jobs=1,
        )
        read = read_sed_scores(tmp_path / "scores")
        said_there = [
            (i, ["Cat", "Dog"].index(label), onset, offset)
            for i, name in enumerate(sorted(frames))
            for onset, offset, label in scores_to_event_list(read[name], 0.5)
        ]
    reference = read_reference(write(tmp_path, text), write(tmp_path, text_lengths, "lengths.tsv"))
    said = read_predictions(tmp_path / "scores", reference)
    assert said.notes == ()
    assert sorted(rows(said.detected(0.5))) == sorted(said_there)
    assert said.scores is not None
    assert reference.durations is not None
    p = dataclasses.replace(PSDS2, dtc=0.3, gtc=0.3, max_efpr=3000.0)
    found = psds_from_scores(said.scores, reference.events, p)
    assert 0 < value < 1
    assert found.value == pytest.approx(value, abs=1e-12)


# Joined events

spans = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 12), st.integers(1, 5)).map(
        lambda e: (e[0], e[1], e[2] / 8, (e[2] + e[3]) / 8)
    ),
    max_size=12,
)


def joined_by_a_loop(events: list[tuple[int, int, float, float]]) -> list[tuple[int, int, float, float]]:
    """Take any two of one clip and label that share time, until there are none."""
    left = list(events)
    while True:
        pairs = ((a, b) for a, b in itertools.combinations(range(len(left)), 2) if left[a][:2] == left[b][:2])
        pair = next(((a, b) for a, b in pairs if max(left[a][2], left[b][2]) < min(left[a][3], left[b][3])), None)
        if pair is None:
            return sorted(left)
        b, a = left.pop(pair[1]), left.pop(pair[0])
        left.append((*a[:2], min(a[2], b[2]), max(a[3], b[3])))


@given(spans)
@settings(deadline=None)
def test_joined_equals_a_loop(events: list[tuple[int, int, float, float]]) -> None:
    given_ = Events.of(events)
    found = joined(given_)
    assert sorted(rows(found)) == joined_by_a_loop(events)
    if len(found) == len(events):
        assert found is given_
    else:
        assert rows(found) == sorted(rows(found))
        assert joined(found) is found
    assert int(overlapping(given_).sum()) == len(events) - len(found)


def test_joined_events_are_as_loud_as_the_loudest() -> None:
    events = dataclasses.replace(
        Events.of([(0, 0, 1.0, 2.0), (0, 0, 0.0, 1.5), (0, 1, 0.0, 1.0), (0, 1, 1.0, 2.0)]),
        gain=torch.tensor([0.2, 0.7, 0.3, 0.4], dtype=torch.float64),
    )
    found = joined(events)
    assert rows(found) == [(0, 0, 0, 2), (0, 1, 0, 1), (0, 1, 1, 2)]
    assert found.gain.tolist() == [0.7, 0.3, 0.4]
    assert overlapping(events).tolist() == [True, False, False, False]
    assert joined(Events.of([])).clip.numel() == 0


def test_numbers_that_are_hardly_thresholds_are_noted(tmp_path: Path, truth: Reference) -> None:
    rows_of_all = f"{HEAD}a.wav\t0\t1\tDog\nb.wav\nc.wav\n"
    for name in ("th0.5_run2.tsv", "th0.5_run3.tsv"):
        write(tmp_path / "p", rows_of_all, name)
    said = read_predictions(tmp_path / "p", truth)
    assert said.thresholds == (2, 3)
    (note,) = said.notes
    says(note, "thresholds above 1", ": 2 (first: th0.5_run2.tsv is 2)")


def test_a_duration_of_nothing_or_of_no_clip_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, f"{HEAD}a.wav\t0\t1\tDog\n")
    for row, message in (("a.wav\t0", "duration is 0, expected more than 0 s"), ("\t10", "no filename")):
        lengths = write(tmp_path, f"filename\tduration\n{row}\n", "lengths.tsv")
        with pytest.raises(WsedError, match=rf"lengths\.tsv:2: {message}"):
            read_reference(path, lengths)


def test_times_that_no_clip_has_are_refused(tmp_path: Path, truth: Reference) -> None:
    path = write(tmp_path, f"{HEAD}a.wav\t0\t1\tDog\na.wav\t0\t1e12\tDog\n")
    with pytest.raises(WsedError, match=r"said\.tsv:3: offset is '1e12', expected seconds"):
        read_predictions(path, truth)


def test_touching_events_are_merged_on_request() -> None:
    events = Events.of([(0, 0, 0.0, 1.0), (0, 0, 1.0, 2.0), (0, 1, 2.0, 3.0), (1, 1, 3.0, 4.0)])
    assert joined(events) is events
    assert rows(joined(events, touching=True)) == [(0, 0, 0, 2), (0, 1, 2, 3), (1, 1, 3, 4)]


@pytest.mark.parametrize(
    ("name", "threshold"),
    [
        ("th_-0.3.tsv", -0.3),
        ("-2.tsv", -2.0),
        ("th_\u22121e-3.tsv", -0.001),
        ("th-0.3.tsv", 0.3),
        ("run2-0.3.tsv", 0.3),
        ("2026-11-26_0.3.tsv", 0.3),
        ("th=-.5.tsv", -0.5),
    ],
)
def test_the_sign_of_a_threshold(tmp_path: Path, truth: Reference, name: str, threshold: float) -> None:
    write(tmp_path / "points", HEAD, name)
    assert read_predictions(tmp_path / "points", truth).thresholds == (threshold,)


@pytest.mark.parametrize(
    ("name", "message"), [("th_0,3.tsv", "with a point, not with a comma"), ("th_1e999.tsv", "too large for a number")]
)
def test_thresholds_at_fault(tmp_path: Path, truth: Reference, name: str, message: str) -> None:
    write(tmp_path / "points", HEAD, name)
    with pytest.raises(WsedError, match=message):
        read_predictions(tmp_path / "points", truth)


@pytest.mark.parametrize("column", ["confidence", "score"])
def test_confidences_are_read(tmp_path: Path, truth: Reference, column: str) -> None:
    """They decide which events are detected, and rank them: 0.9 finds the Cat, the false Dog comes after it."""
    head = HEAD.replace("\n", f"\t{column}\n")
    said = read_predictions(
        write(tmp_path, head + "a.wav\t2\t3.5\tCat\t0.9\na.wav\t0\t1\tDog\t0.2\nc.wav\t1\t2\tDog\t1e-3\n"), truth
    )
    assert (said.kind, said.used_threshold(0.5)) == ("events", 0.5)
    assert rows(said.detected(0.5)) == [(0, 0, 2.0, 3.5)]
    assert len(said.detected(0.0)) == 3
    scores = said.clip_scores(3, 2)
    assert scores is not None
    never = -math.inf
    assert scores.tolist() == [[0.9, 0.2], [never, never], [never, 0.001]]
    assert said.scores is not None
    points = [said.detected(threshold) for threshold in (0.5, 0.1, 0.0)]
    loose = dataclasses.replace(PSDS1, max_efpr=2000.0)
    exact = psds_from_scores(said.scores, truth.events, loose).value
    assert truth.durations is not None
    assert exact == psds_from_operating_points(truth.events, points, 2, truth.durations, loose).value


def test_all_events_count_unless_a_threshold_is_given(tmp_path: Path, truth: Reference) -> None:
    head = "filename\tonset\toffset\tevent_label\tconfidence\n"
    name, label = truth.clip_ids[0], next(iter(truth.labels))
    table = write(tmp_path, head + f"{name}\t0.1\t0.2\t{label}\t0.3\n{name}\t0.3\t0.4\t{label}\t0.7\n")
    predictions = read_predictions(table, truth)
    assert (predictions.used_threshold(None), len(predictions.detected(None))) == (None, 2)
    assert (predictions.used_threshold(0.5), len(predictions.detected(0.5))) == (0.5, 1)


def test_confidences_at_fault(tmp_path: Path, truth: Reference) -> None:
    head = HEAD.replace("\n", "\tscore\n")
    with pytest.raises(WsedError, match=r"said\.tsv:2: score is 'high', expected a confidence"):
        read_predictions(write(tmp_path, head + "a.wav\t2\t3\tCat\thigh\n"), truth)
    with pytest.raises(WsedError, match="more than one column of confidences"):
        read_predictions(write(tmp_path, head.replace("score", "score\tconfidence")), truth)
    write(tmp_path / "points", head + "a.wav\t2\t3\tCat\t0.1\n", "th_0.5.tsv")
    (ignored, *_) = read_predictions(tmp_path / "points", truth).notes
    says(ignored, "a column of confidences, which is not read", "th_0.5.tsv)")
