"""Where the frames of a model of transformers lie: found from its numbers of frames for clips of several lengths."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from wsed.errors import WsedError

SHORTEST = 32
"""The shortest clip that is tried is a second divided by this."""

LONGEST = 8
"""The longest clip that is tried, s."""


class Grid(NamedTuple):
    """Where the frames of a model lie in a clip.

    Attributes:
        stride: samples from one frame to the next.
        missing: frames that the model leaves out at the beginning of a clip, since its convolutions have no margin.
        least: samples of the shortest clip that the model is given.
        most: samples to which the feature extractor fills all clips; None: it does not.
    """

    stride: int
    missing: int
    least: int
    most: int | None


def measured(count: Callable[[int], int], rate: int, most: int | None = None) -> Grid:
    """The grid of a model, from its numbers of frames for clips of 1 s, 3 s, and about 20 lengths between them.

    Args:
        count: the number of frames of a clip of so many samples; 0 if the model cannot take it.
        rate: samples per second.
        most: samples to which the feature extractor fills all clips, if it does.

    Raises:
        WsedError: frames do not follow one another at one distance, or `most` is needed and None.

    >>> measured(lambda n: max(0, (n - 895) // 384 + 1), 16000)  # convolutions without a margin
    Grid(stride=384, missing=1, least=1000, most=None)
    >>> measured(lambda n: 750, 16000, 480000)
    Grid(stride=640, missing=0, least=500, most=480000)
    """
    count = cache(count)
    one, three = count(rate), count(3 * rate)
    least = max(1, rate // SHORTEST)
    while least < rate and not count(least):
        least = min(2 * least, rate)
    found = f"it has {one} frames in a clip of 1 s and {three} in one of 3 s"
    if one == three and most is not None and one > 0 and most % one == 0:
        return Grid(most // one, 0, least, most)
    if not 0 < one < three:
        raise WsedError(found)
    rise = three - one
    first = _next(count, rate, 4 * rate // rise, rate)
    sure = first + 2 * rate // (rise + 1) - 1
    second = _next(count, sure if count(sure) == count(first) else first, 4 * rate // rise, rate)
    more = count(second) - count(first)
    stride = (second - first) // more
    late = (3 * rate - second) / max(stride, 1) - (three - count(second))
    if stride * more != second - first or not -1 < late < more:
        raise WsedError(f"{found}, at no fixed distance")
    lost = first - count(first) * stride
    return Grid(stride, max(0, round(lost / (2 * stride))), least, None)


def _next(count: Callable[[int], int], low: int, width: int, rate: int) -> int:
    """The least length above `low` with more frames."""
    high = low + width
    while count(high) <= count(low):
        if high > LONGEST * rate:
            raise WsedError(f"it has {count(low)} frames in a clip of {low / rate:.3f} s and in one of {LONGEST} s")
        high += width
    before = low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if count(middle) > count(before) else (middle, high)
    return high
