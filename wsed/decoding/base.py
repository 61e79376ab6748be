"""What every decoder promises: scores in, events with a confidence out, and the scores that PSDS ranks."""

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
"""Values of some settings to try, by their names."""


class Decoder(ABC):
    """Turns scores into events. Subclasses are frozen dataclasses and registered: `@DECODERS.register("name")`.

    Every time is in seconds, so that one decoder serves networks of any frame rate. A list holds one value per label.

    Attributes:
        threshold: only events of a score above it are detected.
        tags: which classes of a clip may have events: all (`none`), those whose clip score is above `tag_threshold`
            (`clip`), or those truly in the clip (`oracle`).
        tag_threshold: a class is predicted to be in a clip if its clip score is above it.
    """

    threshold: PerLabel
    tags: TagSource
    tag_threshold: PerLabel

    @abstractmethod
    def __call__(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None = None) -> Detections:
        """The events of each clip, on the CPU, sorted by clip, label and onset; times in seconds.

        Args:
            scores: of the clips; any float type, any device. Events end with their clip at the latest.
            tags: the true tags; needed for `tags: oracle` only.

        Raises:
            WsedError: there are no frames, or no tags of the kind that `tags` asks for, or a list does not have one
                value per label.
        """

    @abstractmethod
    def curves(self, scores: Scores) -> Scores:
        """The frame scores as the threshold sees them, for pictures and for metrics over all thresholds."""

    def ranked(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None = None) -> Scores:
        """What PSDS ranks: the curves, -inf where there is no event. Arguments and errors as for the call."""
        return self.allowed_curves(scores, tags)

    def allowed_curves(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None = None) -> Scores:
        """The curves, -inf where the tags allow no event. Arguments and errors as for the call."""
        curves = self.curves(scores)
        frames, _ = curves.need()
        allowed = self.allowed(scores, tags)
        if allowed is None:
            return curves
        blocked = curves.per_frame(~allowed.to(frames.device))
        return replace(curves, frames=frames.masked_fill(blocked, -math.inf))

    def allowed(self, scores: Scores, tags: Bool[Tensor, "clip label"] | None) -> Bool[Tensor, "clip label"] | None:
        """The classes that each clip may have events of; None: all.

        Raises:
            WsedError: there are no tags of the kind that `tags` asks for, or a list does not have one value per label.
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
            raise WsedError("decoder.tags is clip, but the network gives no clip scores; add a head that does")
        return steps.threshold(scores.clip_scores[:, None, :], self.tag_threshold)[:, 0, :]

    def predicted_tags(self, scores: Scores) -> Bool[Tensor, "clip label"] | None:
        """The classes predicted to be in each clip: clip score above `tag_threshold`; None without clip scores."""
        if scores.clip_scores is None:
            return None
        return scores.clip_scores > scores.clip_scores.new_tensor(self.tag_threshold)

    def at(self, scores: Scores, thresholds: Sequence[float], tags: Bool[Tensor, "clip label"] | None = None) -> Events:
        """The events at each of some rising thresholds: clip `c` of threshold `i` is clip `i * n_clips + c`.

        A decoder that can do this at once, and not threshold by threshold, overrides it. Errors as for the call.
        """
        parts = [replaced(self, {"threshold": value})(scores, tags).events for value in rising(thresholds).tolist()]
        return Events.cat(replace(part, clip=part.clip + i * len(scores)) for i, part in enumerate(parts))

    def settings(self, frame_rate: float, medians: Sequence[float] | None = None) -> list[Setting]:
        """Settings that a search for thresholds tries beside each threshold; the first of equally good ones wins.

        Args:
            frame_rate: of the scores.
            medians: windows of a median filter to choose from, in seconds, 0 for none.

        Raises:
            WsedError: the thresholds of this decoder cannot be searched as asked.
        """
        if medians is not None:
            raise WsedError(f"{type(self).__name__} has no median filter: set tuning.medians to null")
        return [{}]

    def inexact_for_segments(self) -> list[str]:
        """Settings in use with which a threshold for segments is no threshold on frames; none unless overridden."""
        return []

    def values(self) -> dict[str, Any]:
        """The settings as plain values, for reports and checkpoints."""
        return asdict(_dataclass(self))


DECODERS: Registry[type[Decoder]] = Registry("decoder", "wsed.decoding", Decoder, default="steps")


def replaced(decoder: Decoder, values: Mapping[str, object]) -> Decoder:
    """A copy of a decoder with other settings.

    Raises:
        WsedError: the decoder is no dataclass, or lacks such a setting.
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
    """The thresholds as a tensor of the type of `like`; a `WsedError` if they do not rise."""
    values = torch.tensor(list(thresholds), dtype=torch.float64)
    values = values if like is None else values.to(like.device, like.dtype)
    if not bool((values[1:] > values[:-1]).all()):
        raise WsedError(f"thresholds must rise, not {list(thresholds)}")
    return values


def frames_at_a_rate(scores: Scores) -> None:
    """Refuse scores without frames, or with frames of irregular lengths.

    Raises:
        WsedError: decoding in seconds needs regular frames.
    """
    scores.need()
    if scores.borders is not None:
        raise WsedError("a decoder needs frames at a regular rate, and these have borders of their own")


def listed(value: float | Sequence[float] | None) -> list[float]:
    """One value or several as a list; none for None."""
    if value is None:
        return []
    return [value] if isinstance(value, int | float) else list(value)
