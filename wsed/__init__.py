"""wsed: weakly supervised sound event detection. Every name below is imported when first used."""

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_PUBLIC = {
    "Batch": "wsed.types",
    "Encoded": "wsed.types",
    "Events": "wsed.types",
    "Labels": "wsed.types",
    "Needs": "wsed.types",
    "Output": "wsed.types",
    "WsedError": "wsed.errors",
    "Loss": "wsed.losses.base",
    "Weighted": "wsed.losses.base",
    "LOSSES": "wsed.losses.base",
    "Frontend": "wsed.models.base",
    "Encoder": "wsed.models.base",
    "Head": "wsed.models.base",
    "Network": "wsed.models.base",
    "ENCODERS": "wsed.models.base",
    "HEADS": "wsed.models.base",
    "Composed": "wsed.models.network",
    "Decoder": "wsed.decoding",
    "SEDTask": "wsed.training.task",
    "Evaluation": "wsed.training.evaluation",
    "SEDDataModule": "wsed.data.module",
    "components": "wsed.registry",
    "load": "wsed.inference",
    "evaluate": "wsed.scoring.evaluate",
}

__all__ = [*_PUBLIC, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'wsed' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> "list[str]":
    return sorted([*globals(), *__all__])
