"""The composed network: a frontend, an encoder and heads."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from torch import nn

from wsed.errors import WsedError
from wsed.models.base import NETWORKS, EncoderFactory, Frontend, HeadFactory, Network
from wsed.models.encoders.crnn import CRNN
from wsed.models.encoders.pretrained import check_frontend
from wsed.models.frontends import LogMel
from wsed.models.heads.framewise import Framewise
from wsed.types import Batch, Encoded, Labels, Output


@NETWORKS.register("composed")
class Composed(Network):
    """A frontend, an encoder and one or several heads, whose outputs are merged.

    Args:
        labels: the classes.
        encoder: built as `encoder(n_bands)`.
        head: one head or several, built as `head(dim, n_labels)`. If two heads fill the same field, the later one wins.
        frontend: `LogMel` with its defaults, those of Pellegrini & Cances 2019, if None.

    Raises:
        WsedError: the encoder has pretrained weights that need another frontend.

    >>> network = Composed(Labels(["dog", "cat"]), CRNN)
    >>> network.frame_rate
    43.06640625
    >>> from wsed.testing import batch
    >>> encoded, output = network.compose(batch(sample_rate=22050))
    >>> output.frame_logits.shape
    torch.Size([4, 44, 2])
    """

    def __init__(
        self,
        labels: Labels,
        encoder: EncoderFactory,
        head: Sequence[HeadFactory] | HeadFactory = Framewise,
        frontend: Frontend | None = None,
    ) -> None:
        super().__init__()
        self.labels = labels
        self.frontend = frontend if frontend is not None else LogMel()
        factories = head if isinstance(head, Sequence) and not isinstance(head, str) else [head]
        _check_factories(encoder, factories)
        self.encoder = encoder(self.frontend.n_bands)
        check_frontend(self.encoder, self.frontend)
        heads = [factory(self.encoder.dim, len(labels)) for factory in factories]
        self.heads = nn.ModuleList(heads)
        self.provides = frozenset().union(*(h.provides for h in heads))
        self.sample_rate = self.frontend.sample_rate
        self.frame_rate = self.frontend.frame_rate / self.encoder.stride

    @classmethod
    def example(cls, labels: Labels) -> Network:
        """A network on a CRNN with 4 channels."""
        return cls(labels, partial(CRNN, channels=4, gru=4, dense=8), frontend=LogMel(8000, 256, 160, 64, 20.0))

    def forward(self, batch: Batch) -> Output:
        return self.compose(batch)[1]

    def compose(self, batch: Batch) -> tuple[Encoded, Output]:
        """Run frontend, encoder and heads; returns the embeddings and the merged output of the heads."""
        features, valid = self.frontend.features(batch)
        encoded: Encoded = self.encoder(features, valid)
        output = Output(frame_rate=self.frame_rate)
        for head in self.heads:
            output = output.merge(head(encoded))
        return encoded, replace(output, valid=encoded.valid)


def _check_factories(encoder: object, heads: Sequence[object]) -> None:
    """Refuse modules and names where a class or a factory is needed, since the network sets the sizes."""
    for name, factory in (("encoder", encoder), *(("head", head) for head in heads)):
        kind = type(factory).__name__
        if isinstance(factory, nn.Module):
            raise WsedError(
                f"Composed: {name} is a finished {kind}; pass the class, {name}={kind}, or "
                f"{name}=functools.partial({kind}, ...) with settings, since the network sets the sizes"
            )
        if not callable(factory):
            raise WsedError(
                f"Composed: {name} is {factory!r}; pass a class such as wsed.models.CRNN; only YAML takes names"
            )
