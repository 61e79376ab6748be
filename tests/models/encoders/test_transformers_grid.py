"""The length of a frame is found from numbers of frames alone."""

import pytest

from wsed import WsedError
from wsed.models.encoders.transformers_grid import Grid, measured


def convolutions(*layers):
    """Numbers of frames of convolutions: kernel, stride and margin of each."""

    def count(n):
        for kernel, stride, margin in layers:
            n = max(0, (n + 2 * margin - kernel) // stride + 1) if n + 2 * margin >= kernel else 0
        return n

    return count


@pytest.mark.parametrize(
    ("count", "rate", "expected"),
    [
        (convolutions((127, 64, 0), (7, 3, 0), (3, 2, 0)), 16000, Grid(384, 1, 1000, None)),
        (convolutions((400, 160, 0), (5, 2, 2), (5, 2, 2)), 16000, Grid(640, 0, 500, None)),
        (convolutions((400, 160, 200), (3, 2, 1), (3, 2, 1), (3, 2, 1)), 16000, Grid(1280, 0, 500, None)),
        (convolutions((400, 160, 0), (5, 2, 0), (5, 2, 0)), 16000, Grid(640, 1, 4000, None)),
        (convolutions((10, 5, 0), *[(3, 2, 0)] * 4, *[(2, 2, 0)] * 2), 16000, Grid(320, 0, 500, None)),
        (convolutions((8000, 1000, 0)), 16000, Grid(1000, 4, 8000, None)),  # two seconds of frames are left out
        (lambda n: -(-n // 1920), 24000, Grid(1920, 0, 750, None)),
        (lambda n: 4 * (n // 4096), 16000, Grid(1024, 0, 8000, None)),  # several frames at once
        (lambda n: n // 7, 1000, Grid(7, 0, 31, None)),
        (lambda n: n // 7 if n > 700 else 0, 1000, Grid(7, 0, 992, None)),
    ],
)
def test_grid(count, rate, expected):
    tried = []

    def noted(n):
        tried.append(n)
        return count(n)

    assert measured(noted, rate) == expected
    assert len(tried) < 45
    assert max(tried) <= 3 * rate


def test_a_clip_of_one_length():
    assert measured(lambda n: 750, 16000, 480000) == Grid(640, 0, 500, 480000)
    for most in (None, 480001):
        with pytest.raises(WsedError, match="it has 750 frames in a clip of 1 s and 750 in one of 3 s"):
            measured(lambda n: 750, 16000, most)


@pytest.mark.parametrize(
    ("count", "message"),
    [
        (lambda n: 0, "it has 0 frames"),
        (lambda n: int(n**0.5), "it has 126 frames in a clip of 1 s and 219 in one of 3 s, at no fixed distance"),
        (lambda n: n // 320 if n < 20000 else 62 + (n - 20000) // 640, "at no fixed distance"),
        (lambda n: 5 - n // 16000, "it has 4 frames in a clip of 1 s and 2 in one of 3 s"),
    ],
)
def test_frames_at_no_fixed_distance_are_refused(count, message):
    with pytest.raises(WsedError, match=message):
        measured(count, 16000)
