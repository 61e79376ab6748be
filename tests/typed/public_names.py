"""Checked by mypy (`make types`) and never run: the public names have their real types."""

from typing import assert_type

import wsed
from wsed.losses.mil import MIL
from wsed.models.network import Composed


def check() -> None:
    assert_type(wsed.load("best.ckpt"), wsed.Detector)
    assert_type(wsed.components("loss"), list[str])
    assert_type(wsed.losses.MIL(), MIL)
    assert_type(wsed.Checkpoint.open("best.ckpt").network(), wsed.Network)
    assert_type(wsed.models.Composed, type[Composed])
    _ = wsed.nothing  # type: ignore[attr-defined]
    _ = wsed.losses.nothing  # type: ignore[attr-defined]
