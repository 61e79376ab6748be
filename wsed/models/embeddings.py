"""A trained encoder as the frontend of another network, for training in two stages."""

from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.checkpoint import read_network
from wsed.checkpoint_specs import check_same
from wsed.errors import WsedError
from wsed.learning import TrainingSet
from wsed.models.base import FRONTENDS, EncoderFactory, Frontend
from wsed.models.encoders.pretrained import Pretrained, check_frontend, encoded_short, stays_random
from wsed.models.encoders.waa import WAA
from wsed.models.frontends import Standardised
from wsed.models.init import to_read
from wsed.spec import StartingWeights

PARTS = ("frontend", "encoder")
"""Parts of the earlier network whose weights are loaded."""


@FRONTENDS.register("embeddings")
class Embeddings(Frontend):
    """Frame embeddings as features: the frontend and encoder of an earlier run, or a pretrained encoder, frozen.

    Training does not change the features, so the reader `features` computes them once and caches them, and no epoch
    runs the encoder. The second stage of Turpault et al. 2020 trains a head on them, with the encoder `identity`.

    Args:
        encoder: the encoder of the earlier run, with the same settings; `waa` (Turpault et al. 2020) if None. An
            encoder such as `cdur` has its weights from a file of its own.
        frontend: the frontend of the earlier run or of the pretrained encoder; `standardised` if None.
        pretrained: checkpoint of the earlier run. If None, the weights are those of the encoder, which are random
            unless it names a file, and the frontend learns from the training set as usual.

    Raises:
        WsedError: the checkpoint does not exist, or it has another frontend or encoder, or one with other settings; or
            the frontend is not the one that the encoder was trained with.

    >>> Embeddings().n_bands
    130
    """

    axis = "embedding dimension"

    def __init__(
        self,
        encoder: EncoderFactory | None = None,
        frontend: Frontend | None = None,
        pretrained: StartingWeights = None,
    ) -> None:
        super().__init__()
        self.frontend = frontend if frontend is not None else Standardised()
        self.encoder = (WAA if encoder is None else encoder)(self.frontend.n_bands)
        check_frontend(self.encoder, self.frontend)
        self.sample_rate, self.n_bands = self.frontend.sample_rate, self.encoder.dim
        self.frame_rate = self.frontend.frame_rate / self.encoder.stride
        if (path := to_read(pretrained)) is not None:
            self._load(Path(path))
        self.requires_grad_(False)
        self.train(False)
        given = pretrained is not None or (isinstance(self.encoder, Pretrained) and self.encoder.pretrained)
        if not given and list(self.encoder.parameters()):
            stays_random(self)

    def train(self, mode: bool = True) -> "Embeddings":
        """Stay in eval mode."""
        super().train(False)
        return self

    @property
    def learned(self) -> bool:
        """Whether the inner frontend is ready for use."""
        return self.frontend.learned

    def learn(self, train: TrainingSet) -> None:
        """Let the inner frontend learn from the training set."""
        self.frontend.learn(train)

    def raw(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        """The embeddings; before the inner frontend has learned, the features that it learns from."""
        return super().raw(audio, n_samples) if self.learned else self.frontend.raw(audio, n_samples)

    def valid(self, n_samples: Int[Tensor, " clip"], n_frames: int) -> Bool[Tensor, "clip frame"]:
        """Frames of the embeddings whose time steps are all signal."""
        if not self.learned:
            return self.frontend.valid(n_samples, n_frames)
        stride = self.encoder.stride
        return self.frontend.valid(n_samples, n_frames * stride).reshape(-1, n_frames, stride).all(2)

    def forward(
        self, audio: Float[Tensor, "clip sample"], n_samples: Int[Tensor, " clip"]
    ) -> tuple[Float[Tensor, "clip band frame"], Bool[Tensor, "clip frame"]]:
        features, valid = self.frontend(audio, n_samples)
        with torch.no_grad():  # an exported network takes clips without padding
            encoded = encoded_short(self.encoder, features, None if torch.compiler.is_exporting() else valid)
        return encoded.frames.transpose(1, 2), encoded.valid

    def _load(self, path: Path) -> None:
        weights, spec = read_network(path)
        settings = (spec or {}).get("init_args", {})
        for part in PARTS:
            begin, module = f"{part}.", getattr(self, part)
            own = {name.removeprefix(begin): value for name, value in weights.items() if name.startswith(begin)}
            try:
                module.load_state_dict(own)
            except RuntimeError as error:
                raise WsedError(
                    f"frontend embeddings: {path} has another {part} than the one given; give the {part} of its run "
                    f"({str(error)[:400]})"
                ) from None
            check_same(module, settings.get(part), path, f"model.network.frontend.init_args.{part}")
