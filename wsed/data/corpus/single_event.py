"""Clips of one event each, as `wsed data synth --recipe waa` makes them."""

from collections.abc import Sequence
from pathlib import Path

from wsed.data.corpus.base import CORPORA
from wsed.data.corpus.desed import DESED


@CORPORA.register("single_event")
class SingleEvent(DESED):
    """Clips that hold one event each: a corpus of `wsed data synth --recipe waa` (or `waa_200ms`).

    Turpault, Serizel & Vincent, "Limitations of weak labels for embedding and tagging" (ICASSP 2020), read crops of
    such clips: set `data.windows` to their length and placement. Training clips are of the source `train`.

    Args:
        root: the corpus.
        labels: the classes; None reads `metadata/labels.txt`, or takes those of the training clips, sorted.
    """

    def __init__(self, root: Path, labels: Sequence[str] | None = None) -> None:
        super().__init__(root, labels=labels)
        self.train = {"train": "train/strong"}
