"""The decoder as a setting (YAML, checkpoint) and as a function."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from wsed.decoding import (
    StepDecoder,
    merge_gaps,
    moving_average,
    odd_frames,
    rescale,
    tag_filter,
    threshold,
    to_events,
)
from wsed.errors import WsedError
from wsed.values import Scores

PRESET = StepDecoder(rescale_edge=3, smooth=19 * 10 / 431, threshold=0.03, merge_gap=0.2)
"""As in Pellegrini, Cances, IJCNN 2019: 19 frames of 10 / 431 s, threshold 0.03, gaps under 200 ms closed."""

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/cosine_postproc.json").read_text())


def scores_of(seed: int = 0, clips: int = 3, frames: int = 80, labels: int = 2) -> torch.Tensor:
    return torch.rand(clips, frames, labels, generator=torch.Generator().manual_seed(seed))


def of(scores: torch.Tensor, rate: float = 10.0, **more) -> Scores:
    return Scores.of_padded(scores, rate, **more)


def rows(events) -> list[tuple]:
    events = getattr(events, "events", events)
    return list(zip(*(getattr(events, k).tolist() for k in ("clip", "label", "onset", "offset")), strict=True))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_cosine_penalty_preset_gives_the_golden_events(dtype):
    names = sorted(GOLDEN["cases"])
    curves = torch.stack([torch.tensor(GOLDEN["cases"][n]["curve"], dtype=dtype) for n in names], dim=1)[None]
    events = PRESET(of(curves, 43.1)).events
    expected = [(i, *span) for i, n in enumerate(names) for span in GOLDEN["cases"][n]["seconds_merged_gap_lt_0p2"]]
    assert [row[1] for row in rows(events)] == [row[0] for row in expected]
    assert torch.stack([events.onset, events.offset], 1).flatten().tolist() == pytest.approx(
        [t for _, *span in expected for t in span], abs=1e-9
    )


@pytest.mark.parametrize("merge_gap", [0.0, 0.2])
def test_golden_events(merge_gap):
    names = sorted(GOLDEN["cases"])
    curves = torch.stack([torch.tensor(GOLDEN["cases"][n]["curve"], dtype=torch.float64) for n in names], dim=1)[None]
    decoder = dataclasses.replace(PRESET, merge_gap=merge_gap)
    key = "seconds_merged_gap_lt_0p2" if merge_gap else "seconds_clean"
    for i, name in enumerate(names):
        whole = of(curves, 43.1, durations=torch.tensor([torch.inf]))
        found = [row[2:] for row in rows(decoder(whole)) if row[1] == i]
        assert found == [pytest.approx(span, abs=1e-9) for span in GOLDEN["cases"][name][key]]
    # An event that goes on beyond the clip is cut there.
    assert float(decoder(of(curves, 43.1, durations=torch.tensor([9.0]))).events.offset.max()) == 9.0


def test_steps_in_order():
    scores, tags = scores_of(), torch.tensor([[True, False], [True, True], [False, False]])
    decoder = StepDecoder(rescale_edge=3, smooth=0.5, threshold=0.6, merge_gap=0.2, tags="clip", tag_threshold=0.5)
    curves = moving_average(rescale(scores, 3), 5)
    expected = merge_gaps(to_events(tag_filter(threshold(curves, 0.6), tags), 10.0), 0.2)
    assert rows(decoder(of(scores, clip_scores=tags.float()))) == rows(expected)
    assert len(expected) > 3
    oracle = dataclasses.replace(decoder, tags="oracle")
    assert rows(oracle(of(scores), tags)) == rows(expected)


def test_padding_changes_nothing():
    decoder = StepDecoder(rescale_edge=3, smooth=0.5, median=[0.3, 0.7], threshold=0.6, low=0.4, merge_gap=0.2)
    lengths = torch.tensor([80, 31, 6])
    valid = torch.arange(80)[None] < lengths[:, None]
    together = decoder(of(scores_of(), valid=valid))
    alone = [decoder(of(scores_of()[i : i + 1, :n])) for i, n in enumerate(lengths.tolist())]
    assert rows(together) == [(i, *row[1:]) for i, events in enumerate(alone) for row in rows(events)]
    assert together.confidence.tolist() == pytest.approx(torch.cat([each.confidence for each in alone]).tolist())
    assert (together.events.offset <= lengths.double()[together.events.clip] / 10).all()


def test_one_threshold_per_label():
    scores = scores_of()
    events = StepDecoder(threshold=[0.2, 2.0])(of(scores)).events
    assert set(events.label.tolist()) == {0}


def test_confidence_is_the_mean_score_of_the_active_frames():
    curve = torch.tensor([0.0, 0.6, 0.8, 0.1, 0.9, 0.0, 0.0, 0.7, 0.0, 0.0])[None, :, None]
    found = StepDecoder(threshold=0.5)(of(curve))
    assert found.confidence.tolist() == pytest.approx([0.7, 0.9, 0.7])
    joined = StepDecoder(threshold=0.5, merge_gap=0.15)(of(curve))
    assert joined.events.onset.tolist() == [0.1, 0.7]
    assert joined.confidence.tolist() == pytest.approx([(0.6 + 0.8 + 0.9) / 3, 0.7])  # the gap does not count
    lasting = StepDecoder(threshold=0.5, merge_gap=0.15, min_duration=0.3)(of(curve))
    assert lasting.confidence.tolist() == joined.confidence[:1].tolist()
    cut = StepDecoder(threshold=0.5)(of(curve, durations=torch.tensor([0.5])))
    assert cut.confidence.tolist() == pytest.approx([0.7, 0.9])


def test_durations_and_short_events():
    active = torch.zeros(1, 20, 1)
    active[0, 2] = active[0, 8:] = 1.0
    decoder = StepDecoder(min_duration=0.2)
    assert rows(decoder(of(active, durations=torch.tensor([1.95])))) == [(0, 0, 0.8, pytest.approx(1.95))]


@pytest.mark.parametrize("shape", [(0, 20, 2), (2, 0, 2), (2, 1, 2)], ids=["no clips", "no frames", "one frame"])
def test_hardly_any_scores_give_no_events(shape):
    decoder = StepDecoder(rescale_edge=3, smooth=0.5, median=0.3, low=0.2, merge_gap=0.2, min_duration=0.1)
    assert len(decoder(of(torch.rand(*shape)))) == 0


@pytest.mark.parametrize("n", [1, 3, 19, 21, 101])
@pytest.mark.parametrize("rate", [43.1, 62.5, 15.625, 50.0, 100 / 3])
def test_a_window_written_in_seconds_is_that_window(n, rate):
    assert odd_frames(n / rate, rate) == n
    assert odd_frames((n + 0.4) / rate, rate) == odd_frames((n - 0.4) / rate, rate) == n


def test_values_are_plain_and_give_the_decoder_back():
    decoder = StepDecoder(smooth=0.4, median=[0.3, 0.5], threshold=[0.1, 0.9], low=0.05, tags="clip")
    assert StepDecoder(**json.loads(json.dumps(dataclasses.asdict(decoder)))) == decoder


def test_jsonargparse_reads_it_from_yaml():
    jsonargparse = pytest.importorskip("jsonargparse")
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("--decoder", type=StepDecoder)
    given = {
        "decoder": {"rescale_edge": 3, "smooth": 0.441, "threshold": [0.03, 0.5], "merge_gap": 0.2, "tags": "clip"}
    }
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes  # renamed in jsonargparse 4.5x
    made = instantiate(parser.parse_object(given)).decoder
    assert made == StepDecoder(rescale_edge=3, smooth=0.441, threshold=[0.03, 0.5], merge_gap=0.2, tags="clip")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"smooth": 0.0}, "decoder.smooth must be more than 0"),
        ({"median": [0.1, -1.0]}, "decoder.median must be more than 0"),
        ({"rescale_edge": -1}, "decoder.rescale_edge must be 0 or more"),
        ({"merge_gap": -0.1}, "decoder.merge_gap must be 0 or more"),
        ({"merge_gap": [0.1, -0.1]}, "decoder.merge_gap must be 0 or more"),
        ({"merge_gap": [0.1, float("inf")]}, "decoder.merge_gap must be 0 or more and finite"),
        ({"min_duration": float("nan")}, "decoder.min_duration must be 0 or more"),
        ({"threshold": [0.5, 0.2], "low": 0.3}, "decoder.low"),
        ({"tags": "some"}, "none.*clip.*oracle"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises((WsedError, TypeError), match=message):  # TypeError: where annotations are checked
        StepDecoder(**settings)


def test_missing_tags_are_named():
    with pytest.raises(WsedError, match="no clip scores"):
        StepDecoder(tags="clip")(of(scores_of()))
    with pytest.raises(WsedError, match="true tags"):
        StepDecoder(tags="oracle")(of(scores_of()))
    with pytest.raises(WsedError, match="frame_rate"):
        StepDecoder()(of(scores_of(), 0.0))


def test_the_confidence_of_an_event_at_the_end_of_a_rescaled_clip_is_at_most_1():
    """The greatest score is taken without the edges: an event there had a confidence of 200."""
    curve = torch.full((40,), 0.001)
    curve[:3], curve[20:25] = 0.9, 0.0055
    for decoder in (StepDecoder(rescale_edge=3, threshold=0.3), StepDecoder(rescale_edge=3, smooth=0.3, threshold=0.3)):
        found = decoder(Scores.of_padded(curve[None, :, None], frame_rate=10.0))
        assert found.events.onset[0] == 0
        assert found.confidence[0] == 1
        assert 0.3 < found.confidence[1] <= 1
