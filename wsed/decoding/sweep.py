"""Decoding at many thresholds at once, and tuning of event decoders over thresholds and windows with it.

Events of all thresholds lie in one `Events`: those of threshold `i` in clip `c` have clip index `i * n_clips + c`. The
work grows with the events found, not with thresholds times frames.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.decoding import steps
from wsed.decoding.decoder import Decoder
from wsed.decoding.sebb import BoxDecoder, Boxes
from wsed.decoding.tune import Tuned
from wsed.errors import WsedError
from wsed.types import Events

Scores = Float[Tensor, "clip frame label"]
Valid = Bool[Tensor, "clip frame"]
Tags = Bool[Tensor, "clip label"]
PerClip = Float[Tensor, " clip"]
Grid = Float[np.ndarray, "threshold label"]
Count = Callable[[Events, Events, int], Any]
"""`(reference, estimated, n_labels)` to an object with `tp`, `n_ref` and `n_sys` per label, such as `event_counts`."""

THRESHOLDS = tuple(i / 50 - 0.01 for i in range(1, 51))
"""0.01, 0.03, ..., 0.99."""


def decode_at(
    curves: Scores,
    frame_rate: float,
    thresholds: Sequence[float],
    *,
    valid: Valid | None = None,
    tags: Tags | None = None,
    durations: PerClip | None = None,
) -> Events:
    """`to_events(threshold(curves, t))` for every threshold; clip `c` of threshold `i` is clip `i * n_clips + c`.

    Sorted by threshold, clip, label, onset; on the CPU. Between two frames a curve crosses the thresholds that lie
    between their scores; these crossings are the borders of all events. Frames are counted exactly, whatever the
    `segment_counting` of a decoder that the curves come from.

    Args:
        curves: scores as the threshold sees them (`Decoder.curves`).
        frame_rate: frames per second.
        thresholds: rising; active where the score is above (strictly).
        valid: frames that hold signal; the others are never active.
        tags: classes that a clip may have; the others are never active.
        durations: seconds of each clip. Offsets are cut there, and events that start at or after it are dropped.

    Raises:
        WsedError: the thresholds do not rise, or `frame_rate` is not positive.
    """
    if not frame_rate > 0:
        raise WsedError(f"frame_rate must be positive, not {frame_rate}")
    n_clips, n_frames, n_labels = curves.shape
    scores = curves.detach().to(torch.float64 if curves.dtype == torch.float64 else torch.float32)
    level = torch.searchsorted(_rising(thresholds, scores), scores.transpose(1, 2).contiguous(), out_int32=True)
    if valid is not None:
        level = level * valid[:, None, :]
    if tags is not None:
        level = level * tags.to(level.device)[..., None]
    # How many thresholds each frame is above, silence on either side; a step of k crosses k thresholds.
    ranks = torch.nn.functional.pad(level, (1, 1)).cpu().numpy().reshape(n_clips * n_labels, n_frames + 2)
    step = np.diff(ranks, axis=1)
    at, curve, first = _crossings(ranks[:, :-1], step)
    _, _, stop = _crossings(ranks[:, 1:], -step)
    clip, label = np.divmod(curve, max(n_labels, 1))
    onset, offset = (torch.from_numpy(border / frame_rate) for border in (first, stop))
    clips, labels = torch.from_numpy(at * n_clips + clip), torch.from_numpy(label)
    events = Events(clips, labels, onset, offset, torch.ones_like(onset))
    if durations is None:
        return events
    end = durations.detach().cpu().double()[torch.from_numpy(clip)]
    return replace(events, offset=torch.minimum(offset, end))[onset < end]


def boxes_at(boxes: Boxes, thresholds: Sequence[float], n_clips: int) -> Events:
    """`boxes.above(t)` for every (rising) threshold; clip `c` of threshold `i` is clip `i * n_clips + c`."""
    n = torch.searchsorted(_rising(thresholds, boxes.confidence), boxes.confidence)
    box = torch.repeat_interleave(torch.arange(len(n)), n)
    at = torch.arange(len(box)) - (n.cumsum(0) - n)[box]
    events = boxes.events[box]
    return replace(events, clip=events.clip + at * n_clips)


def check_searchable(decoder: Decoder) -> None:
    """Refuse decoders whose threshold `tune_decoder` cannot search.

    Raises:
        WsedError: it has a lower threshold (`low`), or does not count frames exactly.
    """
    if decoder.low is not None:
        raise WsedError("thresholds are searched without hysteresis; set decoder.low to null")
    if decoder.segment_counting != "exact":
        raise WsedError(
            "thresholds are searched with frames counted exactly; set decoder.segment_counting to exact to tune, and "
            f"back to {decoder.segment_counting} to compare with published figures"
        )


def tune_decoder(
    decoder: Decoder,
    frame_scores: Scores,
    frame_rate: float,
    reference: Events,
    count: Count,
    tuned_on: str,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    medians: Sequence[float] | None = None,
    valid: Valid | None = None,
    durations: PerClip | None = None,
    tags: Tags | None = None,
) -> Tuned:
    """Threshold and median window of highest F1 per label, over every pair of the given ones.

    Args:
        decoder: the other settings (rescaling, smoothing, joining, dropping) are taken from it.
        frame_scores: of the clips to tune on.
        frame_rate: frames per second.
        reference: their true events.
        count: `event_counts`, or `functools.partial` of it with other collars; it is called once a window.
        tuned_on: name of these clips.
        thresholds: candidates, rising.
        medians: candidates in seconds, 0 for none; None: the decoder's own, which is not tuned.
        valid, durations, tags: as for `decode_at`; tags the decoder would allow, if it asks for any.

    Returns:
        Values for `threshold` (and `median`). The first of equally good pairs; a label without reference gets the pair
        that is best for the mean of the others.

    Raises:
        WsedError: the decoder has a lower threshold (`low`) or does not count frames exactly, wants tags that are not
            given, or there is no candidate.
    """
    check_searchable(decoder)
    if decoder.tags != "none" and tags is None:
        raise WsedError(f"decoder.tags is {decoder.tags}: give the tags of each clip to the search")
    n_clips, _, n_labels = frame_scores.shape
    # A median of no frames but one is no filter.
    settings = [{}] if medians is None else [{"median": seconds or 1 / frame_rate} for seconds in medians]
    grids = []
    for setting in settings:
        tried = replace(decoder, **setting)  # type: ignore[arg-type]
        curves = tried.curves(frame_scores, frame_rate, valid)
        found = decode_at(curves, frame_rate, thresholds, valid=valid, tags=tags, durations=durations)
        grids.append(_f1(count, reference, _finished(decoder, found), len(thresholds), n_clips, n_labels))
    return _best(grids, settings, thresholds, tuned_on)


def tune_boxes(
    decoder: BoxDecoder,
    frame_scores: Scores,
    frame_rate: float,
    reference: Events,
    count: Count,
    tuned_on: str,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    windows: Sequence[float] = (0.32, 0.48, 0.64),
    merge_abs: Sequence[float] = (0.15, 0.2, 0.3),
    merge_rel: Sequence[float] = (1.5, 2.0, 3.0),
    valid: Valid | None = None,
    durations: PerClip | None = None,
) -> Tuned:
    """Threshold, step filter and merging of highest F1 per label, over every combination (see `tune_decoder`)."""
    n_clips, _, n_labels = frame_scores.shape
    names = ("window", "merge_abs", "merge_rel")
    settings = [dict(zip(names, chosen, strict=True)) for chosen in product(windows, merge_abs, merge_rel)]
    grids = []
    for setting in settings:
        tried = replace(decoder, **setting)  # type: ignore[arg-type]
        boxes = tried.boxes(frame_scores, frame_rate, valid=valid, durations=durations)
        events = boxes_at(boxes, thresholds, n_clips)
        grids.append(_f1(count, reference, events, len(thresholds), n_clips, n_labels))
    return _best(grids, settings, thresholds, tuned_on)


def _rising(thresholds: Sequence[float], scores: Tensor) -> Float[Tensor, " threshold"]:
    values = torch.tensor(list(thresholds), dtype=scores.dtype, device=scores.device)
    if not bool((values[1:] > values[:-1]).all()):
        raise WsedError(f"thresholds must rise, not {list(thresholds)}")
    return values


Crossing = Int[np.ndarray, " crossing"]


def _crossings(
    level: Int[np.ndarray, "curve border"], step: Int[np.ndarray, "curve border"]
) -> tuple[Crossing, Crossing, Crossing]:
    """Threshold, curve and border of each crossing of a border with positive step, sorted in that order.

    A border of step k above `level` thresholds crosses the thresholds `level`, ..., `level + k - 1`.
    """
    curve, border = np.nonzero(step > 0)
    n = step[curve, border]
    each = np.repeat(np.arange(n.size), n)
    at = level[curve, border][each] + np.arange(each.size) - (np.cumsum(n) - n)[each]
    # numpy sorts 16-bit integers by radix: no comparison, one pass.
    small = at.astype(np.int16) if at.size == 0 or at.max() < 2**15 else at
    order = np.argsort(small, kind="stable")
    return at[order], curve[each[order]], border[each[order]]


def _finished(decoder: Decoder, events: Events) -> Events:
    """Events joined and dropped as the decoder does after its threshold."""
    if decoder.merge_gap > 0:
        events = steps.merge_gaps(events, decoder.merge_gap)
    return steps.min_duration(events, decoder.min_duration) if decoder.min_duration > 0 else events


def _f1(count: Count, reference: Events, events: Events, n_thresholds: int, n_clips: int, n_labels: int) -> Grid:
    """F1 at every threshold from one call: each threshold gets clips and labels of its own."""
    copy = torch.arange(n_thresholds).repeat_interleave(len(reference))
    tiled = Events.cat([reference] * n_thresholds)
    tiled = replace(tiled, clip=tiled.clip + copy * n_clips, label=tiled.label + copy * n_labels)
    found = replace(events, label=events.label + events.clip // max(n_clips, 1) * n_labels)
    counts = count(tiled, found, n_thresholds * n_labels)
    tp, n_ref, n_sys = (c.reshape(n_thresholds, n_labels) for c in (counts.tp, counts.n_ref, counts.n_sys))
    return np.where(n_ref > 0, 2 * tp / np.maximum(n_ref + n_sys, 1), np.nan)


def _best(
    grids: Sequence[Grid], settings: Sequence[dict[str, float]], thresholds: Sequence[float], tuned_on: str
) -> Tuned:
    if not settings or not thresholds:
        raise WsedError("a search needs a candidate or more of every setting")
    f1 = np.concatenate(grids)
    known = ~np.isnan(f1).any(0)
    together = f1[:, known].sum(1).argmax()
    best = np.where(known, np.nan_to_num(f1, nan=-1.0).argmax(0), together)
    score = f1[best, np.arange(f1.shape[1])]
    setting, at = np.divmod(best, len(thresholds))
    values = {"threshold": tuple(float(thresholds[i]) for i in at)}
    for name in settings[0]:
        values[name] = tuple(settings[i][name] for i in setting)
    return Tuned(values, tuple(score.tolist()), tuned_on)
