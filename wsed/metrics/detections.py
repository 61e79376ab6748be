"""What a system said of some clips, beside what is true of them: all that figures of merit are made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.joined import joined
from wsed.metrics.psds import PSDS, PSDS1, PSDSParameters, PSDSTable, psds_from_scores
from wsed.types import Events


@dataclass(frozen=True)
class FrameScores:
    """Scores over all frames, in one of the forms that `psds_from_scores` takes.

    Attributes:
        scores: one `[clip frame label]` tensor, or one `[frame label]` tensor a clip.
        frame_rate: frames a second; or
        times: the borders of the frames in seconds, `[frame + 1]`, or `[clip frame + 1]` padded at will.
        valid: which frames are real (default: all).
    """

    scores: Float[Tensor, "clip frame label"] | Sequence[Tensor]
    frame_rate: float | None = None
    times: Float[Tensor, "..."] | None = None
    valid: Bool[Tensor, "clip frame"] | None = None

    @property
    def grid(self) -> dict[str, Any]:
        """Where the frames are, as arguments of `psds_from_scores`."""
        return {"frame_rate": self.frame_rate, "times": self.times, "valid": self.valid}


@dataclass(frozen=True)
class Detections:
    """Events that a system detected in clips whose events are known.

    Attributes:
        n_labels: size of the label axis.
        n_clips: clips in all, with or without events; clip indices are below it.
        reference: true events.
        detected: events at the operating point that F1 figures are taken at.
        durations: seconds of every clip; None: not known, and there is no PSDS.
        scores: of all frames, for PSDS over all thresholds; or
        points: detected events at some thresholds, for PSDS from operating points.
    """

    n_labels: int
    n_clips: int
    reference: Events
    detected: Events
    durations: Float[Tensor, " clip"] | None = None
    scores: FrameScores | None = None
    points: tuple[Events, ...] = ()

    @property
    def has_psds(self) -> bool:
        """Whether all that a PSDS needs is known."""
        return self.durations is not None and (self.scores is not None or bool(self.points))

    @cached_property
    def joined(self) -> "Detections":
        """With events of one class that overlap in their clip made one: shared seconds must not count twice."""
        points = tuple(joined(point) for point in self.points)
        return replace(self, reference=joined(self.reference), detected=joined(self.detected), points=points)

    def psds(self, parameters: PSDSParameters = PSDS1) -> PSDS:
        """Exact if there are frame scores, else from the operating points.

        Raises:
            WsedError: neither is there, or no durations.
        """
        durations = self._durations()
        if self.scores is None:
            return self.psds_table(parameters).psds()
        return psds_from_scores(self.scores.scores, self.joined.reference, durations, parameters, **self.scores.grid)

    def psds_table(self, parameters: PSDSParameters = PSDS1) -> PSDSTable:
        """What the PSDS is made of, clip by clip, for resamples of the clips; errors as `psds`."""
        durations = self._durations()
        reference = self.joined.reference
        if self.scores is not None:
            return PSDSTable.of_scores(self.scores.scores, reference, durations, parameters, **self.scores.grid)
        return PSDSTable.of_operating_points(reference, self.joined.points, self.n_labels, durations, parameters)

    def _durations(self) -> Tensor:
        if self.durations is None or not self.has_psds:
            raise WsedError("a PSDS needs durations, and frame scores or operating points")
        return self.durations


@dataclass(frozen=True)
class Tags:
    """Classes that a system found in clips whose classes are known.

    Attributes:
        true: the classes each clip holds.
        said: the classes the system says it holds.
        scores: how sure it is; None: not known, and there are no ranking scores such as mAP.
    """

    true: Bool[Tensor, "clip label"]
    said: Bool[Tensor, "clip label"]
    scores: Float[Tensor, "clip label"] | None = None
