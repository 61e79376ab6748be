"""What a training says when another of its processes has ended, is stopped, or cannot be reached."""

import re
from datetime import timedelta

from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from torch.distributed import DistError

from wsed.ops.exchange import wait_at_most

WAIT = 900
"""Seconds that a process waits for another, if the user sets no other number."""

ENDED = "another process of this training has ended or its machine is gone: what it printed says why"
STOPPED = (
    "another process of this training does not answer (waited {} s): it or its machine is stopped, or it computes for "
    "longer; --rank-timeout sets how many seconds are waited"
)
IN_USE = "port {} of this machine is in use by another program: set the variable MASTER_PORT to a free one"

REASONS = {
    r"EADDRINUSE|[Aa]ddress already in use": IN_USE,
    r"[Tt]imed out (?:waiting|after)|[Tt]imeout after|Socket Timeout|collective operation timeout": STOPPED,
    r"[Cc]onnection (?:was )?(?:closed|reset)|Broken pipe|pair closure|remote process": ENDED,
}
"""What torch says, and what it means."""

OF_TORCH = ("gloo", "nccl", "store", "socket", "Store", "NCCL")


def lost(error: BaseException) -> str | None:
    """What happened to another process, if an error of torch tells of that; else None.

    >>> lost(RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:6009"))
    'another process of this training has ended or its machine is gone: what it printed says why'
    >>> lost(RuntimeError("shape mismatch")) is None
    True
    """
    text = str(error)
    if not isinstance(error, RuntimeError):
        return None
    if not isinstance(error, DistError) and not any(word in text for word in OF_TORCH):
        return None
    for pattern, reason in REASONS.items():
        if re.search(pattern, text):
            numbers = re.search(r"(\d+) ?ms|(?:port: |after )(\d+)", text)
            return reason.format(_number(numbers))
    return None


def _number(found: re.Match[str] | None) -> str:
    if found is None:
        return "long"
    return found[2] or f"{int(found[1]) / 1000:g}"


def limit_waits(trainer: Trainer, seconds: float) -> None:
    """Let each process wait this long for the others; afterwards it ends with an error."""
    if isinstance(trainer.strategy, DDPStrategy):
        trainer.strategy._timeout = timedelta(seconds=seconds)
        wait_at_most(trainer.strategy._timeout)
