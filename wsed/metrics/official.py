"""The same figures of merit by the field's own packages, as a second opinion: `sed_scores_eval` and `psds_eval`.

Both come with the extra `eval` and are imported when they are asked. The packages do the counting and the averaging
here; what is ours is how detections are handed over, and three conventions of `Counts` put in the place of theirs:

* A class without reference has no score (NaN). `sed_scores_eval` refuses such a class, and `psds_eval` reads memory
  that nothing was written to; neither is told of it.
* A class with reference and no hit has an F1 of 0. `psds_eval` divides 0 by 0 and leaves the class out of its mean.
* With a single class there are no cross triggers: their mean over no other class makes the PSDS of `sed_scores_eval`
  NaN, so it is asked without. That of `psds_eval` is NaN whatever their weight: it is not given (None).

Where the packages still differ from the rest of `wsed.metrics`:

* Events: `sed_scores_eval` rounds to microseconds before it compares with the collars, so that a difference of exactly
  0.2 s is in (`event_counts(collar_eps=5e-7)`); `sed_eval`, and we, leave that to floating-point noise.
* Segments: `sed_scores_eval` rounds the borders of detections to microseconds; those of reference events, and all of
  ours, are taken as they are.
* Micro F1: that of `sed_scores_eval` leaves out false alarms of classes without reference; ours counts them.
* `psds_eval` never rounds, whatever `PSDSParameters.decimals` says, and ignores detections outside their clip; ours
  does the latter for the PSDS of operating points only. Its weight of cross triggers is 1 at most.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from itertools import repeat
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from wsed.errors import WsedError
from wsed.metrics.detections import Detections, FrameScores, Tags
from wsed.metrics.intersection import lasting
from wsed.metrics.pairs import Columns, columns
from wsed.metrics.psds import PSDSParameters, Truth
from wsed.metrics.sweep import ScoreGrid
from wsed.types import Labels

BACKENDS = ("sed_scores_eval", "psds_eval")
"""The packages, as `official_figures` names them."""

Classes = Int[np.ndarray, " known"]
Table = tuple[Float[np.ndarray, " _"], Float[np.ndarray, "_ label"]]
"""Borders of the frames of a clip in seconds, and their scores; -inf: never active."""


def official_figures(
    backend: str,
    detections: Detections,
    tags: Tags | None,
    labels: Labels,
    scenarios: Mapping[str, PSDSParameters],
) -> dict[str, Any]:
    """The figures of merit that a package computes; the module says where they differ from ours.

    Args:
        backend: one of `BACKENDS`.
        detections: what was detected. Events of one class in one clip may not overlap, nor, for `sed_scores_eval`,
            touch (`Detections.joined` mends overlaps only). `sed_scores_eval` needs events that last and start at 0 s
            or later; `psds_eval` leaves those of 0 s out, as do intersections and PSDS everywhere.
        tags: the classes said of clips; None: no tagging F1.
        labels: the classes.
        scenarios: PSDS by name.

    Returns:
        * `event_f1` (collars 0.2 s and 20 %), `segment_f1` (1 s, not cut at the clip's end), `tagging_f1`:
          `sed_scores_eval` only;
        * `intersection_f1` (0.5, 0.5), of which `psds_eval` has no micro average;
        * the name of each scenario: its PSDS. `sed_scores_eval` takes it from the frame scores, or from operating
          points if some scores have exactly these as their events at falling thresholds (each point holds all events
          of the one before, class by class, and none that touch). `psds_eval` takes it from operating points only.

        An F1 is `{"macro": x, "micro": x, "per_class": {label: {"f1": x}}}`. None is a figure that the package does not
        compute from this; NaN one that is not defined.

    Raises:
        WsedError: the package is not installed or is none of `BACKENDS`, or it cannot be told of these events.
    """
    if backend not in BACKENDS:
        raise WsedError(f"unknown backend {backend!r}; known backends: {', '.join(BACKENDS)}")
    if len(labels) != detections.n_labels or (tags is not None and len(labels) != tags.true.shape[1]):
        raise WsedError(f"{len(labels)} class names do not fit the label axis of the detections or tags")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what newer versions of numpy and pandas deprecate, and 0 / 0
        package = _package(backend)
        if backend == "psds_eval":
            return _by_psds_eval(package, detections, labels, scenarios)
        return _by_sed_scores_eval(package, detections, tags, labels, scenarios)


def _package(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise WsedError(f'{name} cannot be imported ({error}): pip install "wsed[eval]"') from error


# What is handed over. Clips and classes go by their numbers: a class may be called "onset", or have a "\" in its name.


def _clip_name(clip: int) -> str:
    return f"{clip:08d}"


class _Given(NamedTuple):
    """Events that a package accepts. `seconds` of the clips: None if they are not known."""

    ref: Columns
    said: Columns
    n_clips: int
    labels: Labels
    seconds: Float[np.ndarray, " clip"] | None

    @property
    def known(self) -> Classes:
        """The classes with reference."""
        return np.unique(self.ref.label)


def _given(detections: Detections, labels: Labels, backend: str) -> _Given:
    sides = []
    for who, events in (("reference", detections.reference), ("detected", detections.detected)):
        table = columns(events, detections.n_labels)
        wrong = np.flatnonzero((table.clip < 0) | (table.clip >= detections.n_clips))
        if wrong.size:
            raise WsedError(f"{who} events in clip {table.clip[wrong[0]]}, but there are {detections.n_clips} clips")
        if backend == "psds_eval":
            table = lasting(table)
            how, clash = "overlap (join them first)", _clashes(table, touching=False)
        else:
            wrong = np.flatnonzero((table.offset <= table.onset) | (table.onset < 0))
            _refuse(table, wrong, f"{who} events do not last, or start before 0 s", labels, backend)
            how, clash = "touch or overlap (join them first, touching ones too)", _clashes(table, touching=True)
        _refuse(table, clash, f"{who} events of one class {how}", labels, backend)
        sides.append(table)
    return _Given(sides[0], sides[1], detections.n_clips, labels, _seconds(detections))


def _refuse(events: Columns, wrong: Int[np.ndarray, " n"], what: str, labels: Labels, backend: str) -> None:
    if wrong.size:
        i = wrong[0]
        where = f"clip {events.clip[i]}, {labels.names[events.label[i]]}, from {events.onset[i]:g} s"
        raise WsedError(f"{backend} cannot be told of these events: {what}: {where}")


def _clashes(events: Columns, touching: bool) -> Int[np.ndarray, " n"]:
    """Events that the next one of their class and clip overlaps, or touches if that matters."""
    order = np.lexsort((events.onset, events.label, events.clip))
    clip, label, onset, offset = events.take(order)
    same = (clip[1:] == clip[:-1]) & (label[1:] == label[:-1])
    gap = onset[1:] - offset[:-1]
    wrong: Int[np.ndarray, " n"] = order[:-1][same & ((gap < 0) | (touching & (gap == 0)))]
    return wrong


def _of_classes(events: Columns, known: Classes) -> Columns:
    return events.take(np.isin(events.label, known))


def _seconds(detections: Detections) -> Float[np.ndarray, " clip"] | None:
    """Seconds of every clip; None if they are not known."""
    if detections.durations is None:
        return None
    seconds = Truth.of(detections.reference, detections.durations, detections.n_labels).durations
    if seconds.shape != (detections.n_clips,):
        raise WsedError(f"there are {detections.n_clips} clips, but durations of {seconds.size}")
    return seconds


def _points(detections: Detections, given: _Given) -> list[Columns]:
    """Events of the operating points that last, lie in their clips, and are of known classes."""
    tables = (lasting(columns(point, detections.n_labels)) for point in detections.points)
    points = [_of_classes(table, given.known) for table in tables]
    if any(p.clip.size and not 0 <= p.clip.min() <= p.clip.max() < given.n_clips for p in points):
        raise WsedError(f"an operating point has events in clips beyond the {given.n_clips} there are")
    seconds = np.full(given.n_clips, np.inf) if given.seconds is None else given.seconds
    return [p.take((p.onset < seconds[p.clip]) & (p.offset > 0)) for p in points]


def _figure(f1: Mapping[int, float], micro: float | None, labels: Labels) -> dict[str, Any]:
    """F1 of classes by their number, with NaN for those that are missing."""
    macro = float(np.mean(list(f1.values()))) if f1 else float("nan")
    per_class = {name: {"f1": float(f1.get(i, float("nan")))} for i, name in enumerate(labels)}
    return {"macro": macro, "micro": micro if micro is None else float(micro), "per_class": per_class}


# sed_scores_eval: everything from tables of scores, one a clip, with frames of any length.


def _by_sed_scores_eval(
    package: ModuleType,
    detections: Detections,
    tags: Tags | None,
    labels: Labels,
    scenarios: Mapping[str, PSDSParameters],
) -> dict[str, Any]:
    given = _given(detections, labels, "sed_scores_eval")
    events, segments, shares = (
        getattr(package, f"{kind}_based").fscore for kind in ("collar", "segment", "intersection")
    )
    collars = {"onset_collar": 0.2, "offset_collar": 0.2, "offset_collar_rate": 0.2}
    found: dict[str, Any] = {
        "event_f1": _events_f1(given, partial(events, **collars)),
        "segment_f1": _events_f1(given, partial(segments, segment_length=1.0, audio_durations=None)),
        "intersection_f1": _events_f1(given, partial(shares, dtc_threshold=0.5, gtc_threshold=0.5)),
        "tagging_f1": None if tags is None else _tagging_f1(package.clip_based.fscore, tags, labels),
    }
    if given.seconds is None or not detections.has_psds:
        return found | dict.fromkeys(scenarios)
    lasts = dict(zip(map(_clip_name, range(given.n_clips)), given.seconds.tolist(), strict=True))
    tables, truth = _psds_tables(detections, given), _truth(given.ref, given.n_clips)
    return found | {name: _exact_psds(package, tables, truth, lasts, p) for name, p in scenarios.items()}


def _events_f1(given: _Given, fscore: Callable[..., Any]) -> dict[str, Any]:
    """F1 of events that are told as scores: frames between all borders, active where events are."""
    known, n_clips = given.known, given.n_clips
    levels = _levels([_of_classes(given.said, known)], n_clips, len(given.labels), given.ref.offset.max(initial=1.0))
    if not known.size or levels is None:
        return _figure({}, float("nan"), given.labels)
    # At 0 whole clips are detected: below the threshold, but a class without any change makes the package fail.
    tables = ((borders, np.maximum(scores, 0.0)) for borders, scores in levels)
    return _f1(fscore, _score_tables(tables, known), _truth(given.ref, n_clips), given.labels)


def _tagging_f1(fscore: Callable[..., Any], tags: Tags, labels: Labels) -> dict[str, Any]:
    true, said = (side.bool().cpu().numpy() for side in (tags.true, tags.said))
    known = np.flatnonzero(true.any(0))
    if not known.size:
        return _figure({}, float("nan"), labels)
    scores = _score_tables(zip(repeat(np.array([0.0, 1.0])), said[:, None].astype(np.float64), strict=False), known)
    truth = {_clip_name(i): [str(k) for k in np.flatnonzero(row)] for i, row in enumerate(true)}
    return _f1(fscore, scores, truth, labels)


def _f1(fscore: Callable[..., Any], scores: Any, truth: Any, labels: Labels) -> dict[str, Any]:
    by_name = dict(fscore(scores, truth, threshold=0.5)[0])
    micro = by_name.pop("micro_average")
    del by_name["macro_average"]  # the mean of the others
    return _figure({int(name): value for name, value in by_name.items()}, micro, labels)


def _exact_psds(
    package: ModuleType, tables: Any, truth: Any, lasts: Mapping[str, float], p: PSDSParameters
) -> float | None:
    """PSDS over all thresholds; None where it cannot be had exactly."""
    if tables is None or p.decimals is None:
        return None
    if not tables:
        return float("nan")
    n_known = next(iter(tables.values())).shape[1] - 2  # beside the borders of the frames
    alpha_ct = p.alpha_ct if n_known > 1 else 0.0
    value = package.intersection_based.psds(
        tables,
        truth,
        dict(lasts),
        dtc_threshold=p.dtc,
        gtc_threshold=p.gtc,
        cttc_threshold=p.cttc if alpha_ct else None,
        alpha_ct=alpha_ct,
        alpha_st=p.alpha_st,
        max_efpr=p.max_efpr,
        time_decimals=p.decimals,
    )
    return float(value[0])


def _psds_tables(detections: Detections, given: _Given) -> dict[str, Any] | None:
    """Scores of all clips: empty without a known class, None where no scores have these operating points."""
    known, n_labels = given.known, len(given.labels)
    if not known.size:
        return {}
    end = given.ref.offset.max()
    if detections.scores is not None:
        clips = list(_frames(detections.scores, given.n_clips, n_labels))
    elif (levels := _levels(_points(detections, given), given.n_clips, n_labels, end)) is not None:
        clips = levels
    else:
        return None
    return _score_tables([_alarmed(clips, end), *clips[1:]], known)


def _alarmed(clips: Sequence[Table], end: float) -> Table:
    """The first clip with a detection of every class after all events, at a threshold below all others.

    One more false alarm without a hit is a point below each curve and changes no score. But of a class for which
    nothing changes at any threshold (none is detected, or only parts too small to count), the package finds no curve.
    """
    lowest = min((float(s[s > -np.inf].min(initial=np.inf)) for _, s in clips), default=np.inf)
    borders, scores = clips[0]
    end = max(end, borders[-1]) + 1
    frames = np.full((2, scores.shape[1]), -np.inf)
    frames[1] = np.nextafter(lowest, -np.inf)
    return np.append(borders, [end, end + 1]), np.concatenate([scores, frames])


def _truth(events: Columns, n_clips: int) -> dict[str, list[tuple[float, float, str]]]:
    truth: dict[str, list[tuple[float, float, str]]] = {_clip_name(clip): [] for clip in range(n_clips)}
    for clip, label, onset, offset in zip(*(column.tolist() for column in events), strict=True):
        truth[_clip_name(clip)].append((onset, offset, str(label)))
    return truth


def _score_tables(clips: Iterable[Table], known: Classes) -> dict[str, Any]:
    """One data frame a clip, of the known classes."""
    create = import_module("sed_scores_eval.base_modules.scores").create_score_dataframe
    names = [str(k) for k in known]
    return {_clip_name(i): create(scores[:, known], borders, names) for i, (borders, scores) in enumerate(clips)}


def _frames(of: FrameScores, n_clips: int, n_labels: int) -> Iterator[Table]:
    """Frame scores clip by clip, without the frames after the last real one."""
    grid = ScoreGrid.of(of.scores, of.frame_rate, of.times, of.valid)
    if (grid.scores.shape[0], grid.scores.shape[2]) != (n_clips, n_labels):
        raise WsedError(f"there are {n_clips} clips and {n_labels} labels, but scores {list(grid.scores.shape)}")
    for clip in range(n_clips):
        scores = grid.scores[clip].astype(np.float64)
        if grid.valid is not None:
            scores[~grid.valid[clip]] = -np.inf
        if np.isnan(scores).any():
            raise WsedError(f"the scores of clip {clip} hold NaN")
        real = np.flatnonzero((scores > -np.inf).any(1))
        if real.size:
            yield grid.times[clip, : real[-1] + 2], scores[: real[-1] + 1]
        else:
            yield np.array([0.0, 1.0]), np.full((1, n_labels), -np.inf)


def _levels(points: Sequence[Columns], n_clips: int, n_labels: int, end: float) -> list[Table] | None:
    """Scores of which each point is the events above some threshold: at each frame, how many points are active there.

    Frames go from 0 s to `end` seconds or the last event.

    None where there are no such scores, because of a class the active frames of one point are not among those of the
    next larger one, or because two events of a point touch and would be one.
    """
    if any(_clashes(point, touching=True).size for point in points):
        return None
    every = Columns(*(np.concatenate(column) for column in zip(*points, strict=True)))
    point = np.repeat(np.arange(len(points)), [p.clip.size for p in points])
    lengths = [np.bincount(p.label, weights=p.offset - p.onset, minlength=n_labels) for p in points]
    order = np.argsort(np.stack(lengths), axis=0)[:, None]
    by_clip = np.argsort(every.clip, kind="stable")
    bounds = np.searchsorted(every.clip[by_clip], np.arange(n_clips + 1))
    tables = []
    for clip in range(n_clips):
        own = by_clip[bounds[clip] : bounds[clip + 1]]
        table = _nested(every.take(own), point[own], order, end)
        if table is None:
            return None
        tables.append(table)
    return tables


def _nested(
    events: Columns, point: Int[np.ndarray, " event"], order: Int[np.ndarray, "point 1 label"], end: float
) -> Table | None:
    """`_levels` of one clip; `order` says which points are larger, class by class."""
    borders = np.unique(np.concatenate([[0.0, end], events.onset, events.offset]))
    active = np.zeros((order.shape[0], borders.size - 1, order.shape[2]), dtype=np.bool_)
    frames = (np.searchsorted(borders, times).tolist() for times in (events.onset, events.offset))
    for i, label, start, stop in zip(point.tolist(), events.label.tolist(), *frames, strict=True):
        active[i, start:stop, label] = True
    rising = np.take_along_axis(active, order, axis=0)
    if (rising[:-1] & ~rising[1:]).any():
        return None
    count = active.sum(0)
    return borders, np.where(count > 0, count.astype(np.float64), -np.inf)


# psds_eval: everything from tables of events.


def _by_psds_eval(
    package: ModuleType, detections: Detections, labels: Labels, scenarios: Mapping[str, PSDSParameters]
) -> dict[str, Any]:
    given = _given(detections, labels, "psds_eval")
    known = given.known
    found: dict[str, Any] = dict.fromkeys(("event_f1", "segment_f1", "tagging_f1", *scenarios))
    # Classes are those of the reference: of one without, its rate of hits would be whatever lay in memory.
    told = {"ground_truth": _event_table(given.ref), "metadata": _clip_table(given)}
    f1: dict[int, float] = {}
    if known.size:
        by_name = package.PSDSEval(0.5, 0.5, **told).compute_macro_f_score(_event_table(given.said))[1]
        f1 = {k: float(np.nan_to_num(by_name[str(k)])) for k in known.tolist()}
    found["intersection_f1"] = _figure(f1, None, labels)
    if given.seconds is None or not detections.points:
        return found
    points = _points(detections, given)
    for point in points:
        _refuse(point, _clashes(point, touching=False), "events of an operating point overlap", labels, "psds_eval")
    for name, p in scenarios.items():
        if not known.size:
            found[name] = float("nan")
        elif known.size > 1 and p.alpha_ct <= 1:
            found[name] = _points_psds(package.PSDSEval(p.dtc, p.gtc, p.cttc or 0.3, **told), points, p)
    return found


def _points_psds(judge: Any, points: Iterable[Columns], p: PSDSParameters) -> float:
    for point in points:
        judge.add_operating_point(_event_table(point))
    return float(judge.psds(p.alpha_ct, p.alpha_st, p.max_efpr).value)


def _event_table(events: Columns) -> Any:
    clips, names = [_clip_name(clip) for clip in events.clip.tolist()], [str(k) for k in events.label.tolist()]
    times = {"onset": events.onset, "offset": events.offset}
    return import_module("pandas").DataFrame({"filename": clips, **times, "event_label": names})


def _clip_table(given: _Given) -> Any:
    """Seconds of the clips; where they are not known, no event reaches beyond them."""
    seconds = given.seconds
    if seconds is None:
        seconds = np.ones(given.n_clips)
        for side in (given.ref, given.said):
            np.maximum.at(seconds, side.clip, side.offset)
    names = [_clip_name(clip) for clip in range(given.n_clips)]
    return import_module("pandas").DataFrame({"filename": names, "duration": seconds})
