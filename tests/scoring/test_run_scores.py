"""What a run left in its folder is read back as it was."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import wsed
from wsed import WsedError, testing
from wsed.data.clip import Clip
from wsed.decoding import StepDecoder
from wsed.models.encoders.cnn import CNN
from wsed.models.network import Composed
from wsed.report.run import Evaluation, begin
from wsed.scoring.collect import Collector
from wsed.scoring.formats.run_scores import read_scores, truth_of
from wsed.scoring.report import Report
from wsed.scoring.score import detect, score, system_of
from wsed.split_folder import SplitFolder

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
    collector, decoder = Collector(), StepDecoder(median=0.1, threshold=0.5)
    collector.update(testing.output(batch), batch, 8000)
    scores, truth = collector.gather()
    report = score(system_of(scores, truth, LABELS, decoder))
    events = detect(scores, truth, decoder)
    Evaluation(scores, truth, events, report, LABELS, decoder).write(SplitFolder(tmp_path), {}, Composed(LABELS, CNN))
    return tmp_path, batch, scores, truth, decoder, report


def test_scores_read_back_give_the_same_report(written):
    folder, batch, scores, truth, decoder, report = written
    labels, again = read_scores(folder)
    assert labels == LABELS
    assert again.clip_ids == scores.clip_ids
    assert torch.equal(again.durations, scores.durations)
    torch.testing.assert_close(again.frames, scores.frames)
    torch.testing.assert_close(again.clip_scores, scores.clip_scores)
    known = truth_of(clips_of(batch), again.clip_ids, labels)
    assert torch.equal(known.tagged, truth.tagged)
    assert torch.equal(known.timed, truth.timed)
    assert torch.equal(known.tags & known.tagged, truth.tags & truth.tagged)
    found = score(system_of(again, known, labels, decoder))
    for name in ("event_f1/macro", "segment_f1/macro", "tagging_f1/macro"):
        assert found.value(name) == pytest.approx(report.value(name))
    assert Report.read(folder / "scores.json").value("event_f1/macro") == report.value("event_f1/macro")


def test_scores_of_a_run_that_did_not_keep_the_lengths(written, tmp_path):
    """As wsed 0.1 wrote them."""
    folder, _, scores, *_ = written
    for name in ("frame_scores", "clip_scores"):
        saved = dict(np.load(folder / f"{name}.npz"))
        del saved["durations"]
        np.savez(folder / f"{name}.npz", **saved)
    assert read_scores(folder, 2.0)[1].durations.tolist() == [2.0] * 6
    assert read_scores(folder)[1].durations.tolist() == pytest.approx((scores.lengths / 12.0).tolist())
    (folder / "frame_scores.npz").unlink()
    with pytest.raises(WsedError, match="give the duration of the clips"):
        read_scores(folder)


@pytest.mark.parametrize(
    ("absent", "kept"), [(("frames", "lengths"), "clip_scores.npz"), (("clip_scores",), "frame_scores.npz")]
)
def test_nothing_is_left_of_earlier_scores(written, absent, kept):
    folder, _, scores, *_ = written
    for name in ("embeddings.npz", "embeddings.png", "curves.png"):
        (folder / name).touch()
    assert (folder / "class_f1.png").is_file()
    (folder / "of_the_user.txt").touch()
    some = replace(scores.select(torch.tensor([1])), **dict.fromkeys(absent))
    begin(SplitFolder(folder), some, LABELS)
    assert {path.name for path in folder.iterdir()} == {kept, "of_the_user.txt"}
    assert read_scores(folder)[1].clip_ids == some.clip_ids == (scores.clip_ids[1],)


def test_a_folder_without_scores_and_a_clip_of_another_corpus(written, tmp_path):
    _, batch, scores, *_ = written
    with pytest.raises(WsedError, match="has no scores of a run"):
        read_scores(tmp_path / "nowhere")
    with pytest.raises(WsedError, match="are not in the corpus"):
        truth_of(clips_of(batch)[:-1], scores.clip_ids, LABELS)
