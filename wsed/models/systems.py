"""Networks that consist of several networks."""

from dataclasses import replace

from wsed.checkpoint import load_frozen
from wsed.errors import WsedError
from wsed.models.base import NETWORKS, Network, NetworkFactory
from wsed.models.init import to_read
from wsed.models.network import Composed
from wsed.spec import StartingWeights
from wsed.types import Batch, Labels, Output


@NETWORKS.register("tag_gated")
class TagGated(Network):
    """A detector for the frame scores and a tagger for the clip scores.

    With the decoder setting `tags: clip`, a class has events only in clips that the tagger gives that tag (Pellegrini
    & Cances 2019, figure 1). With `tags: oracle` the true tags decide, with `tags: none` no events are removed.

    Args:
        labels: the classes.
        detector: the network that provides frame scores; it is trained.
        tagger: the network that provides clip scores.
        pretrained: checkpoint of a run of the tagger, which is then frozen and not run in training. If None, the tagger
            is trained together with the detector, by losses that read `clip_logits`.

    Raises:
        WsedError: a network does not provide its scores, the sample rates differ, or the checkpoint is of another
            network.

    >>> "clip_logits" in TagGated(Labels(["dog", "cat"]), Composed.example, Composed.example).provides
    True
    """

    def __init__(
        self, labels: Labels, detector: NetworkFactory, tagger: NetworkFactory, pretrained: StartingWeights = None
    ) -> None:
        super().__init__()
        self.labels = labels
        self.detector, self.tagger = detector(labels), tagger(labels)
        for name, part, field in (("detector", self.detector, "frame_logits"), ("tagger", self.tagger, "clip_logits")):
            if field not in part.provides:
                raise WsedError(f"the {name} provides no {field}; give it a head that does")
        self.sample_rate, self.frame_rate = self.detector.sample_rate, self.detector.frame_rate
        if self.tagger.sample_rate != self.sample_rate:
            raise WsedError(f"the detector works at {self.sample_rate} Hz, the tagger at {self.tagger.sample_rate} Hz")
        self.frozen = pretrained is not None
        self.provides = self.detector.provides | (frozenset() if self.frozen else {"clip_logits"})
        if pretrained is not None:
            if (path := to_read(pretrained)) is not None:
                load_frozen(self.tagger, path, labels, "model.network.init_args.tagger")
            self.tagger.requires_grad_(requires_grad=False)

    @classmethod
    def example(cls, labels: Labels) -> Network:
        """Two small networks, trained together."""
        return cls(labels, Composed.example, Composed.example)

    def train(self, mode: bool = True) -> "TagGated":
        """A frozen tagger stays in eval mode."""
        super().train(mode)
        if self.frozen:
            self.tagger.eval()
        return self

    def forward(self, batch: Batch) -> Output:
        output: Output = self.detector(batch)
        if self.frozen and self.training:
            return output
        trained = (output.trained or output) if self.frozen else output.trained
        return replace(output, clip_logits=self.tagger(batch).clip_logits, trained=trained)

    def after_step(self) -> None:
        """A frozen tagger takes no steps."""
        self.detector.after_step()
        if not self.frozen:
            self.tagger.after_step()

    @property
    def frontend(self) -> object:
        """The frontend of the detector, for pictures."""
        return self.detector.frontend
