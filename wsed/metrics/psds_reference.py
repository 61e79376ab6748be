"""The reference of a PSDS: the true events, the seconds of each clip, and the classes that are known in it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.intersection import lasting, sort_reference, summed
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
        """From true events; a `WsedError` if a clip with events has no duration, or durations are negative or all 0."""
        seconds = durations.detach().cpu().double().numpy()
        events = sort_reference(lasting(columns(reference, n_labels)))
        check_clips(events, seconds.size, "the reference has events")
        if not (np.all(seconds >= 0) and 0 < seconds.sum() < np.inf):
            raise WsedError("durations must be 0 or more seconds, finite, and not all 0")
        if timed is None or bool(timed.all()):
            return Reference(events, seconds, n_labels)
        known = timed.cpu().numpy()
        return Reference(events.take(known[events.clip, events.label]), seconds, n_labels, known)

    def per_label(self, per_event: Float[np.ndarray, " event"]) -> Float[np.ndarray, " label"]:
        """Sum of a value of each event over the events of each label."""
        return summed(self.events.label, per_event, self.n_labels)


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
