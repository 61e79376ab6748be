"""Every metric of a system, its intervals, the comparison of two, and the metrics for torchmetrics."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from wsed import Labels, WsedError, testing
from wsed.decoding import BoxDecoder, StepDecoder
from wsed.metrics import PSDS1, PSDS2, event_counts, intersection_counts, psds_from_scores
from wsed.metrics.base import METRICS, default_metrics
from wsed.metrics.bootstrap import bootstrap, clip_counts
from wsed.metrics.system import System, no_clips
from wsed.scoring.collect import Collector
from wsed.scoring.resampling import Resampling, compare_samples, resample, samples
from wsed.scoring.score import correlation, detect, score, system_of
from wsed.scoring.torchmetrics import TorchMetric, TorchReport
from wsed.truth import Truth
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
    ranked = Scores.of_padded(scores, RATE)
    truth = Truth.of_events(reference, N_CLIPS, N_LABELS)
    clips = scores.amax(1)
    return System(NAMES, truth, detected, ranked.durations, ranked, tags=clips > 0.8, clip_scores=clips)


def intervals(of, **how):
    return resample(samples(of, default_metrics()), Resampling(**how)).to_dict()


def comparison(first, second, **how):
    return compare_samples(*(samples(of, default_metrics()) for of in (first, second)), Resampling(**how)).to_dict()


def test_figures_are_those_of_the_single_metrics():
    mine = system()
    found, d = score(mine), mine.timed
    counts = event_counts(d.reference, d.detected, N_LABELS)
    assert found["event_f1"]["macro"] == counts.macro_f1
    assert found["event_f1"]["micro_error_rate"] == counts.micro_error_rate
    assert found["intersection_f1"]["micro"] == intersection_counts(d.reference, d.detected, N_LABELS).micro_f1
    for name, parameters in (("psds1", PSDS1), ("psds2", PSDS2)):
        exact = psds_from_scores(d.ranked, d.reference, parameters)
        assert found[name] == exact.value
        bare = replace(parameters, alpha_st=0.0)
        without = psds_from_scores(d.ranked, d.reference, bare).value
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
    found, values = intervals(mine, resamples=300, seed=4), score(mine)
    d = mine.timed
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
    unknown = torch.zeros(N_CLIPS, N_LABELS, dtype=torch.bool)
    tags_only = replace(whole, truth=replace(whole.truth, timed=unknown))
    assert set(score(tags_only).metrics) == {"tagging_f1", "tagging"}
    with pytest.raises(WsedError, match="no clip has known events"):
        tags_only.need_timed()
    bare = replace(whole, tags=None, clip_scores=None, durations=None)
    found = score(bare)
    assert found["psds1"] is None
    assert "tagging_f1" not in found
    assert "psds1" not in intervals(bare, resamples=20)
    with pytest.raises(WsedError, match=r"no 'taging_f1' \(did you mean tagging_f1"):
        score(whole).value("taging_f1/macro")


def test_overlapping_events_of_a_class_count_once_by_seconds():
    """Two halves that overlap are one event for intersections and PSDS, and two for events."""
    whole = Events.of([(0, 0, 0.0, 8.0)])
    halves = Events.of([(0, 0, 0.0, 5.0), (0, 0, 3.0, 8.0)])
    durations = torch.tensor([10.0], dtype=torch.float64)
    one, two = (
        score(System(Labels("a"), Truth.of_events(reference, 1, 1), whole, durations, points=(whole,)))
        for reference in (whole, halves)
    )
    assert one["intersection_f1"] == two["intersection_f1"]
    assert one["psds1"] == two["psds1"]
    assert two["event_f1"]["n_ref"] == 2


def collected(decoder):
    batch = testing.batch(6, N_LABELS)
    output = testing.output(batch, 12)
    whole = Collector()
    whole.update(output, batch, 8000)
    scores, truth = whole.gather()
    return batch, output, scores, truth, system_of(scores, truth, NAMES, decoder)


@pytest.mark.parametrize("decoder", [StepDecoder(median=0.3, tags="clip"), BoxDecoder(tags="clip")])
def test_torch_metrics_give_the_numbers_of_the_report(decoder):
    batch, output, _, _, direct = collected(decoder)
    expected = score(direct)
    metrics = make_metrics((NAMES, 8000, decoder))
    for index in torch.arange(6).split(4):
        for metric in metrics:
            metric.update(testing.take_output(output, index), testing.take(batch, index))
    values = [metric.compute() for metric in metrics]
    assert float(values[0]) == pytest.approx(expected["segment_f1"]["micro"], nan_ok=True)
    assert float(values[1]) == pytest.approx(expected["psds2"])
    assert float(values[2]) == pytest.approx(expected["tagging"]["macro_ap"])
    assert values[3]["event_f1"]["n_ref"] == expected["event_f1"]["n_ref"]
    metrics[0].reset()
    assert len(metrics[0].collector) == 0


def make_metrics(given):
    return [
        TorchMetric(*given, "segment_f1", "micro"),
        TorchMetric(*given, "psds2"),
        TorchMetric(*given, "tagging", "macro_ap"),
        TorchReport(*given),
    ]


def test_the_value_at_a_batch_is_of_that_batch_alone():
    batch, output, _, _, direct = collected(StepDecoder())
    metric = TorchMetric(NAMES, 8000, StepDecoder(), "tagging_f1")
    first, second = (torch.arange(6)[i::2] for i in range(2))
    alone = metric(testing.take_output(output, first), testing.take(batch, first))
    metric(testing.take_output(output, second), testing.take(batch, second))
    whole = metric.compute()
    assert float(whole) == pytest.approx(METRICS["tagging_f1"]().counts(direct).macro_f1)
    assert float(alone) != pytest.approx(float(whole))


def test_one_clip_compares_nothing():
    one = Events.of([(0, 0, 1.0, 2.0)])
    none, clip = Events.of([]), torch.tensor([10.0], dtype=torch.float64)
    truth = Truth.of_events(one, 1, 1)
    first, second = (System(Labels(["a"]), truth, detected, clip) for detected in (none, one))
    assert set(comparison(first, second, resamples=50)) == {"resamples", "level", "method", "seed"}


def test_psds_of_a_system_that_its_tags_silence_is_zero():
    scores, event = torch.rand(1, 100, 1) + 0.1, Events.of([(0, 0, 0.0, 10.0)])
    for tag, value in ((0.0, 0.0), (1.0, 1.0)):
        clips = Scores.of_padded(scores, RATE, clip_scores=torch.full((1, 1), tag))
        ranked = StepDecoder(tags="clip").ranked(clips)
        assert psds_from_scores(ranked, event, PSDS1).value == pytest.approx(value)


def test_psds_ranks_what_the_decoder_sees():
    """Classes that the tags do not allow, and what is outside boxes, are below every threshold."""
    _, output, scores, _, _ = collected(StepDecoder())
    for decoder in (StepDecoder(tags="clip", tag_threshold=0.6), BoxDecoder(tags="clip", tag_threshold=0.6)):
        ranked = decoder.ranked(scores)
        allowed = ranked.per_frame(output.clip_scores.detach() > 0.6)
        assert bool((ranked.frames[~allowed] == -math.inf).all())
        assert float(ranked.frames.max()) > 0


def test_a_tagger_has_no_metrics_of_events():
    batch, output, _, _, _ = collected(StepDecoder())
    only = Collector()
    only.update(replace(output, frame_logits=None, frame_rate=None), batch, 8000)
    scores, truth = only.gather()
    assert len(detect(scores, truth, StepDecoder())) == 0
    system = system_of(scores, truth, NAMES, StepDecoder())
    assert "event_f1" not in score(system).metrics
    for name in ("event_f1", "psds1"):
        metric = TorchMetric(NAMES, 8000, StepDecoder(), name)
        metric.update(replace(output, frame_logits=None, frame_rate=None), batch)
        assert math.isnan(metric.compute())


def test_no_clips_and_no_such_metric():
    assert score(no_clips(NAMES)).metrics == {}
    for metric in make_metrics((NAMES, 8000, StepDecoder()))[:3]:
        metric.reset()
        metric._update_count = 1  # torchmetrics would warn otherwise
        assert math.isnan(metric.compute())
    with pytest.raises(WsedError, match=r"unknown metric 'evnt_f1' \(did you mean event_f1"):
        TorchMetric(NAMES, 8000, StepDecoder(), "evnt_f1")
    batch, output, *_ = collected(StepDecoder())
    with pytest.raises(WsedError, match=r"event F1 has no number 'weighted'.*it has macro, micro"):
        TorchMetric(NAMES, 8000, StepDecoder(), "event_f1", "weighted")(output, batch)


def test_one_clip_has_no_interval():
    reference = Events.of([(0, 0, 0.0, 1.0)])
    alone = System(Labels("a"), Truth.of_events(reference, 1, 1), reference)
    assert set(intervals(alone, resamples=10)) == {"resamples", "level", "method", "seed"}


def test_centred_intervals_hold_the_score_of_many_classes():
    """The penalty for variance between classes is larger in resamples: percentiles would lie below the score."""
    draw = np.random.default_rng(0)
    n_clips, n_labels = 40, 80
    rows = [(int(c), k, 1.0, 3.0) for k in range(n_labels) for c in draw.choice(n_clips, 2, replace=False)]
    said = Events.of([row for row in rows if draw.uniform() < 0.7])
    said = replace(said, gain=torch.from_numpy(draw.uniform(0.2, 1.0, len(said))))
    scores = Scores.of_padded(said.rasterise(n_clips, n_labels, 100, RATE), RATE)
    labels, truth = Labels(map(str, range(n_labels))), Truth.of_events(Events.of(rows), n_clips, n_labels)
    many = System(labels, truth, said, scores.durations, scores)
    value = score(many).value("psds1")
    centred = intervals(many, resamples=100)["psds1"]
    bare = intervals(many, resamples=100, method="percentile")["psds1"]
    assert bare["high"] < value
    assert centred["low"] < value < centred["high"]
    assert centred["high"] - centred["low"] == pytest.approx(bare["high"] - bare["low"])


def test_scores_that_hardly_vary_are_correlated_exactly():
    """A mean over frames in float32 would keep none of these spreads, and would make some of constant scores."""
    lengths, draw = [300, 411, 522, 633], np.random.default_rng(0)
    constant = [torch.full((length, 1), 0.1) for length in lengths]
    varied = [0.5 + torch.from_numpy(1e-6 * draw.standard_normal((length, 2))).float() for length in lengths]
    clips = [torch.cat(parts, dim=1) for parts in zip(varied, constant, strict=True)]
    found = correlation(Scores.of_clips([f"{i}.wav" for i in range(4)], clips, frame_rate=10.0), NAMES)
    expected = np.corrcoef([clip[:, :2].double().mean(0).numpy() for clip in clips], rowvar=False)[0, 1]
    assert found.matrix[0][1] == pytest.approx(expected, abs=1e-9)
    assert found.matrix[2] == (0.0, 0.0, 1.0)
