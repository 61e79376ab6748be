"""Synthesis of whole corpora."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.data.synth.tones import (
    PITCH,
    RATE,
    RECIPE,
    SPLITS,
    break_bank,
    tree,
)
from wsed.data import audio, table
from wsed.data.synth.corpus_files import PARTS
from wsed.data.synth.soundscape import synthesise
from wsed.errors import WsedError


def test_same_corpus_whatever_the_number_of_workers(bank_folder: Path, tmp_path: Path) -> None:
    counts = {"train": 40, "validation": 4, "eval": 4}
    for workers in (1, 2):
        synthesise(tmp_path / str(workers), soundbank=bank_folder, recipe=RECIPE, clips=counts, workers=workers)
    one, two = tree(tmp_path / "1"), tree(tmp_path / "2")
    assert one.keys() == two.keys()
    assert all(one[name] == two[name] for name in one)
    other = synthesise(tmp_path / "3", soundbank=bank_folder, recipe=RECIPE, seed=1, workers=1).out
    assert tree(other)["audio/train/weak/train_00000.flac"] != one["audio/train/weak/train_00000.flac"]


def test_layout_reads_back(bank_folder: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, events={0: 1.0, 2: 3.0})
    synthesise(tmp_path, soundbank=bank_folder, recipe=recipe, clips={"train": 12}, workers=1)
    assert (tmp_path / "metadata/labels.txt").read_text().split() == ["bell", "fan", "knock"]
    for split, part in PARTS.items():
        folder = tmp_path / part.folder
        strong, durations = table.read_strong(folder / part.strong), table.read_durations(folder / part.durations)
        assert sorted(f.name for f in (tmp_path / part.audio).iterdir()) == sorted(strong) == sorted(durations)
        assert all(0 <= a < b <= 2.0 for events in strong.values() for _, a, b in events)
        assert set(durations.values()) == {2.0}
        if part.weak:
            tags = {name: frozenset(e[0] for e in events) for name, events in strong.items()}
            assert table.read_weak(folder / part.weak) == tags
        header = audio.info(tmp_path / part.audio / f"{split}_00000.flac")
        assert (header.sample_rate, header.duration) == (RATE, 2.0)
    assert () in table.read_strong(tmp_path / "metadata/train/strong.tsv").values()


def test_splits_are_never_mixed(bank_folder: Path, tmp_path: Path) -> None:
    synthesise(tmp_path, soundbank=bank_folder, recipe=RECIPE, clips=dict.fromkeys(SPLITS, 12), workers=1)
    for split in SPLITS:
        for _, row in table.read_rows(tmp_path / PARTS[split].folder / "provenance.tsv", ("source_file",)):
            assert row["source_file"].startswith(f"foreground/{split}/{row['event_label']}/")
            assert row["background_file"].startswith(f"background/{split}/")


def test_provenance_matches_the_audio(bank_folder: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, events={1: 1.0}, snr=(20.0, 20.0), balanced=True)
    synthesise(tmp_path, soundbank=bank_folder, recipe=recipe, clips={"train": 9}, workers=1)
    for _, row in table.read_rows(tmp_path / "metadata/train/provenance.tsv", ()):
        onset, offset = float(row["onset"]), float(row["offset"])
        clip = audio.read(tmp_path / "audio/train/weak" / row["filename"], RATE, onset, offset - onset)
        peak = np.fft.rfftfreq(len(clip), 1 / RATE)[np.abs(np.fft.rfft(clip)).argmax()]
        take = int(Path(row["source_file"]).stem)
        assert peak == pytest.approx(PITCH[row["event_label"]] + 20 * take, abs=8)
        assert float(row["snr_db"]) == pytest.approx(20, abs=0.01) or float(row["gain_db"]) > 0


def test_the_summary_counts_recordings(bank_folder: Path, tmp_path: Path) -> None:
    """Two files of one recording count once."""
    names = [f"foreground/train/{label}/{i}.wav" for label in PITCH for i in range(2)]
    rows = [(name, "one" if "/bell/" in name else name) for name in names]
    bank = break_bank(
        bank_folder, tmp_path, lambda r: table.write_rows(r / "manifest.tsv", ("path", "recording_id"), rows)
    )
    recipe = replace(RECIPE, events={1: 1.0}, balanced=True)
    make: dict[str, Any] = {"soundbank": bank, "recipe": recipe, "workers": 1}
    summary = synthesise(tmp_path / "out", **make, clips={"train": 30, "validation": 3})
    assert summary.recordings["train"] == {"bell": 1, "fan": 2, "knock": 2}
    assert summary.recordings["validation"] == dict.fromkeys(PITCH, 1)
    assert synthesise(tmp_path / "out", **make, clips={"train": 30, "validation": 3}).recordings == summary.recordings


def test_a_corpus_made_before_a_setting_existed_can_be_continued(bank_folder: Path, tmp_path: Path) -> None:
    synthesise(tmp_path, soundbank=bank_folder, recipe=RECIPE, workers=1)
    assert "longest" not in json.loads((tmp_path / "synth.json").read_text())["recipe"]
    with pytest.raises(WsedError, match="another recipe"):
        synthesise(tmp_path, soundbank=bank_folder, recipe=replace(RECIPE, longest=0.2), workers=1)


def stop_after(n: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done == n:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("workers", [1, 2])
def test_continues_where_it_was_stopped(bank_folder: Path, tmp_path: Path, workers: int) -> None:
    make: dict[str, Any] = {"soundbank": bank_folder, "recipe": RECIPE, "clips": {"train": 40}, "workers": workers}
    whole = synthesise(tmp_path / "whole", **make | {"workers": 1}).out
    stopped = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        synthesise(stopped, **make, progress=stop_after(9))
    # What a kill leaves behind: half a line in the journal, half a clip on the disk.
    with (stopped / "synth.jsonl").open("a") as journal:
        journal.write('{"split": "train", "ind')
    (stopped / "audio/train/weak/.train_00030.part.flac").write_bytes(b"fLaC")
    first = stopped / "audio/train/weak/train_00000.flac"
    written = first.stat().st_mtime_ns
    assert synthesise(stopped, **make).made == 46 - 9
    assert first.stat().st_mtime_ns == written
    assert tree(stopped) == tree(whole)
    assert synthesise(stopped, **make).made == 0


def test_a_lost_clip_is_made_again_and_clips_can_be_added(bank_folder: Path, tmp_path: Path) -> None:
    make: dict[str, Any] = {"soundbank": bank_folder, "recipe": RECIPE, "workers": 1}
    before = tree(synthesise(tmp_path, **make).out)
    (tmp_path / "audio/eval/public/eval_00001.flac").unlink()
    assert synthesise(tmp_path, **make).made == 1
    assert tree(tmp_path) == before
    assert synthesise(tmp_path, **make, clips={"train": 8}).made == 2
    after = tree(tmp_path)
    assert all(after[name] == data for name, data in before.items() if name.endswith(".flac"))


def test_other_corpora_are_not_overwritten(bank_folder: Path, tmp_path: Path) -> None:
    make: dict[str, Any] = {"soundbank": bank_folder, "recipe": RECIPE, "workers": 1}
    mine = tmp_path / "mine"
    synthesise(mine, **make)
    with pytest.raises(WsedError, match=r"another seed.*--overwrite"):
        synthesise(mine, **make, seed=1)
    with pytest.raises(WsedError, match="another recipe"):
        synthesise(mine, **make | {"recipe": replace(RECIPE, polyphony=1)})
    with pytest.raises(WsedError, match=r"more clips than asked for \(train=6\)"):
        synthesise(mine, **make, clips={"train": 5})
    (mine / "notes.txt").write_text("keep")
    summary = synthesise(mine, **make, seed=1, clips={"train": 2}, overwrite=True)
    assert summary.clips == {"train": 2, "validation": 3, "eval": 3}
    assert len(list((mine / "audio/train/weak").iterdir())) == 2
    assert (mine / "notes.txt").read_text() == "keep"
    foreign = tmp_path / "foreign"
    (foreign / "audio").mkdir(parents=True)
    with pytest.raises(WsedError, match="not made by `wsed data synth`"):
        synthesise(foreign, **make, overwrite=True)


def test_fingerprint_is_readable(bank_folder: Path, tmp_path: Path) -> None:
    synthesise(tmp_path, soundbank=bank_folder, recipe=RECIPE, workers=1)
    head = json.loads((tmp_path / "synth.json").read_text())
    assert (head["seed"], head["clips"]) == (0, {"train": 6, "validation": 3, "eval": 3})
