"""DESED as a corpus: releases of the test annotation, and validation clips held out of the weak ones."""

from collections import Counter
from pathlib import Path

import pytest

from tests.data.dcase2018 import first_release, later_release, make_dcase2018
from tests.data.modules import listed, module
from wsed.data.clip import Clip
from wsed.data.corpus.desed import DESED, REVISIONS, check_revision
from wsed.data.corpus.desed_layout import DESED_LABELS
from wsed.data.holdout import Holdout
from wsed.data.module import SEDDataModule
from wsed.errors import WsedError

ROW = {"validation": None, "test": "test/test"}
WEAK = {"weak": 32}


@pytest.fixture(scope="module")
def dcase2018(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dcase2018(tmp_path_factory.mktemp("dcase2018"), shared, first_release(shared))


def clips_with(rows) -> list[Clip]:
    events: dict[str, list] = {}
    for clip, event in rows:
        events.setdefault(clip, []).append(event)
    return [Clip(name, Path(name), "test", events=tuple(found)) for name, found in events.items()]


def test_the_dcase_2018_folder_as_it_is(dcase2018: Path) -> None:
    data = module(DESED(dcase2018, **ROW, revision="2018-03"), WEAK, holdout=0.2, sample_rate=8000)
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
    with pytest.raises(WsedError, match=r"905 events.*no known revision.*set data\.corpus\.revision to the release"):
        check_revision(clips_with(first[:-1]), "2018-03", table)
    assert set(REVISIONS) == {"2018-03", "2019-05"}


def test_the_test_table_is_checked_and_no_other(dcase2018: Path) -> None:
    data = DESED(dcase2018, **ROW, revision="2019-05")
    for stage in ("test", "predict"):
        with pytest.raises(WsedError, match=r"test\.csv is not revision 2019-05 .*revision 2018-03"):
            data.clips(stage)
    assert data.clips("validation") == []
    assert len(data.clips("train")) == 79
    assert len(DESED(dcase2018, **ROW, predict="train/weak", revision="2019-05").clips("predict")) == 79
    assert len(DESED(dcase2018, **ROW).clips("test")) == 288


def test_held_out_clips_are_not_trained_on(corpus: Path) -> None:
    """Neither as weak clips, nor where another table lists the same recordings."""

    def halved(seed: int = 0) -> SEDDataModule:
        return module(DESED(corpus, validation=None), {"weak": 2, "strong": 2}, holdout=Holdout(0.5, seed=seed))

    held, train = listed(halved(), "validation"), listed(halved(), "train")
    assert len(held) == 4
    assert Counter(c.source for c in train) == {"weak": 4, "strong": 4}
    assert not {c.path for c in held} & {c.path for c in train}
    assert halved().has("validation")  # training monitors it
    assert held == listed(halved(), "validation")
    assert any(held != listed(halved(seed), "validation") for seed in range(1, 5))


def test_the_published_split_enters_a_clip_once_a_tag(dcase2018: Path) -> None:
    data = module(DESED(dcase2018, **ROW), WEAK, holdout=Holdout(0.2, by="class"), sample_rate=8000)
    data.setup("fit")
    entries = [clip.id for stage in ("train", "validation") for clip in data.table(stage).clips]
    assert Counter(entries) == {c.id: len(c.tags) for c in DESED(dcase2018, **ROW).clips("train")}
    assert len(list(data.train_dataloader())) == -(-len(data.table("train").clips) // 32)
    assert set(data.table("train").clips[0].tags) >= {"Alarm_bell_ringing"}


@pytest.mark.parametrize(
    ("settings", "holdout", "message"),
    [
        (
            {"validation": "test/test"},
            {"share": 0.2},
            r"holdout .* set data\.corpus\.validation or data\.holdout to",
        ),
        ({}, {"share": 1.0}, "data.holdout.share must lie between 0 and 1"),
        ({}, {"share": 0.2, "by": "file"}, "clip.*class"),
        ({}, {"share": 0.2, "group": "site"}, "data.holdout.group is 'site' and data.holdout.by 'clip'"),
        ({"revision": "2018"}, None, "2018-03.*2019-05"),
        ({"revision": "2018-03", "test": None}, None, "data.corpus.test is null"),
        ({"annotated": {"strnog": ["low"]}}, None, "annotated names the source 'strnog' .did you mean strong"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(corpus: Path, settings, holdout, message: str) -> None:
    with pytest.raises((WsedError, TypeError), match=message):  # TypeError: where annotations are checked
        module(DESED(corpus, **{**ROW, **settings}), WEAK, holdout=holdout and Holdout(**holdout))


def test_clips_are_held_out_of_sources_that_a_batch_takes(corpus: Path) -> None:
    data = module(DESED(corpus, validation=None), {"weak": 0, "strong": 2}, holdout=Holdout(0.2, sources=("weak",)))
    with pytest.raises(WsedError, match=r"data.holdout.sources names 'weak'.* or add it to data.batch"):
        data.check_labels("validation")


@pytest.mark.parametrize(
    ("stage", "settings", "message"),
    [
        (
            "train",
            {"train": {"weak": "gone"}},
            r"data\.corpus\.train\.weak names it: .* take weak out of data\.batch",
        ),
        ("validation", {"validation": "gone"}, r"data\.corpus\.validation names it: .* null and data\.holdout to 0\.2"),
        ("test", {"test": "gone"}, r"data\.corpus\.test names it: .* set data\.corpus\.test to null"),
        ("predict", {"test": "gone"}, r"data\.corpus\.test names it"),
        ("predict", {"predict": "gone"}, r"data\.corpus\.predict names it: .* leave it out"),
    ],
)
def test_a_table_that_is_not_there_names_its_setting(corpus: Path, stage: str, settings: dict, message: str) -> None:
    with pytest.raises(WsedError, match=r"no such table: .*gone\.tsv.*" + message):
        DESED(corpus, labels=["low", "high"], **settings).clips(stage, ["weak"])


def test_a_share_of_no_clip_is_refused(corpus: Path) -> None:
    with pytest.raises(WsedError, match=r"0\.01 of 8 weak clips is none"):
        listed(module(DESED(corpus, validation=None), {"weak": 2}, holdout=0.01), "train")
