"""A detector from the weights that Dinkel et al. 2021 publish."""

from functools import partial
from pathlib import Path

from wsed.decoding import StepDecoder
from wsed.errors import WsedError
from wsed.inference.detector import Detector
from wsed.models.encoders.cdur import BANDS, OUTPUT, CDur, CDurFeatures, without_output
from wsed.models.encoders.pretrained import load_tensors, read_tensors
from wsed.models.heads.cdur import CDurHead
from wsed.models.network import Composed
from wsed.text import read_text
from wsed.types import Labels

SOURCE = 'The tags of AudioSet, by Dinkel et al. 2021, "Voice activity detection in the wild"; imported into wsed.'

DECODER = StepDecoder(threshold=0.5, low=0.1)
"""The two thresholds of Dinkel et al. 2021."""


def gpv_detector(weights: str | Path, labels: str | Path) -> Detector:
    """The detector of a file of weights and a file with the names of the classes.

    Args:
        weights: `teacher1.pth` or `teacher2.pth`; no code in it is executed.
        labels: the classes in the order of the outputs, one per line.

    Raises:
        WsedError: a file cannot be read, the weights are of another network, or have another number of classes.

    >>> gpv_detector("none.pth", "labels.txt")
    Traceback (most recent call last):
    wsed.errors.WsedError: pretrained: no such file: none.pth
    """
    tensors = read_tensors(weights)
    output = {name.removeprefix(OUTPUT): value for name, value in tensors.items() if name.startswith(OUTPUT)}
    names = [line.strip() for line in read_text(Path(labels)).splitlines() if line.strip()]
    load_tensors(CDur(BANDS), without_output(tensors), weights)  # names what does not fit
    if missing := sorted({"weight", "bias"} - output.keys()):
        names_missing = ", ".join(OUTPUT + name for name in missing)
        raise WsedError(f"pretrained: {weights} is of another network: missing: {names_missing}")
    n_outputs = output["bias"].numel()
    if len(names) != n_outputs:
        raise WsedError(f"{labels} names {len(names)} classes, but {weights} has {n_outputs} outputs")
    network = Composed(Labels(names), partial(CDur, pretrained=str(weights)), CDurHead, CDurFeatures())
    (head,) = network.heads
    assert isinstance(head, CDurHead)
    load_tensors(head.linear, output, weights)
    return Detector(network, DECODER)
