"""Another division of a soundbank: what stays together, what is kept, and what is refused."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from wsed import WsedError
from wsed.data.synth.exchange import exchange
from wsed.data.synth.soundbank import open_soundbank
from wsed.data.synth.soundscape import synthesise


def made(root: Path, groups: int = 6) -> Path:
    """A soundbank of empty files: six groups a class of two files; two of them share backgrounds."""
    rows = []
    for kind in ("Cat", "Dog", "background"):
        for group in range(groups):
            split = ("train", "train", "train", "validation", "eval", "eval")[group]
            for take in range(2):
                part = f"foreground/{split}/{kind}" if kind != "background" else f"background/{split}"
                path = root / part / f"{kind}_{group}_{take}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{kind} {group} {take}")
                owner = f"Cat{group}" if kind == "background" and group < 2 else f"{kind}{group}"
                rows.append([path.relative_to(root).as_posix(), split, owner, "0.1-0.2"])
    with (root / "manifest.tsv").open("w", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([["path", "split", "group_id", "segments"], *rows])
    return root


def read(bank: Path) -> list[dict[str, str]]:
    with (bank / "manifest.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_groups_stay_together_and_each_split_keeps_its_size(tmp_path):
    bank = made(tmp_path / "bank")
    before = {path.name: path.read_text() for path in bank.rglob("*.wav")}
    divisions = set()
    for seed in range(1, 4):
        exchange(bank, tmp_path / f"{seed}", seed)
        rows = read(tmp_path / f"{seed}")
        assert {Path(r["path"]).name: (tmp_path / f"{seed}" / r["path"]).read_text() for r in rows} == before
        assert all(Path(r["path"]).parts[1] == r["split"] and r["segments"] == "0.1-0.2" for r in rows)
        split_of = {(r["group_id"], r["split"]) for r in rows}
        assert len(split_of) == len({group for group, _ in split_of})  # no group is in two splits
        dogs = Counter(split for group, split in split_of if group.startswith("Dog"))
        assert dogs == {"train": 3, "validation": 1, "eval": 2}
        divisions.add(frozenset(split_of))
    assert len(divisions) == 3
    exchange(bank, tmp_path / "again", 1)
    assert read(tmp_path / "again") == read(tmp_path / "1")
    assert {path.name: path.read_text() for path in bank.rglob("*.wav")} == before


def test_a_finished_one_is_kept_and_a_half_made_one_is_not(tmp_path):
    bank = made(tmp_path / "bank")
    (tmp_path / "other.part").mkdir()  # of a process that was killed
    (tmp_path / "other.part/left").touch()
    exchange(bank, tmp_path / "other", 1)
    assert not (tmp_path / "other/left").exists()
    first = read(tmp_path / "other")
    exchange(bank, tmp_path / "other", 2)
    assert read(tmp_path / "other") == first


def test_files_of_one_name_in_two_splits_are_both_kept(tmp_path):
    for split in ("train", "eval"):
        for part in (f"foreground/{split}/Dog", f"background/{split}"):
            (tmp_path / "bank" / part).mkdir(parents=True)
            (tmp_path / "bank" / part / "1.wav").write_text(split)
    with (tmp_path / "bank/manifest.tsv").open("w") as file:
        file.write("path\tgroup_id\n")
    for seed in range(1, 6):
        exchange(tmp_path / "bank", tmp_path / f"{seed}", seed)
        assert sorted(p.read_text() for p in (tmp_path / f"{seed}/foreground").rglob("*.wav")) == ["eval", "train"]


def test_what_cannot_be_exchanged_is_refused(tmp_path):
    with pytest.raises(WsedError, match="is not a soundbank"):
        exchange(tmp_path, tmp_path / "out", 1)
    bank = made(tmp_path / "bank")
    table = (bank / "manifest.tsv").read_text().replace("Dog", "Cat")  # each dog and cat of one number are one group
    for i in (3, 4, 5):  # the dogs outside training have no group but that of one cat
        table = table.replace(f"\tCat{i}\t", "\tCat3\t")
    (bank / "manifest.tsv").write_text(table)
    with pytest.raises(WsedError, match="too few recordings to exchange them: none would be left in"):
        exchange(bank, tmp_path / "out", 1)
    assert not (tmp_path / "out").exists()


def test_a_corpus_is_made_of_it(bank_folder, tmp_path):
    exchange(bank_folder, tmp_path / "other", 1)
    banks = [open_soundbank(root, sample_rate=8000) for root in (bank_folder, tmp_path / "other")]
    assert banks[0].labels == banks[1].labels
    synthesise(
        tmp_path / "corpus",
        soundbank=tmp_path / "other",
        recipe="plain",
        clips={"train": 2, "validation": 1, "eval": 1},
    )
    assert len(list((tmp_path / "corpus/audio/train/weak").iterdir())) == 2
