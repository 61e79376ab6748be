"""What a report holds beside the figures of merit, and how it is written."""

import json
import math
from pathlib import Path
from typing import Any

from wsed.metrics import class_correlation, mean_positive_correlation
from wsed.metrics.store import ScoreStore
from wsed.types import Labels


def correlation(store: ScoreStore, labels: Labels) -> dict[str, Any]:
    """How the mean scores of classes go together over clips: `mean_positive`, `labels`, `matrix`; empty for a tagger.

    Source: Pellegrini & Cances 2019, figure 4.
    """
    scores = store.frame_scores()
    if scores is None:
        return {}
    frames, valid = scores
    means = (frames * valid[..., None]).sum(1) / valid.sum(1, keepdim=True).clamp(min=1)
    matrix = class_correlation(means)
    return {"mean_positive": mean_positive_correlation(matrix), "labels": list(labels), "matrix": matrix.tolist()}


def write_json(path: str | Path, value: Any) -> None:
    """JSON with null for NaN (a class that does not occur has no score)."""
    Path(path).write_text(json.dumps(plain(value), indent=1) + "\n")


def plain(value: Any) -> Any:
    """Nested values with None for NaN and infinity, which JSON does not know."""
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
