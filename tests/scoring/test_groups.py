"""Intervals by group of clips: by hand, and through `wsed evaluate`."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import wsed
from wsed.cli.main import main
from wsed.errors import WsedError
from wsed.metrics import EventF1, TaggingF1
from wsed.metrics.groups import Groups
from wsed.scoring.formats.groups import read_groups
from wsed.scoring.report import Report
from wsed.scoring.resampling import Resampling, Sampled, by_group, resample, samples

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


def test_clips_that_were_annotated_for_no_class_are_not_drawn(files, tmp_path):
    """Nobody looked at the clips of two patients: the interval is that of a table without them."""
    rows = (files / "reference.tsv").read_text().splitlines()
    few = {"reference": [*rows[:11]], "known": ["filename\tevent_labels", *(f"c{i}.wav\t" for i in range(10, 20))]}
    few["found"] = [HEAD, *(row.rpartition("\t")[0] for row in rows[1:6])]
    few["all"] = rows
    for name, lines in few.items():
        (tmp_path / f"{name}.tsv").write_text("\n".join(lines) + "\n")

    def evaluated(reference, **settings):
        metrics = ["event_f1", "tagging_f1"]
        found = tmp_path / "found.tsv"
        return wsed.evaluate(tmp_path / reference, found, groups="patient", resamples=50, metrics=metrics, **settings)

    part, whole = evaluated("all.tsv", annotated=tmp_path / "known.tsv"), evaluated("reference.tsv")
    assert part.intervals == whole.intervals
    assert part.intervals.groups == 2
    assert any("intervals by 2 groups of 10 clips" in note for note in part.input.notes)


def test_numbers_of_events_and_of_tags_draw_their_own_clips():
    from wsed.testing.metrics import system

    whole = system()
    known = torch.ones_like(whole.truth.timed)
    events, tags = known.clone(), known.clone()
    events[:2], tags[4:] = False, False
    part = replace(whole, truth=replace(whole.truth, timed=events, tagged=tags))
    sampled = samples(part, {"event_f1": EventF1(), "tagging_f1": TaggingF1()})
    drawn = by_group(sampled, Groups.of(["a", "a", "b", "c", "d", "d"]))
    assert [(each.metric, each.n_clips) for each in drawn[::2]] == [("event_f1", 3), ("tagging_f1", 3)]
    for own, one in zip(sampled, drawn, strict=True):
        assert one.statistic(np.ones((1, 3)))[0] == own.statistic(np.ones((1, 4)))[0]


def test_limits_of_a_number_above_1_are_not_cut():
    def twice(weights):
        return 2.5 * weights[:, 0] / weights.sum(1) * weights.shape[1]

    every = np.ones(9, dtype=np.bool_)
    limits = resample([Sampled("plugin", "value", twice, 9, every)], Resampling(50)).of("plugin", "value")
    assert limits.low < 2.5 < limits.high


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
    from wsed.testing.metrics import system

    with pytest.raises(WsedError, match="of 6 clips, the groups are of 2"):
        by_group(samples(system(), {"event_f1": EventF1()}), Groups.of(["a", "b"]))
