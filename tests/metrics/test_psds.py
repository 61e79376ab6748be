"""PSDS against a loop over thresholds, sed_scores_eval, psds_eval, and the published figures of a real system."""

import csv
import dataclasses
import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wsed.errors import WsedError
from wsed.metrics.collar_psds import CollarPSDS
from wsed.metrics.intersection import cross_triggers, intersection_counts
from wsed.metrics.psds import PSDS1, PSDS2, PSDSParameters, PSDSTable, psds_from_operating_points, psds_from_scores
from wsed.metrics.runs import run_changes, runs
from wsed.types import Events
from wsed.values import Scores

CLIPS, FRAMES, LABELS, RATE = 3, 6, 3, 4.0
LENGTH = FRAMES / RATE
NAMES = [str(i) for i in range(LABELS)]
# 100 errors an hour are 0.1 in these few seconds: the area must reach further to see anything.
LOOSE = dataclasses.replace(PSDS1, dtc=0.5, gtc=0.5, max_efpr=3000.0)
CROSS = PSDSParameters(dtc=0.5, gtc=0.25, cttc=0.3, alpha_ct=0.5, alpha_st=1.0, max_efpr=4000.0)
parameters = st.sampled_from(
    [LOOSE, CROSS, dataclasses.replace(CROSS, alpha_st=0.0), dataclasses.replace(CROSS, max_efpr=500.0)]
)


def of(scores, seconds, valid=None):
    return Scores.of_padded(scores, RATE, valid=valid, durations=seconds)


@st.composite
def truths(draw, every_label=False):
    """Events on a grid of 1/8 s that do not touch; some classes and clips without any unless `every_label`."""
    rows = []
    for clip in range(CLIPS):
        for label in range(LABELS):
            if draw(st.booleans()):
                borders = sorted(draw(st.sets(st.integers(0, 12), min_size=2, max_size=4)))
                rows += [(clip, label, a / 8, b / 8) for a, b in zip(borders[::2], borders[1::2], strict=False)]
    missing = set(range(LABELS)) - {r[1] for r in rows}
    return rows + [(0, label, 0.25, 1.0) for label in sorted(missing)] if every_label else rows


@st.composite
def grids(draw):
    """Scores with few or many ties."""
    levels = draw(st.sampled_from([2, 5, 1000]))
    values = draw(st.lists(st.integers(0, levels), min_size=CLIPS * FRAMES * LABELS, max_size=CLIPS * FRAMES * LABELS))
    return (torch.tensor(values, dtype=torch.float32) / levels).reshape(CLIPS, FRAMES, LABELS)


def durations(n=CLIPS):
    return torch.full((n,), LENGTH, dtype=torch.float64)


def detections(scores, threshold):
    """Runs of frames at or above the threshold, frame by frame."""
    rows = []
    for clip, curves in enumerate(scores.tolist()):
        for label in range(len(curves[0])):
            start = None
            for frame in range(len(curves) + 1):
                on = frame < len(curves) and curves[frame][label] >= threshold
                if on and start is None:
                    start = frame
                elif not on and start is not None:
                    rows.append((clip, label, start / RATE, frame / RATE))
                    start = None
    return rows


def psds_by_loops(reference, points, n_clips, p):
    """PSDS from the definitions: the counts of each operating point, then the area between all rates that occur."""
    ref = Events.of(reference)
    seconds = [sum(r[3] - r[2] for r in reference if r[1] == k) for k in range(LABELS)]
    known = [k for k in range(LABELS) if seconds[k]]
    curves = {k: [(0.0, 0.0)] for k in known}
    for rows in points:
        counts = intersection_counts(ref, Events.of(rows), LABELS, dtc=p.dtc, gtc=p.gtc)
        cross = cross_triggers(ref, Events.of(rows), LABELS, dtc=p.dtc, cttc=p.cttc or 1.0)
        for k in known:
            rate = (counts.n_sys[k] - counts.tp[k]) / (n_clips * LENGTH)
            others = [cross[k, j] / seconds[j] for j in known if j != k]
            rate += p.alpha_ct * sum(others) / max(len(others), 1)
            curves[k].append((3600 * rate, counts.tp[k] / counts.n_ref[k]))
    if not known:
        return float("nan")
    borders = sorted({x for c in curves.values() for x, _ in c if x < p.max_efpr} | {p.max_efpr})
    area = 0.0
    for a, b in itertools.pairwise(borders):
        height = [max(y for x, y in c if x <= (a + b) / 2) for c in curves.values()]
        area += (b - a) * max(np.mean(height) - p.alpha_st * np.std(height), 0.0)
    return area / p.max_efpr


@given(grids(), truths(), parameters)
@settings(max_examples=60, deadline=None)
def test_scores_equal_a_loop_over_thresholds(scores, reference, p):
    points = [detections(scores, t) for t in scores.unique().tolist()]
    expected = psds_by_loops(reference, points, CLIPS, p)
    found = psds_from_scores(of(scores, durations()), Events.of(reference), p)
    assert found.value == pytest.approx(expected, abs=1e-9, nan_ok=True)
    table = PSDSTable.of_scores(of(scores, durations()), Events.of(reference), p)
    assert table.psds().value == pytest.approx(expected, abs=1e-9, nan_ok=True)
    told = Events.of(reference)
    from_points = psds_from_operating_points(told, [Events.of(rows) for rows in points], LABELS, durations(), p)
    assert from_points.value == pytest.approx(expected, abs=1e-9, nan_ok=True)


@given(grids(), truths(), parameters, st.lists(st.integers(0, 2), min_size=CLIPS, max_size=CLIPS))
@settings(max_examples=40, deadline=None)
def test_weights_count_clips_as_often_as_they_say(scores, reference, p, counts):
    if not sum(counts):
        return
    chosen = [clip for clip, n in enumerate(counts) for _ in range(n)]
    again = [(i, *row[1:]) for i, clip in enumerate(chosen) for row in reference if row[0] == clip]
    expected = psds_from_scores(of(scores[chosen], durations(len(chosen))), Events.of(again), p)
    weights = np.array([counts], dtype=np.float64)
    table = PSDSTable.of_scores(of(scores, durations()), Events.of(reference), p)
    assert table.values(weights)[0] == pytest.approx(expected.value, abs=1e-9, nan_ok=True)
    found = table.psds(torch.from_numpy(weights[0]))
    assert found.per_class.tolist() == pytest.approx(expected.per_class.tolist(), abs=1e-9, nan_ok=True)
    points = [Events.of(detections(scores, t)) for t in scores.unique().tolist()]
    table = PSDSTable.of_operating_points(Events.of(reference), points, LABELS, durations(), p)
    assert table.values(weights)[0] == pytest.approx(expected.value, abs=1e-9, nan_ok=True)


@given(grids(), truths(every_label=True), parameters)
@settings(max_examples=40, deadline=None)
def test_scores_equal_sed_scores_eval(exact, scores, reference, p):
    found = psds_from_scores(of(scores, durations()), Events.of(reference), p)
    value, per_class, (etpr, efpr), _ = exact(scores, reference, p)
    assert found.value == pytest.approx(value, abs=1e-9)
    assert found.per_class.tolist() == pytest.approx([per_class[name] for name in NAMES], abs=1e-9)
    # Rates that are equal but for rounding are one step or two: compare the curves between the steps.
    between = np.random.default_rng(0).uniform(0, p.max_efpr, 50)
    theirs = etpr[np.searchsorted(efpr[:-1], between, side="right") - 1]
    assert found.roc.tpr[np.searchsorted(found.roc.efpr, between, side="right") - 1] == pytest.approx(theirs, abs=1e-9)


@pytest.fixture(scope="module")
def exact():
    """`sed_scores_eval`: value, per class, effective curve, curves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("sed_scores_eval", reason="needs the extra `eval`")
        from sed_scores_eval.base_modules.scores import create_score_dataframe

    def score(scores, reference, p):
        times = np.arange(scores.shape[1] + 1) / RATE
        clips = [f"{i:04d}" for i in range(len(scores))]
        truth = {clip: [(a, b, str(k)) for c, k, a, b in reference if c == i] for i, clip in enumerate(clips)}
        frames = {
            c: create_score_dataframe(s.double().numpy(), times, NAMES) for c, s in zip(clips, scores, strict=True)
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return module.intersection_based.psds(
                frames,
                truth,
                dict.fromkeys(clips, times[-1]),
                dtc_threshold=p.dtc,
                gtc_threshold=p.gtc,
                cttc_threshold=p.cttc if p.alpha_ct else None,
                alpha_ct=p.alpha_ct,
                alpha_st=p.alpha_st,
                max_efpr=p.max_efpr,
            )

    return score


def test_longer_clips_equal_sed_scores_eval(exact):
    """Smooth curves of 60 frames in 40 clips, most without events of a label: nothing is lost by leaving out."""
    rng = np.random.default_rng(1)
    rows = [
        (i % 40, i % LABELS, round(a, 3), round(a + rng.uniform(0.2, 5), 3))
        for i, a in enumerate(rng.uniform(0, 9, 45))
    ]
    logits = (
        np.cumsum(rng.standard_normal((40, 60, LABELS)), axis=1)
        + 2 * Events.of(rows).rasterise(40, LABELS, 60, RATE).numpy()
    )
    scores = torch.sigmoid(torch.from_numpy(logits).float())
    seconds = torch.full((40,), 15.0, dtype=torch.float64)
    for p in (PSDS1, PSDS2):
        found = psds_from_scores(of(scores, seconds), Events.of(rows), p)
        assert found.value == pytest.approx(exact(scores, rows, p)[0], abs=1e-9)
        assert found.roc.efpr[0] == 0
        assert np.all(np.diff(found.roc.efpr) > 0)
        assert found.roc.area(p.max_efpr) == found.value


def reader(folder, name, files, labels):
    with (folder / name).open(newline="") as file:
        rows = [r for r in csv.DictReader(file, delimiter="\t") if r["event_label"]]
    return [(files[r["filename"]], labels.index(r["event_label"]), float(r["onset"]), float(r["offset"])) for r in rows]


def test_desed_baseline_equals_the_published_figures_and_psds_eval(desed):
    files = {name: i for i, name in enumerate(desed.files)}
    folder = desed.folder / "predictions_operating_points"
    points = [reader(folder, path.name, files, desed.labels) for path in sorted(folder.iterdir())]
    assert len(points) == 50
    with (desed.folder / "validation_durations.tsv").open(newline="") as file:
        lasts = {row["filename"]: float(row["duration"]) for row in csv.DictReader(file, delimiter="\t")}
    seconds = torch.tensor([lasts[name] for name in desed.files], dtype=torch.float64)
    n, truth = len(desed.labels), Events.of(desed.reference)
    events = [Events.of(rows) for rows in points]
    assert f"{psds_from_operating_points(truth, events, n, seconds, PSDS1).value:.4f}" == "0.3535"
    assert f"{psds_from_operating_points(truth, events, n, seconds, PSDS2).value:.4f}" == "0.5483"
    few = slice(2, None, 8)
    for p in (PSDS1, PSDS2):
        theirs = by_psds_eval(desed.reference, points[few], p, desed.labels, desed.files, seconds.tolist())
        # psds_eval does not round: a reference event covered by 0.69999999999999 of its length fails its GTC of 0.7.
        bare = psds_from_operating_points(truth, events[few], n, seconds, dataclasses.replace(p, decimals=None))
        assert bare.value == pytest.approx(theirs, abs=1e-9)
        ours = psds_from_operating_points(truth, events[few], n, seconds, p)
        assert ours.value == pytest.approx(theirs, abs=1e-5)
        backwards = psds_from_operating_points(truth, events[few][::-1], n, seconds, p)
        assert backwards.value == pytest.approx(ours.value, abs=1e-12)


@given(st.lists(truths(), min_size=1, max_size=3), truths(every_label=True), parameters)
@settings(max_examples=12, deadline=None)
def test_points_equal_psds_eval(points, reference, p):
    files = [f"{i}.wav" for i in range(CLIPS)]
    theirs = by_psds_eval(reference, points, p, NAMES, files, durations().tolist())
    events = [Events.of(rows) for rows in points]
    ours = psds_from_operating_points(Events.of(reference), events, LABELS, durations(), p)
    assert ours.value == pytest.approx(theirs, abs=1e-9)


def by_psds_eval(reference, points, p, labels, files, seconds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        psds_eval = pytest.importorskip("psds_eval", reason="needs the extra `eval`")
        import pandas as pd

        def table(rows):
            named = [(files[c], a, b, labels[k]) for c, k, a, b in rows]
            return pd.DataFrame(named, columns=["filename", "onset", "offset", "event_label"])

        length = pd.DataFrame({"filename": files, "duration": seconds})
        metric = psds_eval.PSDSEval(p.dtc, p.gtc, p.cttc or 0.3, ground_truth=table(reference), metadata=length)
        for rows in points:
            metric.add_operating_point(table(rows))
        return metric.psds(p.alpha_ct, p.alpha_st, p.max_efpr).value


@given(st.lists(st.lists(st.integers(0, 4), min_size=7, max_size=7), min_size=1, max_size=4))
@settings(max_examples=100, deadline=None)
def test_runs_are_those_of_every_threshold(rows):
    scores = np.array(rows, dtype=np.float64)
    scores[scores == 0] = -np.inf
    found = runs(scores)
    for threshold in (1, 2, 3, 4):
        there = (found.low < threshold) & (threshold <= found.high)
        mine = sorted(zip(found.row[there], found.first[there], found.stop[there], strict=True))
        edges = np.diff((scores >= threshold).astype(int), axis=1, prepend=0, append=0)
        firsts, stops = np.argwhere(edges == 1), np.argwhere(edges == -1)
        assert mine == [(r, a, b) for (r, a), (_, b) in zip(firsts.tolist(), stops.tolist(), strict=True)]
        _, score, change = run_changes(scores)
        assert change[score >= threshold].sum() == len(mine)
    inner = found.parent >= 0
    assert np.array_equal(found.high[found.parent[inner]], found.low[inner])
    assert np.all(found.low[~inner] == -np.inf)
    assert np.all(found.first[found.parent[inner]] <= found.first[inner])
    assert np.all(found.stop[found.parent[inner]] >= found.stop[inner])


def test_a_perfect_and_a_silent_system():
    reference = [(0, 0, 0.25, 0.75), (1, 1, 0.5, 1.5), (2, 2, 0.0, 0.5)]
    truth = Events.of(reference)
    perfect = truth.rasterise(CLIPS, LABELS, FRAMES, RATE)
    assert psds_from_scores(of(perfect, durations()), truth, PSDS1).value == 1.0
    silent = psds_from_scores(of(torch.full((CLIPS, FRAMES, LABELS), -torch.inf), durations()), truth, PSDS1)
    assert (silent.value, silent.per_class.tolist()) == (0.0, [0.0] * LABELS)
    for points in ([], [Events.of([])]):
        assert psds_from_operating_points(truth, points, LABELS, durations()).value == 0.0
    assert psds_from_operating_points(truth, [truth], LABELS, durations()).value == 1.0
    nobody = psds_from_operating_points(Events.of([]), [truth], LABELS, durations())
    assert np.isnan(nobody.value)
    assert np.isnan(nobody.per_class).all()
    assert nobody.roc.efpr.size == 0


@given(
    st.lists(truths(), min_size=1, max_size=3), truths(every_label=True), parameters, st.sampled_from([0.4, 0.7, 1.0])
)
@settings(max_examples=12, deadline=None)
def test_points_equal_psds_eval_where_clips_end_before_events(points, reference, p, seconds):
    """A hit outside the clip counts, a false alarm there does not."""
    lasts = durations() * 0 + seconds
    theirs = by_psds_eval(reference, points, p, NAMES, [f"{i}.wav" for i in range(CLIPS)], lasts.tolist())
    ours = psds_from_operating_points(Events.of(reference), [Events.of(rows) for rows in points], LABELS, lasts, p)
    assert ours.value == pytest.approx(theirs, abs=1e-9)


def test_false_alarms_outside_their_clip_do_not_count():
    truth = Events.of([(0, 0, 0.0, 1.0)])
    late = Events.of([(0, 0, 0.0, 1.0), (0, 0, LENGTH, 9.0), (0, 0, LENGTH + 1, 9.0)])
    assert psds_from_operating_points(truth, [late], 1, durations(1)).value == 1.0


def test_scores_of_any_form():
    rng = np.random.default_rng(3)
    scores = torch.from_numpy(rng.random((2, 8, 2)))
    truth = Events.of([(0, 0, 0.0, 1.0), (1, 1, 0.5, 1.25)])
    seconds = torch.tensor([2.0, 1.5], dtype=torch.float64)
    p = dataclasses.replace(CROSS, max_efpr=3000.0)

    def value(given):
        return psds_from_scores(given, truth, p).value

    def bordered(parts, rate):
        borders = torch.cat([torch.arange(len(part) + 1) / rate for part in parts]).double()
        whole = Scores.of_clips("ab", parts, RATE, seconds)
        return dataclasses.replace(whole, frame_rate=0.0, borders=borders)

    parts = [scores[0], scores[1, :6]]
    valid = torch.arange(8) < torch.tensor([8, 6])[:, None]
    expected = value(Scores.of_clips("ab", parts, RATE, seconds))
    assert value(of(scores, seconds, valid)) == expected
    assert value(bordered(parts, RATE)) == expected
    assert value(of(torch.logit(scores), seconds, valid)) == expected
    assert value(bordered(parts, 3.0)) != expected
    one, before = scores[:, :, :1].contiguous(), scores[:, :, :1].clone()
    psds_from_scores(of(one, seconds, valid), truth[truth.label == 0], p)
    assert torch.equal(one, before)
    half = [part.half() for part in parts]
    full = [part.float() for part in half]
    assert value(Scores.of_clips("ab", half, RATE, seconds)) == value(Scores.of_clips("ab", full, RATE, seconds))


def test_user_mistakes():
    scores, truth = torch.zeros(CLIPS, FRAMES, LABELS), Events.of([(0, 0, 0.0, 1.0)])
    with pytest.raises(WsedError, match="events in clip 5"):
        psds_from_scores(of(scores, durations()), Events.of([(5, 0, 0.0, 1.0)]))
    with pytest.raises(WsedError, match="operating point has events in clip 5"):
        psds_from_operating_points(truth, [Events.of([(5, 0, 0.0, 1.0)])], LABELS, durations())
    with pytest.raises(WsedError, match="clip 1 hold NaN"):
        psds_from_scores(of(scores.index_fill(0, torch.tensor([1]), torch.nan), durations()), truth)
    with pytest.raises(WsedError, match="not all 0"):
        psds_from_operating_points(truth, [], LABELS, torch.zeros(1))
    table = PSDSTable.of_operating_points(truth, [truth], LABELS, durations())
    for wrong in ([1.0], [1.0, 1.0, -1.0], [1.0, 1.0, float("nan")]):
        with pytest.raises(WsedError, match="one weight of 0 or more for each of 3 clips"):
            table.psds(torch.tensor(wrong))
    with pytest.raises(WsedError, match="nothing to score"):
        table.psds(torch.zeros(3))
    with pytest.raises(WsedError, match="for operating points"):
        psds_from_scores(of(scores, durations()), truth, dataclasses.replace(PSDS1, decimals=None))
    with pytest.raises(WsedError, match=r"row for each of 3 clips and a column for each of 3 labels, not .* \(3, 1\)"):
        psds_from_scores(of(scores, durations()), truth, timed=torch.ones(CLIPS, 1, dtype=torch.bool))
    for settings_ in ({"dtc": 0.0}, {"alpha_ct": -1.0}, {"max_efpr": 0.0}, {"alpha_ct": 0.5, "cttc": None}):
        with pytest.raises(WsedError):
            PSDSParameters(**settings_)


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_weights_and_the_end_of_the_area_must_be_numbers(wrong):
    for made in (lambda **settings_: PSDSParameters(**settings_), lambda **settings_: CollarPSDS(**settings_)):
        with pytest.raises(WsedError, match=f"alpha_st must be 0 or more and finite, not {wrong}"):
            made(alpha_st=wrong)
        for end in (wrong, 0.0):
            with pytest.raises(WsedError, match=f"max_efpr must be more than 0 and finite, not {end}"):
                made(max_efpr=end)
    with pytest.raises(WsedError, match="alpha_ct must be 0 or more"):
        PSDSParameters(alpha_ct=wrong)


def test_events_of_a_class_that_overlap_count_once():
    once, seconds = Events.of([(0, 0, 0.0, 1.0)]), torch.tensor([10.0], dtype=torch.float64)
    twice = Events.cat([once, once])
    half, third = Events.of([(0, 0, 0.0, 0.4)]), Events.of([(0, 0, 0.6, 1.0)])
    for points in ([half], [Events.cat([half, half])]):
        assert psds_from_operating_points(once, points, 1, seconds).value == 0.0
    for points in ([Events.cat([half, third])], [Events.cat([half, third, half])]):
        assert psds_from_operating_points(twice, points, 1, seconds).value == 1.0
    short = torch.tensor([[[0.9], [-torch.inf]]])  # 0.5 s of 1 s
    assert psds_from_scores(Scores.of_padded(short, 2.0), once).value == 0.0
    assert psds_from_scores(Scores.of_padded(short, 2.0), twice).value == 0.0
    assert PSDSTable.of_scores(Scores.of_padded(short, 2.0), twice).psds().value == 0.0


# ---- classes that are unknown in some clips


def test_an_unknown_class_is_neither_true_nor_detected():
    """Clip 1 knows nothing of class 0: scored without clip 1, class 0 has the same curve."""
    draw = np.random.default_rng(0)
    reference = Events.of([(0, 0, 0.25, 0.75), (1, 0, 0.25, 1.0), (1, 1, 0.5, 1.5), (2, 2, 0.0, 0.5), (2, 0, 1.0, 1.5)])
    scores = torch.from_numpy(draw.random((CLIPS, FRAMES, LABELS)))
    timed = torch.ones(CLIPS, LABELS, dtype=torch.bool)
    timed[1, 0] = False
    there = torch.tensor([0, 2])
    kept = reference[reference.clip != 1]
    alone = dataclasses.replace(kept, clip=(kept.clip == 2).long())
    p = dataclasses.replace(LOOSE, alpha_st=0.0)
    found = psds_from_scores(of(scores, durations()), reference, p, timed=timed)
    expected = psds_from_scores(of(scores[there], durations(2)), alone, p)
    whole = psds_from_scores(of(scores, durations()), reference, p)
    assert found.per_class[0] == pytest.approx(expected.per_class[0], abs=1e-12)
    assert found.per_class[1:].tolist() == whole.per_class[1:].tolist()
    table = PSDSTable.of_scores(of(scores, durations()), reference, p, timed=timed)
    assert table.psds().value == pytest.approx(found.value, abs=1e-12)
    points = [Events.of(detections(scores, t)) for t in scores.unique().tolist()]
    from_points = psds_from_operating_points(reference, points, LABELS, durations(), p, timed=timed)
    assert from_points.value == pytest.approx(found.value, abs=1e-9)


def test_one_false_alarm_weighs_by_the_time_in_which_its_class_is_known():
    """By hand: 1 event found, 1 false alarm in 10 s of known time: 360 errors an hour (180 if both clips knew it)."""
    reference, p = Events.of([(0, 0, 0.0, 1.0)]), PSDSParameters(0.5, 0.5, None, max_efpr=720.0)
    seconds = torch.full((2,), 10.0, dtype=torch.float64)
    points = [Events.of([(0, 0, 0.0, 1.0), (0, 0, 5.0, 6.0), (1, 0, 0.0, 1.0)])]
    timed = torch.tensor([[True], [False]])
    assert psds_from_operating_points(reference, points, 1, seconds, p, timed=timed).value == pytest.approx(0.5)
    assert psds_from_operating_points(reference, points, 1, seconds, p).value == pytest.approx(0.5)
    wide = torch.tensor([10.0, 30.0], dtype=torch.float64)
    assert psds_from_operating_points(reference, points, 1, wide, p, timed=timed).value == pytest.approx(0.5)
    assert psds_from_operating_points(reference, points, 1, wide, p).value == pytest.approx(0.75)


def test_all_known_changes_no_bit():
    draw = np.random.default_rng(1)
    scores, known = torch.from_numpy(draw.random((CLIPS, FRAMES, LABELS))), torch.ones(CLIPS, LABELS, dtype=torch.bool)
    reference = Events.of([(0, 0, 0.25, 0.75), (1, 1, 0.5, 1.5), (2, 2, 0.0, 0.5)])
    for p in (PSDS1, PSDS2, CROSS):
        plain = psds_from_scores(of(scores, durations()), reference, p)
        assert psds_from_scores(of(scores, durations()), reference, p, timed=known).value == plain.value
