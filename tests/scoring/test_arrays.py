"""Scores and targets as arrays, and events as a table of pandas."""

import numpy as np
import pytest
import torch

from wsed import Events, Labels, WsedError, score_arrays
from wsed.decoding import StepDecoder
from wsed.metrics import average_precision, event_counts, psds_from_scores
from wsed.metrics.joined import joined
from wsed.values import Scores


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    true = np.repeat(rng.random((4, 10, 2)) > 0.6, 2, axis=1)
    return np.clip(0.6 * true + 0.6 * rng.random(true.shape), 0, 1), true


def test_arrays_of_numpy_and_torch_and_lists_give_the_same(arrays):
    scores, true = arrays
    report = score_arrays(scores, true, ["a", "b"], frame_rate=2.0)
    for ways in ((torch.from_numpy(scores), torch.from_numpy(true)), (list(scores), list(true))):
        assert score_arrays(*ways, ["a", "b"], frame_rate=2.0).to_json() == report.to_json()
    exact = Scores.of_clips(list("0123"), [torch.from_numpy(clip) for clip in scores], 2.0)
    rows = [(c, k, i / 2, i / 2 + 0.5) for c, i, k in np.argwhere(true).tolist()]
    events = joined(Events.of(rows), touching=True)
    assert report.value("psds1") == psds_from_scores(exact, events).value
    found = StepDecoder()(exact).events
    assert report.value("event_f1/macro") == event_counts(events, found, 2).macro_f1
    assert score_arrays(scores, events, ["a", "b"], frame_rate=2.0).to_json() == report.to_json()


def test_tags(arrays):
    scores, true = (part.max(1) for part in arrays)
    report = score_arrays(scores, true, ["a", "b"])
    assert report.value("tagging/macro_ap") == pytest.approx(
        np.nanmean(average_precision(torch.from_numpy(true), torch.from_numpy(scores)))
    )
    assert "psds1" not in report.computed


def test_mistakes_are_named(arrays):
    scores, true = arrays
    for call, message in (
        (lambda: score_arrays(scores, true, ["a", "b"]), "need frame_rate"),
        (lambda: score_arrays(scores.transpose(0, 2, 1), true, ["a", "b"], frame_rate=2.0), "labels the last one"),
        (lambda: score_arrays("scores.npz", true, ["a", "b"]), "got str"),
        (lambda: score_arrays(scores, true[:, :5], ["a", "b"], frame_rate=2.0), "the clips and frames of the scores"),
        (lambda: score_arrays(scores[:, 0], true, ["a", "b"]), "are of tags"),
        (lambda: score_arrays(scores * np.nan, true, ["a", "b"], frame_rate=2.0), "scores hold NaN"),
        (lambda: score_arrays(scores[:1], Events.of([(3, 0, 0.0, 1.0)]), ["a", "b"], frame_rate=2.0), "in clip 3"),
    ):
        with pytest.raises(WsedError, match=message):
            call()


def test_events_of_a_table_of_pandas():
    pandas = pytest.importorskip("pandas", reason="needs the extra `eval`")
    frame = pandas.DataFrame(
        {
            "filename": ["b.wav", "a.wav", "c.wav"],
            "onset": [1.0, 0.5, np.nan],
            "offset": [2.0, 3.0, np.nan],
            "event_label": ["Dog", "Cat", np.nan],
        }
    )
    names, labels = ["a.wav", "b.wav", "c.wav"], Labels(["Cat", "Dog"])
    events = Events.from_frame(frame, names, labels)
    assert (events.clip.tolist(), events.label.tolist(), events.offset.tolist()) == ([1, 0], [1, 0], [2.0, 3.0])
    for change, message in (
        ({"event_label": ["Dogg", "Cat", None]}, r"row 0 of the table: unknown class 'Dogg' \(did you mean Dog"),
        ({"filename": ["x.wav", "a.wav", "c.wav"]}, "unknown clip 'x.wav'"),
        ({"offset": [0.5, 3.0, 0.0]}, "row 0 of the table: onset 1.0 and offset 0.5 are not times"),
    ):
        with pytest.raises(WsedError, match=message):
            Events.from_frame(frame.assign(**change), names, labels)
    with pytest.raises(WsedError, match="no column event_label"):
        Events.from_frame(frame.drop(columns="event_label"), names, labels)
    with pytest.raises(WsedError, match="not str"):
        Events.from_frame("events.tsv", names, labels)
