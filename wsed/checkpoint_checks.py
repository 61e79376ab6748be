"""Checks of a checkpoint before it is used: it may be damaged, malicious, or of a later version."""

import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from wsed.errors import WsedError

LARGEST = 10_000_000
"""Largest whole number that is accepted in the settings of a network."""


def check_archive(path: Path) -> None:
    """Refuse an archive that unpacks to more than its size, or that has a part that does not fit its checksum.

    Raises:
        WsedError: the archive is refused.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(part.file_size for part in archive.infolist())
            broken = archive.testzip() if size <= path.stat().st_size else None
    except (zipfile.BadZipFile, OSError, RuntimeError, EOFError, ValueError, struct.error, zlib.error):
        return  # torch reports what is wrong
    if size > path.stat().st_size:
        raise WsedError(f"{path} unpacks to more than its size, which checkpoints never do; it was not read")
    if broken is not None:
        raise WsedError(f"{path} is damaged: its part {broken} does not fit its checksum; take another checkpoint")


def check_version(path: Path, facts: object) -> None:
    """Refuse a checkpoint of a later version, whose settings may have other meanings.

    Raises:
        WsedError: the version is later than this one.
    """
    import wsed

    version = str(facts.get("version", "")) if isinstance(facts, dict) else ""
    if _release(version) > _release(wsed.__version__):
        raise WsedError(
            f"{path} was written by wsed {version}, which is later than this version, {wsed.__version__}: update wsed"
        )


def _release(version: str) -> tuple[int, ...]:
    """The first two numbers of a version.

    >>> _release("0.2.1.dev3")
    (0, 2)
    """
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def check_sizes(path: Path, setting: object) -> None:
    """Refuse a network with a setting that is too large for any machine.

    Raises:
        WsedError: a whole number is larger than `LARGEST`.
    """
    if isinstance(setting, Mapping | list):
        for below in setting.values() if isinstance(setting, Mapping) else setting:
            check_sizes(path, below)
    elif isinstance(setting, int) and abs(setting) > LARGEST:
        raise WsedError(f"the network of {path} has the setting {setting}, which is far too large; it was not built")


def check_numbers(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Refuse weights that are NaN.

    Raises:
        WsedError: weights are NaN; the message names them.
    """
    names = [name for name, value in weights.items() if bool(torch.isnan(value).any())]
    if names:
        few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        raise WsedError(f"{path} holds NaN in {few}: its training diverged; take an earlier checkpoint")
