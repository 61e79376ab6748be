"""Detections at all thresholds: the runs of frames whose scores reach a threshold.

Over all thresholds, a curve of `n` frames has at most `n` different runs, which are nested. Each run exists for
thresholds in `(low, high]`: as the threshold falls, it appears at its lowest score and ends when it grows or merges.

Ebbers, Serizel, Haeb-Umbach: Threshold-independent evaluation of sound event detection scores, ICASSP 2022, compute all
detections of a clip again at each threshold. Here only the runs that change at a threshold are computed.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

Scores = Float[np.ndarray, "row frame"]
Index = Int[np.ndarray, " n"]


class Runs(NamedTuple):
    """Runs of frames: frames `first` to `stop - 1` of `row` form a detection for thresholds in `(low, high]`.

    `parent` is the run that a run becomes part of when the threshold falls to `low`. It is -1 for the widest run of a
    row, whose `low` is -inf.
    """

    row: Int[np.ndarray, " run"]
    first: Int[np.ndarray, " run"]
    stop: Int[np.ndarray, " run"]
    high: Float[np.ndarray, " run"]
    low: Float[np.ndarray, " run"]
    parent: Int[np.ndarray, " run"]


def runs(scores: Scores) -> Runs:
    """All runs of frames with `score >= threshold` over all thresholds, each listed once per row.

    Frames with score -inf (padding) are in no run.

    >>> runs(np.array([[0.5, 1.0]])).high.tolist()
    [0.5, 1.0]
    """
    value, start = _plateaus(scores)
    alive = np.flatnonzero(value > -np.inf)
    left, right = _nearest(value, alive, step=-1), _nearest(value, alive, step=1)
    tied = alive[value[left[alive]] == value[alive]]  # in the same run as an equal plateau further left
    leftmost = np.arange(value.size)
    leftmost[tied] = left[tied]
    while not np.array_equal(leftmost[leftmost[tied]], leftmost[tied]):
        leftmost[tied] = leftmost[leftmost[tied]]
    node = alive[leftmost[alive] == alive]
    before, after = value[left[node]], value[right[node]]
    number = np.full(value.size, -1)
    number[node] = np.arange(node.size)
    width = scores.shape[1] + 1
    row = start[node] // width
    return Runs(
        row=row,
        first=start[left[node] + 1] - row * width - 1,
        stop=start[right[node]] - row * width - 1,
        high=value[node],
        low=np.maximum(before, after),
        parent=number[np.where(before >= after, leftmost[left[node]], right[node])],
    )


def run_changes(scores: Scores) -> tuple[Index, Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Changes in the number of runs as the threshold falls: +1 at each local maximum, -1 at each minimum between them.

    Returns:
        `(row, score, change)`, in no particular order.

    >>> run_changes(np.array([[1.0, 0.25, 0.5]]))[2].tolist()
    [1, -1, 1]
    """
    value, start = _plateaus(scores)
    change = np.zeros(value.size, dtype=np.int64)
    change[1:-1] = (value[1:-1] > value[:-2]).astype(np.int64) - (value[2:] > value[1:-1])
    place = np.flatnonzero((change != 0) & (value > -np.inf))
    return start[place] // (scores.shape[1] + 1), value[place], change[place]


def _plateaus(scores: Scores) -> tuple[Float[np.ndarray, " n"], Index]:
    """Values and start positions of the plateaus (groups of equal neighbours) of all rows.

    Rows are concatenated, with -inf before, between and after them: frame `f` of row `r` is at position
    `r * (frames + 1) + f + 1`.
    """
    n_rows, n_frames = scores.shape
    line = np.full(n_rows * (n_frames + 1) + 1, -np.inf, dtype=scores.dtype)
    line[:-1].reshape(n_rows, n_frames + 1)[:, 1:] = scores
    new: Bool[np.ndarray, " place"] = np.ones(line.size, dtype=np.bool_)
    np.not_equal(line[1:], line[:-1], out=new[1:])
    start = np.flatnonzero(new)
    return line[start], start


def _nearest(value: Float[np.ndarray, " place"], active: Index, step: int) -> Int[np.ndarray, " place"]:
    """For each active position, the nearest one to the left with a value not above its own (`step` -1), or to the right
    with a value below its own (`step` 1).

    Each position points to its neighbour. As long as the target is not an answer, the pointer moves to the target of
    the target, since no position in between can be an answer. Long slopes are thus crossed in doubling steps.
    """
    pointer = np.arange(value.size) + step
    beyond = np.greater if step < 0 else np.greater_equal
    while active.size:
        target = pointer[active]
        go = beyond(value[target], value[active])
        active, target = active[go], target[go]
        pointer[active] = pointer[target]
    return pointer
