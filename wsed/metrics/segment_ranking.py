"""Ranking metrics of segments of one second, such as the mpAUC of DCASE 2024 task 4, from frame scores.

The numbers are those of `sed_scores_eval.segment_based.auroc` 0.0.4 with `segment_length=1.0`.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int

from wsed.metrics.base import METRICS, Metric, MetricValue, Number
from wsed.metrics.cuts import check_ranked
from wsed.metrics.f1 import percent
from wsed.metrics.pairs import columns, ranges
from wsed.metrics.psds_reference import check_clips
from wsed.metrics.segments import check_length
from wsed.metrics.sweep import as_array
from wsed.metrics.system import System
from wsed.metrics.tagging import Ranking, ap, auroc, mean_known, partial_auroc, ranking_scores
from wsed.types import Events
from wsed.values import Scores

ROUNDING = 1e-6
"""Share of a segment by which the borders of frames and of segments may differ and still count as equal."""


class Segments(NamedTuple):
    """Segments of all clips, one clip after the other: the clip of each, its scores, and the classes active in it."""

    clip: Int[np.ndarray, " segment"]
    scores: Float[np.ndarray, "segment label"]
    true: Bool[np.ndarray, "segment label"]


def segments_of(scores: Scores, reference: Events, *, length: float = 1.0) -> Segments:
    """Each segment with the highest score of the frames in it, and whether an event of each class touches it.

    Args:
        scores: frame scores. The last segment of a clip ends with it and may be shorter. A segment without frames
            scores -inf.
        reference: true events; clip indices are positions in `scores`.
        length: seconds of a segment.

    Raises:
        WsedError: there are no frame scores, a score is NaN, a label or clip has no scores, or `length` is not
            positive.

    >>> of = Scores.of_padded(torch.tensor([[[0.1], [0.9], [0.3]]]), frame_rate=2.0)
    >>> segments = segments_of(of, Events.of([(0, 0, 1.0, 1.5)]))
    >>> segments.scores.flatten().round(1).tolist(), segments.true.flatten().tolist()
    ([0.9, 0.3], [False, True])
    """
    check_length(length)
    every, n_frames = scores.need_frames()
    frames, lengths = as_array(every), n_frames.cpu().numpy()
    check_ranked(frames, lengths)
    count = np.ceil(scores.durations.numpy() / length - ROUNDING).astype(np.int64)
    clip = np.repeat(np.arange(len(scores)), count)
    number = np.arange(clip.size) - np.repeat(np.cumsum(count) - count, count)
    first, stop = _frames_of(scores, lengths, length, clip, number)
    table = np.full((clip.size, frames.shape[1]), -np.inf)
    held = np.flatnonzero(first < stop)
    pairs = np.stack([first[held], stop[held]], axis=1).ravel()
    for label in range(frames.shape[1] if held.size else 0):
        column = np.append(frames[:, label], -np.inf)  # so that the end of the last frame is an index
        table[held, label] = np.maximum.reduceat(column, pairs)[::2]
    true = np.zeros(table.shape, dtype=np.bool_)
    events = columns(reference, frames.shape[1])
    check_clips(events, len(scores), "the reference has events")
    # Cut before they become whole numbers: an event may end at infinity.
    borders = np.floor(events.onset / length + ROUNDING), np.ceil(events.offset / length - ROUNDING)
    begin, end = (np.clip(border, 0, count[events.clip]).astype(np.int64) for border in borders)
    event, segment = ranges(begin, end)
    true[(np.cumsum(count) - count)[events.clip[event]] + segment, events.label[event]] = True
    return Segments(clip, table, true)


def _frames_of(
    scores: Scores,
    lengths: Int[np.ndarray, " clip"],
    length: float,
    clip: Int[np.ndarray, " segment"],
    number: Int[np.ndarray, " segment"],
) -> tuple[Int[np.ndarray, " segment"], Int[np.ndarray, " segment"]]:
    """Index of the first frame that a segment touches, and of the frame after the last, over all clips."""
    of = np.repeat(np.arange(lengths.size), lengths)
    place = np.arange(of.size)
    if scores.borders is None:
        place -= np.repeat(np.cumsum(lengths) - lengths, lengths)
        begin, end = place / scores.frame_rate, (place + 1) / scores.frame_rate
    else:
        borders = scores.borders.double().numpy()
        begin, end = borders[place + of], borders[place + of + 1]  # a clip has one border more than frames
    earliest = np.floor(begin / length + ROUNDING).astype(np.int64)
    latest = np.ceil(end / length - ROUNDING).astype(np.int64) - 1
    # The segments of all clips are numbered on one line, where the first and last segment of each frame are sorted.
    width = max(int(latest.max(initial=0)), int(number.max(initial=0))) + 1
    line = clip * width + number
    first = np.searchsorted(of * width + np.maximum(latest, earliest), line, side="left")
    return first, np.searchsorted(of * width + earliest, line, side="right")


@METRICS.register("segment_ranking")
class SegmentRanking(Metric):
    """Mean partial AUROC (mpAUC of DCASE 2024), AUROC and average precision over segments of 1 s.

    Args:
        length: seconds of a segment.

    >>> from wsed.testing.metrics import system
    >>> sorted(SegmentRanking().compute(system()).numbers)
    ['macro_ap', 'macro_auroc', 'macro_pauroc']
    """

    title, place, needs = "segment ranking", 47, frozenset({"frame_scores"})
    numbers = ("macro_pauroc", "macro_auroc", "macro_ap")

    def __init__(self, length: float = 1.0) -> None:
        self.length = check_length(length)

    def compute(self, system: System) -> MetricValue:
        clips = system.need_timed()
        assert clips.ranked is not None
        seconds = clips.ranked.durations if clips.durations is None else clips.durations
        segments = segments_of(replace(clips.ranked, durations=seconds), clips.reference, length=self.length)
        if not segments.clip.size:
            return MetricValue(dict.fromkeys(RANKINGS, float("nan")))
        known = None if clips.timed is None else clips.timed[torch.from_numpy(segments.clip)]
        true, scores = torch.from_numpy(segments.true), torch.from_numpy(segments.scores)
        return MetricValue(
            {name: float(mean_known(ranking_scores(true, scores, r, known=known))[0]) for name, r in RANKINGS.items()}
        )

    def logged(self, name: str, value: MetricValue) -> dict[str, Number]:
        return {}

    def line(self, value: MetricValue) -> str:
        names = {"macro_pauroc": "segment mpAUC", "macro_auroc": "AUROC", "macro_ap": "mAP"}
        parts = [f"{title} {percent(value.numbers[key])}" for key, title in names.items()]
        return f"segments of {self.length:g} s, ranked: {', '.join(parts)}"


RANKINGS: dict[str, Ranking] = {"macro_pauroc": partial_auroc, "macro_auroc": auroc, "macro_ap": ap}
"""Means over the classes with both positives and negatives; the partial area is up to a false positive rate of 0.1."""
