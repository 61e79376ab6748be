"""All figures of a system, its intervals, the comparison of two, and the torchmetrics faces."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from wsed import Labels, WsedError, testing
from wsed.decoding import BoxDecoder, StepDecoder
from wsed.metrics import PSDS1, PSDS2, event_counts, intersection_counts, psds_from_scores
from wsed.metrics.bootstrap import bootstrap, clip_counts
from wsed.metrics.detections import Detections, FrameScores, Tags
from wsed.metrics.faces import F1, AllFigures, PSDSScore, TaggingScore
from wsed.metrics.scores import System, comparison, intervals
from wsed.metrics.store import ScoreStore
from wsed.types import Events
from wsed.values import Scores

N_CLIPS, N_LABELS, RATE = 12, 3, 10.0
NAMES = Labels("abc")


def system(found=0.7):
    """Finds a share of the events, surer of some than of others, and is wrong in some clips."""
    draw = np.random.default_rng(1)
    rows = [(c, int(draw.integers(N_LABELS)), 1.0 + c % 3, 4.0 + c % 4) for c in range(N_CLIPS)]
    rows.append((0, (rows[0][1] + 1) % N_LABELS, 2.0, 3.0))
    reference = Events.of(rows)
    sure = [(*row[:2], row[2] + 0.1, row[3] - 0.1) for row in rows if draw.uniform() < found]
    wrong = [(c, (rows[c][1] + 1) % N_LABELS, 7.0, 9.0) for c in range(N_CLIPS) if draw.uniform() > found]
    said = Events.of(sure + wrong)
    said = replace(said, gain=torch.from_numpy(draw.uniform(0.3, 1.0, len(said))))
    scores = said.rasterise(N_CLIPS, N_LABELS, 100, RATE)
    decoder = StepDecoder(median=0.5, threshold=0.45)
    detected = decoder(Scores.of_padded(scores, RATE)).events
    durations = torch.full((N_CLIPS,), 10.0, dtype=torch.float64)
    true = torch.zeros(N_CLIPS, N_LABELS, dtype=torch.bool)
    true[reference.clip, reference.label] = True
    tags = Tags(true, scores.amax(1) > 0.8, scores.amax(1))
    detections = Detections(N_LABELS, N_CLIPS, reference, detected, durations, FrameScores(scores, RATE))
    return System(NAMES, detections, tags)


def test_figures_are_those_of_the_single_metrics():
    mine = system()
    found, d = mine.figures(rocs=True), mine.detections
    counts = event_counts(d.reference, d.detected, N_LABELS)
    assert found["event_f1"]["macro"] == counts.macro_f1
    assert found["event_f1"]["micro_error_rate"] == counts.micro_error_rate
    assert found["intersection_f1"]["micro"] == intersection_counts(d.reference, d.detected, N_LABELS).micro_f1
    for name, parameters in (("psds1", PSDS1), ("psds2", PSDS2)):
        exact = psds_from_scores(d.scores.scores, d.reference, d.durations, parameters, frame_rate=RATE)
        assert found[name] == exact.value
        bare = replace(parameters, alpha_st=0.0)
        without = psds_from_scores(d.scores.scores, d.reference, d.durations, bare, frame_rate=RATE).value
        assert found["psds"][name]["without_variance_penalty"] == pytest.approx(without, abs=1e-12)
        assert found["psds"][name]["roc"]["tpr"] == exact.roc.tpr.tolist()
    e = found["event_f1"]
    assert e["n_ref"] == e["tp"] + e["substitutions"] + e["deletions"]
    assert e["n_sys"] == e["tp"] + e["substitutions"] + e["insertions"]
    errors = e["substitutions"] + e["deletions"] + e["insertions"]
    assert e["micro_error_rate"] * e["n_ref"] == pytest.approx(errors)
    assert np.trace(found["confusion"]["pairs"]) == e["tp"]
    assert found["overlap_minutes"]["reference"] == pytest.approx(1 / 60)


def test_intervals_are_those_of_the_bootstrap_and_hold_the_value():
    mine = system()
    found, values = intervals(mine, resamples=300, seed=4), mine.figures()
    d = mine.detections
    single = bootstrap(
        clip_counts(event_counts, d.reference, d.detected, N_CLIPS, N_LABELS).statistic(),
        N_CLIPS,
        resamples=300,
        method="centred",
        seed=4,
    )
    assert found["event_f1"]["macro"] == {"low": single.low, "high": single.high, "std": single.std}
    for name in ("psds1", "psds2"):
        assert 0 <= found[name]["low"] <= values[name] <= found[name]["high"] <= 1
        assert found[name]["std"] > 0
    for figure in ("segment_f1", "intersection_f1", "tagging_f1"):
        for average in ("macro", "micro"):
            assert found[figure][average]["low"] <= values[figure][average] <= found[figure][average]["high"]
    assert found["tagging"]["macro_ap"]["low"] <= values["tagging"]["macro_ap"] <= found["tagging"]["macro_ap"]["high"]
    assert (found["resamples"], found["method"]) == (300, "centred")


def test_a_better_system_is_found_better_and_an_equal_one_is_not():
    good, bad = system(found=0.95), system(found=0.2)
    found = comparison(bad, good, resamples=300)
    for figure in (found["event_f1"]["macro"], found["psds1"], found["psds2"]):
        assert figure["difference"] == pytest.approx(figure["second"] - figure["first"])
        assert figure["low"] > 0
        assert figure["p"] < 0.05
    same = comparison(good, good, resamples=100)
    assert same["psds1"]["difference"] == 0
    assert same["psds1"]["p"] == 1


def test_what_is_not_known_is_left_out():
    whole = system()
    tags_only = replace(whole, detections=None)
    assert set(tags_only.figures()) == {"tagging_f1", "tagging"}
    assert tags_only.psds("psds1") is None
    bare = replace(whole, tags=None, detections=replace(whole.detections, durations=None))
    found = bare.figures()
    assert found["psds1"] is None
    assert "tagging_f1" not in found
    assert "psds1" not in intervals(bare, resamples=20)
    with pytest.raises(KeyError):
        bare.counts("tagging_f1")


def test_overlapping_events_of_a_class_count_once_by_seconds():
    """Two halves that overlap are one event for intersections and PSDS, and two for events."""
    whole = Events.of([(0, 0, 0.0, 8.0)])
    halves = Events.of([(0, 0, 0.0, 5.0), (0, 0, 3.0, 8.0)])
    durations = torch.tensor([10.0], dtype=torch.float64)
    one, two = (
        System(Labels("a"), Detections(1, 1, reference, whole, durations, points=(whole,))).figures()
        for reference in (whole, halves)
    )
    assert one["intersection_f1"] == two["intersection_f1"]
    assert one["psds1"] == two["psds1"]
    assert two["event_f1"]["n_ref"] == 2


def store(decoder):
    batch = testing.batch(6, N_LABELS)
    output = testing.output(batch, 12)
    whole = ScoreStore()
    whole.update(output, batch, 8000)
    return batch, output, whole.system(NAMES, decoder)


@pytest.mark.parametrize("decoder", [StepDecoder(median=0.3, tags="clip"), BoxDecoder(tags="clip")])
def test_faces_give_the_figures_of_the_store(decoder):
    batch, output, direct = store(decoder)
    given = NAMES, 8000, decoder
    expected = direct.figures()
    faces = make_faces(given)
    for index in torch.arange(6).split(4):
        for metric in faces:
            metric.update(testing.take_output(output, index), testing.take(batch, index))
    values = [metric.compute() for metric in faces]
    assert float(values[0]) == pytest.approx(expected["segment_f1"]["micro"], nan_ok=True)
    assert float(values[1]) == pytest.approx(expected["psds2"])
    assert float(values[2]) == pytest.approx(expected["tagging"]["macro_ap"])
    assert values[3]["event_f1"]["n_ref"] == expected["event_f1"]["n_ref"]
    faces[0].reset()
    assert len(faces[0].store) == 0


def make_faces(given):
    return [
        F1(*given, figure="segment_f1", average="micro"),
        PSDSScore(*given, scenario="psds2"),
        TaggingScore(*given),
        AllFigures(*given),
    ]


def test_the_value_of_a_face_at_a_batch_is_of_that_batch_alone():
    batch, output, direct = store(StepDecoder())
    metric = F1(NAMES, 8000, StepDecoder(), figure="tagging_f1")
    first, second = (torch.arange(6)[i::2] for i in range(2))
    alone = metric(testing.take_output(output, first), testing.take(batch, first))
    metric(testing.take_output(output, second), testing.take(batch, second))
    whole = metric.compute()
    assert float(whole) == pytest.approx(direct.counts("tagging_f1").macro_f1)
    assert float(alone) != pytest.approx(float(whole))


def test_one_clip_compares_nothing():
    one = Events.of([(0, 0, 1.0, 2.0)])
    nothing, clip = Events.of([]), torch.tensor([10.0], dtype=torch.float64)
    first, second = (System(Labels(["a"]), Detections(1, 1, one, said, clip)) for said in (nothing, one))
    assert set(comparison(first, second, resamples=50)) == {"resamples", "level", "method", "seed"}


def test_psds_of_a_system_that_its_tags_silence_is_zero():
    scores, event = torch.rand(1, 100, 1) + 0.1, Events.of([(0, 0, 0.0, 10.0)])
    said = StepDecoder(tags="clip").ranked(Scores.of_padded(scores, RATE, clip_scores=torch.zeros(1, 1))).padded()[0]
    seconds = torch.tensor([10.0], dtype=torch.float64)
    assert psds_from_scores(said, event, seconds, PSDS1, frame_rate=RATE).value == 0.0
    said = StepDecoder(tags="clip").ranked(Scores.of_padded(scores, RATE, clip_scores=torch.ones(1, 1))).padded()[0]
    assert psds_from_scores(said, event, seconds, PSDS1, frame_rate=RATE).value == pytest.approx(1.0)


def test_psds_ranks_what_the_decoder_sees():
    """Classes that the tags do not allow, and what is outside boxes, are below every threshold."""
    batch, output, _ = store(StepDecoder())
    for decoder in (StepDecoder(tags="clip", tag_threshold=0.6), BoxDecoder(tags="clip", tag_threshold=0.6)):
        frames = store(decoder)[2].detections.scores
        ranked = frames.scores
        said = output.clip_scores.detach()[batch.timed.all(1)] > 0.6
        assert bool((ranked[~said[:, None, :] & frames.valid[..., None]] == -math.inf).all())
        assert float(ranked.max()) > 0


def test_a_tagger_has_no_event_figures():
    batch, output, _ = store(StepDecoder())
    only = ScoreStore()
    only.update(replace(output, frame_logits=None, frame_rate=None), batch, 8000)
    assert len(only.detected(StepDecoder())) == 0
    assert "event_f1" not in only.system(NAMES, StepDecoder()).figures()
    assert math.isnan(F1(NAMES, 8000, StepDecoder()).value(only.system(NAMES, StepDecoder())))
    assert math.isnan(PSDSScore(NAMES, 8000, StepDecoder()).value(only.system(NAMES, StepDecoder())))


def test_faces_of_no_clips_and_of_no_figures():
    assert math.isnan(F1(NAMES, 8000, StepDecoder()).value(System(NAMES)))
    for metric in make_faces((NAMES, 8000, StepDecoder()))[:3]:
        metric.reset()
        metric._update_count = 1  # torchmetrics would warn otherwise
        assert math.isnan(metric.compute())
    for make in (
        lambda: F1(NAMES, 8000, StepDecoder(), figure="evnt_f1"),
        lambda: F1(NAMES, 8000, StepDecoder(), average="weighted"),
        lambda: PSDSScore(NAMES, 8000, StepDecoder(), scenario="psds3"),
        lambda: TaggingScore(NAMES, 8000, StepDecoder(), figure="mAP"),
    ):
        with pytest.raises(WsedError, match="unknown figure"):
            make()


def test_one_clip_has_no_interval():
    reference = Events.of([(0, 0, 0.0, 1.0)])
    alone = System(Labels("a"), Detections(1, 1, reference, reference))
    assert set(intervals(alone, resamples=10)) == {"resamples", "level", "method", "seed"}


def test_centred_intervals_hold_the_score_of_many_classes():
    """The penalty for variance between classes is larger in resamples: percentiles would lie below the score."""
    draw = np.random.default_rng(0)
    n_clips, n_labels = 60, 200
    rows = [(int(c), k, 1.0, 3.0) for k in range(n_labels) for c in draw.choice(n_clips, 2, replace=False)]
    said = Events.of([row for row in rows if draw.uniform() < 0.7])
    said = replace(said, gain=torch.from_numpy(draw.uniform(0.2, 1.0, len(said))))
    scores = FrameScores(said.rasterise(n_clips, n_labels, 100, RATE), RATE)
    durations = torch.full((n_clips,), 10.0, dtype=torch.float64)
    labels = Labels(map(str, range(n_labels)))
    many = System(labels, Detections(n_labels, n_clips, Events.of(rows), said, durations, scores))
    value = many.psds("psds1").value
    centred = intervals(many, resamples=200)["psds1"]
    bare = intervals(many, resamples=200, method="percentile")["psds1"]
    assert bare["high"] < value
    assert centred["low"] < value < centred["high"]
    assert centred["high"] - centred["low"] == pytest.approx(bare["high"] - bare["low"])
