"""A folder for model hubs: weights, facts, metrics and a model card."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from wsed.checkpoint import Checkpoint
from wsed.checkpoint_specs import decoder_spec, plain_spec
from wsed.errors import WsedError
from wsed.files import write_folder, write_text
from wsed.inference.detector import Detector
from wsed.spec import Spec
from wsed.text import read_json_object
from wsed.types import Labels

WEIGHTS, CONFIG, METRICS, CARD = "model.safetensors", "config.json", "metrics.json", "README.md"
NAME = re.compile(r"[\w.-]+/[\w.-]+")
"""Pattern of the names of models on a hub."""


def is_hub_folder(path: Path) -> bool:
    """Whether a folder holds a model as `write_hub` leaves it."""
    return (path / WEIGHTS).is_file() and (path / CONFIG).is_file()


def write_hub(detector: Detector, folder: str | Path, report: Mapping[str, object] | None, data: str = "") -> Path:
    """Write the weights, facts, metrics and card of a model into a new folder; returns the path.

    Args:
        detector: the model, with its decoder, windows and calibration.
        folder: the new folder.
        report: `scores.json` of the test clips; None: there is none.
        data: the training data in words, for the card.

    Raises:
        WsedError: the folder exists, safetensors is not installed, or the network has no spec.
    """
    import wsed

    folder, network = Path(folder), detector.network
    if folder.exists():
        raise WsedError(f"{folder} exists; name another folder, or delete it")
    try:
        from safetensors.torch import save_file
    except ModuleNotFoundError:
        raise WsedError('export to a hub folder needs safetensors: pip install "wsed[hub]"') from None
    spec = plain_spec(network)
    if spec is None:
        raise WsedError("this network has no spec, so it cannot be built from the folder; register its class")
    facts = {
        "library": "wsed",
        "version": wsed.__version__,
        "labels": list(network.labels),
        "sample_rate": network.sample_rate,
        "frame_rate": network.frame_rate,
        "network": spec,
        "decoder": decoder_spec(detector.decoder),
        "seconds": detector.window,
    }
    with write_folder(folder) as part:
        weights = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
        save_file(weights, part / WEIGHTS)
        write_text(part / CONFIG, json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
        if report is not None:
            write_text(part / METRICS, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
        if detector.calibration is not None:
            detector.calibration.write(part / WEIGHTS)
        from wsed.inference.export.card import card

        write_text(part / CARD, card(detector, report, data, folder.name))
    return folder


def read_hub(folder: Path) -> Checkpoint:
    """The model of a folder; nothing in it is executed.

    Raises:
        WsedError: safetensors is not installed, or a file is damaged.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ModuleNotFoundError:
        raise WsedError(f'{folder} needs safetensors: pip install "wsed[hub]"') from None
    facts = read_json_object(folder / CONFIG, "export the model again")
    try:
        weights = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise WsedError(f"{folder / WEIGHTS} is damaged ({error}); download it again") from None
    try:
        labels, decoder, seconds = facts["labels"], facts["decoder"], facts["seconds"]
        assert isinstance(labels, list)
        assert isinstance(decoder, dict)
        return Checkpoint(
            path=folder / WEIGHTS,
            version=str(facts["version"]),
            labels=Labels(map(str, labels)),
            sample_rate=int(str(facts["sample_rate"])),
            frame_rate=float(str(facts["frame_rate"])),
            spec=Spec.read(facts["network"]),
            no_spec="",
            decoder=decoder,
            steps=0,
            weights=weights,
            seconds=None if seconds is None else float(str(seconds)),
        )
    except (KeyError, AssertionError, ValueError) as error:
        raise WsedError(f"{folder / CONFIG} is not a model of wsed ({error!r}); export it again") from None


def download(name: str) -> Path:
    """The folder of a model on the Hugging Face hub, downloaded if it is not there yet.

    Raises:
        WsedError: huggingface-hub is not installed, or there is no such model.
    """
    try:
        from huggingface_hub import snapshot_download
    except ModuleNotFoundError:
        raise WsedError(f'no such file or folder: {name}; a model of a hub needs: pip install "wsed[hub]"') from None
    try:
        return Path(snapshot_download(name, allow_patterns=["*.safetensors", "*.json", "*.yaml", "README.md"]))
    except Exception as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WsedError(f"no such file or folder, and no model of the hub: {name} ({reason[:200]})") from None
