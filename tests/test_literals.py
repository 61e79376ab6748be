"""Arguments that are literals are checked by their place or by their name, whichever they are given by."""

from typing import Literal

import pytest

from wsed import WsedError
from wsed.literals import checked


@checked
def pool(*scores: float, over: Literal["clip", "frame"] = "clip") -> str:
    return over


@checked
def mean(scores: float, over: Literal["clip", "frame"] = "clip") -> str:
    return over


def test_a_keyword_only_argument_has_no_place():
    assert pool(0.1, 0.2, 0.3) == "clip"
    with pytest.raises(WsedError, match="pool: unknown over 'frames'"):
        pool(0.1, over="frames")


def test_an_argument_is_checked_by_place_and_by_name():
    assert mean(0.1, "frame") == "frame"
    with pytest.raises(WsedError, match="mean: unknown over 'frames'"):
        mean(0.1, "frames")
    with pytest.raises(WsedError, match="mean: unknown over 'frames'"):
        mean(0.1, over="frames")
