"""Scores, detections and truth: how clips are laid out, chosen, padded."""

import doctest
from dataclasses import replace

import pytest
import torch

import wsed.values
from wsed.errors import WsedError
from wsed.truth import Truth, select_clips, tags_of
from wsed.types import Events, Output
from wsed.values import Detections, Scores


def clips(*lengths, labels=2):
    """Clips of some lengths; each score is the number of its frame."""
    rows = torch.arange(sum(lengths) * labels, dtype=torch.float32).reshape(-1, labels)
    names = [f"{i}.wav" for i in range(len(lengths))]
    return Scores.of_clips(names, torch.split(rows, list(lengths)), frame_rate=2.0)


def test_doctests():
    assert doctest.testmod(wsed.values).failed == 0


def test_padded_and_back():
    scores = clips(3, 1, 2)
    table, valid = scores.padded()
    assert table.shape == (3, 3, 2)
    assert valid.tolist() == [[True, True, True], [True, False, False], [True, True, False]]
    assert (table[~valid] == 0).all()
    again = scores.with_padded(table * 2)
    assert torch.equal(again.frames, scores.frames * 2)
    assert again.clip_ids == scores.clip_ids
    assert torch.equal(Scores.of_padded(table, 2.0, valid=valid).frames, scores.frames)


def test_equal_lengths_are_not_copied():
    scores = clips(4, 4)
    table, valid = scores.padded()
    assert table.data_ptr() == scores.frames.data_ptr()
    assert valid.all()
    assert scores.with_padded(table).frames.data_ptr() == table.data_ptr()


def test_durations_follow_the_frames_unless_given():
    assert clips(3, 1).durations.tolist() == [1.5, 0.5]
    given = Scores.of_clips(["a"], [torch.zeros(3, 1)], 2.0, durations=torch.tensor([1.4]))
    assert given.durations.dtype == torch.float64


def test_select_takes_every_part_of_the_chosen_clips():
    scores = replace(
        clips(3, 1, 2), clip_scores=torch.rand(3, 2), embeddings=torch.rand(3, 4), borders=torch.arange(9.0).double()
    )
    chosen = scores.select(torch.tensor([2, 0]))
    assert chosen.clip_ids == ("2.wav", "0.wav")
    assert [part.tolist() for part in chosen.split()] == [
        part.tolist() for part in (scores.split()[2], scores.split()[0])
    ]
    assert chosen.borders.tolist() == [6, 7, 8, 0, 1, 2, 3]
    assert torch.equal(chosen.clip_scores, scores.clip_scores[[2, 0]])
    assert torch.equal(chosen.embeddings, scores.embeddings[[2, 0]])
    assert scores.select(torch.arange(3)) is scores


def test_per_frame_repeats_rows():
    assert clips(2, 1).per_frame(torch.tensor([[1], [2]])).tolist() == [[1], [1], [2]]


def test_of_output_leaves_padding_out_and_needs_no_gradient():
    logits = torch.zeros(2, 3, 1, requires_grad=True)
    valid = torch.tensor([[True, True, True], [True, False, False]])
    output = Output(frame_logits=logits, clip_logits=logits[:, 0], valid=valid, frame_rate=1.0)
    scores = Scores.of_output(output, ("a", "b"), torch.tensor([3.0, 1.5]))
    assert scores.lengths.tolist() == [3, 1]
    assert not scores.frames.requires_grad
    assert scores.clip_scores.tolist() == [[0.5], [0.5]]


def test_a_tagger_has_no_frames():
    scores = Scores.of_output(Output(clip_logits=torch.zeros(1, 2)), ("a",), torch.tensor([1.0]))
    assert scores.frames is None
    assert scores.n_labels == 2
    with pytest.raises(WsedError, match="frame_logits"):
        scores.padded()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"durations": torch.ones(1)}, "one value or row per clip"),
        ({"frames": torch.zeros(2, 1)}, "both frames and lengths"),
        ({"frames": torch.zeros(2, 1), "lengths": torch.tensor([1, 2]), "frame_rate": 1.0}, "do not fit clips of 3"),
        ({"frames": torch.zeros(3, 1), "lengths": torch.tensor([1, 2])}, "frame_rate must be positive"),
        ({"frames": torch.zeros(3, 1), "lengths": torch.tensor([1, 2]), "borders": torch.zeros(3)}, "5 borders"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, message):
    with pytest.raises(WsedError, match=message):
        Scores(("a", "b"), **({"durations": torch.ones(2)} | parts))


def test_detections_above_a_threshold_per_label():
    events = Events.of([(0, 0, 0.0, 1.0), (0, 1, 0.0, 1.0), (1, 1, 0.0, 1.0)])
    found = Detections(events, torch.tensor([0.5, 0.5, 0.9]))
    assert found.above(0.5).clip.tolist() == [1]
    assert found.confident(0.5).confidence.tolist() == found.confidence[found.confidence > 0.5].tolist()
    assert found.above([0.4, 0.6]).label.tolist() == [0, 1]
    assert len(found[found.events.label == 1]) == 2


def test_truth_of_events():
    truth = Truth.of_events(Events.of([(1, 0, 0.0, 1.0), (1, 0, 2.0, 3.0)]), n_clips=2, n_labels=2)
    assert truth.tags.tolist() == [[False, False], [True, False]]
    assert truth.tagged.all()
    assert truth.timed.all()
    chosen = truth.select(torch.tensor([1]))
    assert len(chosen) == 1
    assert chosen.events.clip.tolist() == [0, 0]
    assert truth.select(torch.arange(2)) is truth


def test_select_clips_orders_by_clip_and_keeps_the_order_inside():
    events = Events.of([(0, 0, 5.0, 6.0), (1, 0, 1.0, 2.0), (0, 1, 3.0, 4.0)])
    chosen = select_clips(events, torch.tensor([1, 0]), 2)
    assert chosen.clip.tolist() == [0, 1, 1]
    assert chosen.onset.tolist() == [1.0, 5.0, 3.0]


def test_tags_of_no_events():
    assert not tags_of(Events.of([]), 1, 2).any()
