"""`load`: it loads a detector from a checkpoint, an exported file or a folder of a model hub."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from wsed.calibration import calibration_file, calibration_of, read_calibration
from wsed.checkpoint import Checkpoint
from wsed.errors import WsedError
from wsed.inference.detector import Detector
from wsed.inference.ensemble import Ensemble
from wsed.inference.export.hub import NAME, WEIGHTS, download, is_hub_folder, read_hub
from wsed.inference.export.network import OnnxNetwork
from wsed.models.base import Network
from wsed.run import RunFolder
from wsed.spec import Spec
from wsed.tuned import decoder_of, digest, read_tuned

SUFFIXES = (".ckpt", ".onnx", ".safetensors")
"""Suffixes of files with a model; other names may be those of models on a hub."""


def load(checkpoint: str | Path, network: Network | None = None) -> Detector:
    """Load the detector of a checkpoint, from `wsed fit` or from a training in Python; public as `wsed.load`.

    A tuned decoder and a calibration beside the checkpoint (`best.decoder.yaml`, `best.calibration.yaml`) are used. A
    note on stderr says if the calibration is left out, since it is of other weights or of another decoder. The
    file is read with `weights_only=True`, and only registered components are built. So a file from a stranger cannot
    execute code.

    Args:
        checkpoint: `runs/.../checkpoints/best.ckpt`; the folder of a run, whose best checkpoint is loaded; a file or
            folder of `wsed export`; or the name of a model on the Hugging Face hub, which is downloaded.
        network: the network that gets the weights, for a checkpoint without the spec of its network.

    Raises:
        WsedError: there is no such file, it is not a checkpoint of wsed, or it names a component that is not
            registered.

    >>> load("runs/none/checkpoints/best.ckpt")
    Traceback (most recent call last):
    wsed.errors.WsedError: no such checkpoint: runs/none/checkpoints/best.ckpt
    """
    path = model_file(checkpoint)
    if path.suffix == ".onnx":
        return _of_onnx(path)
    opened = read_hub(path.parent) if path.name == WEIGHTS else Checkpoint.open(path)
    tuned = read_tuned(opened.path)
    if network is not None:
        opened.load_into(network)
    elif tuned is not None and tuned.network is not None:  # the settings of the network during tuning
        network = opened.network(Spec.read(tuned.network))
    else:
        network = opened.network()
    decoder = decoder_of(opened.decoder if tuned is None else tuned.decoder)
    calibration, kept = read_calibration(opened.path, decoder), calibration_file(opened.path)
    if calibration is None and kept.is_file():
        print(
            f"wsed: {kept} is not used: it was made with other weights or another decoder; calibrate again with "
            "`wsed validate --config CONFIG --ckpt-path best --evaluation.calibration isotonic`",
            file=sys.stderr,
        )
    return Detector(network, decoder, opened.seconds, calibration)


def _of_onnx(path: Path) -> Detector:
    network = OnnxNetwork(path)
    decoder, seconds = network.about["decoder"], network.about["seconds"]
    calibration = network.about.get("calibration")  # missing in files of earlier versions
    assert isinstance(decoder, dict)
    assert calibration is None or isinstance(calibration, dict)
    known = None if calibration is None else calibration_of(calibration)
    return Detector(network, decoder_of(decoder), float(str(seconds)), known)


def model_file(model: str | Path) -> Path:
    """The file of a model: the best checkpoint of a run, the weights of a folder of a hub, or the file itself.

    Raises:
        WsedError: a folder holds no model, or a model of a hub cannot be downloaded.
    """
    path = Path(model)
    named = NAME.fullmatch(str(model)) and path.suffix not in SUFFIXES and not path.parent.exists()
    if named and not path.exists():
        path = download(str(model))
    if path.is_dir():
        return path / WEIGHTS if is_hub_folder(path) else RunFolder.open(path).checkpoint()
    return path


def identity(model: str | Path) -> str:
    """The identity of a model: the SHA-256 of its file."""
    return digest(model_file(model))


def load_all(models: Sequence[str | Path]) -> Detector:
    """Load the detector of one model, or of several whose scores are averaged.

    The decoder and the windows are those of the first model. Averaged scores are not calibrated, since the calibration
    of a model holds only for its own scores; a note on stderr names the models that have one.

    Raises:
        WsedError: a model cannot be loaded, or the models differ in classes or sample rate.
    """
    detectors = [load(model) for model in models]
    if len(detectors) == 1:
        return detectors[0]
    calibrated = [str(model) for model, each in zip(models, detectors, strict=True) if each.calibration is not None]
    if calibrated:
        print(
            f"wsed: the calibration of {', '.join(calibrated)} is not used: it holds for the scores of one model, and "
            "here those of several are averaged. Confidences are mean scores",
            file=sys.stderr,
        )
    network = Ensemble([detector.network for detector in detectors], list(map(str, models)))
    return Detector(network, detectors[0].decoder, detectors[0].window)


def move(network: Network, device: str) -> None:
    """Move a network to a device. Processes on one machine share its GPUs, if `device` is `cuda` without a number.

    Args:
        network: the network.
        device: name of the device, as in torch: `cpu`, `cuda`, `cuda:1`, `mps`.

    Raises:
        WsedError: there is no such device here, or the network runs on the CPU only.

    >>> from wsed.models import Composed
    >>> from wsed.types import Labels
    >>> move(Composed.example(Labels(["dog"])), "gpu")
    Traceback (most recent call last):
    wsed.errors.WsedError: --device is 'gpu', which torch does not know; write cpu, cuda, cuda:1, mps or the like
    """
    try:
        place = torch.device(device)
    except RuntimeError:
        raise WsedError(
            f"--device is {device!r}, which torch does not know; write cpu, cuda, cuda:1, mps or the like"
        ) from None
    if place.type == "cpu":
        return
    if next(network.parameters(), None) is None:
        raise WsedError(
            f"--device is {device!r}, but this model (in ONNX, for example) runs on the CPU only: leave --device out"
        )
    if place.type == "cuda" and place.index is None and torch.cuda.is_available():
        process = int(os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or 0)
        place = torch.device("cuda", process % torch.cuda.device_count())
    try:
        torch.zeros(1, device=place).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise WsedError(f"--device: {place} is not there: {str(error).splitlines()[0]}") from None
    network.to(place)
