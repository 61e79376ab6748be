"""Contracts of components as functions to call in tests, for the library's own components and for plugins.

Each `check_*` raises an `AssertionError` that names the broken rule. `batch` and `output` make small inputs.
"""

from wsed.testing.augment import check_augment
from wsed.testing.corpora import check_corpus
from wsed.testing.decoders import check_decoder
from wsed.testing.inputs import batch, move_output, output, take, take_output
from wsed.testing.losses import check_loss
from wsed.testing.metrics import check_metric
from wsed.testing.models import check_encoder, check_frontend, check_head, check_network
from wsed.testing.readers import check_reader

__all__ = [
    "batch",
    "check_augment",
    "check_corpus",
    "check_decoder",
    "check_encoder",
    "check_frontend",
    "check_head",
    "check_loss",
    "check_metric",
    "check_network",
    "check_reader",
    "move_output",
    "output",
    "take",
    "take_output",
]
