"""Fitting a decoder to a labelled set after training, and keeping how it was done."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import yaml
from jaxtyping import Bool
from torch import Tensor

from wsed.decoding import BoxDecoder, Decoder, Tuned, exact_thresholds, grid_thresholds, random_thresholds
from wsed.decoding.decoder import allowed_tags
from wsed.decoding.sweep import check_searchable, tune_boxes, tune_decoder
from wsed.decoding.tune import segment_labels, segment_scores
from wsed.errors import WsedError
from wsed.metrics import event_counts
from wsed.metrics.store import ScoreStore
from wsed.types import Events

SEARCHES: dict[str, Callable[..., Tuned]] = {
    "exact": exact_thresholds,
    "grid": grid_thresholds,
    "random": random_thresholds,
}


@dataclass(frozen=True)
class Tuning:
    """What is fitted, on what, and how; the result is saved with the checkpoint.

    Args:
        split: the set. The test set may be asked for, to compare with papers that did so; every report then says that
            its scores are too good.
        tags: search for `tag_threshold`, for the F1 of tags: over all thresholds at once (`exact`), over 0, 0.01, ...,
            0.99 (`grid`; Chou et al. 2018), or by random walks (`random`; Pellegrini & Cances 2019).
        thresholds: search for `threshold`, for the F1 of `events` (over 0.01, 0.03, ..., 0.99; box decoders also over
            their window and merging), or of one-second `segments` (exact).
        medians: windows in seconds to choose from along with the thresholds for events; 0 is none.

    Raises:
        WsedError: nothing is to be tuned, or an unknown name.
    """

    split: Literal["validation", "test"] = "validation"
    tags: Literal["exact", "grid", "random"] | None = None
    thresholds: Literal["events", "segments"] | None = None
    medians: list[float] | None = None

    def __post_init__(self) -> None:
        known = {"split": ("validation", "test"), "tags": (None, *SEARCHES), "thresholds": (None, "events", "segments")}
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise WsedError(f"tuning.{name} must be of {', '.join(map(str, values))}, not {getattr(self, name)!r}")
        if self.tags is None and self.thresholds is None:
            raise WsedError("tuning: say what to tune: thresholds: events or segments, or tags: exact, grid or random")
        if self.medians is not None and self.thresholds != "events":
            raise WsedError("tuning.medians are searched along with thresholds: events")

    def check_events(self, timed: Bool[Tensor, " clip"]) -> None:
        """Refuse to search for thresholds of events on clips of which some have tags only.

        Args:
            timed: clips of the split whose events are known.

        Raises:
            WsedError: the events of a clip are not known.
        """
        if self.thresholds is not None and not bool(timed.all()):
            raise WsedError(
                f"evaluation.tuning.thresholds needs the events of all clips of the {self.split} set, and "
                f"{int((~timed).sum())} of {len(timed)} have tags only: set evaluation.tuning.thresholds and "
                "evaluation.tuning.medians to null, or take a set with events"
            )

    def check(self, decoder: Decoder | BoxDecoder) -> None:
        """Refuse a decoder that the search cannot take.

        Raises:
            WsedError: it has a setting that is not searched with.
        """
        if self.thresholds == "events" and isinstance(decoder, BoxDecoder):
            if self.medians is not None or decoder.tags != "none":
                raise WsedError(
                    "a box decoder is tuned without medians and tags: set evaluation.tuning.medians to null and "
                    "evaluation.decoder.tags to none"
                )
        elif self.thresholds == "events" and isinstance(decoder, Decoder):
            check_searchable(decoder)
        elif self.thresholds == "segments" and isinstance(decoder, Decoder):
            plain = Decoder(threshold=0.5)
            names = ("low", "merge_gap", "min_duration", "segment_counting")
            if given := [name for name in names if getattr(decoder, name) != getattr(plain, name)]:
                raise WsedError(
                    f"tuning.thresholds: segments is exact only without {', '.join(names)}; leave evaluation.decoder."
                    f"{' and '.join(given)} out, or take events"
                )

    def tune(self, decoder: Decoder | BoxDecoder, store: ScoreStore) -> tuple[Decoder | BoxDecoder, dict[str, Any]]:
        """The decoder with the values found, and plain values that tell what was done.

        Raises:
            WsedError: what the search needs is not known of the clips.
        """
        self.check(decoder)
        found: list[Tuned] = []
        if self.tags is not None:
            found.append(self._tags(store))
            decoder = found[-1].apply(decoder)
        if self.thresholds is not None:
            found.append(self._thresholds(decoder, store))
            decoder = found[-1].apply(decoder)
        values = {name: list(v) for tuned in found for name, v in tuned.values.items()}
        return decoder, asdict(self) | {"clips": len(store), "values": values}

    def _tags(self, store: ScoreStore) -> Tuned:
        true, tagged = store.tags()
        scores = store.clip_scores()
        if scores is None or not bool(tagged.any()):
            raise WsedError(
                f"tuning.tags: the network gives no clip scores, or no tags of the {self.split} set are known"
            )
        search = SEARCHES[str(self.tags)]
        return search((true > 0.5)[tagged], scores[tagged], self.split, setting="tag_threshold")

    def _thresholds(self, decoder: Decoder | BoxDecoder, store: ScoreStore) -> Tuned:
        truth, timed = store.events()
        scores = store.frame_scores()
        self.check_events(timed)
        if scores is None:
            raise WsedError(
                "evaluation.tuning.thresholds needs frame scores, and the network gives none: set it to null"
            )
        frames, valid = scores
        known = store.known(valid)
        tags = allowed_tags(decoder.tags, decoder.tag_threshold, known["clip_scores"], known["true_tags"])
        if self.thresholds == "segments":
            return self._segments(decoder, store, truth, frames, valid, tags)
        events = frames, store.frame_rate, truth, event_counts, self.split
        more: dict[str, Any] = {"valid": valid, "durations": store.durations()}
        if isinstance(decoder, BoxDecoder):
            return tune_boxes(decoder, *events, **more)
        return tune_decoder(decoder, *events, medians=self.medians, tags=tags, **more)

    def _segments(
        self,
        decoder: Decoder | BoxDecoder,
        store: ScoreStore,
        truth: Events,
        frames: Tensor,
        valid: Tensor,
        tags: Tensor | None,
    ) -> Tuned:
        curves = decoder.curves(frames, store.frame_rate, valid)
        if tags is not None:
            curves = curves.masked_fill(~tags[:, None, :], -math.inf)
        table, counted = segment_scores(curves, store.frame_rate, valid=valid, durations=store.durations())
        n_clips, n_segments, n_labels = table.shape
        true = segment_labels(truth, n_clips, n_labels, n_segments)
        return exact_thresholds(true[counted], table[counted], self.split)


def decoder_of(values: dict[str, Any]) -> Decoder | BoxDecoder:
    """The decoder that `dataclasses.asdict` gave these values for, as checkpoints keep them."""
    return BoxDecoder(**values) if "window" in values else Decoder(**values)


def same_network(tuned: str, asked: str) -> bool:
    """Whether two networks' settings, as YAML in checkpoints, agree where both are known: thresholds fit one network.

    Settings that only one has come of another version of wsed; where `pretrained` weights came from does not count.
    """
    return not tuned or not asked or _agree(yaml.safe_load(tuned), yaml.safe_load(asked))


def _agree(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return all(_agree(one[key], other[key]) for key in (one.keys() & other.keys()) - {"pretrained"})
    if isinstance(one, dict) != isinstance(other, dict):  # a class by its name alone, or with its arguments
        one, other = (value.get("class_path") if isinstance(value, dict) else value for value in (one, other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_agree, one, other))
    return bool(one == other)
