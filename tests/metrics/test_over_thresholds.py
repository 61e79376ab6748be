"""Curves over thresholds against counting at each threshold, and against `sed_scores_eval`."""

import functools
import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch

from wsed.decoding import StepDecoder
from wsed.errors import WsedError
from wsed.metrics import SegmentRanking, event_counts, intersection_counts, segment_counts
from wsed.metrics.best_f1 import BestEventF1, BestIntersectionF1, BestSegmentF1, BestTaggingF1
from wsed.metrics.chosen import chosen_metrics, metric_of
from wsed.metrics.collar_psds import CollarPSDS
from wsed.metrics.events import Collars
from wsed.metrics.f1 import EventF1
from wsed.metrics.over_thresholds import _between, event_curves, intersection_curves, segment_curves
from wsed.metrics.pipsds import FirstPiPSDS, median_filtered, pi_psds
from wsed.metrics.psds import PSDS1, PSDS2, psds_from_scores
from wsed.metrics.recalls import RecallByDuration, RecallByPolyphony, polyphony
from wsed.metrics.system import System
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Scores

RATE, N_CLIPS, N_FRAMES = 5.0, 6, 40
LABELS = Labels(["a", "b", "c"])


def made(seed: int, ties: bool = True, n_labels: int = 3) -> System:
    """Smooth scores that follow some events, of clips of different lengths."""
    rng = np.random.default_rng(seed)
    rows, frames = [], []
    for clip in range(N_CLIPS):
        score = rng.random((N_FRAMES - clip, n_labels))
        for label in range(n_labels):
            for onset in np.cumsum(rng.choice([0.6, 1.0, 2.0], 3)):
                end = onset + float(rng.choice([0.2, 0.4, 1.0]))
                if (
                    rng.random() < 0.6
                    and end < len(score) / RATE
                    and not (rows and rows[-1][3] >= onset and rows[-1][:2] == (clip, label))
                ):
                    rows.append((clip, label, float(onset), float(end)))
                    score[int(onset * RATE) : round(end * RATE), label] += 0.5
        frames.append(torch.from_numpy(np.round(score, 1) if ties else score))
    scores = Scores.of_clips([f"{i:08d}" for i in range(N_CLIPS)], frames, RATE)
    truth = Truth.of_events(Events.of(rows), N_CLIPS, n_labels)
    tags = torch.stack([clip.amax(0) for clip in frames])
    return System(Labels(LABELS.names[:n_labels]), truth, Events.of([]), scores.durations, scores, clip_scores=tags)


def above(scores: Scores, threshold: float) -> Events:
    rows = []
    for clip, frames in enumerate(scores.split()):
        for label in range(frames.shape[1]):
            on = np.flatnonzero(np.diff(np.concatenate([[0], (frames[:, label] > threshold).numpy(), [0]]).astype(int)))
            rows += [(clip, label, first / RATE, stop / RATE) for first, stop in zip(on[::2], on[1::2], strict=True)]
    return Events.of(rows)


@pytest.mark.parametrize("seed", range(2))
def test_every_point_of_a_curve_is_what_counting_at_its_threshold_gives(seed):
    system = made(seed)
    clips = system.need_timed()
    detected = functools.cache(lambda threshold: above(clips.ranked, threshold))
    wide = {"onset_collar": 1.0, "offset_collar": None}  # runs near several events, which a matching shares out
    for curves, count, settings in (
        (event_curves(clips, Collars(0.2, 0.2, 0.0)), event_counts, {"onset_collar": 0.2, "offset_ratio": 0.0}),
        (event_curves(clips, Collars(**wide)), event_counts, wide),
        (intersection_curves(clips, 0.4, 0.3), intersection_counts, {"dtc": 0.4, "gtc": 0.3}),
        (segment_curves(clips, 0.5), segment_counts, {"length": 0.5}),
    ):
        counted = functools.cache(lambda t, c=count, s=settings: c(clips.reference, detected(t), 3, **s))
        for label, curve in enumerate(curves):
            assert (np.diff(curve.threshold) < 0).all()
            for threshold, tp, n_sys in zip(curve.threshold.tolist(), curve.tp, curve.n_sys, strict=True):
                counts = counted(threshold)
                found = (counts.tp[label], counts.n_sys[label], counts.n_ref[label])
                assert found == (tp, n_sys, curve.n_ref), (count.__name__, settings, label, threshold)


ONE = float(np.nextafter(np.float32(1), np.float32(0)))


@pytest.mark.parametrize(
    "values",
    [[0.1, 1.0, 0.1, ONE, 0.1], [0.1, np.inf, 0.1, 0.2, 0.1], [np.inf], [-3e38], [1e-45], [-2e10, -1e10, -2e10, -3e10]],
    ids=["neighbours", "infinite", "only infinite", "far below 0", "hardly above 0", "negative"],
)
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_a_decoder_finds_at_the_best_threshold_what_the_curve_counts(values, kind):
    first = values.index(max(values))
    scores = Scores.of_clips(["x"], [torch.tensor(values, dtype=kind)[:, None]], 1.0)
    events = Events.of([(0, 0, float(first), first + 1.0)])
    system = System(Labels(["a"]), Truth.of_events(events, 1, 1), Events.of([]), scores.durations, scores)
    for metric in (BestEventF1(), BestIntersectionF1(dtc=1.0), BestSegmentF1()):
        own = metric.compute(system).per_class["a"]
        found = StepDecoder(threshold=own["threshold"])(scores).events
        assert own["f1"] == 1.0
        assert np.isfinite(own["threshold"])
        assert (found.onset.tolist(), found.offset.tolist()) == ([first], [first + 1])


def test_thresholds_of_the_largest_numbers():
    for kind in (np.float32, np.float64):
        most = float(np.finfo(kind).max)
        assert _between(np.array([most, 0.5, -most])).tolist() == [np.inf, most / 2, -most / 2, -np.inf]


def test_scores_that_are_no_numbers_are_refused():
    truth = Truth.of_events(Events.of([(0, 0, 0.0, 1.0)]), 3, 1)
    system = System(Labels(["a"]), truth, clip_scores=torch.tensor([[0.9], [0.1], [float("nan")]]))
    with pytest.raises(WsedError, match="scores of clip 2 hold NaN"):
        BestTaggingF1().compute(system)
    whole = made(0)
    whole.ranked.frames[int(whole.ranked.lengths[0]) + 1, 0] = float("nan")
    for metric in (BestEventF1(), BestIntersectionF1(), BestSegmentF1(), SegmentRanking(), CollarPSDS()):
        with pytest.raises(WsedError, match="scores of clip 1 hold NaN"):
            metric.compute(whole)


def test_the_best_f1_is_that_of_sed_scores_eval():
    package = pytest.importorskip("sed_scores_eval", reason="needs the extra `eval`")
    for seed in (10, 11):
        system = made(seed, ties=False)
        scores, truth = tables(package, system)
        collars = {"onset_collar": 0.2, "offset_collar": 0.2, "offset_collar_rate": 0.2}
        theirs = package.collar_based.best_fscore(scores, truth, **collars)
        same(BestEventF1(collar_eps=5e-7).compute(system), theirs)
        theirs = package.intersection_based.best_fscore(scores, truth, dtc_threshold=0.5, gtc_threshold=0.5)
        same(BestIntersectionF1().compute(system), theirs)
        durations = dict(zip(scores, system.durations.tolist(), strict=True))
        theirs = package.segment_based.best_fscore(scores, truth, audio_durations=durations, segment_length=1.0)
        same(BestSegmentF1().compute(system), theirs)
        tags = {name: sorted({label for *_, label in events}) for name, events in truth.items()}
        same(BestTaggingF1().compute(system), package.clip_based.best_fscore(scores, tags))


def same(value, theirs):
    f1 = theirs[0]
    for label, own in value.per_class.items():
        assert own["f1"] == pytest.approx(f1[label], abs=1e-9)
        if own["f1"] > 0:
            assert 2 / (1 / own["precision"] + 1 / own["recall"]) == pytest.approx(own["f1"])
    assert value.numbers["macro"] == pytest.approx(f1["macro_average"], abs=1e-9)


def tables(package, system):
    create = package.base_modules.scores.create_score_dataframe
    scores, truth = {}, {name: [] for name in system.ranked.clip_ids}
    for name, frames in zip(system.ranked.clip_ids, system.ranked.split(), strict=True):
        scores[name] = create(frames.numpy(), np.arange(len(frames) + 1) / RATE, list(system.labels))
    events = system.truth.events
    for clip, label, onset, offset in zip(
        *(c.tolist() for c in (events.clip, events.label, events.onset, events.offset)), strict=True
    ):
        truth[system.ranked.clip_ids[clip]].append((onset, offset, system.labels.names[label]))
    return scores, truth


@pytest.mark.parametrize("parameters", [PSDS1, PSDS2], ids=["1", "2"])
def test_pipsds_is_that_of_sed_scores_eval(parameters):
    package = pytest.importorskip("sed_scores_eval", reason="needs the extra `eval`")
    system = made(3, ties=False)
    scores, truth = tables(package, system)
    lengths = [0.2, 0.6, 1.0, 1.8]  # 1, 3, 5, 9 frames
    parameters = replace(parameters, max_efpr=2000.0)
    ours = pi_psds([median_filtered(system.ranked, s) for s in lengths], system.truth.events, parameters)
    theirs = package.intersection_based.median_filter_independent_psds(
        scores,
        truth,
        dict(zip(scores, system.durations.tolist(), strict=True)),
        median_filter_lengths_in_sec=lengths,
        dtc_threshold=parameters.dtc,
        gtc_threshold=parameters.gtc,
        cttc_threshold=parameters.cttc,
        alpha_ct=parameters.alpha_ct,
        alpha_st=parameters.alpha_st,
        max_efpr=parameters.max_efpr,
    )
    assert ours.value == pytest.approx(theirs[0], abs=1e-9)
    assert ours.per_class == pytest.approx([theirs[1][label] for label in LABELS], abs=1e-9)
    one = psds_from_scores(system.ranked, system.truth.events, parameters)
    assert pi_psds([system.ranked], system.truth.events, parameters).value == one.value
    assert ours.value > one.value


def test_filters_are_whole():
    made = inspect.unwrap(FirstPiPSDS.__init__)  # under the tests, jaxtyping sees it first
    with pytest.raises(WsedError, match=r"1 to 1000 \(whole\) filters .*, not 2.5"):
        made(FirstPiPSDS.__new__(FirstPiPSDS), filters=2.5)


def test_the_same_filter_for_regular_frames_and_for_borders():
    scores = made(0).ranked
    borders = torch.cat([torch.arange(int(n) + 1).double() / RATE for n in scores.lengths])
    written = replace(scores, borders=borders, frame_rate=0.0)
    assert torch.equal(median_filtered(written, 1.0).frames, median_filtered(scores, 1.0).frames)
    odd = replace(written, borders=torch.where(borders == 1.0, 1.1, borders))
    with pytest.raises(WsedError, match="these differ in length"):
        median_filtered(odd, 1.0)


def test_collar_psds_is_the_area_under_found_events_against_false_alarms():
    events = Events.of([(0, 0, 1.0, 2.0), (0, 0, 4.0, 5.0)])
    frames = torch.zeros(10, 1)
    frames[1], frames[7], frames[4] = 0.9, 0.8, 0.7  # a hit, a false alarm, a hit
    scores = Scores.of_clips(["x"], [frames], 1.0, torch.tensor([3600.0]))
    system = System(Labels(["a"]), Truth.of_events(events, 1, 1), Events.of([]), scores.durations, scores)
    value = CollarPSDS(max_efpr=4.0).compute(system)
    assert value.main == (1 * 0.5 + 3 * 1.0) / 4
    points = replace(system, ranked=None, points=(above1(frames, 0.85), above1(frames, 0.5)), thresholds=(0.85, 0.5))
    assert CollarPSDS(max_efpr=4.0).compute(points).main == value.main


def test_a_class_with_too_many_false_alarms_at_every_operating_point_has_a_collar_psds_of_0():
    reference = Events.of([(clip, label, 1.0, 2.0) for clip in range(3) for label in (0, 1)])
    wrong = Events.of([(0, 1, 1.0, 2.0), (1, 1, 5.0, 6.0), (2, 1, 5.0, 6.0)])
    point = Events.cat([reference[reference.label == 0], wrong])
    seconds = torch.full((3,), 10.0, dtype=torch.float64)
    truth = Truth.of_events(reference, 3, 2)
    system = System(Labels(["dog", "cat"]), truth, point, seconds, points=(point,), thresholds=(0.5,))
    value = CollarPSDS().compute(system)
    assert value.per_class == {"dog": {"value": 1.0}, "cat": {"value": 0.0}}
    assert value.main == 0.5
    # An F1 needs no such point: its best threshold is that of a file.
    assert BestEventF1(offset_ratio=0.0).compute(system).over_thresholds["cat"].threshold.tolist() == [0.5]


def test_a_class_that_is_known_for_no_second_has_no_collar_psds():
    events = Events.of([(0, 0, 1.0, 2.0), (1, 1, 1.0, 2.0)])
    known = torch.tensor([[True, False], [False, True]])
    truth = replace(Truth.of_events(events, 2, 2), timed=known)
    seconds = torch.tensor([10.0, 0.0], dtype=torch.float64)
    system = System(Labels(["a", "b"]), truth, events, seconds, points=(Events.of([]), events), thresholds=(0.9, 0.5))
    value = CollarPSDS().compute(system)
    assert value.main == value.per_class["a"]["value"] == 1.0
    assert np.isnan(value.per_class["b"]["value"])


def above1(frames, threshold):
    return Events.of([(0, 0, float(i), i + 1.0) for i in np.flatnonzero(frames[:, 0].numpy() > threshold)])


def test_operating_points_give_a_curve_with_their_thresholds():
    system = made(5)
    thresholds = (0.3, 0.9, 0.6)
    points = tuple(above(system.ranked, t) for t in thresholds)
    at = replace(system, ranked=None, points=points, thresholds=thresholds, detected=points[0])
    value = BestEventF1().compute(at)
    for label, curve in value.over_thresholds.items():
        assert curve.threshold.tolist() == [0.9, 0.6, 0.3]
        i = LABELS.index(label)
        expected = [EventF1().counts(replace(at, detected=points[k])).f1[i] for k in (1, 2, 0)]
        assert curve.f1.tolist() == expected
        assert value.per_class[label]["f1"] == max(expected)


def test_unknown_classes_count_on_no_side():
    system = made(2)
    known = torch.ones(N_CLIPS, 3, dtype=torch.bool)
    known[3:, 0] = False
    part = replace(system, truth=replace(system.truth, timed=known, tagged=known))
    first = torch.arange(3)
    small = replace(
        system,
        truth=system.truth.select(first),
        durations=system.durations[:3],
        ranked=system.ranked.select(first),
        clip_scores=system.clip_scores[:3],
    )
    for metric in (BestEventF1(1.0), BestSegmentF1(), BestIntersectionF1(), BestTaggingF1(), CollarPSDS(1.0)):
        assert metric.compute(part).per_class["a"] == metric.compute(small).per_class["a"]


def test_recall_by_duration_and_polyphony():
    rows = [(0, 0, 0.0, 0.2), (0, 1, 1.0, 4.0), (0, 0, 2.0, 3.0), (1, 1, 2.0, 9.0), (1, 0, 9.0, 9.5)]
    truth = Truth.of_events(Events.of(rows), 2, 2)
    system = System(Labels(["a", "b"]), truth, Events.of([rows[0], rows[2], rows[4]]))
    found = RecallByDuration().compute(system).numbers
    assert (found["under 0.25 s"], found["0.25 to 0.5 s"], found["5 s or more"]) == (
        1.0,
        pytest.approx(float("nan"), nan_ok=True),
        0.0,
    )
    assert (found["1 to 2 s"], found["1 to 2 s, n_ref"], found["all"]) == (1.0, 1, 0.6)
    by = RecallByPolyphony().compute(system).numbers
    assert (by["alone"], by["alone, n_ref"]) == (pytest.approx(2 / 3), 3)
    assert (by["2 at once"], by["2 at once, n_ref"]) == (0.5, 2)


def test_polyphony_is_that_of_every_moment():
    from wsed.metrics.pairs import columns

    rng = np.random.default_rng(0)
    onset = rng.integers(0, 30, 60) / 2
    rows = [(int(rng.integers(3)), int(rng.integers(2)), t, t + float(rng.integers(1, 9)) / 2) for t in onset.tolist()]
    moments = np.arange(0, 25, 0.25) + 0.1
    expected = [
        max(sum(c == clip and a <= t < b for c, _, a, b in rows) for t in moments if onset <= t < offset)
        for clip, _, onset, offset in rows
    ]
    assert polyphony(columns(Events.of(rows), 2)).tolist() == expected


def test_settings_of_metrics_are_read_from_their_names():
    chosen = chosen_metrics(
        ["event_f1:onset_collar=0.5,offset_collar=none", "psds2:alpha_ct=0", "event_f1", "pipsds1:filters=3"]
    )
    assert list(chosen) == [
        "event_f1:onset_collar=0.5,offset_collar=none",
        "event_f1",
        "psds2:alpha_ct=0",
        "pipsds1:filters=3",
    ]
    assert chosen["event_f1:onset_collar=0.5,offset_collar=none"].collars == Collars(0.5, None)
    assert chosen["psds2:alpha_ct=0"].parameters == replace(PSDS2, alpha_ct=0.0)
    for text, message in (
        ("event_f1:onset_colar=1", r"no setting 'onset_colar' \(did you mean onset_collar"),
        ("event_f1:onset_collar=x", "onset_collar must be a number, not 'x'"),
        ("event_f1:onset_collar=none", "must be a number, not 'none'"),
        ("pipsds1:filters=2.5", "must be a whole number"),
        ("event_f1:onset_collar=-1", "collars must be 0 or more"),
        ("tagging:threshold=1", "tagging has no setting 'threshold'; it has none"),
        ("event:onset_collar=1", "unknown metric 'event'"),
        ("segment_f1:length=0", "positive length"),
        ("intersection_f1:dtc=2", "dtc is a share"),
    ):
        with pytest.raises(WsedError, match=message):
            metric_of(text)
