"""A detector from a checkpoint."""

from collections.abc import Sequence
from pathlib import Path

from wsed.calibration import read_calibration
from wsed.checkpoint import Checkpoint
from wsed.inference.detector import Detector
from wsed.inference.ensemble import Ensemble
from wsed.models.base import Network
from wsed.run import RunFolder
from wsed.spec import Spec
from wsed.tuned import decoder_of, digest, read_tuned


def load(checkpoint: str | Path, network: Network | None = None) -> Detector:
    """The detector of a checkpoint, of `wsed fit` or of a training in Python; public as `wsed.load`.

    A tuned decoder and a calibration beside the checkpoint (`best.decoder.yaml`, `best.calibration.yaml`) are used. The
    file is read with `weights_only=True`, and only components registered with wsed are built from it: a file that a
    stranger sent executes nothing.

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
        opened.load_into(network)
    elif tuned is not None and tuned.network is not None:  # as the network was set when the decoder was tuned
        network = opened.network(Spec.read(tuned.network))
    else:
        network = opened.network()
    decoder = decoder_of(opened.decoder if tuned is None else tuned.decoder)
    return Detector(network, decoder, opened.seconds, read_calibration(opened.path, decoder))


def identity(model: str | Path) -> str:
    """What tells a model from others: the SHA-256 of its file."""
    path = Path(model)
    return digest(RunFolder.open(path).checkpoint() if path.is_dir() else path)


def load_all(models: Sequence[str | Path]) -> Detector:
    """The detector of one model, or of several whose scores are averaged, with decoder and windows of the first.

    Raises:
        WsedError: as `load`, or the models are of other classes or of another sample rate.
    """
    detectors = [load(model) for model in models]
    if len(detectors) == 1:
        return detectors[0]
    network = Ensemble([detector.network for detector in detectors], list(map(str, models)))
    return Detector(network, detectors[0].decoder, detectors[0].window)
