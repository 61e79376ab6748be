"""The base class of decoders and their registry. A decoder computes events with a confidence from scores."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from wsed.decoding import steps
from wsed.errors import WsedError
from wsed.registry import Registry
from wsed.types import Events
from wsed.values import Detections, Scores

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

TagSource = Literal["none", "clip", "oracle"]
PerLabel = float | list[float]
Setting = Mapping[str, float]
"""Values of some settings of a decoder, by the names of the settings."""


class Decoder(ABC):
    """Base class of decoders: they turn scores into events.

    Subclasses are frozen dataclasses, registered with `@DECODERS.register("name")`. All times are in seconds, so that a
    decoder works at any frame rate. A setting that is a list has one value per label.

    Attributes:
        threshold: only events with a score above it are detected.
        tags: classes that may have events in a clip: all (`none`), classes with a clip score above `tag_threshold`
            (`clip`), or the true tags of the clip (`oracle`).
        tag_threshold: a class is predicted for a clip if its clip score is above it.

    >>> from wsed.decoding import StepDecoder
    >>> decoder, curve = StepDecoder(tags="clip"), torch.tensor([[[0.1], [0.9], [0.2]]])
    >>> scores = Scores.of_padded(curve, frame_rate=1.0, clip_scores=curve.amax(1))
    >>> decoder(scores).events.onset.tolist(), decoder.at(scores, [0.5, 0.95]).offset.tolist()
    ([1.0], [2.0])
    >>> decoder.predicted_tags(scores), decoder.allowed(scores, tags=None)
    (tensor([[True]]), tensor([[True]]))
    >>> len(decoder.curves(scores)), len(decoder.ranked(scores)), len(decoder.allowed_curves(scores))
    (1, 1, 1)
    >>> len(decoder.across().resumed(scores, known=None)[0])
    1
    >>> decoder.candidates(frame_rate=1.0), decoder.inexact_for_segments(), decoder.values()["tags"]
    ([{}], [], 'clip')
    >>> decoder.within(scores).need_frames()[0].flatten().tolist() == curve.flatten().tolist()
    True
    """

    threshold: PerLabel
    tags: TagSource
    tag_threshold: PerLabel

    @abstractmethod
    def __call__(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None = None) -> Detections:
        """The events of each clip, on the CPU, sorted by clip, label and onset.

        Args:
            scores: scores of the clips, of any float type and on any device. Events end at the end of their clip at
                the latest.
            tags: the true tags; needed only for `tags: oracle`.

        Raises:
            WsedError: there are no frames, the tags that the setting `tags` needs are missing, or a list does not have
                one value per label.
        """

    @abstractmethod
    def curves(self, scores: Scores) -> Scores:
        """The frame scores that are compared with the threshold, for pictures and metrics over all thresholds."""

    def ranked(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None = None) -> Scores:
        """The frame scores that PSDS ranks, -inf where there can be no event; arguments and errors as in `__call__`."""
        return self.allowed_curves(scores, tags)

    def allowed_curves(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None = None) -> Scores:
        """The `curves`, -inf where the tags allow no event; arguments and errors as in `__call__`."""
        curves = self.curves(scores)
        frames, _ = curves.need_frames()
        allowed = self.allowed(scores, tags)
        if allowed is None:
            return curves
        blocked = curves.per_frame(~allowed.to(frames.device))
        return replace(curves, frames=frames.masked_fill(blocked, -math.inf))

    def allowed(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None) -> Bool[Tensor, "clip label"] | None:
        """The classes that may have events in each clip; None if all may.

        Raises:
            WsedError: the tags that the setting `tags` needs are missing, or a list does not have one value per label.
        """
        if self.tags == "none":
            return None
        if self.tags == "oracle":
            if tags is None:
                raise WsedError(
                    "decoder.tags is oracle, but the true tags of these clips are not known: set it to clip or none"
                )
            return tags.bool()
        if scores.clip_scores is None:
            raise WsedError("decoder.tags is clip, but the network provides no clip scores; add a head that does")
        return steps.threshold(scores.clip_scores[:, None, :], self.tag_threshold)[:, 0, :]

    @property
    def reach(self) -> float:
        """Events depend on the scores up to this many seconds before and after them; 5 by default."""
        return 5.0

    def within(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None = None) -> Scores:
        """The scores of windows of a long recording, prepared to be joined: classes that the tags exclude score 0.

        Each clip of `scores` is a window. Arguments and errors as in `__call__`.

        >>> from wsed.decoding import StepDecoder
        >>> scores = Scores.of_padded(torch.full((1, 2, 1), 0.5), frame_rate=1.0, clip_scores=torch.tensor([[0.1]]))
        >>> StepDecoder(tags="clip").within(scores).need_frames()[0].flatten().tolist()
        [0.0, 0.0]
        """
        allowed = self.allowed(scores, tags)
        if allowed is None:
            return scores
        frames, _ = scores.need_frames()
        return replace(scores, frames=frames * scores.per_frame(allowed.to(frames.device)))

    def across(self) -> "Decoder":
        """The decoder for joined windows, without the steps of `within`.

        >>> from wsed.decoding import StepDecoder
        >>> StepDecoder(tags="clip").across().tags
        'none'
        """
        return replaced(self, {"tags": "none"})

    def resumed(
        self, scores: Scores, known: Bool[Tensor, "known label"] | None
    ) -> tuple[Detections, Bool[Tensor, "frame label"] | None]:
        """The events of a part of a recording, and its active frames (None if earlier frames do not matter for them).

        Args:
            scores: scores of one clip, which is the part.
            known: which of the first frames are active, as decoded with the part before; None at the start of the
                recording.
        """
        return self(scores), None

    def predicted_tags(self, scores: Scores) -> Bool[Tensor, "clip label"] | None:
        """The classes whose clip score is above `tag_threshold`; None without clip scores.

        Raises:
            WsedError: a list of thresholds does not have one value per label.
        """
        if scores.clip_scores is None:
            return None
        return steps.threshold(scores.clip_scores[:, None, :], self.tag_threshold)[:, 0, :]

    def at(self, scores: Scores, thresholds: Sequence[float], tags: Bool[Tensor, "clip label"] | None = None) -> Events:
        """The events at each of several rising thresholds; clip `c` at threshold `i` is clip `i * n_clips + c`.

        Decoders that can compute all thresholds at once override it. Errors as in `__call__`.
        """
        parts = [replaced(self, {"threshold": value})(scores, tags).events for value in rising(thresholds).tolist()]
        return Events.cat(replace(part, clip=part.clip + i * len(scores)) for i, part in enumerate(parts))

    def candidates(
        self, frame_rate: float, medians: Sequence[float] | None = None, gaps: Sequence[float] | None = None
    ) -> list[Setting]:
        """Settings that a search for thresholds tries with each threshold; of equally good ones, the first is chosen.

        Args:
            frame_rate: frame rate of the scores.
            medians: windows of a median filter to try, in seconds; 0 means no filter.
            gaps: gaps over which events are joined to try, in seconds.

        Raises:
            WsedError: the thresholds of this decoder cannot be searched, or it has no median filter or joins no events.
        """
        if medians is not None:
            raise WsedError(f"{type(self).__name__} has no median filter: set tuning.medians to null")
        if gaps is not None:
            raise WsedError(f"{type(self).__name__} joins no events over gaps: set tuning.gaps to null")
        return [{}]

    def inexact_for_segments(self) -> list[str]:
        """The settings in use that make the search for thresholds of segments inexact; none by default."""
        return []

    def values(self) -> dict[str, Any]:
        """The settings as plain values, for reports and checkpoints."""
        return asdict(_dataclass(self))


DECODERS: Registry[type[Decoder]] = Registry("decoder", "wsed.decoding", Decoder, default="steps")


def replaced(decoder: Decoder, values: Mapping[str, object]) -> Decoder:
    """A copy of a decoder with other settings.

    Raises:
        WsedError: the decoder is not a dataclass, or a setting does not exist.

    >>> from wsed.decoding import StepDecoder
    >>> replaced(StepDecoder(), {"threshold": 0.3}).threshold
    0.3
    """
    unknown = sorted(values.keys() - decoder.values().keys())
    if unknown:
        raise WsedError(f"{type(decoder).__name__} has no setting {unknown[0]!r}")
    return type(decoder)(**{**decoder.values(), **values})


def _dataclass(decoder: Decoder) -> "DataclassInstance":
    if isinstance(decoder, type) or not is_dataclass(decoder):
        raise WsedError(f"{type(decoder).__name__} must be a dataclass, so that its settings can be changed and saved")
    return decoder


def rising(thresholds: Sequence[float], like: Tensor | None = None) -> Float[Tensor, " threshold"]:
    """The thresholds as a tensor of the type of `like`; a `WsedError` if they do not rise.

    >>> rising([0.25, 0.5])
    tensor([0.2500, 0.5000], dtype=torch.float64)
    """
    values = torch.tensor(list(thresholds), dtype=torch.float64)
    values = values if like is None else values.to(like.device, like.dtype)
    if not bool((values[1:] > values[:-1]).all()):
        raise WsedError(f"thresholds must rise, not {list(thresholds)}")
    return values


def check_regular_frames(scores: Scores) -> None:
    """Check that there are frame scores at a regular rate, which decoders need.

    Raises:
        WsedError: there are no frame scores, or frames have different lengths.

    >>> check_regular_frames(Scores.of_padded(torch.zeros(1, 2, 1), frame_rate=1.0))
    """
    scores.need_frames()
    if scores.borders is not None:
        raise WsedError("a decoder needs frames at a regular rate, but these frames have different lengths")


def listed(value: float | Sequence[float] | None) -> list[float]:
    """One value or several values as a list; None is an empty list.

    >>> listed(0.5), listed([0.2, 0.4]), listed(None)
    ([0.5], [0.2, 0.4], [])
    """
    if value is None:
        return []
    return [value] if isinstance(value, int | float) else list(value)
