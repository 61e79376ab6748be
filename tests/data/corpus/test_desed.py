"""DESED as a data module: releases of the test annotation, and validation clips held out of the weak ones."""

from collections import Counter
from pathlib import Path

import pytest

from tests.data.dcase2018 import first_release, later_release, make_dcase2018
from wsed.data.clip import Clip
from wsed.data.corpus.desed import DESED, REVISIONS, check_revision
from wsed.data.corpus.desed_layout import DESED_LABELS
from wsed.errors import WsedError

ROW = {"batch": {"weak": 32}, "validation": None, "test": "test/test", "workers": 0, "sample_rate": 8000}


@pytest.fixture(scope="module")
def dcase2018(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dcase2018(tmp_path_factory.mktemp("dcase2018"), shared, first_release(shared))


def clips_with(rows) -> list[Clip]:
    events: dict[str, list] = {}
    for clip, event in rows:
        events.setdefault(clip, []).append(event)
    return [Clip(name, Path(name), "test", events=tuple(found)) for name, found in events.items()]


def test_the_dcase_2018_folder_as_it_is(dcase2018: Path) -> None:
    data = DESED(dcase2018, **ROW, revision="2018-03", holdout=0.2)
    data.setup()
    assert tuple(data.labels) == DESED_LABELS
    tables = {stage: data.table(stage) for stage in ("train", "validation", "test", "predict")}
    sizes = {stage: len(table.clips) for stage, table in tables.items()}
    assert sizes["train"] + sizes["validation"] == 79
    assert 14 <= sizes["validation"] <= 18
    assert sizes["test"] == sizes["predict"] == 288
    assert tables["train"].sources == ("weak",)
    assert tables["validation"].sources == ("validation",)
    assert tables["validation"].tagged.all()
    assert not tables["validation"].timed.any()
    assert len(tables["test"].events) == 906
    assert len(list(data.train_dataloader())) == 2


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
    with pytest.raises(WsedError, match=r"905 events.*no known revision.*set data\.revision to the release you have"):
        check_revision(clips_with(first[:-1]), "2018-03", table)
    assert set(REVISIONS) == {"2018-03", "2019-05"}


def test_the_test_table_is_checked_and_no_other(dcase2018: Path) -> None:
    data = DESED(dcase2018, **ROW, revision="2019-05")
    for stage in ("test", "predict"):
        with pytest.raises(WsedError, match=r"test\.csv is not revision 2019-05 .*revision 2018-03"):
            data.read(stage)
    assert data.read("validation") == []
    assert len(data.read("train")) == 79
    assert len(DESED(dcase2018, **ROW, predict="train/weak", revision="2019-05").read("predict")) == 79
    assert len(DESED(dcase2018, **ROW).read("test")) == 288


def test_held_out_clips_are_not_trained_on(corpus: Path) -> None:
    """Neither as weak clips, nor where another table lists the same recordings."""
    settings = {"batch": {"weak": 2, "strong": 2}, "validation": None}
    data = DESED(corpus, **settings, holdout=0.5)
    held, train = data.read("validation"), data.read("train")
    assert len(held) == 4
    assert Counter(c.source for c in train) == {"weak": 4, "strong": 4}
    assert not {c.path for c in held} & {c.path for c in train}
    assert data.stages["validation"]  # training monitors it
    assert held == DESED(corpus, **settings, holdout=0.5).read("validation")
    others = [DESED(corpus, **settings, holdout=0.5, holdout_seed=seed).read("validation") for seed in range(1, 5)]
    assert any(held != other for other in others)


def test_the_published_split_enters_a_clip_once_a_tag(dcase2018: Path) -> None:
    data = DESED(dcase2018, **ROW, holdout=0.2, holdout_split="ijcnn")
    data.setup("fit")
    entries = [clip.id for stage in ("train", "validation") for clip in data.table(stage).clips]
    assert Counter(entries) == {c.id: len(c.tags) for c in DESED(dcase2018, **ROW).read("train")}
    assert len(list(data.train_dataloader())) == -(-len(data.table("train").clips) // 32)
    assert set(data.table("train").clips[0].tags) >= {"Alarm_bell_ringing"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"holdout": 0.2, "validation": "test/test"}, r"data\.holdout .* data\.validation names the table test/test"),
        ({"holdout": 1.0}, "data.holdout must lie between 0 and 1"),
        ({"holdout": 0.2, "batch": {"weak": 0, "strong": 2}}, "data.batch .* takes none: set data.holdout to null"),
        ({"holdout": 0.2, "holdout_split": "file"}, "clip.*ijcnn"),
        ({"revision": "2018"}, "2018-03.*2019-05"),
        ({"revision": "2018-03", "test": None}, "data.test is null"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(corpus: Path, settings: dict, message: str) -> None:
    with pytest.raises((WsedError, TypeError), match=message):  # TypeError: where annotations are checked
        DESED(corpus, **{**ROW, **settings})


@pytest.mark.parametrize(
    ("stage", "settings", "message"),
    [
        ("train", {"train": {"weak": "gone"}}, r"data\.train\.weak names it: .* or take weak out of data\.batch"),
        ("validation", {"validation": "gone"}, r"data\.validation names it: .* null and data\.holdout to 0\.2"),
        ("test", {"test": "gone"}, r"data\.test names it: .* set data\.test to null"),
        ("predict", {"test": "gone"}, r"data\.test names it"),
        ("predict", {"predict": "gone"}, r"data\.predict names it: .* leave it out"),
    ],
)
def test_a_table_that_is_not_there_names_its_setting(corpus: Path, stage: str, settings: dict, message: str) -> None:
    with pytest.raises(WsedError, match=r"no such table: .*gone\.tsv.*" + message):
        DESED(corpus, {"weak": 2}, labels=["low", "high"], **settings).read(stage)


def test_a_share_of_no_clip_is_refused(corpus: Path) -> None:
    with pytest.raises(WsedError, match=r"0\.01 of 8 weak clips is none"):
        DESED(corpus, batch={"weak": 2}, validation=None, holdout=0.01).read("train")
