"""What is known of clips, as arrays."""

from pathlib import Path

import pytest

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.corpus.desed_layout import read_clips
from wsed.errors import WsedError
from wsed.types import Labels

LABELS = Labels(["high", "low"])


def test_an_unknown_label_names_its_clip(corpus):
    with pytest.raises(WsedError, match=r"train_1.wav \(weak\) has the label 'high'.*data.corpus.labels .low.: add"):
        ClipTable.of(read_clips(corpus, "train/weak", "weak"), Labels(["low"]))


@pytest.mark.parametrize(
    "what", [{"events": (("Cow", 1.0, 2.0),)}, {"unsure": frozenset({"Cow"})}, {"confidence": {"Cow": 0.5}}]
)
def test_an_unknown_label_outside_the_tags_names_its_clip_too(what):
    clip = Clip("a.wav", Path("a.wav"), "weak", frozenset(), **what)
    with pytest.raises(WsedError, match=r"clip a.wav \(weak\) has the label 'Cow'"):
        ClipTable.of([clip], Labels(["Dog"]))


def test_what_begins_after_the_part_that_is_read_is_no_tag():
    events = (("high", 1.0, 2.0), ("high", 20.0, 21.0), ("low", 20.0, 21.0))
    clip = Clip("a.wav", Path("a.wav"), "strong", frozenset(LABELS), events, 60.0)
    assert ClipTable.of([clip], LABELS).tags.tolist() == [[1.0, 1.0]]
    assert ClipTable.of([clip], LABELS, end=10.0).tags.tolist() == [[1.0, 0.0]]
