"""How much weight lies at or above each cut through ranked clips."""

import numpy as np
from jaxtyping import Bool, Float, Int

from wsed.errors import WsedError

Weights = Float[np.ndarray, "resample clip"]
Curve = Float[np.ndarray, "resample cut"]


def at_cuts(
    true: Bool[np.ndarray, " clip"], score: Float[np.ndarray, " clip"], weights: Weights
) -> tuple[Curve, Curve]:
    """The weights of the true and of the false clips that score at or above each cut, for each row of weights.

    Cuts lie at distinct scores and fall. Of neighbouring cuts that only add false clips, the last one is there.

    >>> true, score = np.array([True, False, False]), np.array([0.2, 0.9, 0.5])
    >>> [curve.tolist() for curve in at_cuts(true, score, np.ones((1, 3)))]
    [[[0.0, 1.0]], [[2.0, 2.0]]]
    """
    order = np.argsort(-score, kind="stable")
    ranked, hit = score[order], true[order]
    cut = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))  # no differences: those of infinite scores are NaN
    n_true, n_false = np.cumsum(hit)[cut], np.cumsum(~hit)[cut]
    gains = np.append(np.diff(n_true, prepend=0) > 0, True)
    keep = gains[:-1] | gains[1:]
    return _summed(weights, order[hit], n_true[keep]), _summed(weights, order[~hit], n_false[keep])


def check_ranked(scores: Float[np.ndarray, "row label"], lengths: Int[np.ndarray, " clip"] | None = None) -> None:
    """Raise a `WsedError` that names the first clip with a score that is NaN.

    Args:
        scores: scores of all clips.
        lengths: number of rows of each clip; 1 if None.

    >>> check_ranked(np.array([[0.5], [-np.inf]]))
    """
    if (nan := np.isnan(scores).any(1)).any():
        row = int(np.flatnonzero(nan)[0])
        clip = row if lengths is None else int(np.searchsorted(np.cumsum(lengths), row, side="right"))
        raise WsedError(f"the scores of clip {clip} hold NaN: such clips cannot be ranked")


def _summed(weights: Weights, clips: Int[np.ndarray, " some"], counts: Int[np.ndarray, " cut"]) -> Curve:
    """The weight of the first `counts` of the clips."""
    sums = np.zeros((len(weights), clips.size + 1))
    np.cumsum(weights.take(clips, axis=1), axis=1, out=sums[:, 1:])
    curve: Curve = sums.take(counts, axis=1)
    return curve
