"""A registered metric of how well clip embeddings separate classes."""

from collections.abc import Mapping
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from wsed.metrics.base import METRICS, Metric, MetricValue, Number
from wsed.metrics.embedding import centre_accuracy, class_centres, scatter_ratio, silhouette
from wsed.metrics.f1 import or_dash
from wsed.metrics.system import System
from wsed.truth import Truth
from wsed.values import Scores


@METRICS.register("embedding")
class Embedding(Metric):
    """`centre_accuracy` (Turpault et al. 2020, Eq. 5), `scatter_ratio` and `silhouette`.

    The last two are computed over the clips with exactly one class. Without centres there is no `centre_accuracy`. The
    metric is not computed by default, since the centres need a pass over the training set.

    Args:
        centres: centres of the classes in the training set; see `learn_centres`.

    >>> from wsed.testing.metrics import system
    >>> sorted(Embedding().compute(system()).numbers)
    ['scatter_ratio', 'silhouette']
    """

    title, place, needs = "embeddings", 35, frozenset({"embeddings"})
    by_default: ClassVar[bool] = False
    numbers = ("centre_accuracy", "scatter_ratio", "silhouette")

    def __init__(self, centres: Float[Tensor, "label dim"] | None = None) -> None:
        self.centres = centres

    def learn_centres(self, scores: Scores, truth: Truth) -> None:
        """Compute the class centres from the embeddings of the training clips.

        >>> import torch
        >>> from wsed.types import Events
        >>> metric = Embedding()
        >>> known = torch.ones(1, 1, dtype=torch.bool)
        >>> scores = Scores(("a.wav",), torch.ones(1, dtype=torch.float64), embeddings=torch.tensor([[0.5, 1.0]]))
        >>> metric.learn_centres(scores, Truth(known, known, Events.of([]), known))
        >>> metric.centres.tolist()
        [[0.5, 1.0]]
        """
        self.centres = None
        if scores.embeddings is not None and bool(truth.tagged.any()):
            self.centres = class_centres(scores.embeddings, (truth.tags & truth.tagged).float())

    def compute(self, system: System) -> MetricValue:
        clips = system.need_tagged()
        assert clips.embeddings is not None
        points, tags = clips.embeddings, clips.true.float()
        one = clips.true.sum(1) == 1
        numbers = {
            "scatter_ratio": scatter_ratio(points[one], tags[one]),
            "silhouette": silhouette(points[one], tags[one]),
        }
        if self.centres is None:
            return MetricValue(numbers)
        accuracy = centre_accuracy(points, tags, self.centres.to(points.device), known=clips.known)
        return MetricValue({"centre_accuracy": accuracy} | numbers)

    def logged(self, name: str, value: MetricValue) -> Mapping[str, Number]:
        return value.numbers

    def line(self, value: MetricValue) -> str:
        parts = [f"{name.replace('_', ' ')} {or_dash(number, '.3f')}" for name, number in value.numbers.items()]
        return f"embeddings: {', '.join(parts)}"
