"""Clips held out for validation: apart from training and stratified."""

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.holdout import Holdout
from wsed.data.table import read_weak
from wsed.errors import WsedError
from wsed.types import Labels

tag_sets = st.lists(st.frozensets(st.sampled_from("abcd"), max_size=3), max_size=40)


def clips_of(tags) -> list[Clip]:
    return [Clip(f"{i}.wav", Path(f"{i}.wav"), "weak", frozenset(held)) for i, held in enumerate(tags)]


def divided(clips: list[Clip], **how) -> tuple[list[Clip], list[Clip]]:
    """Training and validation clips."""
    labels = Labels(sorted({label for clip in clips for label in clip.tags or ()}))
    train, held = Holdout(**how).divide(ClipTable.of(clips, labels))
    return [clips[i] for i in train], [clips[i] for i in held]


def by_clip(clips: list[Clip], share: float, seed: int = 0) -> tuple[list[Clip], list[Clip]]:
    try:
        return divided(clips, share=share, seed=seed)
    except WsedError as error:
        assert "holds out none: raise it" in str(error)  # noqa: PT017
        return clips, []


def counts(clips: list[Clip]) -> Counter[str]:
    return Counter(label for clip in clips for label in clip.tags)


@pytest.fixture(scope="module")
def weak(shared: Path) -> list[Clip]:
    tags = read_weak(shared / "data/metadata/dcase2019_task4/weak.tsv")
    return [Clip(name, Path(name), "weak", held) for name, held in tags.items()]


@given(tag_sets, st.sampled_from([0.1, 0.2, 0.5]), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_a_split_by_clip_parts_the_clips(tags, share, seed):
    clips = clips_of(tags)
    train, held = by_clip(clips, share, seed)
    assert sorted(train + held, key=clips.index) == clips
    assert train == [c for c in clips if c in train]
    assert (train, held) == by_clip(clips, share, seed)
    rarest = min(counts(clips), key=lambda k: (counts(clips)[k], k), default=None)
    if rarest is not None:
        assert counts(held)[rarest] == round(share * counts(clips)[rarest])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_class_of_the_real_list_has_its_share(weak, seed):
    train, held = by_clip(weak, 0.2, seed)
    assert len(train) + len(held) == 1578
    assert len(held) == pytest.approx(0.2 * 1578, abs=4)
    for label, n in counts(weak).items():
        assert counts(held)[label] == pytest.approx(0.2 * n, abs=5 if label == "Speech" else 1)
    assert held != by_clip(weak, 0.2, seed + 1)[1]


def test_groups_stay_together():
    """Of 10 patients with 4 clips each, some are held out whole, and each class has its share."""
    clips = [
        Clip(f"{p}_{i}.wav", Path(f"{p}_{i}.wav"), "weak", frozenset("ab"[p % 2]), groups={"patient": f"p{p}"})
        for p in range(10)
        for i in range(4)
    ]
    train, held = divided(clips, share=0.2, by="group", group="patient")
    patients = [{clip.groups["patient"] for clip in part} for part in (train, held)]
    assert not patients[0] & patients[1]
    assert counts(held) == {"a": 4, "b": 4}
    with pytest.raises(WsedError, match=r"data.holdout.group is 'site', but clip 0_0.wav has no such group; it has"):
        divided(clips, share=0.2, by="group", group="site")


def test_parts_of_a_recording_stay_together():
    part = partial(Clip, path=Path("r.wav"), source="weak", tags=frozenset("a"))
    clips = [part(f"{i}.wav", start=float(i), recording=f"r{i // 5}") for i in range(20)]
    train, held = divided(clips, share=0.25, by="group")
    assert {clip.recording for clip in held}.isdisjoint(clip.recording for clip in train)
    assert len(held) == 5


@pytest.mark.parametrize("how", [{"share": 0.9}, {"share": 0.8, "by": "group"}])
def test_a_share_that_leaves_no_clip_for_training_is_refused(how):
    with pytest.raises(WsedError, match=r"rounded to whole \w+s of each class, leaves none for training: lower it"):
        divided(clips_of(["a"] * 4 if how["share"] == 0.9 else ["a", "a"]), **how)
    timed = [Clip(f"{i}t", Path(f"{i}t"), "strong", frozenset("a"), ()) for i in range(4)]
    train, held = divided([*clips_of(["a"] * 4), *timed], share=0.9, sources=("strong",))
    assert (len(train), len(held)) == (4, 4)  # another source remains
    timed = [Clip(f"{i}t", Path(f"{i}t"), "strong", frozenset("a"), ()) for i in range(4)]
    train, held = divided([*clips_of(["a"] * 4), *timed], share=0.9, sources=("strong",))
    assert (len(train), len(held)) == (4, 4)  # another source remains
    with pytest.raises(WsedError, match=r"data.holdout.sources is empty"):
        Holdout(0.2, sources=())


def test_a_file_that_a_source_lists_twice_is_on_one_side():
    clips = [Clip(f"{i}{copy}", Path(f"{i}.wav"), "weak", frozenset("a")) for i in range(20) for copy in "xy"]
    train, held = divided(clips, share=0.3)
    assert held
    assert {c.path for c in held}.isdisjoint(c.path for c in train)


def test_a_sound_that_is_held_out_is_in_no_other_source():
    weak = clips_of(["a", "a", "b", "b"])
    timed = [Clip(c.id, c.path, "strong", c.tags, ()) for c in weak]
    train, held = divided([*weak, *timed], share=0.5)
    assert {c.source for c in held} == {"weak"}
    assert {c.path for c in held}.isdisjoint(c.path for c in train)
    assert Counter(c.source for c in train) == {"weak": 2, "strong": 2}


def of_patients(source: str, patients: list[str | None]) -> list[Clip]:
    return [
        Clip(f"{source}{i}", Path(f"{source}{i}"), source, frozenset("a"), groups={} if p is None else {"patient": p})
        for i, p in enumerate(patients)
    ]


def test_a_group_that_is_held_out_is_in_no_other_source():
    """Clips of another source and sound leave training with their patient or recording."""
    patients = [f"p{i}" for i in range(10)]
    clips = [*of_patients("weak", [*patients, *patients]), *of_patients("strong", patients)]
    train, held = divided(clips, share=0.2, by="group", group="patient", sources=("weak",))
    assert len(held) == 4
    assert len(train) == 16 + 8
    assert {c.groups["patient"] for c in held}.isdisjoint(c.groups["patient"] for c in train)
    parts = [
        Clip(f"{r}_{start}", Path(r), source, frozenset("a"), start=start, duration=5.0, recording=r)
        for r in patients
        for source, start in (("weak", 0.0), ("strong", 5.0))
    ]
    train, held = divided(parts, share=0.2, by="group", sources=("weak",))
    assert {c.recording for c in held}.isdisjoint(c.recording for c in train)


def test_clips_of_another_source_without_the_group():
    """They may be of a patient that is held out, unless they are of another corpus."""
    patients = [f"p{i}" for i in range(10)]
    how = {"share": 0.2, "by": "group", "group": "patient"}
    clips = [*of_patients("a/weak", patients), *of_patients("a/strong", [None])]
    with pytest.raises(WsedError, match="'patient', but clip a/strong0 has no such group"):
        divided(clips, sources=("a/weak",), **how)
    clips = [*of_patients("a/weak", patients), *of_patients("b/strong", [None, *patients])]
    train, held = divided(clips, sources=("a/weak",), **how)
    assert [c for c in train if c.source == "b/strong"] == clips[10:]  # "p3" of b is not "p3" of a
    assert len(held) == 2


def test_only_clips_of_a_held_out_recording_or_patient_leave_training():
    """Files of one name in two folders are two recordings, and patients of one name in two corpora two patients."""
    names = [f"{i}.wav" for i in range(10)]
    weak, strong = ([Clip(n, Path(source, n), source, frozenset("a")) for n in names] for source in ("weak", "strong"))
    train, held = divided([*weak, *strong], share=0.3, by="group", sources=("weak",))
    assert (len(train), len(held)) == (17, 3)
    parts = [Clip(f"{n}_1", Path("weak", n), "strong", frozenset("a"), None, 5.0, 5.0, n) for n in names]
    train, held = divided([*weak, *parts], share=0.3, by="group", sources=("weak",))
    assert {c.path for c in held}.isdisjoint(c.path for c in train)
    assert (len(train), len(held)) == (14, 3)
    patients = [f"p{i}" for i in range(10)]
    clips = [*of_patients("a/weak", patients), *of_patients("b/weak", patients), *of_patients("a/strong", patients)]
    train, held = divided(clips, share=0.3, by="group", group="patient", sources=("a/weak",))
    assert Counter(c.source for c in train) == {"a/weak": 7, "b/weak": 10, "a/strong": 7}
    train, held = divided(clips, share=0.2, by="group", group="patient", sources=("a/weak", "b/weak"))
    assert sum(c.source == "a/strong" for c in train) == 10 - sum(c.source == "a/weak" for c in held)


@pytest.mark.parametrize("sources", [None, ("weak", "unlabelled")])
def test_unlabelled_clips_without_the_group_stay_in_training(sources):
    """As with splits that are drawn by group; those whose group is held out leave training."""
    patients = [f"p{i}" for i in range(10)]
    how = {"share": 0.2, "by": "group", "group": "patient", "sources": sources}
    unlabelled = [replace(c, tags=None) for c in of_patients("unlabelled", [None, *patients])]
    train, held = divided([*of_patients("weak", patients), *unlabelled], **how)
    assert "unlabelled0" in {c.id for c in train}
    assert len({c.groups["patient"] for c in held}) == 2
    assert {c.groups["patient"] for c in held}.isdisjoint(c.groups.get("patient") for c in train)
    with pytest.raises(WsedError, match="'patient', but clip strong0 has no such group; it has none; write it into"):
        divided([*of_patients("weak", patients), *of_patients("strong", [None])], **how | {"sources": ("weak",)})
