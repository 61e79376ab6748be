"""A trained network from its checkpoint, ready to detect events."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from wsed.checkpoint import Checkpoint
from wsed.data import audio as sound
from wsed.decoding import Decoder
from wsed.errors import WsedError
from wsed.models.base import Network
from wsed.run import RunFolder
from wsed.spec import Spec
from wsed.tuned import decoder_of, read_tuned
from wsed.types import Batch, Events, Labels
from wsed.values import Scores


class Detector:
    """A network with its decoder: from a sound to a list of events.

    Args:
        network: in eval mode from here on.
        decoder: from frame scores to events.
    """

    def __init__(self, network: Network, decoder: Decoder) -> None:
        self.network, self.decoder = network.eval(), decoder

    @property
    def labels(self) -> Labels:
        """The classes it knows."""
        return self.network.labels

    @torch.no_grad()
    def detect(self, audio: str | Path | NDArray[np.float32]) -> list[tuple[str, float, float]]:
        """The events of one clip as `(label, onset, offset)` in seconds, by onset.

        Args:
            audio: a sound file, or float32 samples `[sample]` at the network's sample rate.
        """
        rate = self.network.sample_rate
        samples = sound.read(audio, rate) if isinstance(audio, str | Path) else np.asarray(audio)
        if samples.ndim != 1 or len(samples) < rate / self.network.frame_rate:
            raise WsedError(
                f"detect needs mono samples [sample] of at least one frame, not shape {samples.shape}; average channels"
            )
        if not np.issubdtype(samples.dtype, np.floating) or not np.isfinite(samples).all():
            raise WsedError("detect needs finite float samples in [-1, 1]; divide 16 bit samples by 32768")
        samples = samples.astype(np.float32, copy=False)
        device = next(self.network.parameters(), torch.empty(0)).device
        output = self.network(one_clip(torch.from_numpy(samples), len(self.labels)).to(device))
        seconds = torch.tensor([len(samples) / rate], dtype=torch.float64)
        events = self.decoder(Scores.of_output(output, ("",), seconds)).events
        rows = zip(events.label.tolist(), events.onset.tolist(), events.offset.tolist(), strict=True)
        return sorted(((self.labels.names[i], on, off) for i, on, off in rows), key=lambda e: (e[1], e[0]))


def load(checkpoint: str | Path, network: Network | None = None) -> Detector:
    """The detector of a checkpoint, of `wsed fit` or of a training in Python; public as `wsed.load`.

    A tuned decoder beside the checkpoint (`best.decoder.yaml`) is used. The file is read with `weights_only=True`, and
    only components registered with wsed are built from it: a file that a stranger sent executes nothing.

    Args:
        checkpoint: `runs/.../checkpoints/best.ckpt`, or the folder of a run, whose best checkpoint is taken.
        network: of a checkpoint that does not tell its network: the one to put its weights into.

    Raises:
        WsedError: no such file, not a checkpoint of wsed, or one that names an unregistered component.
    """
    path = Path(checkpoint)
    opened = Checkpoint.open(RunFolder.open(path).checkpoint() if path.is_dir() else path)
    tuned = read_tuned(opened.path)
    if network is not None:
        opened.weights_into(network)
    elif tuned is not None and tuned.network is not None:  # as the network was set when the decoder was tuned
        network = opened.network(Spec.read(tuned.network))
    else:
        network = opened.network()
    return Detector(network, decoder_of(opened.decoder if tuned is None else tuned.decoder))


def one_clip(samples: torch.Tensor, n_labels: int) -> Batch:
    """A batch of one clip of which nothing is known."""
    no = torch.zeros(1, n_labels, dtype=torch.bool)
    return Batch(
        audio=samples[None],
        n_samples=torch.tensor([samples.numel()]),
        clip_labels=torch.zeros(1, n_labels),
        tagged=no,
        events=Events.of([]),
        timed=no,
        source=torch.zeros(1, dtype=torch.long),
        sources=("",),
        clip_ids=("",),
        full=True,
    )
