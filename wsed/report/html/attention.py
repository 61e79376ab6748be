"""The attention of a run's network in single clips, for the pictures of a report."""

import numpy as np
import torch

from wsed.data import audio
from wsed.errors import WsedError
from wsed.inference.loading import load
from wsed.inference.windowed import batch_of
from wsed.models.base import Network
from wsed.report.html.shown import Sound
from wsed.run import RunFolder
from wsed.values import Scores


class Attention:
    """Computes the attention weights of the frames of a clip, scaled so that the greatest of each class is 1.

    Args:
        network: a network that provides attention, in eval mode.
    """

    def __init__(self, network: Network) -> None:
        self.network = network

    def of(self, sound: Sound, seconds: float) -> Scores:
        """The weights of a clip, like frame scores.

        Raises:
            WsedError: the sound cannot be read.
        """
        wave = audio.read(sound.path, self.network.sample_rate, sound.start, seconds)
        with torch.inference_mode():
            output = self.network(batch_of([torch.from_numpy(np.asarray(wave))], len(self.network.labels)))
        weights = output.need("attention").float()
        greatest = weights.amax(1, keepdim=True).clamp(min=1e-9)
        return Scores.of_padded(weights / greatest, output.rate, clip_ids=[""])


def attention_of(run: RunFolder) -> Attention | None:
    """The attention of the network of a run; None if it has none, or the checkpoint is gone."""
    try:
        network = load(run.checkpoint()).network
    except WsedError:
        return None
    return Attention(network) if "attention" in network.provides else None
