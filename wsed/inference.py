"""A trained network from its checkpoint, ready to detect events."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from wsed.build import build as build_component
from wsed.data import audio as sound
from wsed.decoding import Decoder
from wsed.errors import WsedError
from wsed.models.base import Network
from wsed.models.pretrained import load_weights, read_checkpoint
from wsed.tuned import read_tuned
from wsed.tuning import decoder_of
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
    """The detector of a checkpoint of `wsed fit`; public as `wsed.load`.

    A tuned decoder beside the checkpoint (`best.decoder.yaml`) is used. The file is read with `weights_only=True`, and
    only components registered with wsed are built from it: a file that a stranger sent executes nothing.

    Args:
        checkpoint: `runs/.../checkpoints/best.ckpt`.
        network: where the checkpoint was not made by `wsed fit`: the network to put its weights into.

    Raises:
        WsedError: no such file, not a checkpoint of wsed, or one that names an unregistered component.
    """
    path = Path(checkpoint)
    content = read_checkpoint(path)
    facts = content.get("wsed")
    if facts is None:
        raise WsedError(
            f"{path} was not written by wsed: it says nothing of labels and sample rate; train with `wsed fit`"
        )
    labels = Labels(facts["labels"])
    tuned = read_tuned(path)
    if tuned is not None:  # for the network as it was set when the decoder was tuned
        facts = facts | {"decoder": dict(tuned.decoder), "model": tuned.network or facts["model"]}
    if network is None:
        if not facts["model"]:
            raise WsedError(f"{path} was not made by `wsed fit` and does not tell its network; pass network=...")
        network = build(yaml.safe_load(facts["model"]), labels)
    if network.labels != labels:
        raise WsedError(
            f"{path} knows the classes {list(labels)}, the network {list(network.labels)}: build it with the former"
        )
    load_weights(network, path)
    return Detector(network, decoder_of(facts["decoder"]))


def build(config: Mapping[str, Any], labels: Labels) -> Network:
    """A network from its configuration `{class_path, init_args}`, made of registered components only."""
    try:
        return build_component(Network, _without_start(config), labels)
    except WsedError as error:
        raise WsedError(
            f"the checkpoint's network: {error}; install its plugin, or pass network=... to wsed.load"
        ) from None


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


def _without_start(config: object) -> object:
    """A configuration without the weights that the training started from: the checkpoint holds what became of them."""
    if isinstance(config, list):
        return [_without_start(item) for item in config]
    if isinstance(config, Mapping):
        return {key: _without_start(value) for key, value in config.items() if key != "pretrained"}
    return config
