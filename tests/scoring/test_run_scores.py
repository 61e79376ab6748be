"""What a run left in its folder is read back as it was."""

from pathlib import Path

import pytest
import torch
from wsed.metrics.store import ScoreStore
from wsed.report.finished import read_store

import wsed
from wsed import WsedError, testing
from wsed.data.clip import Clip
from wsed.decoding import StepDecoder
from wsed.models.encoders.cnn import CNN
from wsed.models.network import Composed
from wsed.report.run import Evaluation

LABELS = wsed.Labels("abc")


def clips_of(batch):
    """The clips of a batch as a corpus would tell of them."""
    found = []
    for i, name in enumerate(batch.clip_ids):
        mine = batch.events[batch.events.clip == i]
        rows = zip(mine.label.tolist(), mine.onset.tolist(), mine.offset.tolist(), strict=True)
        events = tuple((LABELS.names[label], onset, offset) for label, onset, offset in rows)
        tags = frozenset(LABELS.names[c] for c in range(3) if batch.clip_labels[i, c] > 0)
        timed = bool(batch.timed[i].all())
        found.append(
            Clip(name, Path(name), "test", tags if bool(batch.tagged[i].all()) else None, events if timed else None)
        )
    return found


@pytest.fixture
def written(tmp_path):
    batch = testing.batch(6, 3)
    store, decoder = ScoreStore(), StepDecoder(median=0.1, threshold=0.5)
    store.update(testing.output(batch), batch, 8000)
    store = store.gather()
    report = store.system(LABELS, decoder).figures()
    Evaluation(store, store.detected(decoder), report, LABELS, decoder).write(tmp_path, {}, Composed(LABELS, CNN))
    return tmp_path, batch, store, decoder, report


def test_scores_read_back_give_the_same_report(written):
    folder, batch, store, decoder, report = written
    seconds = float(batch.audio.shape[1] / 8000)
    labels, again = read_store(folder, clips_of(batch), seconds)
    assert labels == LABELS
    assert again.clip_ids == store.clip_ids
    for mine, its in zip(again.rows.values(), store.rows.values(), strict=True):
        torch.testing.assert_close(mine.frame_scores, its.frame_scores)
        torch.testing.assert_close(mine.clip_scores, its.clip_scores)
        torch.testing.assert_close(mine.events.sort(0).values, its.events.sort(0).values)
        assert (mine.tagged, mine.timed) == (its.tagged, its.timed)
    found = again.system(labels, decoder).figures()
    for name in ("event_f1", "segment_f1", "tagging_f1"):
        assert found[name]["macro"] == pytest.approx(report[name]["macro"])


def test_a_folder_without_scores_and_a_clip_of_another_corpus(written, tmp_path):
    folder, batch, *_ = written
    with pytest.raises(WsedError, match="holds no scores of a run"):
        read_store(tmp_path / "nowhere", [], 10.0)
    with pytest.raises(WsedError, match="which are not in the corpus"):
        read_store(folder, clips_of(batch)[:-1], 10.0)
