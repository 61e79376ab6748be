"""A trained encoder as the frontend of another network: embedding first, then a classifier."""

from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.checkpoint import weights_of
from wsed.errors import WsedError
from wsed.learning import TrainingSet
from wsed.models.base import FRONTENDS, EncoderFactory, Frontend
from wsed.models.encoders.waa import WAA
from wsed.models.frontends import Standardised
from wsed.spec import StartingWeights

PARTS = ("frontend", "encoder")
"""Of an earlier run's network: what is taken from it."""


@FRONTENDS.register("embeddings")
class Embeddings(Frontend):
    """Frame embeddings of an earlier run as features: its frontend and encoder, frozen and without dropout.

    The second stage of Turpault et al. 2020 is a head on them, with the encoder `identity`. Since no training changes
    them, the reader `features` can keep them as it keeps spectrograms.

    Args:
        encoder: as in the earlier run; that of Turpault et al. 2020 if left out. Of another, weights do not fit; but
            settings without weights, as `normalize_steps`, are not compared.
        frontend: likewise; `standardised` if None.
        pretrained: checkpoint of that run. None: random weights, the control, on features that are standardised as
            those of a training are.

    Raises:
        WsedError: no such checkpoint, or it is of another frontend or encoder.
    """

    axis = "embedding dimension"

    def __init__(
        self, encoder: EncoderFactory = WAA, frontend: Frontend | None = None, pretrained: StartingWeights = None
    ) -> None:
        super().__init__()
        self.frontend = frontend if frontend is not None else Standardised()
        self.encoder = encoder(self.frontend.n_bands)
        self.sample_rate, self.n_bands = self.frontend.sample_rate, self.encoder.dim
        self.frame_rate = self.frontend.frame_rate / self.encoder.stride
        if pretrained is not None:
            self._load(Path(pretrained))
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> "Embeddings":
        """It stays in eval mode."""
        super().train(False)
        return self

    @property
    def learned(self) -> bool:
        """Whether the other frontend is ready."""
        return self.frontend.learned

    def learn(self, train: TrainingSet) -> None:
        """Let the other frontend see the training set."""
        self.frontend.learn(train)

    def raw(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        """The embeddings; until the other frontend has learned, what it learns from."""
        return super().raw(audio, n_samples) if self.learned else self.frontend.raw(audio, n_samples)

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        with torch.no_grad():
            encoded = self.encoder(*self.frontend(audio, n_samples))
        return encoded.frames.transpose(1, 2), encoded.valid

    def _load(self, path: Path) -> None:
        weights = weights_of(path)
        for part in PARTS:
            begin = f"{part}."
            found = {name.removeprefix(begin): value for name, value in weights.items() if name.startswith(begin)}
            try:
                getattr(self, part).load_state_dict(found)
            except RuntimeError as error:
                raise WsedError(
                    f"frontend embeddings: {path} has another {part} than the one given; give those of its run "
                    f"({str(error)[:400]})"
                ) from None
