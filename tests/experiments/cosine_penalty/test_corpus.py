"""The DCASE 2018 corpus: releases of its test annotation, and the published split of its weak clips."""

from collections import Counter
from pathlib import Path

import pytest

from experiments.cosine_penalty.readings import DCASE2018, REVISIONS, check_revision, divided_by_class
from tests.data.dcase2018 import first_release, later_release, make_dcase2018
from tests.data.modules import module
from tests.data.test_holdout import clips_of, counts
from wsed.data.clip import Clip
from wsed.data.table import read_weak
from wsed.errors import WsedError


@pytest.fixture(scope="module")
def dcase2018(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dcase2018(tmp_path_factory.mktemp("dcase2018"), shared, first_release(shared))


@pytest.fixture(scope="module")
def weak(shared: Path) -> list[Clip]:
    tags = read_weak(shared / "data/metadata/dcase2019_task4/weak.tsv")
    return [Clip(name, Path(name), "weak", held) for name, held in tags.items()]


def divided(clips: list[Clip], share: float) -> tuple[list[Clip], list[Clip]]:
    return divided_by_class(clips, sorted(counts(clips)), share)


def clips_with(rows) -> list[Clip]:
    events: dict[str, list] = {}
    for clip, event in rows:
        events.setdefault(clip, []).append(event)
    return [Clip(name, Path(name), "test", events=tuple(found)) for name, found in events.items()]


def test_the_releases_are_told_apart(shared: Path) -> None:
    later, first = later_release(shared), first_release(shared)
    assert len({clip for clip, _ in later}) == 288
    assert max(Counter(later).values()) == 1  # no row is repeated
    table = Path("metadata/test/test.csv")
    check_revision(clips_with(first), "2018-03", table)
    check_revision(clips_with(later), "2019-05", table)
    with pytest.raises(WsedError) as caught:
        check_revision(clips_with(later), "2018-03", table)
    for part in (str(table), "908 events, Cat 95, Dog 120, Speech 255", "(revision 2019-05)", "906 events, Cat 82"):
        assert part in str(caught.value)
    with pytest.raises(WsedError, match=r"905 events.*no known revision.*set data\.corpus\.revision to the release"):
        check_revision(clips_with(first[:-1]), "2018-03", table)
    assert set(REVISIONS) == {"2018-03", "2019-05"}


def test_the_test_table_is_checked_and_no_other(dcase2018: Path) -> None:
    data = DCASE2018(dcase2018, revision="2019-05")
    for stage in ("test", "predict"):
        with pytest.raises(WsedError, match=r"test\.csv is not revision 2019-05 .*revision 2018-03"):
            data.clips(stage)
    assert data.clips("validation") == []
    assert len(data.clips("train")) == 79
    assert len(DCASE2018(dcase2018, predict="train/weak", revision="2019-05").clips("predict")) == 79
    assert len(DCASE2018(dcase2018).clips("test")) == 288


def test_the_published_split_cuts_the_list_of_each_class():
    train, held = divided(clips_of(["a", "ab", "b", "", "a", "a", "b", "ab", "b", "b"]), 0.4)
    assert [c.id[0] for c in held] == ["0", "1", "1", "2"]
    assert [c.id[0] for c in train] == ["4", "5", "7", "6", "7", "8", "9"]


def test_the_published_split_of_the_real_list(weak):
    train, held = divided(weak, 0.2)
    # The paper: 1763 + 438 = 2201 entries, with a few files missing.
    assert (len(train), len(held)) == (1800, 444)
    assert len({c.id for c in train} & {c.id for c in held}) == 149
    assert Counter(c.id for c in train + held) == Counter({c.id: len(c.tags) for c in weak})
    for label, n in counts(weak).items():
        first = [c for c in weak if label in c.tags][: n // 5]
        assert set(first) <= set(held)


def test_a_share_is_not_short_of_a_clip_by_rounding():
    assert len(divided(clips_of(["a"] * 100), 0.29)[1]) == 29


def test_the_published_split_enters_a_clip_once_a_tag(dcase2018: Path) -> None:
    data = module(DCASE2018(dcase2018, class_holdout=0.2), {"weak": 32}, sample_rate=8000)
    data.setup("fit")
    entries = [clip.id for stage in ("train", "validation") for clip in data.table(stage).clips]
    assert Counter(entries) == {c.id: len(c.tags) for c in DCASE2018(dcase2018).clips("train")}
    assert len(list(data.train_dataloader())) == -(-len(data.table("train").clips) // 32)
    assert set(data.table("train").clips[0].tags) >= {"Alarm_bell_ringing"}


def test_validation_clips_are_of_the_split_or_held_out_but_not_both(dcase2018: Path) -> None:
    with pytest.raises(WsedError, match=r"set data\.corpus\.class_holdout or data\.holdout to null"):
        module(DCASE2018(dcase2018, class_holdout=0.2), {"weak": 32}, holdout=0.2)
    data = module(DCASE2018(dcase2018), {"weak": 32}, holdout=0.2, sample_rate=8000)
    data.setup("fit")
    sizes = [len(data.table(split).clips) for split in ("train", "validation")]
    assert sum(sizes) == 79
    assert not DCASE2018(dcase2018).has("validation")
    with pytest.raises((WsedError, TypeError), match="2018-03"):
        DCASE2018(dcase2018, revision="2018")
