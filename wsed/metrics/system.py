"""What one system predicts, beside what is true: all that metrics are made of."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.joined import joined
from wsed.metrics.psds import PSDS, PSDS1, PSDSParameters, PSDSTable, psds_from_scores
from wsed.types import Events, Labels
from wsed.values import Scores, Truth, select_clips


@dataclass(frozen=True)
class TimedClips:
    """The clips with known events. A class that is not known in a clip has no events there, on either side.

    Attributes:
        n_labels: size of the label axis.
        n_clips: clips in all, with or without events; clip indices are below it.
        reference: true events.
        detected: events at the operating point that F1 is computed at.
        durations: seconds of every clip; None: not known, and there is no PSDS.
        ranked: frame scores for PSDS over all thresholds; or
        points: detected events at some thresholds, for PSDS from operating points.
        timed: which classes are known in each clip; None: all.
    """

    n_labels: int
    n_clips: int
    reference: Events
    detected: Events
    durations: Float[Tensor, " clip"] | None = None
    ranked: Scores | None = None
    points: tuple[Events, ...] = ()
    timed: Bool[Tensor, "clip label"] | None = None

    @property
    def has_psds(self) -> bool:
        """Whether all that a PSDS needs is known."""
        return self.durations is not None and (self.ranked is not None or bool(self.points))

    @cached_property
    def joined(self) -> "TimedClips":
        """With events of one class that overlap in their clip made one: shared seconds must not count twice."""
        points = tuple(joined(point) for point in self.points)
        return replace(self, reference=joined(self.reference), detected=joined(self.detected), points=points)

    def psds(self, parameters: PSDSParameters = PSDS1) -> PSDS:
        """Exact if there are frame scores, else from the operating points.

        Raises:
            WsedError: neither is there, or no durations.
        """
        durations = self._durations()
        if self.ranked is None:
            return self.psds_table(parameters).psds()
        ranked = replace(self.ranked, durations=durations)
        return psds_from_scores(ranked, self.joined.reference, parameters, timed=self.timed)

    def psds_table(self, parameters: PSDSParameters = PSDS1) -> PSDSTable:
        """What the PSDS is made of, clip by clip, for resamples of the clips; errors as `psds`."""
        durations, reference = self._durations(), self.joined.reference
        if self.ranked is not None:
            ranked = replace(self.ranked, durations=durations)
            return PSDSTable.of_scores(ranked, reference, parameters, timed=self.timed)
        return PSDSTable.of_operating_points(
            reference, self.joined.points, self.n_labels, durations, parameters, timed=self.timed
        )

    def _durations(self) -> Float[Tensor, " clip"]:
        if self.durations is None or not self.has_psds:
            raise WsedError("a PSDS needs durations, and frame scores or operating points")
        return self.durations


@dataclass(frozen=True)
class TaggedClips:
    """The clips of which tags are known.

    Attributes:
        true: the classes each clip holds.
        predicted: the classes the system predicts; None: it predicts none.
        scores: how certain it is; None: there are no ranking scores such as mAP.
        embeddings: one vector per clip.
        known: which tags are known of each clip; None: all.
    """

    true: Bool[Tensor, "clip label"]
    predicted: Bool[Tensor, "clip label"] | None = None
    scores: Float[Tensor, "clip label"] | None = None
    embeddings: Float[Tensor, "clip dim"] | None = None
    known: Bool[Tensor, "clip label"] | None = None


@dataclass(frozen=True)
class System:
    """What one system predicts of some clips, in each form that it has, and the truth about them.

    Attributes:
        labels: the classes.
        truth: about the clips, and what of it is known.
        detected: events at the operating point that F1 is computed at; None: the system only tags.
        durations: seconds of each clip; None: not known.
        ranked: frame scores as PSDS ranks them.
        points: detected events at some thresholds.
        tags: the classes predicted to be in each clip.
        clip_scores: how certain that is.
        embeddings: one vector per clip.

    >>> truth = Truth.of_events(Events.of([(0, 0, 1.0, 2.0)]), n_clips=1, n_labels=1)
    >>> System(Labels(["Dog"]), truth, detected=truth.events).provides
    frozenset({'events'})
    """

    labels: Labels
    truth: Truth
    detected: Events | None = None
    durations: Float[Tensor, " clip"] | None = None
    ranked: Scores | None = None
    points: tuple[Events, ...] = ()
    tags: Bool[Tensor, "clip label"] | None = None
    clip_scores: Float[Tensor, "clip label"] | None = None
    embeddings: Float[Tensor, "clip dim"] | None = None

    @cached_property
    def provides(self) -> frozenset[str]:
        """What metrics can read: of `events`, `psds`, `tags`, `clip_scores` and `embeddings`.

        `psds` are frame scores or operating points, with durations.
        """
        timed, tagged = self.timed, self.tagged
        parts = {
            "events": timed is not None,
            "psds": timed is not None and timed.has_psds,
            "tags": tagged is not None and tagged.predicted is not None,
            "clip_scores": tagged is not None and tagged.scores is not None,
            "embeddings": tagged is not None and tagged.embeddings is not None,
        }
        return frozenset(name for name, there in parts.items() if there)

    @cached_property
    def timed(self) -> TimedClips | None:
        """The clips with known events; None if there are none, or nothing was detected in time."""
        clips = self.truth.timed.any(1).nonzero()[:, 0]
        if self.detected is None or not len(clips):
            return None
        truth = self.truth.select(clips)
        known = None if bool(truth.timed.all()) else truth.timed
        reference, detected, *points = (
            _known_events(events, clips, len(self.truth), known)
            for events in (self.truth.events, self.detected, *self.points)
        )
        return TimedClips(
            len(self.labels),
            len(clips),
            reference,
            detected,
            None if self.durations is None else self.durations[clips],
            None if self.ranked is None else self.ranked.select(clips),
            tuple(points),
            known,
        )

    @cached_property
    def tagged(self) -> TaggedClips | None:
        """The clips with known tags; None if there are none."""
        clips = self.truth.tagged.any(1).nonzero()[:, 0]
        if not len(clips):
            return None
        known = self.truth.tagged[clips]
        predicted, scores, embeddings = (
            None if part is None else part[clips] for part in (self.tags, self.clip_scores, self.embeddings)
        )
        return TaggedClips(
            self.truth.tags[clips] & known, predicted, scores, embeddings, None if bool(known.all()) else known
        )

    def need_timed(self) -> TimedClips:
        """The clips with known events; a `WsedError` if there are none."""
        if self.timed is None:
            raise WsedError("no events are known of these clips, or nothing was detected: there is no F1 of events")
        return self.timed

    def need_tagged(self) -> TaggedClips:
        """The clips with known tags; a `WsedError` if there are none."""
        if self.tagged is None:
            raise WsedError("no tags are known of these clips: there is no score of tags")
        return self.tagged


def nothing(labels: Labels) -> System:
    """A system of no clips at all."""
    none = torch.zeros(0, len(labels), dtype=torch.bool)
    return System(labels, Truth(none, none, Events.of([]), none))


def _known_events(
    events: Events, clips: Int[Tensor, " chosen"], n_clips: int, known: Bool[Tensor, "chosen label"] | None
) -> Events:
    chosen = events if len(clips) == n_clips else select_clips(events, clips, n_clips)
    return chosen if known is None else chosen[known[chosen.clip, chosen.label]]
