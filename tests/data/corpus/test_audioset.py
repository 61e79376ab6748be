"""AudioSet and DCASE 2017 task 4 as data modules: what is read, what is missing, what is drawn."""

import os
import pickle
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import yaml

from tests.data.modules import RATE, listed, module, serving
from wsed.cli.main import main
from wsed.data.clip import Clip
from wsed.data.columns import shortest_first
from wsed.data.corpus import dcase2017
from wsed.data.corpus.audioset import AudioSet
from wsed.data.corpus.dcase2017 import DCASE2017
from wsed.data.corpus.videos.layout import DCASE2017_LABELS
from wsed.data.corpus.videos.lists import read_list
from wsed.data.doctor.check import check
from wsed.data.load import TableLoader
from wsed.data.module import SEDDataModule
from wsed.data.reading.files import Files
from wsed.errors import WsedError
from wsed.types import Labels

CLASSES = (
    'index,mid,display_name\n0,/m/09x0r,"Speech"\n1,/m/04rlf,"Music"\n2,/m/0k4j,"Car"\n3,/m/x,"Fill (with liquid)"\n'
)
HEAD = "# Segments csv created\n# num_ytids=\n# YTID, start_seconds, end_seconds, positive_labels\n"
IDS = {"/m/09x0r": "s", "/m/04rlf": "m", "/m/0k4j": "c"}


def video(i: int) -> str:
    return f"-{i:09d}_"


def segment_list(held: list[str], first: int = 0) -> str:
    """Clips 30 s to 31 s of videos; `sm` is one of Speech and Music."""
    mids = {letter: mid for mid, letter in IDS.items()}
    return HEAD + "".join(
        f'{video(first + i)}, 30.000, 31.000, "{",".join(mids[k] for k in tags)}"\n' for i, tags in enumerate(held)
    )


def sounds(folder: Path, names: list[str], seconds: float = 1.0) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(zlib.crc32(name.encode())).uniform(-0.3, 0.3, round(RATE * seconds))
        soundfile.write(folder / name, noise, RATE)


@pytest.fixture(scope="module")
def audioset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 balanced clips (one of them missing), 6 unbalanced ones, 2 strong ones, 3 of evaluation."""
    root = tmp_path_factory.mktemp("audioset")
    (root / "class_labels_indices.csv").write_text(CLASSES)
    (root / "balanced_train_segments.csv").write_text(
        segment_list(["s", "m", "c", "sm", "sc", "s", "s", "s", "s", "s"])
    )
    (root / "unbalanced_train_segments.csv").write_text(segment_list(["s", "m", "sm", "c", "mc", "m"], 10))
    strong = ["segment_id\tstart_time_seconds\tend_time_seconds\tlabel"]
    strong += [f"{video(20)}_30000\t0.25\t0.75\t/m/0k4j", f"{video(20)}_30000\t0.5\t8.0\t/m/09x0r"]
    strong += [f"{video(20)}_30000\t3.0\t4.0\t/m/04rlf", f"{video(21)}_0\t0.0\t1.0\t/m/other"]
    (root / "audioset_train_strong.tsv").write_text("\n".join(strong) + "\n")
    (root / "eval_segments.csv").write_text(segment_list(["s", "m", "c"], 30))
    sounds(root / "audio", [f"balanced/Y{video(i)}.wav" for i in range(9)])
    sounds(root / "audio", [f"unbalanced/{video(i)}_30.000_31.000.flac" for i in range(10, 16)])
    sounds(root / "audio", [f"strong/{video(20)}_30000.wav", f"strong/Y{video(21)}_0.000_10.000.wav"])
    sounds(root / "audio", [f"{video(i)}.wav" for i in range(30, 33)])
    return root


def ready(corpus, batch, folder: Path, **settings) -> SEDDataModule:
    """Set up for training."""
    return serving(module(corpus, batch, **settings), folder)


def read(corpus, split, sources, **settings) -> list[Clip]:
    """The clips of a split that can be read."""
    return list(module(corpus, dict.fromkeys(sources, 2), **settings).loader.load(split).table.clips)


@pytest.fixture
def notes(monkeypatch) -> list[str]:
    """What the user is told."""
    lines: list[str] = []
    monkeypatch.setattr("wsed.data.module.rank_zero_info", lines.append)
    return lines


def test_lists_and_clips_meet(audioset: Path, tmp_path: Path, notes) -> None:
    data = ready(AudioSet(audioset), {"balanced": 4, "strong": 2}, tmp_path)
    assert data.labels == Labels(["Speech", "Music", "Car", "Fill (with liquid)"])
    table = data.table("train")
    assert table.sources == ("balanced", "strong")
    assert Counter(table.source.tolist()) == {0: 9, 1: 2}
    first, strong, other = table.clips[4], table.clips[9], table.clips[-1]
    assert (first.id, first.path) == (f"{video(4)}_30.000_31.000.wav", audioset / f"audio/balanced/Y{video(4)}.wav")
    assert (first.tags, first.events, first.duration, first.source) == ({"Speech", "Car"}, None, 1.0, "balanced")
    assert strong.tags == {"Car", "Speech", "Music"}
    assert strong.events[0] == ("Car", 0.25, 0.75)
    assert (other.tags, other.events) == (set(), ())
    assert len(list(table.clips)) == len(table.clips) == 11
    with pytest.raises(IndexError):
        table.clips[11]
    told = "\n".join(notes)
    missing = f"{video(9)}_30.000_31.000.wav"
    assert f"train: 1 of 12 clips have no readable sound file and are left out: {missing}: no file of this name" in told
    assert f" in {audioset}/audio; all are listed in {tmp_path}/missing_train.tsv" in told
    assert "train: audioset_train_strong.tsv: 1 labels are of other classes and left out" in told
    assert (tmp_path / "missing_train.tsv").read_text().splitlines()[1].startswith(f"{missing}\tbalanced\t")


def test_a_batch_holds_what_the_lists_say(audioset: Path, tmp_path: Path) -> None:
    data = ready(AudioSet(audioset), {"balanced": 9, "strong": 2}, tmp_path)
    batch = next(iter(data.train_dataloader()))
    rows = {name: i for i, name in enumerate(batch.clip_ids)}
    row = rows[f"{video(3)}_30.000_31.000.wav"]
    assert batch.clip_labels[row].tolist() == [1, 1, 0, 0]
    timed = batch.timed.any(1)
    assert batch.tagged[~timed].all()
    assert batch.tagged[timed].tolist() == batch.timed[timed].tolist() == [[True, True, True, False]] * 2
    row = rows[f"{video(20)}_30.000_40.000.wav"]
    assert [batch.sources[s] for s in batch.source[[row]]] == ["strong"]
    mine = batch.events[batch.events.clip == row]
    kept = zip(mine.label.tolist(), mine.onset.tolist(), mine.offset.tolist(), strict=True)
    assert list(kept) == [(2, 0.25, 0.75), (0, 0.5, 1.0)]  # cut where the file ends, left out after
    assert batch.clip_labels[row].tolist() == [1, 0, 1, 0]  # the event of Music is not in the file
    assert batch.audio.shape == (11, RATE)
    assert data.label_counts() == [8, 2, 3, 0]


def test_few_clips_a_class_and_a_holdout(tmp_path: Path) -> None:
    """A tenth of five clips is none: an error that says so."""
    names = [f"{letter * 11}_0.000_1.000.wav" for letter in "abcdefghij"]
    lines = [f"{name}\t0.000\t1.000\t{DCASE2017_LABELS[i % 2]}\n" for i, name in enumerate(names)]
    (tmp_path / dcase2017.TRAIN).write_text("".join(lines))
    sounds(tmp_path, names)
    with pytest.raises(WsedError, match=r"share 0.1 of 10 weak clips, rounded to whole clips of each class, holds out"):
        ready(DCASE2017(tmp_path), {"weak": 2}, tmp_path, holdout=0.1)
    assert len(ready(DCASE2017(tmp_path), {"weak": 2}, tmp_path, holdout=0.2).table("validation").clips) == 2


def test_the_million_of_the_paper(audioset: Path) -> None:
    """Clips that have Music or Speech alone are left out."""
    clips = read(AudioSet(audioset), "train", ["unbalanced_1m"])
    assert [clip.tags for clip in clips] == [{"Car"}, {"Music", "Car"}]
    assert len(read(AudioSet(audioset), "train", ["unbalanced"])) == 6


def test_evaluation_reads_every_clip_once(audioset: Path, tmp_path: Path) -> None:
    data = ready(AudioSet(audioset), {"balanced": 4}, tmp_path)
    data.setup("test")
    ids = [name for batch in data.test_dataloader() for name in batch.clip_ids]
    assert ids == [f"{video(i)}_30.000_31.000.wav" for i in (30, 31, 32)]
    assert data.val_dataloader() == []


def test_clips_reach_reading_processes_in_little(audioset: Path) -> None:
    table = module(AudioSet(audioset), {"balanced": 4}).check_labels("train")
    again = pickle.loads(pickle.dumps(table))
    assert list(again.clips) == list(table.clips)


def test_classes_take_turns(audioset: Path, tmp_path: Path) -> None:
    data = ready(AudioSet(audioset), {"balanced": 9}, tmp_path, balanced=True)
    (batch,) = data.train_dataloader().batch_sampler
    tags = data.table("train").tags
    assert len(batch) == 9
    assert tags[batch].sum(0)[1:3].min() >= 3  # of 9 clips, 3 are drawn for Music and 3 for Car


def test_some_training_clips_are_held_out(audioset: Path, tmp_path: Path) -> None:
    data = ready(AudioSet(audioset), {"balanced": 2, "unbalanced": 2}, tmp_path, holdout=0.4)
    train, held = ({c.id for c in data.table(stage).clips} for stage in ("train", "validation"))
    assert not train & held
    assert len(train) + len(held) == 15
    assert 4 <= len(held) <= 8
    assert data.table("validation").sources == ("validation",)


def test_clips_listed_twice_are_held_out_twice(audioset: Path, tmp_path: Path) -> None:
    lists = {"again": "balanced_train_segments.csv"}
    data = module(AudioSet(audioset, train=lists), {"balanced": 2, "again": 2}, holdout=0.4)
    train, held = (listed(data, split) for split in ("train", "validation"))
    assert Counter(c.source for c in train) == Counter({"balanced": len(train) // 2, "again": len(train) // 2})
    assert not {c.id for c in train} & {c.id for c in held}


def test_files_that_cannot_be_read_are_missing(audioset: Path, tmp_path: Path) -> None:
    sounds(tmp_path, [f"{video(i)}.wav" for i in range(8)])
    (tmp_path / f"{video(8)}.wav").write_text("<html>")
    corpus = AudioSet(audioset, audio=tmp_path)
    assert len(read(corpus, "train", ["balanced"])) == 8
    with pytest.raises(
        WsedError, match=r"2 of 10 clips .* are missing .* more than data\.max_missing \(0\.1\).*-000000009_"
    ):
        read(corpus, "train", ["balanced"], max_missing=0.1)
    trusting = read(corpus, "train", ["balanced"], reader=Files(headers=False))
    assert len(trusting) == 9
    assert trusting[0].duration is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch": {"balancd": 2}}, r"unknown source 'balancd' \(did you mean balanced"),
        ({"holdout": 1.5}, "data.holdout.share must lie between 0 and 1"),
        ({"holdout": 0.5, "validation": "eval_segments.csv"}, "data.corpus.validation or data.holdout to null"),
        ({"lists": Path("/none")}, "no such folder: /none; set data.corpus.lists"),
        ({"audio": Path("/none")}, "no such folder: /none; set data.corpus.audio"),
        ({"validation": "eval.csv"}, "no list eval.csv in .*; put it there, or set data.corpus.lists"),
        (
            {"test": "eval_segment.csv"},
            r"data.corpus.test: no list eval_segment.csv in .* \(did you mean eval_segments",
        ),
        ({"predict": "clips.csv"}, "data.corpus.predict: no list clips.csv in .*; put it there, or set data.corpus.li"),
        ({"batch": {"balanced": 0}}, "data.batch has no clips"),
    ],
)
def test_mistakes_are_told(audioset: Path, tmp_path: Path, settings, message) -> None:
    of_module = {name: settings.pop(name) for name in ("holdout",) if name in settings}
    batch = settings.pop("batch", {"balanced": 4})
    with pytest.raises(WsedError, match=message):
        ready(AudioSet(audioset, **settings), batch, tmp_path, **of_module).train_dataloader()


def test_no_clip_at_all_is_an_error(audioset: Path, tmp_path: Path) -> None:
    with pytest.raises(
        WsedError, match=r"none of its 10 clips is in .* \(no such names\); looked for -000000000__30\.000"
    ):
        read(AudioSet(audioset, audio=tmp_path), "train", ["balanced"])
    sounds(tmp_path, ["aaaaaaaaaaa.wav"])
    with pytest.raises(
        WsedError, match=r"\(1 files are named after videos, such as aaaaaaaaaaa\.wav\).*set data\.corpus\.audio"
    ):
        read(AudioSet(audioset, audio=tmp_path), "train", ["balanced"])
    for i in range(10):
        (tmp_path / f"{video(i)}.wav").touch()
    with pytest.raises(WsedError, match="none of the balanced clips can be read"):
        read(AudioSet(audioset, audio=tmp_path), "train", ["balanced"])


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real training list, and a sound file for one in 100 of its clips."""
    root = tmp_path_factory.mktemp("dcase2017")
    source = shared / "data/metadata/dcase2017_task4" / dcase2017.TRAIN
    (root / "lists").mkdir()
    (root / "lists" / dcase2017.TRAIN).symlink_to(source)
    names = sorted({line.split("\t")[0] for line in source.read_text().splitlines()})
    sounds(root, ["noise.wav"])
    (root / "audio").mkdir()
    for name in names[::100]:
        os.link(root / "noise.wav", root / "audio" / f"Y{name}")
    return root


def test_the_real_training_list(real: Path, tmp_path: Path, notes) -> None:
    data = ready(DCASE2017(real), {"weak": 64}, tmp_path, holdout=0.1)
    assert tuple(data.labels) == DCASE2017_LABELS
    sizes = [len(data.table(stage).clips) for stage in ("train", "validation")]
    told = "\n".join(notes)
    assert sum(sizes) == 512
    assert sizes[1] == pytest.approx(51, abs=25)
    assert f"no test: no list {dcase2017.TEST} in {real}" in told
    assert "clips have no readable sound file" in told
    assert len(next(iter(data.train_dataloader()))) == 64
    with pytest.raises(WsedError, match=f"no list {dcase2017.TEST}.*data.corpus.lists"):
        data.setup("test")


def test_classes_that_a_strong_list_never_has_are_unknown(audioset: Path, tmp_path: Path) -> None:
    """No row has Fill (with liquid): its absence was not annotated, also if clips are held out or tested."""
    test = "\n".join(["segment_id\tstart\tend\tlabel", *(f"{video(i)}_30000\t0.0\t0.5\t/m/09x0r" for i in (20, 21))])
    (tmp_path / "audioset_eval_strong.tsv").write_text(test)
    for name in ("class_labels_indices.csv", "audioset_train_strong.tsv"):
        (tmp_path / name).write_text((audioset / name).read_text())
    with (tmp_path / "audioset_train_strong.tsv").open("a") as table:  # Car in a second clip, which can be held out
        table.write(f"{video(21)}_0\t0.0\t1.0\t/m/0k4j\n")
    corpus = AudioSet(tmp_path, test="audioset_eval_strong.tsv", audio=audioset)
    assert corpus.annotated == {"strong": ("Speech", "Music", "Car"), "test": ("Speech",), "predict": ("Speech",)}
    data = module(corpus, {"strong": 1}, holdout=0.5)
    for split, known in (("train", [1, 1, 1, 0]), ("validation", [1, 1, 1, 0]), ("test", [1, 0, 0, 0])):
        assert data.loader.load(split).table.annotated.long().tolist() == [known]
    assert "strong" not in AudioSet(audioset, train={"strong": "balanced_train_segments.csv"}).annotated


def test_tags_without_an_event_stay_where_events_are_cut(tmp_path: Path) -> None:
    """DCASE 2017: events known for some clips; a tag is left out if all its events begin after the end."""
    names = [f"{letter * 11}_0.000_10.000.wav" for letter in "ab"]
    horn, bus = DCASE2017_LABELS[0], DCASE2017_LABELS[8]
    tags = "".join(f"{name}\t0.000\t10.000\t{label}\n" for name in names for label in (horn, bus))
    for name in (dcase2017.TRAIN, dcase2017.TEST):
        (tmp_path / name).write_text(tags)
    strong = f"{names[0]}\t0.1\t0.4\t{horn}\n{names[0]}\t6\t7\t{horn}\n{names[0]}\t6\t7\t{bus}\n"
    (tmp_path / dcase2017.TEST.replace("weak", "strong")).write_text(strong)
    sounds(tmp_path, names, seconds=4.0)
    table = TableLoader(DCASE2017(tmp_path), Files()).load("test").table
    assert [[DCASE2017_LABELS[i] for i in row] for row in (table.labels[0], table.labels[1])] == [[horn], [horn, bus]]
    assert table.events[:, 1].tolist() == [0.1]


def test_held_out_clips_of_the_real_list_hold_a_like_share_of_each_class(real: Path) -> None:
    data = module(DCASE2017(real), {"weak": 64}, holdout=0.1)
    train, held = (data.loader.listed(split)[0] for split in ("train", "validation"))
    whole = read_list(real / "lists" / dcase2017.TRAIN, {name: i for i, name in enumerate(DCASE2017_LABELS)})
    assert len(train) + len(held) == len(whole) == 51172
    counts, total = (torch.bincount(s.values, minlength=17) for s in (held.held, whole.labels))
    assert (counts - 0.1 * total).abs().max() <= 30
    assert ((counts / total)[:11] - 0.1).abs().max() < 0.02


def test_a_test_list_is_taken_where_it_is(tmp_path: Path) -> None:
    names = [f"{letter * 11}_0.000_1.000.wav" for letter in "abcdefgh"]
    tags = zip(names, DCASE2017_LABELS[:4] * 2, strict=True)
    lines = "".join(f"{name}\t0.000\t1.000\t{label}\n" for name, label in tags)
    for name in (dcase2017.TRAIN, dcase2017.TEST):
        (tmp_path / name).write_text(lines)
    (tmp_path / dcase2017.TEST.replace("weak", "strong")).write_text(f"{names[0]}\t0.1\t0.4\tTrain horn\n")
    sounds(tmp_path, names)
    clips = DCASE2017(tmp_path).clips("test")
    assert [clip.events for clip in clips] == [(("Train horn", 0.1, 0.4),), *[None] * 7]
    assert not DCASE2017(tmp_path, test=None).has("test")
    network = {
        "encoder": "cnn",
        "head": "attention",
        "frontend": {"class_path": "logmel", "init_args": {"sample_rate": 8000}},
    }
    tuning, settings = {"split": "test", "tags": "grid"}, {"batch": {"weak": 2}, "workers": 0, "holdout": 0.5}
    row = {
        "model": {"network": network, "losses": {"tags": {"loss": "clip_bce"}}},
        "evaluation": {"tuning": tuning},
        "data": {"corpus": {"class_path": "dcase2017", "init_args": {"root": str(tmp_path)}}, **settings},
        "trainer": {"max_epochs": 1, "accelerator": "cpu", "default_root_dir": str(tmp_path / "run")},
    }  # fmt: skip
    (tmp_path / "row.yaml").write_text(yaml.safe_dump(row))
    assert main(["fit", "--config", str(tmp_path / "row.yaml")]) == 0
    assert (tmp_path / "run/test/scores.json").is_file()


def test_a_mistyped_test_list_is_no_missing_one(audioset: Path, tmp_path: Path, notes) -> None:
    """Only without the usual list does training go on, and there is no test."""
    (tmp_path / "groundtruth_weak_label_evaluation_set.csv").touch()
    mistyped = "groundtruth_weak_label_evaluation_set.cvs"
    with pytest.raises(
        WsedError, match=rf"data\.corpus\.test: no list {mistyped} in .*did you mean .*evaluation_set\.csv"
    ):
        DCASE2017(tmp_path, test=mistyped)
    assert not DCASE2017(tmp_path).has("test")
    for name in ("class_labels_indices.csv", "balanced_train_segments.csv"):
        (tmp_path / name).symlink_to(audioset / name)
    ready(AudioSet(tmp_path, audio=audioset / "audio"), {"balanced": 2}, tmp_path)
    assert f"no test: no list eval_segments.csv in {tmp_path}" in "\n".join(notes)


def test_clips_in_columns_by_their_durations(audioset: Path, tmp_path: Path) -> None:
    clips = ready(AudioSet(audioset), {"balanced": 4}, tmp_path).table("train").clips
    assert [clip.duration for clip in shortest_first(clips)] == sorted(clip.duration for clip in clips)
    assert list(shortest_first(AudioSet(audioset).clips("train", ["balanced"]))) == []  # before the headers are read


def test_the_doctor_looks_at_lists_and_clips(audioset: Path, capsys) -> None:
    """Told of each list: file and line of what is wrong, and how many clips of each class there are."""
    report = check(audioset, duration=1.0, tables=["balanced_train_segments.csv", "eval_segments.csv"])
    assert report.ok
    assert report.labels == ("Speech", "Music", "Car", "Fill (with liquid)")
    (absent,) = report.findings
    assert (absent.severity, absent.check) == ("warning", "missing")
    assert absent.where == f"balanced_train_segments.csv:13 audio/{video(9)}_30.000_31.000.wav"
    tables = {t.table: (t.kind, t.clips, t.readable, {k: c.clips for k, c in t.classes.items()}) for t in report.tables}
    assert tables["balanced_train_segments.csv"] == ("weak", 10, 9, {"Speech": 8, "Music": 2, "Car": 2})
    whole = check(audioset, duration=1.0)
    (strong,) = [t for t in whole.tables if t.kind == "strong"]
    assert {label: of.events for label, of in strong.classes.items()} == {"Speech": 1, "Music": 1, "Car": 1}
    late = [f.where for f in whole.findings if f.check == "event_outside"]
    assert [where.split()[0] for where in late] == [f"audioset_train_strong.tsv:{row}" for row in (4, 3)]
    assert main(["data", "check", str(audioset), "--duration", "1", "--tables", "eval_segments.csv"]) == 0
    assert "eval_segments.csv (weak): 3 clips, 3 readable" in capsys.readouterr().out
    with pytest.raises(WsedError, match=r"no list 'eval.csv' in .* \(did you mean eval_segments.csv"):
        check(audioset, tables=["eval.csv"])


def test_the_doctor_reads_the_lists_and_clips_of_a_training(audioset: Path, tmp_path: Path) -> None:
    """Lists and clips elsewhere than in the root were not looked for."""
    (tmp_path / "lists").mkdir()
    for name in ("class_labels_indices.csv", "eval_segments.csv"):
        (tmp_path / "lists" / name).symlink_to(audioset / name)
    (tmp_path / "lists/mine.csv").symlink_to(audioset / "balanced_train_segments.csv")
    (tmp_path / "root").mkdir()
    places = {"lists": tmp_path / "lists", "audio": audioset / "audio"}
    report = check(AudioSet(tmp_path / "root", train={"mine": "mine.csv"}, **places), duration=1.0)
    assert {(t.table, t.clips, t.readable) for t in report.tables} == {("eval_segments.csv", 3, 3), ("mine.csv", 10, 9)}


def test_the_doctor_names_file_and_line(tmp_path: Path) -> None:
    names = [f"{letter * 11}_0.000_1.000.wav" for letter in "abc"]
    rows = [f"{names[0]}\t0.000\t1.000\tCar", f"{names[1]}\t0.000\t1.000\tCarr", f"{names[2]}\t1.000\t0.000\tBus"]
    (tmp_path / dcase2017.TRAIN).write_text("\n".join([*rows, rows[0]]) + "\n")
    (tmp_path / dcase2017.TEST).write_text(rows[0] + "\n")
    strong = f"{names[0]}\t0.5\t3\tCar\n{names[0]}\t0\t0\tBus\n"
    (tmp_path / dcase2017.TEST.replace("weak", "strong")).write_text(strong)
    sounds(tmp_path, names[:2])
    report = check(tmp_path, duration=1.0)
    found = {(f.severity, f.check, f.where.split()[0]) for f in report.findings}
    assert {f"{dcase2017.TRAIN}:2", f"{dcase2017.TRAIN}:3", f"{dcase2017.TRAIN}:4"} <= {where for *_, where in found}
    assert {check for _, check, _ in found} >= {"unknown_label", "row", "repeated_row", "leak", "event_outside"}
    assert not report.ok
    (tmp_path / "class").mkdir()
    (tmp_path / "class/eval_segments.csv").write_text(segment_list(["s"]))
    with pytest.raises(WsedError, match=r"no class_labels_indices\.csv beside .*eval_segments\.csv"):
        check(tmp_path / "class")
