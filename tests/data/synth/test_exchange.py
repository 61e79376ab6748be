"""Another division of a soundbank: what stays together, what is kept, and what is refused."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from wsed import WsedError
from wsed.data.synth.exchange import exchange, share_of_tests
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
    exchange(bank, tmp_path / "other", 1)
    assert read(tmp_path / "other") == first
    with pytest.raises(WsedError, match=r"seed 1, not the soundbank .* seed 2: move it away"):
        exchange(bank, tmp_path / "other", 2)
    (bank / "foreground/train/Dog/Dog_0_0.wav").write_text("repaired")
    with pytest.raises(WsedError, match="move it away"):
        exchange(bank, tmp_path / "other", 1)
    (tmp_path / "mine").mkdir()
    with pytest.raises(WsedError, match="mine has other files"):
        exchange(bank, tmp_path / "mine", 1)


def small(root: Path, rows: dict[str, str], header: str = "path\tgroup_id\trecording_id") -> Path:
    """Two training files, one for validation and one for test, all of one name; `rows` are those of the manifest."""
    for split, names in (("train", ("1", "2")), ("validation", "1"), ("eval", "1")):
        for part in (f"foreground/{split}/Dog", f"background/{split}"):
            (root / part).mkdir(parents=True)
            for name in names:
                (root / part / f"{name}.wav").write_text(f"{split} {name}")
    lines = [header, *(f"{path}\t{ids}" for path, ids in rows.items())]
    (root / "manifest.tsv").write_text("\n".join(lines) + "\n")
    return root


def test_files_of_one_name_are_all_kept(tmp_path):
    bank = small(tmp_path / "bank", {})
    for seed in range(1, 9):
        exchange(bank, tmp_path / f"{seed}", seed)
        found = sorted(path.read_text() for path in (tmp_path / f"{seed}/foreground").rglob("*.wav"))
        assert found == ["eval 1", "train 1", "train 2", "validation 1"]


def test_ids_of_both_kinds_make_a_group(tmp_path):
    """One of three files names no group, but the recording of another."""
    first = "foreground/train/Dog/"
    ids = {f"{first}1.wav": "ann\tr1", f"{first}2.wav": "\tr1", "background/train/1.wav": "ann\t"}
    bank = small(tmp_path / "bank", ids)
    for split in ("validation", "eval"):
        (bank / f"foreground/{split}/Dog/3.wav").write_text("more")
        (bank / f"background/{split}/3.wav").write_text("more")
    for seed in range(1, 9):
        exchange(bank, tmp_path / f"{seed}", seed)
        rows = read(tmp_path / f"{seed}")
        assert len({r["split"] for r in rows if r["group_id"] or r["recording_id"]}) == 1


def test_what_a_soundbank_does_not_list_is_not_dealt(tmp_path):
    bank = small(tmp_path / "bank", {})
    (bank / "foreground/train/Dog/._1.wav").touch()  # of macOS
    (bank / "real").mkdir()
    (bank / "foreground/train/Dog").rename(bank / "real/Dog")
    (bank / "foreground/train/Dog").symlink_to(bank / "real/Dog")
    exchange(bank, tmp_path / "other", 1)
    names = [path.name for path in (tmp_path / "other/foreground").rglob("*.wav")]
    assert len(names) == 4
    assert not [name for name in names if name.startswith(".")]


def test_decomposed_names_find_their_row(tmp_path):
    bank = small(tmp_path / "bank", {"foreground/train/Dog/caf\u00e9.wav": "ann\tr1"})
    (bank / "foreground/train/Dog/cafe\u0301.wav").write_text("cafe")
    exchange(bank, tmp_path / "other", 1)
    (row,) = (r for r in read(tmp_path / "other") if "caf" in r["path"])
    assert row["recording_id"] == "r1"


def test_links_that_cannot_be_made_are_one_line(tmp_path, monkeypatch):
    def refused(*args, **kwargs):
        raise OSError(1, "a privilege is missing")

    monkeypatch.setattr(Path, "symlink_to", refused)
    with pytest.raises(WsedError, match="the soundbank of links cannot be made: a privilege is missing"):
        exchange(made(tmp_path / "bank"), tmp_path / "other", 1)


def test_share_of_test_recordings(tmp_path):
    assert share_of_tests(made(tmp_path / "bank")) == pytest.approx(6 / 7)  # two backgrounds are in groups of cats


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
