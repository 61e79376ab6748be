"""From gathered scores to detected events and figures of merit with fixed names."""

import json
import math
from pathlib import Path
from typing import Any

from wsed.decoding import Decoder
from wsed.metrics import Counts, class_correlation, event_counts, mean_positive_correlation, segment_counts, tag_counts
from wsed.metrics.store import ScoreStore
from wsed.types import Events, Labels

FIGURES = (("event_f1", "event F1"), ("segment_f1", "segment F1"), ("tagging_f1", "tagging F1"))
"""Keys of the F1 figures, and what they are called."""


def decode(store: ScoreStore, decoder: Decoder) -> Events:
    """The events a system detects in the clips of a store; clip indices are those of `store.clip_ids`.

    A system without frame scores (a tagger) detects none.
    """
    scores = store.frame_scores()
    if scores is None:
        return Events.of([])
    frames, valid = scores
    tags, tagged = store.tags()
    return decoder(
        frames,
        store.frame_rate,
        valid=valid,
        clip_scores=store.clip_scores(),
        true_tags=tags > 0.5 if bool(tagged.all()) else None,
        durations=store.durations(),
    )


def score(store: ScoreStore, detected: Events, labels: Labels, decoder: Decoder) -> dict[str, Any]:
    """Every figure of merit the labels allow, as fractions in [0, 1].

    Keys: `event_f1` (collar 200 ms, 20 % of the duration), `segment_f1` (1 s), `tagging_f1`, each with `macro`,
    `micro` and `per_class`; `correlation` between classes of the mean score per clip. Events are scored on the clips
    whose events are known, tags on those whose tags are known; a figure without such clips is left out.
    """
    scores: dict[str, Any] = {"clips": len(store)}
    truth, timed = store.events()
    frame_scores = store.frame_scores()
    if bool(timed.any()) and frame_scores is not None:
        detected, truth = detected[timed[detected.clip]], truth[timed[truth.clip]]
        scores["event_f1"] = _table(event_counts(truth, detected, len(labels)), labels)
        scores["segment_f1"] = _table(segment_counts(truth, detected, len(labels), durations=store.durations()), labels)
    tags, tagged = store.tags()
    clip_scores = store.clip_scores()
    if clip_scores is not None and bool(tagged.any()):
        said = clip_scores > clip_scores.new_tensor(decoder.tag_threshold)
        scores["tagging_f1"] = _table(tag_counts((tags > 0.5)[tagged], said[tagged]), labels)
    if frame_scores is None:
        return scores
    frames, valid = frame_scores
    means = (frames * valid[..., None]).sum(1) / valid.sum(1, keepdim=True).clamp(min=1)
    correlation = class_correlation(means)
    scores["correlation"] = {
        "mean_positive": mean_positive_correlation(correlation),
        "labels": list(labels),
        "matrix": correlation.tolist(),
    }
    return scores


def _table(counts: Counts, labels: Labels) -> dict[str, Any]:
    per_class = {
        name: {"f1": f1, "n_ref": int(ref), "n_sys": int(system), "tp": int(tp)}
        for name, f1, ref, system, tp in zip(
            labels, counts.f1.tolist(), counts.n_ref, counts.n_sys, counts.tp, strict=True
        )
    }
    return {"macro": counts.macro_f1, "micro": counts.micro_f1, "per_class": per_class}


def write_json(path: str | Path, value: Any) -> None:
    """JSON with null for NaN (a class that does not occur has no score)."""
    Path(path).write_text(json.dumps(_plain(value), indent=1) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
