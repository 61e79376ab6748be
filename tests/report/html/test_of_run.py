"""The truth on the page of a run is that of its test."""

from pathlib import Path

import numpy as np
import pytest
import torch

from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.collate import Collate, Item
from wsed.report.html.of_run import _cut
from wsed.scoring.formats.run_scores import truth_of
from wsed.types import Labels
from wsed.values import Scores

LABELS = Labels(["Dog", "Cat"])


@pytest.mark.parametrize(
    ("clip", "annotated"),
    [
        (Clip("a", Path("a"), "s", frozenset({"Dog"}), (("Dog", 12.0, 13.0),), duration=20.0), {}),
        (Clip("a", Path("a"), "s", frozenset({"Dog"}), (("Dog", 2.0, 13.0),), duration=20.0), {"s": ["Dog"]}),
        (Clip("a", Path("a"), "s", frozenset({"Dog"}), (), duration=20.0, unsure=frozenset({"Cat"})), {}),
        (Clip("a", Path("a"), "s", frozenset({"Dog"}), None, duration=20.0, unsure=frozenset({"Dog"})), {}),
    ],
)
def test_tags_and_what_is_known_are_those_of_the_batch(clip, annotated):
    scores = Scores.of_padded(torch.zeros(1, 10, 2), frame_rate=1.0, clip_ids=["a"])
    truth = _cut(truth_of([clip], ["a"], LABELS), scores, [clip], annotated, LABELS)
    table = ClipTable.of([clip], LABELS, end=10.0, annotated=annotated)
    batch = Collate(table)([Item(0, 80, np.zeros(80, dtype=np.float32))])
    assert torch.equal(truth.tags, batch.clip_labels > 0)
    assert torch.equal(truth.tagged, batch.tagged)
    assert torch.equal(truth.timed, batch.timed)
    assert torch.equal(truth.events.offset, batch.events.offset)
