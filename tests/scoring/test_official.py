"""Ours against `sed_scores_eval` and `psds_eval`: equal where definitions agree, and a case for each that differs."""

import csv
import dataclasses
import sys
import warnings
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch

from wsed.errors import WsedError
from wsed.metrics.clips import tag_counts
from wsed.metrics.counts import Counts
from wsed.metrics.events import event_counts
from wsed.metrics.intersection import intersection_counts
from wsed.metrics.psds import PSDS1, PSDS2, PSDSParameters
from wsed.metrics.segments import segment_counts
from wsed.metrics.system import TaggedClips, TimedClips
from wsed.metrics.tagging import partial_auroc, ranking_scores, tagging_scores
from wsed.scoring.official import Package, official_metrics
from wsed.types import Events, Labels
from wsed.values import Scores

CLIPS, FRAMES, LABELS, RATE = 5, 24, 3, 8.0
LENGTH = FRAMES / RATE
NAMES = Labels(["onset", "back\\slash", "injected_psds_world_label"])  # names that the packages themselves refuse
# 100 errors an hour are less than one in these few seconds: the area must reach further to see anything.
LOOSE = PSDSParameters(dtc=0.5, gtc=0.5, cttc=None, alpha_st=1.0, max_efpr=3000.0)
CROSS = PSDSParameters(dtc=0.5, gtc=0.25, cttc=0.3, alpha_ct=0.5, alpha_st=1.0, max_efpr=4000.0)
SCENARIOS = {"loose": LOOSE, "cross": CROSS}
ROUNDS = 5e-7
"""What rounding to microseconds adds to a collar."""


def official(backend, clips, tags, labels, scenarios):
    """The metrics of a package as plain values: a PSDS as a number, an F1 as a table."""
    found = official_metrics(backend, clips, tags, labels, scenarios)
    return {name: value and (value.main if value.is_single else plain(value)) for name, value in found.items()}


def plain(value):
    return {**value.numbers, "per_class": value.per_class}


@pytest.fixture(scope="module", autouse=True)
def packages():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [pytest.importorskip(name, reason="needs the extra `eval`") for name in get_args(Package)]
        yield SimpleNamespace(sed_scores_eval=found[0], psds_eval=found[1])


def tracks(rng, labels, most=2, grid=True):
    """Rows that do not touch within a clip and label, on a grid of 1/8 s or anywhere; the last clip has none."""
    rows = []
    for clip in range(CLIPS - 1):
        for label in labels:
            n = 2 * rng.integers(0, most + 1)
            times = rng.choice(FRAMES + 1, n, replace=False) / RATE if grid else rng.uniform(0, LENGTH, n)
            rows += [(clip, label, float(a), float(b)) for a, b in np.sort(times).reshape(-1, 2)]
    return [*rows, *((0, k, 0.125, 1.5) for k in labels if k not in {r[1] for r in rows})]


def nearly(rng, true, said):
    """Rows of `said`; for half the clips and labels those of `true` in their place, up to 1/8 s late."""
    taken = {(c, k) for c, k, _, _ in said if rng.random() < 0.5}
    moved = [(c, k, a + late, b + late) for late in [rng.integers(0, 2) / RATE] for c, k, a, b in true]
    return [row for row in said if row[:2] not in taken] + [row for row in moved if row[:2] in taken]


def detected_at(scores, threshold):
    """Runs of frames at or above the threshold."""
    edges = np.diff((scores.numpy() >= threshold).astype(int), axis=1, prepend=0, append=0)
    on, off = (np.argwhere(np.moveaxis(edges, 2, 1) == sign) for sign in (1, -1))
    return Events.of((int(c), int(k), a / RATE, b / RATE) for (c, k, a), (_, _, b) in zip(on, off, strict=True))


def made(seed):
    """Detections by one of several kinds of system; a third of the cases has a class without reference."""
    rng = np.random.default_rng(seed)
    present, said = range(2 if seed % 3 == 2 else LABELS), [[0, 1, 2], [1, 2], []][seed % 4 % 3]
    scores = torch.from_numpy(rng.integers(0, (4, 50)[seed % 2], (CLIPS, FRAMES, LABELS)) / 50)
    true = tracks(rng, present, grid=bool(seed % 5))
    reference, detected = Events.of(true), Events.of(nearly(rng, true, tracks(rng, said, grid=bool(seed % 5))))
    seconds = torch.full((CLIPS,), LENGTH, dtype=torch.float64)
    points = tuple(detected_at(scores, t) for t in scores.unique().tolist()[:: (1, 8)[seed % 2]])
    true = rng.random((CLIPS, LABELS)) < 0.5
    true[0], true[:, len(present) :] = True, False
    tags = TaggedClips(torch.from_numpy(true), torch.from_numpy(rng.random((CLIPS, LABELS)) < 0.5))
    return TimedClips(
        LABELS, CLIPS, reference, detected, seconds, Scores.of_padded(scores, RATE, durations=seconds), points
    ), tags


def of_known(counts):
    """Without the classes that have no reference: `sed_scores_eval` is not told of them."""
    return Counts(*(column[counts.n_ref > 0] for column in (counts.tp, counts.n_ref, counts.n_sys)))


def same(figure, counts, labels=NAMES, micro=True):
    assert figure["macro"] == pytest.approx(counts.macro_f1, abs=1e-9, nan_ok=True)
    if micro:
        assert figure["micro"] == pytest.approx(of_known(counts).micro_f1, abs=1e-9, nan_ok=True)
    per_class = [figure["per_class"][name]["f1"] for name in labels]
    assert per_class == pytest.approx(counts.f1.tolist(), abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("seed", range(20))
def test_equal_to_sed_scores_eval(seed):
    detections, tags = made(seed)
    if seed % 2:
        detections = dataclasses.replace(detections, durations=detections.durations - 0.75)
    if seed % 6 == 5:
        detections = dataclasses.replace(detections, durations=None)
    sides = detections.reference, detections.detected, LABELS
    found = official("sed_scores_eval", detections, tags, NAMES, SCENARIOS)
    same(found["event_f1"], event_counts(*sides, collar_eps=ROUNDS))
    if seed % 5 == 0:  # times anywhere: no difference is exactly a collar
        same(found["event_f1"], event_counts(*sides))
    same(found["segment_f1"], segment_counts(*sides))
    same(found["intersection_f1"], intersection_counts(*sides))
    same(found["tagging_f1"], tag_counts(tags.true, tags.predicted))
    from_points = official("sed_scores_eval", dataclasses.replace(detections, ranked=None), None, NAMES, SCENARIOS)
    assert from_points["tagging_f1"] is None
    for name, p in SCENARIOS.items():
        if detections.durations is None:
            assert found[name] is from_points[name] is None
            continue
        assert found[name] == pytest.approx(detections.psds_table(p).psds().value, abs=1e-9)
        if bool((detections.reference.offset > detections.durations[detections.reference.clip]).any()):
            continue  # a hit after the end of its clip counts in ours and in psds_eval
        ours = dataclasses.replace(detections, ranked=None).psds_table(p).psds().value
        assert from_points[name] == pytest.approx(ours, abs=1e-9)


@pytest.mark.parametrize("seed", range(12))
def test_equal_to_psds_eval(seed):
    detections, tags = made(seed)
    found = official("psds_eval", detections, tags, NAMES, SCENARIOS)
    assert [found[name] for name in ("event_f1", "segment_f1", "tagging_f1")] == [None] * 3
    assert np.isnan(found["intersection_f1"]["micro"])
    counts = intersection_counts(detections.reference, detections.detected, LABELS, decimals=None)
    same(found["intersection_f1"], counts, micro=False)
    for name, p in SCENARIOS.items():
        bare = dataclasses.replace(p, decimals=None)
        ours = dataclasses.replace(detections, ranked=None).psds_table(bare).psds().value
        assert found[name] == pytest.approx(ours, abs=1e-9)
    only_scores = official("psds_eval", dataclasses.replace(detections, points=()), None, NAMES, SCENARIOS)
    assert (only_scores["loose"], only_scores["cross"]) == (None, None)
    unknown = official("psds_eval", dataclasses.replace(detections, durations=None), None, NAMES, SCENARIOS)
    assert unknown["loose"] is None
    same(unknown["intersection_f1"], counts, micro=False)


class Baseline:
    """The DESED 2021 baseline: its detections at 0.5 and at 50 operating points."""

    def __init__(self, desed):
        self.labels, self.n = Labels(desed.labels), len(desed.labels)
        places = {name: i for i, name in enumerate(desed.files)}

        def rows(path):
            with path.open(newline="") as file:
                return [r for r in csv.DictReader(file, delimiter="\t") if r.get("event_label", "-")]

        def events(path):
            return Events.of(
                (places[r["filename"]], self.labels.index(r["event_label"]), float(r["onset"]), float(r["offset"]))
                for r in rows(path)
            )

        lasts = {r["filename"]: float(r["duration"]) for r in rows(desed.folder / "validation_durations.tsv")}
        seconds = torch.tensor([lasts[name] for name in desed.files], dtype=torch.float64)
        points = tuple(map(events, sorted((desed.folder / "predictions_operating_points").iterdir())))
        sides = Events.of(desed.reference), Events.of(desed.estimated)
        self.detections = TimedClips(self.n, len(desed.files), *sides, seconds, points=points)
        self.tags = TaggedClips(*(self.tagged(side) for side in sides))

    def tagged(self, events):
        table = torch.zeros(self.detections.n_clips, self.n, dtype=torch.bool)
        table[events.clip, events.label] = True
        return table

    def figures(self, backend, scenarios, **changes):
        detections = dataclasses.replace(self.detections, **changes)
        return official(backend, detections, self.tags, self.labels, scenarios)


@pytest.fixture(scope="module")
def baseline(desed):
    return Baseline(desed)


@pytest.mark.slow
def test_desed_baseline_by_sed_scores_eval(baseline):
    """Its 50 operating points are nested, so that some scores have exactly these: 50 points give the same PSDS."""
    found = baseline.figures("sed_scores_eval", {"psds1": PSDS1, "psds2": PSDS2})
    assert (f"{found['psds1']:.4f}", f"{found['psds2']:.4f}") == ("0.3535", "0.5483")
    for name, p in (("psds1", PSDS1), ("psds2", PSDS2)):
        assert found[name] == pytest.approx(baseline.detections.psds_table(p).psds().value, abs=1e-9)
    sides = baseline.detections.reference, baseline.detections.detected, baseline.n
    assert f"{100 * found['intersection_f1']['macro']:.2f}" == "66.17"
    same(found["intersection_f1"], intersection_counts(*sides), baseline.labels)
    same(found["tagging_f1"], tag_counts(baseline.tags.true, baseline.tags.predicted), baseline.labels)
    segment = found["segment_f1"]
    same(segment, segment_counts(*sides), baseline.labels)
    assert (f"{100 * segment['macro']:.2f}", f"{100 * segment['micro']:.2f}") == ("71.57", "77.03")
    # Two differences of exactly 0.2 s more are in than sed_eval sees, whose report says 42.14 and 42.35.
    same(found["event_f1"], event_counts(*sides, collar_eps=ROUNDS), baseline.labels)
    event = found["event_f1"]
    assert (f"{100 * event['macro']:.2f}", f"{100 * event['micro']:.2f}") == ("42.15", "42.38")
    plain = event_counts(*sides)
    assert (f"{100 * plain.macro_f1:.2f}", f"{100 * plain.micro_f1:.2f}") == ("42.14", "42.35")


@pytest.mark.slow
def test_desed_baseline_by_psds_eval(baseline):
    found = baseline.figures("psds_eval", {"psds1": PSDS1})
    assert f"{found['psds1']:.4f}" == "0.3535"
    few = {"points": baseline.detections.points[2::8]}
    second = baseline.figures("psds_eval", {"psds2": PSDS2}, **few)["psds2"]
    detections = dataclasses.replace(baseline.detections, **few)
    for value, p, given in ((found["psds1"], PSDS1, baseline.detections), (second, PSDS2, detections)):
        bare = given.psds_table(dataclasses.replace(p, decimals=None)).psds().value
        assert value == pytest.approx(bare, abs=1e-9)
        ours = given.psds_table(p).psds().value  # rounds to microseconds
        assert 1e-7 < abs(value - ours) < 1e-5
    assert f"{100 * found['intersection_f1']['macro']:.2f}" == "66.17"
    counts = intersection_counts(baseline.detections.reference, baseline.detections.detected, baseline.n)
    same(found["intersection_f1"], counts, baseline.labels, micro=False)


def test_frame_scores_of_any_form():
    detections, _ = made(1)
    scores, seconds = detections.ranked.padded()[0].float(), detections.durations
    last = torch.tensor([24, 20, 9, 0, 24])
    valid = torch.arange(FRAMES) < last[:, None]
    gap = scores.clone()
    gap[0, 11] = -torch.inf
    padded = Scores.of_padded(gap, RATE, valid=valid, durations=seconds)
    borders = torch.cat([torch.arange(n + 1) / RATE for n in last.tolist()]).double()
    logits = padded.frames.logit().masked_fill(padded.frames == -torch.inf, -torch.inf)
    for of in (
        padded,
        dataclasses.replace(padded, frames=padded.frames.half(), frame_rate=0.0, borders=borders),
        Scores.of_clips("abcde", [s[:n] for s, n in zip(scores, last.tolist(), strict=True)], RATE, seconds),
        dataclasses.replace(padded, frames=logits, frame_rate=0.0, borders=borders * 1.1),
    ):
        given = dataclasses.replace(detections, ranked=of)
        found = official("sed_scores_eval", given, None, NAMES, SCENARIOS)
        for name, p in SCENARIOS.items():
            assert found[name] == pytest.approx(given.psds_table(p).psds().value, abs=1e-9)


def simple(reference, detected, n_clips=2, seconds=3.0, points=()):
    rows = [Events.of(side) for side in (reference, detected)]
    durations = torch.full((n_clips,), seconds, dtype=torch.float64)
    return TimedClips(LABELS, n_clips, *rows, durations, points=tuple(Events.of(p) for p in points))


def test_operating_points_that_are_no_thresholds():
    """No scores have such events at falling thresholds: `sed_scores_eval` cannot give the PSDS of these points."""
    truth = [(0, 0, 0.0, 1.0), (1, 1, 0.5, 1.5)]
    moved = [[(0, 0, 0.0, 1.0)], [(0, 0, 0.5, 2.0)]]
    touching = [[(0, 0, 0.0, 0.5), (0, 0, 0.5, 1.0)]]
    clips = [[(0, 0, 0.0, 2.0)], [(1, 0, 0.0, 1.0)]]  # nested in either clip, but the other way round
    for points in (moved, touching, clips):
        detections = simple(truth, truth, points=points)
        assert official("sed_scores_eval", detections, None, NAMES, SCENARIOS)["loose"] is None
        ours = detections.psds_table(dataclasses.replace(LOOSE, decimals=None)).psds().value
        assert official("psds_eval", detections, None, NAMES, SCENARIOS)["loose"] == pytest.approx(ours)
    # Each class has thresholds of its own, and what lies outside the clip or has no reference does not matter.
    points = [
        [(0, 0, 0.0, 1.0), (1, 1, 0.0, 1.5), (0, 2, 0.0, 1.0)],
        [(0, 0, 0.0, 2.0), (1, 1, 0.5, 1.0), (0, 2, 1.0, 2.0), (0, 1, 3.0, 3.5)],
    ]
    detections = simple(truth, truth, points=points)
    for backend in get_args(Package):
        found = official(backend, detections, None, NAMES, SCENARIOS)
        for name, p in SCENARIOS.items():
            assert found[name] == pytest.approx(detections.psds_table(p).psds().value, abs=1e-9)


@pytest.mark.parametrize("backend", get_args(Package))
def test_nothing_true_and_nothing_said(backend):
    tags = TaggedClips(torch.zeros(2, LABELS, dtype=torch.bool), torch.ones(2, LABELS, dtype=torch.bool))
    said = [(0, 0, 0.0, 1.0)]
    nobody = official(backend, simple([], said, points=[said]), tags, NAMES, SCENARIOS)
    assert np.isnan([nobody["intersection_f1"]["macro"], nobody["loose"], nobody["cross"]]).all()
    assert np.isnan([c["f1"] for c in nobody["intersection_f1"]["per_class"].values()]).all()
    if backend == "sed_scores_eval":
        assert np.isnan([nobody[name]["micro"] for name in ("event_f1", "segment_f1", "tagging_f1")]).all()
    truth = [(0, 0, 0.0, 1.0), (1, 1, 0.0, 1.0)]
    silent = official(backend, simple(truth, [], points=[[], []]), tags, NAMES, SCENARIOS)
    assert (silent["intersection_f1"]["macro"], silent["loose"], silent["cross"]) == (0.0, 0.0, 0.0)
    assert official(backend, simple(truth, []), tags, NAMES, SCENARIOS)["loose"] is None
    # Relevant, but too little to find the event: no count changes at any threshold.
    part = [(0, 0, 0.0, 0.5)]
    little = simple([(0, 0, 0.0, 3.0), (0, 1, 0.0, 3.0)], part, n_clips=1, points=[part])
    found = official(backend, little, None, NAMES, SCENARIOS)
    assert (found["intersection_f1"]["macro"], found["loose"], found["cross"]) == (0.0, 0.0, 0.0)
    if backend == "sed_scores_eval":
        assert found["segment_f1"]["macro"] == pytest.approx(0.25)


def test_differs_collars_are_rounded_by_sed_scores_eval():
    """A difference of 0.8 - 0.6 s is above 0.2 by noise: `sed_eval` and we leave it out; with an epsilon we do not."""
    detections = simple([(0, 0, 0.6, 2.0)], [(0, 0, 0.8, 2.0)])
    sides = detections.reference, detections.detected, LABELS
    assert official("sed_scores_eval", detections, None, NAMES, {})["event_f1"]["macro"] == 1.0
    assert event_counts(*sides).macro_f1 == 0.0
    assert event_counts(*sides, collar_eps=ROUNDS).macro_f1 == 1.0


def test_differs_segment_borders_are_rounded_by_sed_scores_eval():
    """1.0000001 s reaches into the second segment with us and `sed_eval`, and is 1 s with `sed_scores_eval`."""
    detections = simple([(0, 0, 0.0, 1.0)], [(0, 0, 0.0, 1.0000001)])
    found = official("sed_scores_eval", detections, None, NAMES, {})
    assert found["segment_f1"]["macro"] == 1.0
    assert segment_counts(detections.reference, detections.detected, LABELS).macro_f1 == pytest.approx(2 / 3)


def test_differs_micro_f1_leaves_out_classes_without_reference():
    """`sed_scores_eval` refuses these, so that their false alarms are nowhere; `sed_eval` and we count them."""
    true = [(0, 0, 0.0, 1.0)]
    detections = simple(true, [*true, (0, 2, 1.0, 2.0)])
    tags = TaggedClips(torch.tensor([[True, False, False]]), torch.tensor([[True, False, True]]))
    found = official("sed_scores_eval", detections, tags, NAMES, {})
    names = ("event_f1", "segment_f1", "intersection_f1", "tagging_f1")
    assert [found[name]["micro"] for name in names] == [1.0] * 4
    counts = [count(detections.reference, detections.detected, LABELS) for count in (event_counts, segment_counts)]
    counts += [intersection_counts(detections.reference, detections.detected, LABELS)]
    assert [c.micro_f1 for c in (*counts, tag_counts(tags.true, tags.predicted))] == pytest.approx([2 / 3] * 4)
    assert all(c.macro_f1 == 1.0 for c in counts)


def test_differs_precision_of_silence_is_1_in_sed_scores_eval(packages):
    """Of a class that is never reported: here 0, as in `sed_eval`. F1 is 0 either way."""
    frame = packages.sed_scores_eval.base_modules.scores.create_score_dataframe
    scores = {"0": frame(np.array([[0.0], [0.0]]), np.array([0.0, 1.0, 2.0]), ["a"])}
    f1, precision, _, _ = packages.sed_scores_eval.intersection_based.fscore(
        scores, {"0": [(0.0, 1.0, "a")]}, threshold=0.5, dtc_threshold=0.5, gtc_threshold=0.5
    )
    assert (f1["a"], precision["a"]) == (0.0, 1.0)
    assert intersection_counts(Events.of([(0, 0, 0.0, 1.0)]), Events.of([]), 1).precision.tolist() == [0.0]


def test_differs_psds_eval_leaves_out_classes_without_hits(packages):
    """Its 0 / 0 drops the class from the mean, which rewards silence: put in as the 0 that it is."""
    import pandas as pd

    columns = ["filename", "onset", "offset", "event_label"]
    truth = pd.DataFrame([("f", 0.0, 1.0, "a"), ("f", 0.0, 1.0, "b")], columns=columns)
    length = pd.DataFrame({"filename": ["f"], "duration": [3.0]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = packages.psds_eval.PSDSEval(0.5, 0.5, ground_truth=truth, metadata=length)
        macro, per_class = theirs.compute_macro_f_score(truth[:1])
    assert macro == per_class["a"] == 1.0
    assert np.isnan(per_class["b"])
    detections = simple([(0, 0, 0.0, 1.0), (0, 1, 0.0, 1.0)], [(0, 0, 0.0, 1.0)])
    found = official("psds_eval", detections, None, NAMES, {})["intersection_f1"]
    assert (found["macro"], found["per_class"][NAMES.names[1]]["f1"]) == (0.5, 0.0)


def test_differs_psds_eval_ignores_detections_outside_their_clip():
    """Where durations are known; F1 elsewhere is taken without them."""
    detections = simple([(0, 0, 0.0, 1.0)], [(0, 0, 0.0, 1.0), (0, 0, 3.0, 4.0)])
    assert official("psds_eval", detections, None, NAMES, {})["intersection_f1"]["macro"] == 1.0
    others = official("sed_scores_eval", detections, None, NAMES, {})["intersection_f1"]["macro"]
    ours = intersection_counts(detections.reference, detections.detected, LABELS).macro_f1
    unknown = dataclasses.replace(detections, durations=None)
    assert official("psds_eval", unknown, None, NAMES, {})["intersection_f1"]["macro"] == ours == others
    assert ours == pytest.approx(2 / 3)


def test_differs_psds_eval_does_not_round():
    """(1.9 - 1.2) / (2.2 - 1.2) is less than 0.7 by noise: out for `psds_eval`, in for `sed_scores_eval` and us."""
    share = dataclasses.replace(LOOSE, dtc=0.7, gtc=0.7)
    truth, said = [(0, 0, 1.2, 1.9), (1, 1, 0.0, 1.0)], [(0, 0, 1.2, 2.2), (1, 1, 0.0, 1.0)]
    detections = simple(truth, truth, points=[said])
    theirs = official("psds_eval", detections, None, NAMES, {"share": share})["share"]
    exact = official("sed_scores_eval", detections, None, NAMES, {"share": share})["share"]
    assert theirs < exact
    assert exact == pytest.approx(detections.psds_table(share).psds().value, abs=1e-9)
    bare = {"share": dataclasses.replace(share, decimals=None)}
    assert theirs == pytest.approx(detections.psds_table(bare["share"]).psds().value, abs=1e-9)
    assert official("sed_scores_eval", detections, None, NAMES, bare)["share"] is None


def test_differs_one_class_has_no_cross_triggers():
    """Their mean over no other class is NaN in both packages; `psds_eval` multiplies even a weight of 0 by it."""
    truth = [(0, 0, 0.0, 1.0), (1, 0, 0.0, 1.0)]
    detections = simple(truth, truth, points=[[truth[0], (1, 0, 2.0, 3.0)]])
    scenarios = {**SCENARIOS, "heavy": dataclasses.replace(CROSS, alpha_ct=1.5)}
    found = official("sed_scores_eval", detections, None, NAMES, scenarios)
    for name, p in scenarios.items():
        assert found[name] == pytest.approx(detections.psds_table(p).psds().value, abs=1e-9)
    found = official("psds_eval", detections, None, NAMES, scenarios)
    assert (found["loose"], found["cross"]) == (None, None)
    two = simple([*truth, (0, 1, 0.0, 1.0)], truth, points=[truth])
    found = official("psds_eval", two, None, NAMES, scenarios)
    assert found["heavy"] is None  # it takes weights of 1 at most
    assert found["cross"] is not None


def test_differs_sed_eval_leaves_out_classes_never_reported(judge):
    """Unless it is called as the baselines call it: see `Counts`. So do not compare with its default."""
    truth, said = [(0, 0, 0.0, 1.0), (0, 1, 0.0, 1.0)], [(0, 0, 0.0, 1.0)]
    ours = event_counts(Events.of(truth), Events.of(said), 2).macro_f1

    def macro(metric):
        return metric.results_class_wise_average_metrics()["f_measure"]["f_measure"]

    metric = judge.events(truth, said, 2)
    assert macro(metric) == ours == 0.5
    metric.empty_system_output_handling = None  # its default
    assert macro(metric) == 1.0


@pytest.mark.parametrize("distinct", [4, 1000])
def test_ranking_scores_are_those_of_sed_scores_eval(packages, distinct):
    """Where clips tie, its ROC curve goes right before it goes up: the whole area too, where ours counts ties half."""
    rng = np.random.default_rng(3)
    true = torch.from_numpy(rng.random((60, 3)) < 0.4)
    score = torch.from_numpy(rng.permuted(np.tile(np.arange(60) % distinct, (3, 1)), axis=1).T / distinct)
    frame, names = packages.sed_scores_eval.base_modules.scores.create_score_dataframe, ["a", "b", "c"]
    table = {str(i): frame(s.numpy()[None], np.array([0.0, 1.0]), names) for i, s in enumerate(score)}
    tags = {str(i): [n for n, yes in zip(names, t.tolist(), strict=True) if yes] for i, t in enumerate(true)}
    ours, clip_based = tagging_scores(true, score), packages.sed_scores_eval.clip_based
    means, _ = clip_based.average_precision(table, tags)
    areas, _ = clip_based.auroc(table, tags)
    partial, _ = clip_based.auroc(table, tags, max_fpr=0.1)
    assert ours.ap == pytest.approx([means[n] for n in names], abs=1e-9)
    assert ours.macro_ap == pytest.approx(means["mean"], abs=1e-9)
    assert ours.pauroc == pytest.approx([partial[n] for n in names], abs=1e-9)
    stairs = ranking_scores(true, score, lambda tp, fp: partial_auroc(tp, fp, max_fpr=1.0))[0]
    assert stairs == pytest.approx([areas[n] for n in names], abs=1e-9)
    if distinct == 1000:
        assert ours.macro_auroc == pytest.approx(areas["mean"], abs=1e-9)
    else:
        assert ours.macro_auroc > areas["mean"] + 0.05


@pytest.mark.parametrize("backend", get_args(Package))
def test_events_that_a_package_refuses(backend):
    good, both = [(1, 1, 0.0, 1.0)], [(1, 1, 0.5, 2.0), (1, 1, 0.0, 1.0)]
    for sides, who in (((both, good), "reference"), ((good, both), "detected")):
        with pytest.raises(WsedError, match=rf"{backend} .*{who} events .*overlap.* clip 1, back\\slash, from 0 s"):
            official(backend, simple(*sides), None, NAMES, {})
    touching, instant = [(1, 1, 0.0, 1.0), (1, 1, 1.0, 2.0)], [*good, (0, 0, 1.0, 1.0)]
    for rows, why in ((touching, "touch or overlap"), (instant, "do not last"), ([(0, 0, -1.0, 1.0)], "before 0 s")):
        detections = simple(rows, rows)
        if backend == "sed_scores_eval":
            with pytest.raises(WsedError, match=why):
                official(backend, detections, None, NAMES, {})
        else:
            found = official(backend, detections, None, NAMES, {})["intersection_f1"]
            same(found, intersection_counts(detections.reference, detections.detected, LABELS), micro=False)


def test_user_mistakes(monkeypatch):
    truth = [(0, 0, 0.0, 1.0), (1, 1, 0.0, 1.0)]
    detections = simple(truth, truth, points=[truth])
    with pytest.raises(WsedError, match=r"unknown backend 'sed_eval'.*; known: sed_scores_eval, psds_eval"):
        official("sed_eval", detections, None, NAMES, {})
    with pytest.raises(WsedError, match="2 class names do not fit"):
        official("psds_eval", detections, None, Labels(["a", "b"]), {})
    with pytest.raises(WsedError, match="detected events in clip 7, but there are 2 clips"):
        official("psds_eval", simple(truth, [(7, 0, 0.0, 1.0)]), None, NAMES, {})
    overlapping = simple(truth, truth, points=[[(0, 0, 0.0, 1.0), (0, 0, 0.5, 2.0)]])
    with pytest.raises(WsedError, match="an operating point overlap"):
        official("psds_eval", overlapping, None, NAMES, {})
    with pytest.raises(WsedError, match="operating point has events in clips beyond the 2"):
        official("psds_eval", simple(truth, truth, points=[[(2, 0, 0.0, 1.0)]]), None, NAMES, {})
    with pytest.raises(WsedError, match="2 clips, but durations of 3"):
        official("psds_eval", dataclasses.replace(detections, durations=torch.ones(3)), None, NAMES, {})
    for scores, why in ((torch.zeros(3, 4, LABELS), "2 clips and 3 labels"), (torch.full((2, 4, 3), np.nan), "NaN")):
        given = dataclasses.replace(detections, ranked=Scores.of_padded(scores, RATE))
        with pytest.raises(WsedError, match=why):
            official("sed_scores_eval", given, None, NAMES, SCENARIOS)
    unknown = dataclasses.replace(detections, timed=torch.tensor([[True] * LABELS, [False] * LABELS]))
    with pytest.raises(WsedError, match="use --backend native"):
        official("psds_eval", unknown, None, NAMES, {})
    for backend in get_args(Package):
        monkeypatch.setitem(sys.modules, backend, None)
        with pytest.raises(WsedError, match=rf'{backend} cannot be imported .*pip install "wsed\[eval\]"'):
            official(backend, detections, None, NAMES, {})
