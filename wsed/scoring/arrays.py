"""The report of scores and targets that are arrays: of numpy, of torch, or lists of them."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from wsed.decoding import StepDecoder
from wsed.errors import WsedError
from wsed.metrics.base import Metric
from wsed.metrics.chosen import chosen_metrics
from wsed.scoring.report import Report
from wsed.scoring.score import score, system_of
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Scores

Array = Tensor | np.ndarray
Arrays = Array | Sequence[Array]
"""`[clip frame label]`, a list of `[frame label]` of clips of different lengths, or `[clip label]` for tags."""


def score_arrays(
    scores: Arrays,
    targets: Arrays | Events,
    labels: Sequence[str],
    *,
    frame_rate: float | None = None,
    threshold: float = 0.5,
    metrics: Sequence[str] | Mapping[str, Metric] | None = None,
) -> Report:
    """Score arrays of scores against arrays of targets.

    Args:
        scores: scores of frames, or of whole clips; see `Arrays`.
        targets: values of the same shape, above 0.5 where a class is active; or, for scores of frames, the true events.
        labels: the classes, in the order of the last axis.
        frame_rate: frames per second; needed for scores of frames.
        threshold: scores above it are detected, for F1.
        metrics: as in `wsed.evaluate`.

    Raises:
        WsedError: an argument is of another type or shape, or the scores hold NaN.

    >>> scores = np.array([[[0.1], [0.9], [0.8], [0.2]]])
    >>> score_arrays(scores, scores > 0.5, ["dog"], frame_rate=2.0).value("event_f1/macro")
    1.0
    >>> score_arrays(np.array([[0.9], [0.2]]), np.array([[1], [0]]), ["dog"]).value("tagging_f1/macro")
    1.0
    """
    names = Labels(labels)
    chosen = metrics if isinstance(metrics, Mapping) else chosen_metrics(metrics)
    decoder = StepDecoder(threshold=threshold, tag_threshold=threshold)
    parts = _clips("scores", scores, len(names))
    if isinstance(parts, Tensor):
        system_scores, truth = _of_tags(parts, targets, len(names))
    elif frame_rate is None:
        raise WsedError("scores of frames need frame_rate, in frames per second")
    else:
        highest = [torch.cat([torch.full((1, len(names)), -torch.inf), clip]).amax(0) for clip in parts]
        system_scores = Scores.of_clips(
            list(map(str, range(len(parts)))), parts, frame_rate, clip_scores=torch.stack(highest)
        )
        truth = Truth.of_events(_events(targets, parts, frame_rate, len(names)), len(parts), len(names))
    return score(system_of(system_scores, truth, names, decoder), chosen)


def _of_tags(scores: Tensor, targets: Arrays | Events, n_labels: int) -> tuple[Scores, Truth]:
    true = "events" if isinstance(targets, Events) else _clips("targets", targets, n_labels)
    if not isinstance(true, Tensor) or true.shape != scores.shape:
        what = tuple(true.shape) if isinstance(true, Tensor) else "events" if isinstance(true, str) else "frames"
        raise WsedError(f"scores {tuple(scores.shape)} are of tags: targets must have that shape, not {what}")
    known = torch.ones_like(true, dtype=torch.bool)
    ids = tuple(map(str, range(len(scores))))
    system_scores = Scores(ids, torch.zeros(len(scores), dtype=torch.float64), clip_scores=scores)
    return system_scores, Truth(true > 0.5, known, Events.of([]), ~known)


def _events(targets: Arrays | Events, scores: Sequence[Tensor], frame_rate: float, n_labels: int) -> Events:
    if isinstance(targets, Events):
        if len(targets) and not 0 <= int(targets.clip.min()) <= int(targets.clip.max()) < len(scores):
            last = int(targets.clip.max())
            raise WsedError(f"targets have events in clip {last}, but there are scores of {len(scores)} clips")
        return targets
    true = _clips("targets", targets, n_labels)
    shapes = [tuple(clip.shape) for clip in scores]
    if isinstance(true, Tensor) or [tuple(clip.shape) for clip in true] != shapes:
        raise WsedError("targets must be events, or have the clips and frames of the scores")
    clips = Scores.of_clips(list(map(str, range(len(true)))), true, frame_rate)
    return StepDecoder()(clips, None).events


def _clips(what: str, values: Arrays, n_labels: int) -> Tensor | list[Tensor]:
    """One tensor `[clip label]` of tags, or one `[frame label]` for each clip; float64.

    Raises:
        WsedError: the values are not arrays, have another shape, or hold NaN.
    """
    forms = f"{what} must be arrays [clip frame label], a list of [frame label], or [clip label], of {n_labels} labels"
    many = isinstance(values, list | tuple)
    parts = [_tensor(part, forms) for part in values] if many else [_tensor(values, forms)]
    if any(bool(part.isnan().any()) for part in parts):
        raise WsedError(f"{what} hold NaN")
    wanted = (2,) if many else (2, 3)
    for part in parts:
        if part.ndim not in wanted or part.shape[-1] != n_labels:
            raise WsedError(f"{forms}; got {tuple(part.shape)}: is the axis of labels the last one?")
    if many:
        return parts
    return parts[0] if parts[0].ndim == 2 else list(parts[0])


def _tensor(value: object, forms: str) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach().cpu().double()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(value.astype(np.float64))
    raise WsedError(f"{forms}; got {type(value).__name__}")
