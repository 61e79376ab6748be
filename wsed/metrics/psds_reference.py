"""The reference of a PSDS: the true events, the seconds of each clip, and the classes that are known in it."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.intersection import lasting, sort_reference, summed
from wsed.metrics.joined import joined
from wsed.metrics.pairs import Columns, columns
from wsed.types import Events
from wsed.values import Scores

HOUR = 3600.0

Timed = Bool[Tensor, "clip label"]


@dataclass(frozen=True)
class Reference:
    """The reference events, sorted by clip and label, the seconds of each clip, and which classes are known in it."""

    events: Columns
    durations: Float[np.ndarray, " clip"]
    n_labels: int
    timed: Bool[np.ndarray, "clip label"] | None = None

    @staticmethod
    def of(
        reference: Events, durations: Float[Tensor, " clip"], n_labels: int, timed: Timed | None = None
    ) -> "Reference":
        """From true events; overlapping events of a class are joined.

        Raises:
            WsedError: a clip with events has no duration, durations are negative or all 0, or `timed` has another shape
                than one row per clip and one column per label.
        """
        seconds = durations.detach().cpu().double().numpy()
        events = sort_reference(lasting(columns(joined(reference), n_labels)))
        check_clips(events, seconds.size, "the reference has events")
        if not (np.all(seconds >= 0) and 0 < seconds.sum() < np.inf):
            raise WsedError("durations must be 0 or more seconds, finite, and not all 0")
        if timed is not None and timed.shape != (seconds.size, n_labels):
            raise WsedError(
                f"timed must have a row for each of {seconds.size} clips and a column for each of {n_labels} labels, "
                f"not the shape {tuple(timed.shape)}"
            )
        if timed is None or bool(timed.all()):
            return Reference(events, seconds, n_labels)
        known = timed.cpu().numpy()
        return Reference(events.take(known[events.clip, events.label]), seconds, n_labels, known)

    def seconds(self, weights: Float[np.ndarray, "resample clip"]) -> Float[np.ndarray, "resample _"]:
        """Seconds in which each label is known for each row of clip weights; one column if that is all of them.

        A label without any has no score, as one without reference events.
        """
        seconds: Float[np.ndarray, "resample _"] = weights @ self._known_seconds
        return seconds

    @cached_property
    def _known_seconds(self) -> Float[np.ndarray, "clip _"]:
        seconds = self.durations[:, None]
        return seconds if self.timed is None else self.timed * seconds

    def per_label(self, per_event: Float[np.ndarray, " event"]) -> Float[np.ndarray, " label"]:
        """Sum of a value of each event over the events of each label."""
        return summed(self.events.label, per_event, self.n_labels)


def rates(
    seconds: Float[np.ndarray, " resample"], of_events: Float[np.ndarray, "resample label"], alpha_ct: float
) -> Float[np.ndarray, "resample kind"]:
    """Effective rate of one false alarm: as a cross trigger of each label (if these count), and (last) alone.

    Args:
        seconds: total time in each row; without any there is no rate (0).
        of_events: seconds of the reference events of each label.
        alpha_ct: weight of cross triggers.

    >>> rates(np.array([1800.0]), np.array([[60.0]]), alpha_ct=0.0)
    array([[2.]])
    """
    alone = np.divide(HOUR, seconds, out=np.zeros(seconds.size), where=seconds > 0)[:, None]
    if not alpha_ct:
        only: Float[np.ndarray, "resample kind"] = alone
        return only
    known = of_events > 0
    others = np.maximum(known.sum(1, keepdims=True) - 1, 1)  # classes with events, without that of the false alarm
    crossed = np.where(known, alpha_ct * HOUR / others / np.where(known, of_events, 1.0), 0.0)
    return np.concatenate([crossed, alone], axis=1)


def without_unknown(scores: Scores, timed: Bool[np.ndarray, "clip label"] | None) -> Scores:
    """The scores, with -inf (never detected) for the classes that are not `timed` in a clip."""
    if timed is None:
        return scores
    frames, _ = scores.need_frames()
    unknown = scores.per_frame(torch.from_numpy(~timed).to(frames.device))
    return replace(scores, frames=frames.masked_fill(unknown, -torch.inf))


def check_clips(events: Columns, n_clips: int, who: str) -> None:
    """Refuse events of clips that do not exist."""
    if events.clip.size and not 0 <= events.clip.min() <= events.clip.max() < n_clips:
        wrong = events.clip[(events.clip < 0) | (events.clip >= n_clips)][0]
        raise WsedError(f"{who} in clip {wrong}, but durations are given for {n_clips} clips")
