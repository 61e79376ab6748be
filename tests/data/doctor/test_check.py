"""The data doctor finds every defect once, and nothing in a clean corpus."""

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from tests.data import broken
from wsed.data.corpus.desed import DESED
from wsed.data.corpus.desed_layout import read_clips
from wsed.data.doctor.check import check, file_defects
from wsed.data.doctor.probe import CLIPPED_RUN, FULL_SCALE, Probe, Runs, clipped_share, probe
from wsed.data.findings import Finding
from wsed.data.headers import declared_samples
from wsed.data.sound_files import sound_files
from wsed.errors import WsedError


def found(root: Path, **settings) -> list[tuple[str, str, str, int | None, str]]:
    findings = check(root, **{"duration": 1.0, "max_missing": 0.2, **settings}).findings
    return [(f.severity, f.check, f.table, f.row, f.clip) for f in findings]


def test_a_clean_corpus(tmp_path: Path) -> None:
    done: list[tuple[int, int]] = []
    report = check(broken.clean(tmp_path), duration=1.0, progress=lambda *counts: done.append(counts))
    assert report.ok
    assert report.findings == ()
    assert report.counts == {"error": 0, "warning": 0, "note": 0}
    assert report.sample_rate == broken.RATE
    assert done == [(i, 14) for i in range(1, 15)]
    kinds = {t.table: (t.kind, t.clips, t.readable, t.seconds) for t in report.tables}
    assert kinds == {
        "eval/public": ("strong", 4, 4, 4.0),
        "train/unlabel_in_domain": ("unlabelled", 2, 2, 2.0),
        "train/weak": ("weak", 4, 4, 4.0),
        "validation/validation": ("strong", 4, 4, 4.0),
    }
    weak, validation = report.tables[2].classes, report.tables[3].classes
    assert {name: c.clips for name, c in weak.items()} == {"Dog": 3, "Speech": 3}
    dog = validation["Dog"]
    assert (dog.clips, dog.events, dog.total_seconds, dog.median_seconds) == (2, 2, 1.3, 0.65)


def test_every_defect_is_found_once(tmp_path: Path) -> None:
    assert sorted(found(broken.broken(tmp_path)), key=str) == sorted(broken.DEFECTS, key=str)


def test_errors_come_first_and_name_the_fix(tmp_path: Path) -> None:
    report = check(broken.broken(tmp_path), duration=1.0, max_missing=0.2)
    assert not report.ok
    severities = [f.severity for f in report.findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    assert report.counts == {s: severities.count(s) for s in ("error", "warning", "note")}
    messages = {f.check: f.message for f in report.findings}
    assert "8000 samples, only 3989" in next(f.message for f in report.findings if f.clip == "truncated.wav")
    assert "'Dogs' in 2 rows (did you mean Dog?)" in messages["unknown_label"]
    assert "same sound as weak/again.flac" in messages["duplicate"]
    assert "in train and validation" in messages["leak"]
    assert "16000 Hz, expected 8000 Hz" in messages["wrong_rate"]
    assert "correct its first line" in messages["table"]
    where = {f.check: f.where for f in report.findings}
    assert where["missing"] == "metadata/train/weak.tsv:18 audio/train/weak/missing.wav"
    assert where["unlisted"] == "audio/train/weak/unlisted.wav"
    assert where["table"] == "metadata/train/notes.tsv"


def test_quick_reads_headers_only(tmp_path: Path) -> None:
    decoded = {"silent", "clipped", "nan", "duplicate"}
    left = [d for d in broken.DEFECTS if d[1] not in decoded and d[4] not in ("stolen.wav", "truncated.flac")]
    assert sorted(found(broken.broken(tmp_path), quick=True), key=str) == sorted(left, key=str)


def test_a_link_to_a_clip_of_train_is_a_leak(tmp_path: Path) -> None:
    root = broken.clean(tmp_path)
    (root / "audio/eval/public/0.wav").unlink()
    (root / "audio/eval/public/0.wav").symlink_to(root / "audio/train/weak/0.wav")
    assert found(root) == [("error", "leak", "eval/public", 2, "0.wav")]


def test_labels_come_from_the_argument_or_the_file_or_the_training_tables(tmp_path: Path) -> None:
    root = broken.clean(tmp_path)
    assert check(root, duration=1.0).labels[0] == "Alarm_bell_ringing"
    (root / "metadata/labels.txt").write_text("Dog\nCat\n")
    unknown = [
        ("error", "unknown_label", "train/weak", 2, "0.wav"),
        ("error", "unknown_label", "validation/validation", 3, "0.wav"),
    ]
    assert found(root) == unknown
    assert found(root, labels=["Speech", "Dog", "Cat"]) == []


def test_the_classes_are_those_of_training(tmp_path: Path) -> None:
    """A class of DESED among others makes the others no strangers."""
    root = broken.clean(tmp_path)
    (root / "metadata/labels.txt").unlink()
    (root / "metadata/train/weak.tsv").write_text("filename\tevent_labels\n0.wav\tDog,Horn\n1.wav\tCat,Speech\n")
    report = check(root, duration=1.0)
    assert report.labels == ("Cat", "Dog", "Horn", "Speech") == tuple(DESED(root).labels)
    assert report.ok
    assert check(root, duration=1.0, tables=["eval/public"]).labels == report.labels
    (root / "metadata/labels.txt").write_bytes("\ufeffSpeech\r\nHorn\r\nDog\r\nCat\r\n".encode())  # Notepad
    assert check(root, duration=1.0).labels == ("Speech", "Horn", "Dog", "Cat")
    assert tuple(DESED(root).labels) == ("Speech", "Horn", "Dog", "Cat")


def test_a_class_that_may_be_a_slip_of_the_pen(tmp_path: Path) -> None:
    root = broken.clean(tmp_path)
    rows = [f"{i % 4}.wav\tSpeech,Cat,{'Dogs' if i == 7 else 'Dog'}\n" for i in range(20)]
    (root / "metadata/train/weak.tsv").write_text("filename\tevent_labels\n" + "".join(rows))
    (root / "metadata/labels.txt").unlink()
    report = check(root, duration=1.0)
    (slip,) = [f for f in report.findings if f.check == "similar_label"]
    assert (slip.severity, slip.row) == ("warning", 9)
    assert "'Dogs' is in 1 row (did you mean Dog?)" in slip.message


def test_tags_of_more_than_is_read(tmp_path: Path) -> None:
    root = broken.clean(tmp_path)
    broken.write(root / "audio/train/weak/1.wav", broken.noise(30, 3.0))
    broken.write(root / "audio/eval/public/1.wav", broken.noise(31, 3.0))  # has events: what is read of it is known
    assert found(root) == [("warning", "long", "train/weak", 3, "1.wav")]
    assert ("warning", "long", "train/weak", 3, "1.wav") not in found(root, duration=3.0)


def test_a_table_without_clips(tmp_path: Path) -> None:
    root = broken.clean(tmp_path)
    (root / "metadata/train/weak.tsv").write_text("filename\tevent_labels\n\t\n")
    findings = [f for f in found(root) if f[1] != "unlisted"]
    assert findings == [("error", "empty", "train/weak", None, "")]


def test_names_with_other_forms_of_the_same_letters(tmp_path: Path) -> None:
    """A Mac writes `\u00e9` of file names as two characters; the table holds one."""
    root = broken.clean(tmp_path)
    audio, table = root / "audio/train/weak", root / "metadata/train/weak.tsv"
    (audio / "1.wav").rename(audio / "cafe\u0301.wav")
    table.write_text(table.read_text().replace("1.wav", "caf\u00e9.wav"), encoding="utf-8")
    assert found(root) == []


def test_names_that_lead_elsewhere(tmp_path: Path) -> None:
    """Within the corpus they are used, and no note says that they are not; out of it they are refused."""
    root = broken.clean(tmp_path / "corpus")
    table = root / "metadata/train/weak.tsv"
    rows = table.read_text()
    inside = rows.replace("1.wav", "../weak/1.wav").replace("2.wav", str(root / "audio/train/weak/2.wav"))
    table.write_text(inside)
    assert found(root) == []
    assert len(read_clips(root, "train/weak")) == 4
    table.write_text(rows.replace("1.wav", "../../../../1.wav"))
    (root / "audio/train/weak/1.wav").rename(tmp_path / "1.wav")
    assert found(root) == [("error", "outside", "train/weak", 3, "../../../../1.wav")]
    with pytest.raises(WsedError, match=r"weak\.tsv: '\.\./\.\./\.\./\.\./1\.wav' lies outside the corpus"):
        read_clips(root, "train/weak")


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    root = broken.clean(tmp_path)
    with (root / "metadata/train/weak.tsv").open("a") as file:
        file.write(f"{'a dog barks ' * 30}.wav\tDog\n")
    report = check(root, duration=1.0, max_missing=0.2)
    assert [(f.severity, f.check, f.row) for f in report.findings] == [("warning", "missing", 6)]
    assert len(report.findings[0].where) < 300


def test_links_that_lead_round_in_circles(tmp_path: Path) -> None:
    root = broken.clean(tmp_path)
    audio = root / "audio/train/weak"
    for name, target in (("up", ".."), ("here", "."), ("me", "me")):
        (audio / name).symlink_to(target)
    assert found(root) == []
    assert len(sound_files(root / "audio")) == 14


def test_settings(tmp_path: Path) -> None:
    root = broken.clean(tmp_path)
    assert {f[1] for f in found(root, sample_rate=16000)} == {"wrong_rate"}
    assert {f.check for f in check(root).findings} == {"short"}
    assert found(root, tables=["train/weak.tsv", "eval/public"], workers=1) == []
    assert found(root, workers=3) == found(root, workers=1)


def test_missing_clips_are_errors_where_training_would_refuse(tmp_path: Path) -> None:
    root = broken.clean(tmp_path)
    (root / "audio/train/weak/2.wav").unlink()
    assert found(root, max_missing=0.25) == [("warning", "missing", "train/weak", 4, "2.wav")]
    assert found(root, max_missing=0.2) == [("error", "missing", "train/weak", 4, "2.wav")]
    for file in (root / "audio/train/weak").iterdir():
        file.unlink()
    assert found(root, max_missing=0.2) == [("error", "missing", "train/weak", None, "")]


def test_clips_in_the_folder_of_another_table(tmp_path: Path) -> None:
    """`strong.tsv` and `weak.tsv` describe the clips of one folder, as `wsed data synth` writes them."""
    root = broken.clean(tmp_path)
    (root / "metadata/train/strong.tsv").write_text(f"{broken.STRONG}0.wav\t0\t0.5\tDog\n1.wav\n")
    assert found(root) == []


def test_an_event_may_end_a_little_after_its_clip(tmp_path: Path) -> None:
    root = broken.clean(tmp_path)
    (root / "metadata/eval/public.tsv").write_text(
        f"{broken.STRONG}0.wav\t0\t1.09\tDog\n1.wav\t0\t1.11\tDog\n2.wav\n3.wav\n"
    )
    assert found(root) == [("warning", "event_outside", "eval/public", 3, "1.wav")]


def test_mistakes_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(WsedError, match="no such folder"):
        check(tmp_path / "nowhere")
    (tmp_path / "metadata").mkdir()
    with pytest.raises(WsedError, match=r"no table in .*expected for example metadata/train/weak\.tsv"):
        check(tmp_path)
    root = broken.clean(tmp_path)
    with pytest.raises(WsedError, match=r"no table 'train/week' .*did you mean train/weak\?"):
        check(root, tables=["train/week"])


def test_the_report_as_json(tmp_path: Path) -> None:
    for root in (broken.clean(tmp_path / "clean"), broken.broken(tmp_path / "broken")):
        report = json.loads(json.dumps(check(root, duration=1.0).as_dict()))
        keys = ["ok", "counts", "root", "sample_rate", "duration", "quick", "labels", "findings", "tables"]
        assert list(report) == keys
        assert list(report["tables"][0]) == ["table", "kind", "clips", "readable", "seconds", "classes"]
        for finding in report["findings"]:
            assert list(finding) == ["severity", "check", "message", "table", "row", "clip", "file"]
    assert Finding("note", "x", "y").where == ""


def test_a_corpus_without_audio(tmp_path: Path) -> None:
    root = broken.clean(tmp_path)
    (root / "audio").rename(tmp_path / "sounds")
    report = check(root)
    assert [f.check for f in report.findings] == ["folder"] * 4
    assert report.sample_rate is None
    assert [t.clips for t in report.tables] == [4, 2, 4, 4]


def naive_share(level: list[float]) -> float:
    """Sample by sample: a sample counts if it belongs to a run that is long enough."""
    counted, run = 0, 0
    for value in [*level, 0.0]:
        if value >= FULL_SCALE:
            run += 1
        else:
            counted += run if run >= CLIPPED_RUN else 0
            run = 0
    return counted / max(len(level), 1)


@given(st.lists(st.sampled_from([0.0, 0.5, 0.9999, 1.0, float("nan")]), max_size=40))
def test_clipped_share(level: list[float]) -> None:
    assert clipped_share(np.array(level, np.float32)) == pytest.approx(naive_share(level))


def test_a_loud_clip_is_not_a_clipped_one(tmp_path: Path) -> None:
    broken.write(tmp_path / "sine.wav", np.sin(2 * np.pi * 440 * np.arange(16000) / 16000), 16000)
    assert list(file_defects(probe(tmp_path / "sine.wav"), 16000, 1.0)) == []


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0]), max_size=6), max_size=8))
def test_clipped_share_of_blocks(blocks: list[list[float]]) -> None:
    runs = Runs()
    for block in blocks:
        runs.add(np.array(block, np.float32))
    assert runs.share == pytest.approx(naive_share([value for block in blocks for value in block]))


def test_floats_above_full_scale_are_too_loud_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "sine.wav"
    broken.write(path, 3 * np.sin(np.arange(8000) * 0.05), subtype="FLOAT")
    ((severity, name, text),) = file_defects(probe(path), 8000, 1.0)
    assert (severity, name) == ("warning", "loud")
    assert "9.5 dB above full scale" in text
    broken.write(path, np.clip(3 * np.sin(np.arange(8000) * 0.05), -1, 1), subtype="FLOAT")
    assert [name for _, name, _ in file_defects(probe(path), 8000, 1.0)] == ["clipped"]


def test_a_long_recording_is_looked_at_block_by_block(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with soundfile.SoundFile(path, "w", 16000, 2) as file:
        for _ in range(60):
            file.write(np.zeros((160000, 2)))
    tracemalloc.start()
    looked = probe(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert looked.decoded == 60 * 160000
    assert peak < 10e6  # the samples are 77 MB


def test_equal_sounds_have_equal_digests(tmp_path: Path) -> None:
    for name in ("a.wav", "a.flac", "b.wav", "c.wav"):
        broken.write(tmp_path / name, broken.noise(1 if name == "b.wav" else 0), 16000 if name == "c.wav" else 8000)
    digests = {name: probe(tmp_path / name).digest for name in ("a.wav", "a.flac", "b.wav", "c.wav")}
    assert digests["a.wav"] == digests["a.flac"]
    assert len(set(digests.values())) == 3


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("channels", [1, 2])
def test_what_a_wav_header_promises(tmp_path: Path, subtype: str, channels: int) -> None:
    path = tmp_path / "clip.wav"
    broken.write(path, np.repeat(broken.noise(0)[:, None], channels, 1), subtype=subtype)
    assert declared_samples(path) == 8000
    assert not probe(path).truncated
    broken.cut(path)
    assert declared_samples(path) == 8000
    assert probe(path).truncated
    assert probe(path, quick=True).truncated


def test_a_wav_from_a_pipe_promises_nothing(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    broken.write(path, broken.noise(0))
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert declared_samples(path) == 0
    assert not probe(path).truncated


def test_other_wav_chunks(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    broken.write(path, broken.noise(0))
    content = path.read_bytes()
    # A chunk of odd size is padded; one without `fmt ` before the data says nothing.
    path.write_bytes(content[:12] + b"note\x03\x00\x00\x00abc\x00" + content[12:])
    assert declared_samples(path) == 8000
    path.write_bytes(content[:12] + content[36:])
    assert declared_samples(path) == 0
    path.write_bytes(content[:40])
    assert declared_samples(path) == 0


def test_probe_never_raises(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound")
    broken.write(tmp_path / "none.wav", np.zeros(0))
    for name, message in (("gone.wav", "no such file"), ("text.wav", "cannot read"), ("none.wav", "no samples")):
        for quick in (True, False):
            looked = probe(tmp_path / name, quick)
            assert message in looked.error
            assert looked.duration == 0
    assert Probe(declared=16000, sample_rate=8000).duration == 2.0
