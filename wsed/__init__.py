"""wsed: weakly supervised sound event detection. Every name below is imported when it is first used."""

from typing import TYPE_CHECKING

from wsed.lazy import lazy

__version__ = "0.2.0"

if TYPE_CHECKING:
    from wsed import augment, data, decoding, losses, metrics, models
    from wsed.checkpoint import Checkpoint
    from wsed.data.module import SEDDataModule
    from wsed.decoding.base import Decoder
    from wsed.errors import WsedError
    from wsed.inference.detector import Detector
    from wsed.inference.loading import load
    from wsed.losses.base import LOSSES, Loss, Weighted
    from wsed.models.base import ENCODERS, HEADS, Encoder, Frontend, Head, Network
    from wsed.models.network import Composed
    from wsed.registry import components
    from wsed.run import RunFolder
    from wsed.scoring.arrays import score_arrays
    from wsed.scoring.evaluate import evaluate
    from wsed.scoring.report import Report
    from wsed.training.evaluation import Evaluation
    from wsed.training.task import SEDTask
    from wsed.truth import Truth
    from wsed.types import Batch, Encoded, Events, Labels, Needs, Output
    from wsed.values import Scores
else:
    __getattr__, __dir__ = lazy(__name__)

__all__ = [
    "ENCODERS",
    "HEADS",
    "LOSSES",
    "Batch",
    "Checkpoint",
    "Composed",
    "Decoder",
    "Detector",
    "Encoded",
    "Encoder",
    "Evaluation",
    "Events",
    "Frontend",
    "Head",
    "Labels",
    "Loss",
    "Needs",
    "Network",
    "Output",
    "Report",
    "RunFolder",
    "SEDDataModule",
    "SEDTask",
    "Scores",
    "Truth",
    "Weighted",
    "WsedError",
    "__version__",
    "augment",
    "components",
    "data",
    "decoding",
    "evaluate",
    "load",
    "losses",
    "metrics",
    "models",
    "score_arrays",
]
