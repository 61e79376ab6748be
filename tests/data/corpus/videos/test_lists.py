"""Lists of videos' clips: the real one of DCASE 2017, the formats of AudioSet, and rows that cannot be understood."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.data.corpus import dcase2017
from wsed.data.corpus.videos import list_arrays
from wsed.data.corpus.videos.files import VideoFiles
from wsed.data.corpus.videos.layout import DCASE2017_LABELS
from wsed.data.corpus.videos.lists import ListedClips, read_list, rows, with_events
from wsed.data.ragged import Ragged
from wsed.errors import WsedError
from wsed.losses.functional import class_weights

HEAD = "# Segments csv created\n# num_ytids=2\n# YTID, start_seconds, end_seconds, positive_labels\n"
ROWS = ['--PJHxphWEs, 30.000, 40.000, "/m/09x0r,/t/dd00088"', '_-_abcdefgh, 0.000, 7.500, "/m/09x0r"']
CLASSES = {"/m/09x0r": 0, "/t/dd00088": 1, "/m/04rlf": 2}
DCASE = {name: i for i, name in enumerate(DCASE2017_LABELS)}


def write(folder: Path, text: str, name: str = "list.csv") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


def plain(segments: ListedClips) -> list[tuple]:
    """Name, labels and events of each clip; None where these are not known."""
    events = [[tuple(e) for e in segments.events[i].tolist()] for i in range(len(segments))]
    known = [e if timed else None for e, timed in zip(events, segments.timed.tolist(), strict=True)]
    return [(segments.name(i), segments.labels[i].tolist(), known[i]) for i in range(len(segments))]


def test_the_real_list_and_the_papers_weights(shared: Path, golden) -> None:
    """Counts and weights of Chou, Jang & Yang 2018, Eq. 11, with either prior."""
    values = golden("mmnet_class_weights")
    path = shared / "data/metadata/dcase2017_task4" / dcase2017.TRAIN
    segments = read_list(path, DCASE)
    counts = torch.bincount(segments.labels.values).double().tolist()
    assert list(DCASE2017_LABELS) == values["classes"]
    assert counts == values["label_counts"]
    assert len(segments) == values["n_clips"] == 51172
    assert len(segments.labels.values) == sum(1 for _ in rows(path)) == 56131
    named = {line.split("\t")[0] for line in path.read_text().splitlines()}
    assert {segments.name(i) for i in range(len(segments))} == named
    assert class_weights(counts, beta=0.3).tolist() == pytest.approx(values["paper_formula_label_prior"], abs=1e-12)
    by_clips = class_weights(counts, n_clips=len(segments)).tolist()
    assert by_clips == pytest.approx(values["paper_formula_clip_prior"], abs=1e-12)


def test_classes_in_the_order_of_the_challenge(shared: Path) -> None:
    lines = (shared / "data/metadata/dcase2017_task4/sound_event_list_17_classes.txt").read_text().splitlines()
    assert tuple(line.split("\t")[2] for line in lines[1:]) == DCASE2017_LABELS


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
def test_audiosets_lists(tmp_path: Path, end: str) -> None:
    path = write(tmp_path, HEAD + (end or "\n").join(ROWS) + end)
    found = read_list(path, CLASSES)
    expected = [("--PJHxphWEs_30.000_40.000.wav", [0, 1], None), ("_-_abcdefgh_0.000_7.500.wav", [0], None)]
    assert plain(found) == expected
    assert found.end.tolist() == [40.0, 7.5]
    assert len(list_arrays.parse(path, CLASSES).video) == 2  # the fast way did it


row = st.tuples(
    st.text("Az09_-", min_size=11, max_size=11),
    st.integers(0, 999_979_999),
    st.integers(1, 20_000),
    st.lists(st.sampled_from([*CLASSES]), min_size=1, max_size=3, unique=True),
)


@given(st.lists(row, min_size=1, max_size=12, unique_by=lambda r: r[:2]))
@settings(max_examples=100, deadline=None)
def test_the_fast_way_reads_what_the_slow_way_reads(tmp_path_factory, drawn) -> None:
    lines = [
        f'{video}, {begin / 1000:.3f}, {(begin + length) / 1000:.3f}, "{",".join(labels)}"'
        for video, begin, length, labels in drawn
    ]
    path = write(tmp_path_factory.getbasetemp(), HEAD + "\n".join(lines) + "\n")
    fast = list_arrays.parse(path, CLASSES)
    slow = list(rows(path))
    assert fast.video.tolist() == [r.video.encode() for r in slow]
    assert fast.begin.tolist() == [r.begin for r in slow]
    assert fast.end.tolist() == [r.end for r in slow]
    assert fast.n_labels.tolist() == [len(r.labels) for r in slow]
    assert fast.label.tolist() == [CLASSES[label] for r in slow for label in r.labels]


def test_many_blocks_are_one_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, HEAD + "\n".join(ROWS * 20))
    whole = list_arrays.parse(path, CLASSES)
    monkeypatch.setattr(list_arrays, "CHUNK", 64)
    for joined, parted in zip(whole, list_arrays.parse(path, CLASSES), strict=True):
        assert np.array_equal(joined, parted)


def test_other_ways_of_writing_the_same_are_read_too(tmp_path: Path) -> None:
    text = f'{HEAD}\n--PJHxphWEs,30,40,/m/09x0r\n\n_-_abcdefgh, 0.0, 7.5, "/m/09x0r, /m/09x0r"\n'
    path = write(tmp_path, text)
    with pytest.raises(list_arrays.IrregularError):
        list_arrays.parse(path, CLASSES)
    expected = [("--PJHxphWEs_30.000_40.000.wav", [0], None), ("_-_abcdefgh_0.000_7.500.wav", [0], None)]
    assert plain(read_list(path, CLASSES)) == expected


def test_the_strong_part_holds_events_and_labels_of_other_classes(tmp_path: Path) -> None:
    lines = ["segment_id\tstart_time_seconds\tend_time_seconds\tlabel"]
    lines += ["s9d-2nhuJCQ_30000\t2.627\t7.237\t/t/dd00088", "s9d-2nhuJCQ_30000\t0.000\t1.0\t/m/09x0r"]
    path = write(tmp_path, "\n".join([*lines, "_-_abcdefgh_500\t0\t10\t/m/other"]) + "\n", "audioset_train_strong.tsv")
    found = read_list(path, CLASSES, others=True)
    events = [(1.0, 2.627, 7.237), (0.0, 0.0, 1.0)]
    assert plain(found) == [("s9d-2nhuJCQ_30.000_40.000.wav", [0, 1], events), ("_-_abcdefgh_0.500_10.500.wav", [], [])]
    assert found.others == 1
    with pytest.raises(WsedError, match=r"audioset_train_strong\.tsv:4: unknown label '/m/other'"):
        read_list(path, CLASSES)


def test_events_of_dcase_2017_join_its_tags(tmp_path: Path) -> None:
    names = [f"{letter * 11}_0.000_10.000.wav" for letter in "abc"]
    tags = "".join(f"{name}\t0.000\t10.000\tCar\n" for name in names) + f"{names[0]}\t0.000\t10.000\tBus\n"
    events = f"{names[1]}\t0\t0\tCar\nY{names[0]}\t1.5\t2\tBus\n{names[0]}\t0\t3\tCar\n"
    weak = read_list(write(tmp_path, tags, "groundtruth_weak_label_testing_set.csv"), DCASE)
    strong = read_list(write(tmp_path, events, "groundtruth_strong_label_testing_set.csv"), DCASE)
    car, bus = DCASE["Car"], DCASE["Bus"]
    assert plain(with_events(weak, strong)) == [
        (names[0], [car, bus], [(bus, 1.5, 2.0), (car, 0.0, 3.0)]),
        (names[1], [car], []),  # an annotator heard nothing
        (names[2], [car], None),  # none has listened
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + ROWS[0] + "\nshort, 0.000, 10.000, \"/m/09x0r\"\n", "list.csv:5: 'short' is not the id of a video"),
        (HEAD + ROWS[0].replace("d00088", "d0008"), r"list.csv:4: unknown label '/t/dd0008' \(did you mean /t/dd0"),
        (HEAD + ROWS[0].replace("40.000", "30.000"), "list.csv:4: the end 30 is not after the start 30"),
        (HEAD + ROWS[0].replace("40.000", "soon"), "list.csv:4: the end is 'soon', expected seconds"),
        (HEAD + ROWS[0].rsplit(",", 2)[0] + '"', "list.csv:4: 3 cells, expected 4"),
        (HEAD + ROWS[0] + '\n--PJHxphWEs, 30.000, 40.000\n', "list.csv:5: 3 cells, expected 4.*positive_labels"),
        (HEAD + ROWS[1] + '\n--PJHxphWEs, 30.000, 40.000, "/m/09x0r\n', "list.csv:5: .*correct the row"),
        (HEAD, "list.csv lists no clips"),
        ("a.wav\t0\t10\tCar\n", "list.csv:1: 'a.wav' is not the name of a clip"),
        ("aaaaaaaaaaa_0.000_10.000.wav\t0\t9\tCar\n", "list.csv:1: .*has the times 0 to 9 s, which differ"),
        ("aaaaaaaaaaa_0.000_10.000.wav\t0\t10\tCat\n", r"list.csv:1: unknown label 'Cat'.*\(aaaaaaaaaaa_0"),
        ("aaaaaaaaaaa_0\t1\t2\tx\naaa_0\t0\t1\tx\n", "list.csv:1: unknown label 'x'"),
    ],
)  # fmt: skip
def test_errors_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(WsedError, match=message):
        read_list(write(tmp_path, text), CLASSES | DCASE)


def test_problems_are_collected(tmp_path: Path) -> None:
    problems: list = []
    path = write(tmp_path, HEAD + 'x, 0.000, 1.000, "/m/a"\n' + ROWS[0] + "\n" + ROWS[1].replace("7.5", "-7.5"))
    assert [r.video for r in rows(path, problems)] == ["--PJHxphWEs"]
    assert [p.line for p in problems] == [4, 6]


def test_files_are_found_by_the_id_of_their_video(tmp_path: Path) -> None:
    kept = {
        "Y--PJHxphWEs.wav": 0,
        "deep/er/_-_abcdefgh_500.flac": 1,  # milliseconds, as the strong part names clips
        "ccccccccccc_30.000_40.000.wav": 2,
        "Yddddddddddd_30_40.mp3": 3,
    }
    others = ["eeeeeeeeeee_20.000_30.000.wav", "readme.txt", "noise.wav", ".hidden/fffffffffff.wav", ".fffffffffff.wav"]
    for name in [*kept, *others]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    videos = ["--PJHxphWEs", "_-_abcdefgh", *(letter * 11 for letter in "cdef")]
    begins = [30.0, 0.5, 30.0, 30.0, 30.0, 0.0]
    lines = [f'{v}, {b:.3f}, {b + 10:.3f}, "/m/09x0r"' for v, b in zip(videos, begins, strict=True)]
    segments = read_list(write(tmp_path, HEAD + "\n".join(lines)), CLASSES)
    files = VideoFiles(tmp_path)
    found = files.find(segments.video, segments.begin).tolist()
    assert {files.path(f).relative_to(tmp_path).as_posix(): i for i, f in enumerate(found) if f >= 0} == kept
    assert found[4:] == [-1, -1]  # another stretch of the video; a hidden file
    assert len(files) == 5
    shutil.rmtree(tmp_path / "deep")
    (tmp_path / "empty").mkdir()
    assert VideoFiles(tmp_path / "empty").find(segments.video, segments.begin).tolist() == [-1] * 6


@given(st.lists(st.lists(st.integers(0, 4), max_size=4, unique=True), min_size=1, max_size=8), st.data())
@settings(max_examples=100, deadline=None)
def test_ragged_rows_are_lists(lists, data) -> None:
    ragged = Ragged.lists(lists)
    index = data.draw(st.lists(st.integers(-1, len(lists) - 1), max_size=6))
    taken = ragged.take(torch.tensor(index, dtype=torch.long))
    assert [taken[i].tolist() for i in range(len(taken))] == [lists[i] for i in index]
    inverse = ragged.inverse(5)
    assert [inverse[k].tolist() for k in range(5)] == [[i for i, r in enumerate(lists) if k in r] for k in range(5)]
    assert ragged.one_hot(5).tolist() == [[float(k in r) for k in range(5)] for r in lists]
    both = Ragged.cat([ragged, taken])
    assert [both[i].tolist() for i in range(len(both))] == lists + [lists[i] for i in index]


def test_ragged_texts() -> None:
    texts = [b"a", b"", b"\xc3\xa9 ."]
    ragged = Ragged.texts(iter(texts))
    assert [bytes(ragged[i].numpy()) for i in range(3)] == texts
    assert len(Ragged.texts([])) == 0
