"""DESED as a corpus: its folders, and validation clips held out of the weak ones."""

from collections import Counter
from pathlib import Path

import pytest

from tests.data.dcase2018 import first_release, make_dcase2018
from tests.data.modules import listed, module
from wsed.data.corpus.desed import DESED
from wsed.data.corpus.desed_layout import DESED_LABELS
from wsed.data.holdout import Holdout
from wsed.data.module import SEDDataModule
from wsed.errors import WsedError

ROW = {"validation": None, "test": "test/test"}
WEAK = {"weak": 32}


@pytest.fixture(scope="module")
def dcase2018(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dcase2018(tmp_path_factory.mktemp("dcase2018"), shared, first_release(shared))


def test_the_dcase_2018_folder_as_it_is(dcase2018: Path) -> None:
    data = module(DESED(dcase2018, **ROW), WEAK, holdout=0.2, sample_rate=8000)
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


@pytest.mark.parametrize(
    ("settings", "holdout", "message"),
    [
        (
            {"validation": "test/test"},
            {"share": 0.2},
            r"holdout .* set data\.corpus\.validation or data\.holdout to",
        ),
        ({}, {"share": 1.0}, "data.holdout.share must lie between 0 and 1"),
        ({}, {"share": 0.2, "by": "file"}, "clip.*group"),
        ({}, {"share": 0.2, "group": "site"}, "data.holdout.group is 'site', but data.holdout.by is 'clip'"),
        ({"annotated": {"strnog": ["low"]}}, None, "annotated: unknown source 'strnog' .did you mean strong"),
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
            r"data\.corpus\.train\.weak to another table, or take weak out of data\.batch",
        ),
        (
            "validation",
            {"validation": "gone"},
            r"data\.corpus\.validation to another table, or set .* null and data\.holdout to 0\.2",
        ),
        ("test", {"test": "gone"}, r"data\.corpus\.test to another table, or set data\.corpus\.test to null"),
        ("predict", {"test": "gone"}, r"data\.corpus\.test to another table"),
        ("predict", {"predict": "gone"}, r"data\.corpus\.predict to another table, or leave it out"),
    ],
)
def test_a_table_that_is_not_there_names_its_setting(corpus: Path, stage: str, settings: dict, message: str) -> None:
    with pytest.raises(WsedError, match=r"no such table: .*gone\.tsv.*" + message):
        DESED(corpus, labels=["low", "high"], **settings).clips(stage, ["weak"])


def test_a_share_of_no_clip_is_refused(corpus: Path) -> None:
    with pytest.raises(WsedError, match=r"share 0\.01 of 8 weak clips, rounded .* holds out none: raise it"):
        listed(module(DESED(corpus, validation=None), {"weak": 2}, holdout=0.01), "train")


def test_a_table_that_the_user_names_must_exist_even_if_no_batch_asks_for_it(corpus: Path) -> None:
    named = DESED(corpus, train={"mine": "train/mine"})
    with pytest.raises(WsedError, match=r"Set data\.corpus\.train\.mine .* or take it out of data\.corpus\.train"):
        named.clips("train", ["weak"])
