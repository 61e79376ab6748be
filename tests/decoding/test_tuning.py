"""Which of the thresholds that are tried is chosen, and what is kept where none is better than another."""

import dataclasses

import pytest
import torch

from wsed.decoding import StepDecoder, tune_events
from wsed.decoding.sebb import BoxDecoder
from wsed.decoding.tuning import Tuning
from wsed.errors import WsedError
from wsed.metrics import event_counts
from wsed.truth import Truth
from wsed.types import Events
from wsed.values import Scores


def of(curve: torch.Tensor, **more) -> Scores:
    return Scores.of_padded(curve, 10.0, **more)


def micro(decoder, scores: Scores, truth: Truth) -> float:
    return event_counts(truth.events, decoder(scores).events, truth.tags.shape[1]).micro_f1


def test_a_class_that_nothing_detects_keeps_the_decoders_own_values():
    """The events of class 1 are silent: no threshold finds them, and the lowest would detect it in all clips."""
    curve = torch.full((10, 60, 2), 0.05)
    curve[::2, 10:20, 0] = 0.9
    events = [(clip, 0, 1.0, 2.0) for clip in range(0, 10, 2)] + [(clip, 1, 4.0, 4.4) for clip in range(10)]
    truth, decoder = Truth.of_events(Events.of(events), 10, 2), StepDecoder(threshold=[0.3, 0.4], merge_gap=0.2)
    before = micro(decoder, of(curve), truth)
    for own in (decoder, dataclasses.replace(decoder, median=0.3)):
        tuned, _ = Tuning(thresholds="events", medians=[0.0, 0.5], gaps=[0.0, 1.0]).tune(
            own, of(curve), truth, event_counts
        )
        assert (tuned.threshold[1], tuned.merge_gap[1]) == (0.4, 0.2)
        assert tuned.median[1] == (own.median or 0.1)  # one frame: no filter
        assert micro(tuned, of(curve), truth) >= before
    alone = Truth.of_events(Events.of([row for row in events if row[1] == 1]), 10, 2)
    assert tune_events(decoder, of(curve), alone, event_counts, "val").values["threshold"] == (0.3, 0.4)
    with pytest.raises(WsedError, match="3 values of threshold for 2 labels"):
        tune_events(StepDecoder(threshold=[0.1, 0.2, 0.3]), of(curve), truth, event_counts, "val")


@pytest.mark.parametrize("decoder", [StepDecoder(), BoxDecoder()])
def test_of_equally_good_thresholds_the_one_in_the_middle_is_chosen(decoder):
    """All thresholds between 0.2 and 0.8 find the events and nothing else; class 2 has no events."""
    curve = torch.full((4, 60, 3), 0.2)
    curve[:, 10:30] = 0.8
    events = Events.of([(clip, label, 1.0, 3.0) for clip in range(4) for label in (0, 1)])
    tuned = tune_events(decoder, of(curve), Truth.of_events(events, 4, 3), event_counts, "val")
    assert tuned.values["threshold"] == pytest.approx((0.49,) * 3)
    assert tuned.score[:2] == (1.0, 1.0)
    levels = [0.1, 0.3, 0.9]  # a run of one
    assert tune_events(
        decoder, of(curve), Truth.of_events(events, 4, 3), event_counts, "val", thresholds=levels
    ).values == {"threshold": (0.3,) * 3}


@pytest.mark.parametrize(
    "tuning", [Tuning(tags="exact"), Tuning(tags="grid"), Tuning(tags="random"), Tuning(thresholds="segments")]
)
@pytest.mark.parametrize("own", [0.3, [0.2, 0.3, 0.4]])
def test_a_class_without_positives_keeps_the_decoders_threshold(tuning, own):
    """Class 2 is in no clip."""
    noise = torch.rand(20, 60, 3, generator=torch.Generator().manual_seed(0))
    curve = 0.2 * noise
    curve[::2, 10:30, :2] += 0.5
    events = Events.of([(clip, label, 1.0, 3.0) for clip in range(0, 20, 2) for label in (0, 1)])
    truth, scores = Truth.of_events(events, 20, 3), of(curve, clip_scores=curve.amax(1))
    decoder, done = tuning.tune(StepDecoder(threshold=own, tag_threshold=own), scores, truth, event_counts)
    name = "tag_threshold" if tuning.tags else "threshold"
    values = done["values"][name]
    assert values[2] == (own if isinstance(own, float) else 0.4)
    assert values == (decoder.tag_threshold if tuning.tags else decoder.threshold)
    assert all(0.15 < value < 0.75 for value in values[:2])


@pytest.mark.parametrize("tags", ["exact", "grid", "random"])
def test_a_tag_that_is_never_found_keeps_the_decoders_threshold(tags):
    """The decoder's own tags of class 1 score -inf where they are true, so that every threshold has an F1 of 0."""
    true = torch.tensor([[True, True], [False, False]])
    scores = Scores.of_padded(torch.zeros(2, 1, 2), 1.0, clip_scores=torch.tensor([[0.9, -torch.inf], [0.1, 0.2]]))
    truth = dataclasses.replace(Truth.of_events(Events.of([]), 2, 2), tags=true)
    decoder, _ = Tuning(tags=tags).tune(StepDecoder(tag_threshold=0.3), scores, truth, event_counts)
    assert decoder.tag_threshold[1] == 0.3
