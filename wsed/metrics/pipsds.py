"""Post-processing independent PSDS: each point of the curve uses the median filter that is best there.

Ebbers, Haeb-Umbach, Serizel: Post-processing independent evaluation of sound event detection systems, DCASE Workshop
2023. For the same filters the numbers are those of `sed_scores_eval.intersection_based.median_filter_independent_psds`
0.0.4.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.base import METRICS, Metric, MetricValue
from wsed.metrics.psds import PSDS, PSDS1, PSDS2, PSDSParameters, psds_from_scores
from wsed.metrics.psds_metrics import PSDS_NUMBERS, psds_value
from wsed.metrics.psds_reference import Timed
from wsed.metrics.roc import Curve, effective_curve, staircase
from wsed.metrics.system import System
from wsed.types import Events
from wsed.values import Scores

CELLS = 1 << 22
"""Number of scores in all windows whose medians are computed at a time."""

ROUNDING = 1e-3
"""Share of a frame by which the lengths of frames may differ."""


def pi_psds(
    variants: Sequence[Scores], reference: Events, parameters: PSDSParameters = PSDS1, *, timed: Timed | None = None
) -> PSDS:
    """PSDS of several variants of the scores: at each false alarm rate, the curve of a class is its best variant's.

    Args:
        variants: scores of the same clips after different post-processing.
        reference: true events; see `psds_from_scores` for this and the next argument.
        parameters: parameters of the score.
        timed: classes that are known in each clip.

    Raises:
        WsedError: there are no variants; or as in `psds_from_scores`.

    >>> early = Scores.of_padded(torch.tensor([[[0.9], [0.1], [0.8]]]), frame_rate=1.0)
    >>> late = Scores.of_padded(torch.tensor([[[0.1], [0.9], [0.1]]]), frame_rate=1.0)
    >>> pi_psds([early, late], Events.of([(0, 0, 1.0, 2.0)])).value
    1.0
    """
    if not variants:
        raise WsedError("piPSDS needs at least one variant of the scores")
    every = [psds_from_scores(scores, reference, parameters, timed=timed) for scores in variants]
    rocs = tuple(_best(curves, parameters.max_efpr) for curves in zip(*(p.class_rocs for p in every), strict=True))
    roc = effective_curve(rocs, parameters.alpha_st)
    areas = np.array([curve.area(parameters.max_efpr) for curve in rocs])
    return PSDS(roc.area(parameters.max_efpr), areas, roc, rocs, parameters)


def median_filtered(scores: Scores, seconds: float) -> Scores:
    """Frame scores after a running median; frames beyond both ends count as silent, as in `sed_scores_eval`.

    Args:
        scores: with frames of one length.
        seconds: length of the window, rounded to an odd number of frames.

    Raises:
        WsedError: frames have different lengths.

    >>> scores = Scores.of_padded(torch.tensor([[[0.0], [0.75], [0.0], [0.0]]]), frame_rate=1.0)
    >>> median_filtered(scores, 3.0).frames.flatten().tolist()
    [0.0, 0.0, 0.0, 0.0]
    """
    half = _half(scores, seconds)
    if not half:
        return scores
    parts = [_medians(clip, half) for clip in scores.split()]
    return replace(scores, frames=torch.cat(parts) if parts else scores.frames)


def _medians(clip: Float[Tensor, "frame label"], half: int) -> Float[Tensor, "frame label"]:
    silent = clip.new_full((half, clip.shape[1]), -torch.inf)
    longer = torch.cat([silent, clip, silent])
    step = max(1, CELLS // ((2 * half + 1) * max(clip.shape[1], 1)))
    rows = (longer[i : i + step + 2 * half] for i in range(0, len(clip), step))
    blocks = [part.unfold(0, 2 * half + 1, 1).median(-1).values for part in rows]
    return torch.cat(blocks) if blocks else clip


def _half(scores: Scores, seconds: float) -> int:
    """Frames on either side of the middle one of a window."""
    if scores.borders is None:
        return max(round((seconds * scores.frame_rate - 1) / 2), 0)
    _, lengths = scores.need_frames()
    size = torch.split(scores.borders, (lengths + 1).tolist())
    frames = np.concatenate([np.zeros(0), *(np.diff(borders.numpy())[:-1] for borders in size)])  # without the last
    if not frames.size:
        return 0
    usual = float(np.median(frames))
    if (np.abs(frames - usual) > ROUNDING * usual).any():
        raise WsedError("piPSDS needs frames of one length, but these differ in length")
    return max(round((seconds / usual - 1) / 2), 0)


def _best(curves: Sequence[Curve], max_efpr: float) -> Curve:
    return staircase(np.concatenate([c.efpr for c in curves]), np.concatenate([c.tpr for c in curves]), max_efpr)


class _PiPSDS(Metric):
    """Base class of both scenarios.

    Args:
        longest: the longest median filter, in seconds.
        filters: number of filters; their lengths rise from 0 s to `longest` in equal steps.
    """

    needs, by_default = frozenset({"events", "psds", "frame_scores"}), False
    numbers, class_numbers = PSDS_NUMBERS, ("value",)
    scenario: PSDSParameters

    def __init__(self, longest: float = 2.0, filters: int = 21) -> None:
        if not 0 <= longest < np.inf or not 1 <= filters <= 1000 or filters % 1:
            raise WsedError(f"piPSDS needs 1 to 1000 (whole) filters of 0 s or more, not {filters} up to {longest:g} s")
        self.lengths = np.linspace(0.0, longest, int(filters)).tolist()

    def compute(self, system: System) -> MetricValue:
        clips = system.need_timed()
        assert clips.ranked is not None
        assert clips.durations is not None
        scores = replace(clips.ranked, durations=clips.durations)
        lengths = {_half(scores, seconds): seconds for seconds in reversed(self.lengths)}
        variants = [median_filtered(scores, seconds) for _, seconds in sorted(lengths.items())]
        psds = pi_psds(variants, clips.joined.reference, self.scenario, timed=clips.timed)
        value = psds_value(psds, system.labels)
        return replace(value, settings={**value.settings, "filters": len(variants), "longest": self.lengths[-1]})


@METRICS.register("pipsds1")
class FirstPiPSDS(_PiPSDS):
    """Post-processing independent PSDS of scenario 1, over median filters of 0 to 2 s.

    Args:
        longest: the longest median filter, in seconds.
        filters: number of filters; their lengths rise from 0 s to `longest` in equal steps.

    >>> from wsed.metrics import FirstPSDS
    >>> from wsed.testing.metrics import system
    >>> FirstPiPSDS(filters=3).compute(system()).main >= FirstPSDS().compute(system()).main
    True
    """

    title, place, scenario = "piPSDS1", 52, PSDS1


@METRICS.register("pipsds2")
class SecondPiPSDS(_PiPSDS):
    """Post-processing independent PSDS of scenario 2, over median filters of 0 to 2 s.

    Args:
        longest: the longest median filter, in seconds.
        filters: number of filters; their lengths rise from 0 s to `longest` in equal steps.

    >>> from wsed.testing.metrics import system
    >>> 0 <= SecondPiPSDS(filters=3).compute(system()).main <= 1
    True
    """

    title, place, scenario = "piPSDS2", 53, PSDS2
