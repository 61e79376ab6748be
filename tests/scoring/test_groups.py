"""Intervals by group of clips: by hand, and through `wsed evaluate`."""

import json

import numpy as np
import pytest

import wsed
from wsed.cli.main import main
from wsed.errors import WsedError
from wsed.metrics.groups import Groups
from wsed.scoring.formats.groups import read_groups
from wsed.scoring.report import Report

HEAD = "filename\tonset\toffset\tevent_label"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Twenty clips of four patients; the system finds every event of two patients, and none of the others."""
    folder = tmp_path_factory.mktemp("groups")
    rows = [f"c{i}.wav\t1.0\t2.0\tDog" for i in range(20)]
    tables = {
        "reference": [f"{HEAD}\tpatient", *(f"{row}\tp{i // 5}" for i, row in enumerate(rows))],
        "found": [HEAD, *rows[:10]],
        "patients": ["filename,who", *(f"c{i},p{i // 5}" for i in range(20))],
        "provenance": ["filename\tsource_file\tbackground_file", *(f"c{i}.wav\td{i}\tb{i % 2}" for i in range(20))],
    }
    for name, lines in tables.items():
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    return folder


def test_clips_of_a_group_are_drawn_together(files, tmp_path, capsys):
    widths = {}
    for groups in (None, "patient", str(files / "patients.tsv"), str(files / "provenance.tsv")):
        args = ["evaluate", "--reference", str(files / "reference.tsv"), "--predictions", str(files / "found.tsv")]
        args += ["--metrics", "event_f1", "--interval", "percentile", "--json", str(tmp_path / "out.json")]
        assert main([*args, *(["--groups", groups] if groups else [])]) == 0
        found = json.loads((tmp_path / "out.json").read_text())
        assert found["event_f1"]["macro"] == pytest.approx(2 / 3)
        widths[groups] = found["intervals"]["event_f1"]["macro"]["std"]
        assert any(note.startswith("intervals by ") for note in found["notes"]) == (groups is not None)
    assert widths["patient"] == widths[str(files / "patients.tsv")] > 1.8 * widths[None]
    assert widths[str(files / "provenance.tsv")] > widths[None]


def test_a_resample_may_leave_no_clip(tmp_path):
    """Each clip is of two recordings of its own: both must be drawn, and of three clips often none is."""
    rows = [f"{clip}\t1.0\t2.0\tDog" for clip in "abc"]
    tables = {
        "reference": [HEAD, *rows],
        "found": [f"{HEAD}\tconfidence", f"{rows[0]}\t0.9", f"{rows[1]}\t0.4", "c\t5.0\t6.0\tDog\t0.6"],
        "durations": ["filename\tduration", *(f"{clip}\t10" for clip in "abc")],
        "provenance": ["filename\tsource_file\tbackground_file", "a\tx\tn1", "b\ty\tn2", "c\tz\tn3"],
    }
    for name, lines in tables.items():
        (tmp_path / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    report = wsed.evaluate(
        tmp_path / "reference.tsv",
        tmp_path / "found.tsv",
        durations=tmp_path / "durations.tsv",
        groups=tmp_path / "provenance.tsv",
        resamples=200,
    )
    limits = report.intervals.of("psds1", "value")
    assert 0 <= limits.low <= report.value("psds1") <= limits.high <= 1


def test_the_text_says_what_was_drawn(files, tmp_path, capsys):
    args = ["evaluate", "--reference", str(files / "reference.tsv"), "--metrics", "event_f1", "--json"]
    found, out = str(files / "found.tsv"), str(tmp_path / "out.json")
    assert main([*args, out, "--predictions", found]) == 0
    assert "1000 resamples of the clips" in capsys.readouterr().out
    assert "groups" not in json.loads((tmp_path / "out.json").read_text())["intervals"]
    assert main([*args, out, "--predictions", found, "--groups", "patient"]) == 0
    told = capsys.readouterr()
    assert "1000 resamples of 4 groups of clips" in told.out
    assert "of the clips" not in told.out
    assert Report.read(tmp_path / "out.json").intervals.groups == 4
    assert main([*args, out, "--predictions", found, found, "--groups", "patient", "--seeds"]) == 0
    note = " ".join(capsys.readouterr().err.split())
    assert "intervals by 4 groups of 20 clips; of each seed by itself, in the JSON file only" in note
    first, _ = json.loads((tmp_path / "out.json").read_text())["seeds"]
    assert first["intervals"]["groups"] == 4


def test_files_name_the_groups(files):
    names = [f"c{i}.wav" for i in range(20)]
    mixed = read_groups(files / "provenance.tsv", files / "reference.tsv", names)
    assert (len(mixed), mixed.overlap) == (22, True)
    assert mixed.clip_weights(np.full((1, 22), 2.0)).tolist() == [[4.0] * 20]


def test_clips_of_one_name_in_several_folders_are_not_confused(tmp_path):
    """A recorder at each site numbers its files from 001."""
    sites = tmp_path / "sites.csv"
    sites.write_text("filename,site\nsite1/001.wav,a\nsite2/001.wav,b\nsite3/002.wav,c\n")
    names = ["site1/001.wav", "site2/001.wav", "long/site3/002.flac"]
    assert read_groups(sites, "reference.tsv", names).names == ("a", "b", "c")
    with pytest.raises(WsedError, match=r"no group for 'long/site1/001.wav', nor for 1 other clip.* as the reference"):
        read_groups(sites, "reference.tsv", [f"long/site{i}/00{1 + i // 3}.wav" for i in (1, 2, 3)])
    sites.write_text("filename,site\nsite1/001.wav,a\nsite3/002.wav,c\n")
    with pytest.raises(WsedError, match=r"no group for 'site2/001.wav'"):
        read_groups(sites, "reference.tsv", names)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("patien", "did you mean patient"),
        ("event_label", "all clips are in the group 'Dog'"),
        ("none.csv", "none.csv"),
        ("reference.tsv", "needs filename and one more"),
        ("few.tsv", "no group for 'c1.wav', nor for 18 other clips"),
    ],
)
def test_mistakes_are_named(files, groups, message):
    (files / "few.tsv").write_text("filename,who\nc0,p0\n")
    path = files / groups if "." in groups else groups
    with pytest.raises(WsedError, match=message):
        read_groups(path, files / "reference.tsv", [f"c{i}.wav" for i in range(20)])


def test_groups_are_of_the_clips_of_the_metric():
    from wsed.metrics import EventF1
    from wsed.scoring.resampling import by_group, samples
    from wsed.testing.metrics import system

    with pytest.raises(WsedError, match="of 6 clips, the groups are of 2"):
        by_group(samples(system(), {"event_f1": EventF1()}), Groups.of(["a", "b"]))
