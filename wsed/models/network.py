"""The composed network: a frontend, an encoder and heads."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from wsed.errors import WsedError, printable
from wsed.models.base import NETWORKS, EncoderFactory, Frontend, HeadFactory, Network
from wsed.models.encoders.crnn import CRNN
from wsed.models.encoders.pretrained import check_frontend
from wsed.models.frontends import LogMel
from wsed.models.heads.framewise import Framewise
from wsed.ops import host
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
        WsedError: the encoder has pretrained weights that need another frontend; in `forward`: a clip is shorter than
            one frame.

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
        self.check_lengths(batch)
        features, valid = self.frontend.features(batch)
        if not torch.compiler.is_exporting() and features.shape[2] < self.encoder.stride:  # also on an accelerator
            raise self._too_short(batch, int(batch.n_samples.argmax()))
        encoded: Encoded = self.encoder(features, valid)
        output = Output(frame_rate=self.frame_rate)
        for head in self.heads:
            output = output.merge(head(encoded))
        return encoded, replace(output, valid=encoded.valid)

    def check_lengths(self, batch: Batch) -> None:
        """Refuse clips that are shorter than one frame: without frames, nothing can be known of a clip.

        Lengths on an accelerator are not read, since the CPU would have to wait for it: the data module calls this
        before it moves a batch. Clips without any samples are fillers, which do not count.

        Raises:
            WsedError: a clip is shorter than one frame.
        """
        if torch.compiler.is_exporting():
            return
        if batch.audio is not None and batch.audio.shape[1] == 0:
            raise self._too_short(batch, 0)
        if not host.on_cpu(batch.n_samples):
            return
        lengths = batch.n_samples.tolist()
        known = [place for place, length in enumerate(lengths) if length > 0]
        if known:
            shortest = min(known, key=lengths.__getitem__)
            if not bool(self.frontend.valid(batch.n_samples[shortest, None], self.encoder.stride).all()):
                raise self._too_short(batch, shortest)

    def _too_short(self, batch: Batch, place: int) -> WsedError:
        name, n = printable(batch.clip_ids[place]), int(batch.n_samples[place])
        return WsedError(
            f"{name}: {n / self.sample_rate:g} s ({n} samples) are shorter than one frame of the network "
            f"({1 / self.frame_rate:g} s); leave such clips out, or give the encoder less pooling over time"
        )


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
