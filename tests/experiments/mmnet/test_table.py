"""The tables of `experiments/mmnet`, from made-up runs whose figures are counted by hand."""

import json
import sys

import numpy as np
import pytest

from experiments.mmnet import table

EVENTS = {
    "eval/public": ["a 0 0.5 bark", "b 1 1.5 bark", "c 0 5 hum", "d 0 6 hum"],
    "validation/validation": ["e 0 0.5 bark", "f 0 5 hum"],
}
HUM = (0.1, 0.2, 0.8, 0.7)


@pytest.fixture
def corpus(tmp_path):
    for name, rows in EVENTS.items():
        path = tmp_path / "corpus/metadata" / f"{name}.tsv"
        path.parent.mkdir(parents=True)
        lines = [row.replace(" ", ".wav\t", 1).replace(" ", "\t") for row in rows]
        path.write_text("\n".join(["filename\tonset\toffset\tevent_label", *lines]) + "\n")
        (tmp_path / "corpus/audio" / name).mkdir(parents=True)
    return tmp_path / "corpus"


def run(folder, bark, held=True, frames=False, **report):
    """A run that scores the test clips' barks so; thresholds from its validation clips are 0.31 and 0.11."""
    parts = {"test": ("abcd", np.stack([bark, HUM], 1))}
    if held:
        parts["validation"] = ("ef", np.array([[0.505, 0.105], [0.305, 0.605]]))
    for stage, (names, scores) in parts.items():
        (folder / stage).mkdir(parents=True)
        saved = {"labels": ["bark", "hum"], "clip_ids": [f"{name}.wav" for name in names]}
        if frames:  # the clip's score is that of its highest frame
            saved["frame_scores"] = np.stack([scores / 2, scores], 1).astype(np.float32)
            saved |= {"valid": np.ones((len(names), 2), dtype=bool), "frame_rate": 10.0}
        else:
            saved["clip_scores"] = scores.astype(np.float32)
        np.savez(folder / stage / ("frame_scores.npz" if frames else "clip_scores.npz"), **saved)
    (folder / "config.yaml").write_text("data: {corpus: {class_path: desed}}\n")
    (folder / "test/scores.json").write_text(json.dumps(report))


@pytest.fixture
def printed(corpus, tmp_path, monkeypatch, capsys):
    """The first line, the cells of each row of each table by the row's first cell, and the lines on claims."""
    perfect = (0.9, 0.8, 0.3, 0.1)
    run(tmp_path / "runs/resnet/seed_0", (0.9, 0.2, 0.3, 0.1))
    run(tmp_path / "runs/resnet/seed_1", perfect)
    for seed in (0, 1):
        run(tmp_path / f"runs/mmnet/seed_{seed}", perfect, event_f1={"macro": 0.5}, psds1=0.25, psds2=None)
    run(tmp_path / "runs/att/seed_0", (0.9, 0.2, 0.3, 0.1), held=False)
    run(tmp_path / "other/glu_mil/seed_0", (0.9, 0.2, 0.3, 0.1), frames=True)
    (tmp_path / "runs/slat/seed_0").mkdir(parents=True)  # not finished
    args = ["table.py", str(tmp_path / "runs"), str(tmp_path / "other"), "--root", str(corpus)]
    monkeypatch.setattr(sys, "argv", args)
    table.main()
    lines = capsys.readouterr().out.splitlines()
    claims = lines.index(next(line for line in lines if line.startswith("| claim |")))
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:claims] if line.startswith("|")]
    rows = {(head[0], i, row[0]): dict(zip(head[1:], row[1:], strict=True)) for i, head, row in tables_of(cells)}
    return lines[0], rows, lines[claims:]


def tables_of(cells):
    """Number, header and each row of the tables."""
    heads = [i for i, row in enumerate(cells) if row[0].startswith(("% ", "points "))]
    for number, (first, end) in enumerate(zip(heads, [*heads[1:], len(cells)], strict=True)):
        yield from ((number, cells[first], row) for row in cells[first + 2 : end])


def test_figures_of_each_row(printed):
    first, rows, _ = printed
    assert first.endswith(": bark")
    assert [name for _, i, name in rows if i == 0] == ["resnet (2)", "att (1)", "mmnet (2)", "glu_mil (1)"]
    att = rows["% (seeds)", 0, "att (1)"]
    assert (att["mAP"], att["AUC"], att["F1"], att["event F1"]) == ("91.7", "87.5", "-", "-")
    assert att["F1, tuned on test (!)"] == "90.0"
    of_frames = rows["% (seeds)", 0, "glu_mil (1)"]
    assert (of_frames["mAP"], of_frames["F1"], of_frames["R"], of_frames["P"]) == ("91.7", "73.3", "75.0", "83.3")
    both = rows["% (seeds)", 0, "resnet (2)"]
    assert (both["mAP"], both["R"]) == ("95.8 +- 5.9", "87.5 +- 17.7")
    mine = rows["% (seeds)", 0, "mmnet (2)"]
    assert (mine["event F1"], mine["PSDS1"], mine["PSDS2"]) == ("50.0 +- 0.0", "25.0 +- 0.0", "-")


def test_short_and_long_are_told_apart(printed):
    of = printed[1]["% (seeds)", 1, "glu_mil (1)"]
    assert list(of.values()) == ["83.3", "100.0", "-16.7", "50.0", "100.0"]


def test_differences_are_paired_by_seed(printed):
    rows = printed[1]
    against = rows["points (shared seeds)", 2, "mmnet - resnet (2)"]
    assert against["mAP"] == "+4.2 [-48.8, +57.1]"  # 8.33 and 0; Student's t with one degree of freedom
    assert against["event F1"] == "-"
    assert rows["points (shared seeds)", 2, "att - resnet (1)"]["mAP"] == "+0.0"
    assert rows["points (shared seeds)", 3, "mmnet - att (1)"]["mAP"] == "+8.3"
    assert not [name for _, i, name in rows if i == 3 and "glu" in name]


def test_claims_of_the_recipe_are_judged(printed):
    lines = printed[2]
    assert any(line.startswith("| M&mnet beats mean pooling | mmnet - resnet (2) | map | +4.2") for line in lines)
    assert any(line.startswith("| M&mnet beats ATT | mmnet - att (1)") and "open" in line for line in lines)


def test_intervals_are_over_recordings_too(corpus, tmp_path, monkeypatch, capsys):
    """The seeds agree; one recording decides the difference."""
    (corpus / "metadata/eval").mkdir(exist_ok=True)
    rows = [f"{name}.wav\tforeground/{name}.wav\t" for name in "abcd"]
    table_of = "\n".join(["filename\tsource_file\tbackground_file", *rows]) + "\n"
    (corpus / "metadata/eval/provenance.tsv").write_text(table_of)
    for seed in (0, 1):
        run(tmp_path / f"runs/resnet/seed_{seed}", (0.9, 0.2, 0.3, 0.1))
        run(tmp_path / f"runs/mmnet/seed_{seed}", (0.9, 0.8, 0.3, 0.1), psds1=0.25)
    monkeypatch.setattr(sys, "argv", ["table.py", str(tmp_path / "runs"), "--root", str(corpus), "--resamples", "50"])
    table.main()
    lines = capsys.readouterr().out.splitlines()
    claim = next(line for line in lines if line.startswith("| M&mnet beats mean pooling |"))
    assert "| +8.3 [-" in claim
    assert "| above | open: 4 groups of test clips are too few" in claim
    assert any(line.startswith("Intervals are over seeds and 4 recordings. Over seeds alone: ") for line in lines)


def test_statistics_are_the_numbers_on_all_clips(corpus, tmp_path):
    run(tmp_path / "runs/resnet/seed_0", (0.9, 0.2, 0.3, 0.1))
    (one,) = table.systems_of([tmp_path / "runs"], corpus, ["resnet"])["resnet"]
    drawn, columns = table.statistics(one), table.COLUMNS | table.LENGTHS
    assert len(drawn) == 10
    for name, statistic in drawn.items():
        assert statistic(np.ones((1, 4)))[0] == pytest.approx(columns[name](one)), name


def test_no_finished_run_is_told(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["table.py", str(tmp_path), "--root", str(corpus), "--rows", "att"])
    with pytest.raises(SystemExit, match="no finished run of att"):
        table.main()


def test_a_row_is_read_of_the_first_folder_that_has_it(corpus, tmp_path):
    """ATT of the cosine paper is another network than ATT here."""
    for folder, row, seeds in (("ours", "att", 2), ("theirs", "att", 3), ("theirs", "glu_mil", 1)):
        for seed in range(seeds):
            run(tmp_path / folder / row / f"seed_{seed}", (0.9, 0.8, 0.3, 0.1))
    found = table.systems_of([tmp_path / "ours", tmp_path / "theirs"], corpus, ["att", "glu_mil", "resnet"])
    assert {row: len(each) for row, each in found.items()} == {"att": 2, "glu_mil": 1}
