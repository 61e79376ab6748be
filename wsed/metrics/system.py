"""The predictions of one system and the truth, from which metrics are computed."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError
from wsed.metrics.joined import joined
from wsed.metrics.psds import PSDS, PSDS1, PSDSParameters, PSDSTable, psds_from_scores
from wsed.truth import Truth, select_clips
from wsed.types import Events, Labels
from wsed.values import Scores


@dataclass(frozen=True)
class TimedClips:
    """The clips with known events. A class that is unknown in a clip has neither true nor detected events there.

    Attributes:
        n_labels: size of the label axis.
        n_clips: number of clips, with or without events.
        reference: true events.
        detected: events at the operating point of the F1 metrics.
        durations: seconds of each clip; None if they are not known, and then there is no PSDS.
        ranked: frame scores for a PSDS over all thresholds.
        points: detected events at some thresholds, for a PSDS from operating points.
        timed: classes that are known in each clip; all if None.
        thresholds: the thresholds of `points`; empty if they are not known.
    """

    n_labels: int
    n_clips: int
    reference: Events
    detected: Events
    durations: Float[Tensor, " clip"] | None = None
    ranked: Scores | None = None
    points: tuple[Events, ...] = ()
    timed: Bool[Tensor, "clip label"] | None = None
    thresholds: tuple[float, ...] = ()
    _tables: dict[PSDSParameters, PSDSTable] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def has_psds(self) -> bool:
        """Whether a PSDS can be computed."""
        return self.durations is not None and (self.ranked is not None or bool(self.points))

    @cached_property
    def joined(self) -> "TimedClips":
        """The same clips with overlapping events of a class joined, so that shared seconds do not count twice."""
        points = tuple(joined(point) for point in self.points)
        return replace(self, reference=joined(self.reference), detected=joined(self.detected), points=points)

    def psds(self, parameters: PSDSParameters = PSDS1) -> PSDS:
        """The PSDS: exact if there are frame scores, otherwise from the operating points.

        Raises:
            WsedError: there are neither frame scores nor operating points, or no durations.
        """
        durations = self._durations()
        if self.ranked is None or parameters in self._tables:
            return self.psds_table(parameters).psds()
        ranked = replace(self.ranked, durations=durations)
        return psds_from_scores(ranked, self.joined.reference, parameters, timed=self.timed)

    def psds_table(self, parameters: PSDSParameters = PSDS1) -> PSDSTable:
        """The parts of the PSDS per clip, for resamples of the clips; errors as in `psds`.

        They are computed once; `psds` is then quick too.
        """
        if parameters not in self._tables:
            self._tables[parameters] = self._psds_table(parameters)
        return self._tables[parameters]

    def _psds_table(self, parameters: PSDSParameters) -> PSDSTable:
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
    """The clips with known tags.

    Attributes:
        true: the classes that are in each clip.
        predicted: the classes that the system predicts; None if it does not predict tags.
        scores: clip scores; if None, there are no ranking metrics such as mAP.
        embeddings: one vector per clip.
        known: tags that are known; all if None.
    """

    true: Bool[Tensor, "clip label"]
    predicted: Bool[Tensor, "clip label"] | None = None
    scores: Float[Tensor, "clip label"] | None = None
    embeddings: Float[Tensor, "clip dim"] | None = None
    known: Bool[Tensor, "clip label"] | None = None


@dataclass(frozen=True)
class System:
    """The predictions of one system for some clips, and the truth about these clips.

    Attributes:
        labels: the classes.
        truth: true tags and events of the clips, and which of them are known.
        detected: events at the operating point of the F1 metrics; None if the system only tags.
        durations: seconds of each clip; None if they are not known.
        ranked: frame scores for a PSDS over all thresholds.
        points: detected events at some thresholds, for a PSDS from operating points.
        tags: the classes that the system predicts for each clip.
        clip_scores: scores of the classes of each clip.
        embeddings: one vector per clip.
        thresholds: the thresholds of `points`; empty if they are not known.

    >>> truth = Truth.of_events(Events.of([(0, 0, 1.0, 2.0)]), n_clips=1, n_labels=1)
    >>> system = System(Labels(["Dog"]), truth, detected=truth.events)
    >>> system.provides
    frozenset({'events'})
    >>> len(system.need_timed().detected)
    1
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
    thresholds: tuple[float, ...] = ()

    @cached_property
    def provides(self) -> frozenset[str]:
        """What metrics can read: a subset of the names below.

        `psds` means frame scores or operating points, with durations; `thresholds` means frame scores, or operating
        points with known thresholds; the others are `events`, `frame_scores`, `tags`, `clip_scores` and `embeddings`.
        """
        timed, tagged = self.timed, self.tagged
        parts = {
            "events": timed is not None,
            "psds": timed is not None and timed.has_psds,
            "thresholds": timed is not None and (timed.ranked is not None or bool(timed.thresholds)),
            "frame_scores": timed is not None and timed.ranked is not None,
            "tags": tagged is not None and tagged.predicted is not None,
            "clip_scores": tagged is not None and tagged.scores is not None,
            "embeddings": tagged is not None and tagged.embeddings is not None,
        }
        return frozenset(name for name, there in parts.items() if there)

    @cached_property
    def timed(self) -> TimedClips | None:
        """The clips with known events; None if there are none, or the system only tags."""
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
            self.thresholds,
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
            raise WsedError("no clip has known events, or the system only tags: there is no F1 of events")
        return self.timed

    def need_tagged(self) -> TaggedClips:
        """The clips with known tags; a `WsedError` if there are none.

        >>> from wsed.testing.metrics import system
        >>> system().need_tagged().true.shape
        torch.Size([6, 3])
        """
        if self.tagged is None:
            raise WsedError("no clip has known tags: there are no metrics of tags")
        return self.tagged


def no_clips(labels: Labels) -> System:
    """A system without clips.

    >>> no_clips(Labels(["dog"])).provides
    frozenset()
    """
    none = torch.zeros(0, len(labels), dtype=torch.bool)
    return System(labels, Truth(none, none, Events.of([]), none))


def _known_events(
    events: Events, clips: Int[Tensor, " chosen"], n_clips: int, known: Bool[Tensor, "chosen label"] | None
) -> Events:
    chosen = events if len(clips) == n_clips else select_clips(events, clips, n_clips)
    return chosen if known is None else chosen[known[chosen.clip, chosen.label]]
