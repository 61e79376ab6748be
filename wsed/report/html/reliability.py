"""Reliability diagrams: the share of true frames, clips or events at each score."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from wsed.metrics.error_kinds import RIGHT, SHIFTED
from wsed.report.html.shown import UNKNOWN, Shown
from wsed.scoring.plain import Plain
from wsed.values import Scores

BINS = 10


class Bins(NamedTuple):
    """Number of scores, their sum, and number of true ones, in bins of equal width from 0 to 1."""

    n: Int[np.ndarray, " bin"]
    total: Float[np.ndarray, " bin"]
    true: Int[np.ndarray, " bin"]

    @staticmethod
    def of(scores: Float[np.ndarray, " score"], true: Bool[np.ndarray, " score"]) -> "Bins":
        """Count scores in [0, 1].

        >>> Bins.of(np.array([0.05, 0.95]), np.array([False, True])).true.tolist()[-1]
        1
        """
        place = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
        n = np.bincount(place, minlength=BINS)
        return Bins(n, np.bincount(place, scores, BINS), np.bincount(place[true], minlength=BINS))

    def plain(self) -> Plain:
        """Mean score, share of true ones and number of scores in each bin, and the expected calibration error."""
        some = self.n > 0
        mean, share = self.total[some] / self.n[some], self.true[some] / self.n[some]
        error = float((self.n[some] * np.abs(mean - share)).sum() / max(self.n.sum(), 1))
        return {
            "mean": mean.round(4).tolist(), "share": share.round(4).tolist(), "n": self.n[some].tolist(),
            "error": round(error, 4),
        }  # fmt: skip


def reliability(shown: Shown, kinds: Int[np.ndarray, " event"]) -> Plain:
    """Diagrams of frame scores, clip scores and confidences of events, as far as they are in [0, 1].

    Args:
        shown: the system.
        kinds: kind of each detected event, from `Shown.kinds`.
    """
    diagrams: dict[str, Plain] = {}
    system, scores = shown.system, shown.scores
    if system is None:
        return diagrams
    if scores is not None and scores.frames is not None and bool(system.truth.timed.any()):
        frames = _frames(shown, scores)
        if frames is not None:
            diagrams["frames"] = frames.plain()
    if scores is not None and scores.clip_scores is not None:
        values, known = scores.clip_scores.double().numpy(), system.truth.tagged.numpy()
        if known.any() and _probable(values[known]):
            diagrams["clips"] = Bins.of(values[known], system.truth.tags.numpy()[known]).plain()
    if shown.confidence is not None:
        values, judged = shown.confidence.double().numpy(), kinds != UNKNOWN
        if judged.any() and _probable(values[judged]):
            hits = np.isin(kinds[judged], (RIGHT, SHIFTED))
            diagrams["events"] = Bins.of(values[judged], hits).plain()
    return diagrams


def _probable(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1)


def _frames(shown: Shown, scores: Scores) -> Bins | None:
    """The scores of the frames of known classes, clip by clip; None if they are not probabilities."""
    events, timed = shown.true, shown.timed()
    columns = [column.numpy() for column in (events.clip, events.label, events.onset, events.offset)]
    order = np.argsort(columns[0], kind="stable")
    clip, label, onset, offset = (column[order] for column in columns)
    first = np.searchsorted(clip, np.arange(len(scores) + 1))
    parts = []
    for i, (frames, middle) in enumerate(zip(scores.split(), middles(scores), strict=True)):
        values = frames.double().numpy()
        active = np.zeros(values.shape, dtype=np.bool_)
        for j in range(first[i], first[i + 1]):
            low, high = np.searchsorted(middle, (onset[j], offset[j]))
            active[low:high, label[j]] = True
        known = values[:, timed[i]].ravel()
        if known.size and not _probable(known):
            return None
        parts.append(Bins.of(known, active[:, timed[i]].ravel()))
    return Bins(*(sum(column) for column in zip(*parts, strict=True))) if parts else None  # type: ignore[arg-type]


def middles(scores: Scores) -> list[Float[np.ndarray, " frame"]]:
    """The time in the middle of each frame of each clip.

    >>> import torch
    >>> [m.tolist() for m in middles(Scores.of_clips(["a.wav"], [torch.zeros(2, 1)], frame_rate=2.0))]
    [[0.25, 0.75]]
    """
    _, lengths = scores.need_frames()
    if scores.borders is None:
        return [(np.arange(n) + 0.5) / scores.frame_rate for n in lengths.tolist()]
    borders = np.split(scores.borders.double().numpy(), np.cumsum(lengths.numpy() + 1)[:-1])
    return [(each[1:] + each[:-1]) / 2 for each in borders]
