"""Corpora whose clips hold one event each, as `wsed data synth --recipe waa` makes them."""

from collections.abc import Sequence
from pathlib import Path

from wsed.data.corpus.base import CORPORA
from wsed.data.corpus.desed import DESED


@CORPORA.register("single_event")
class SingleEvent(DESED):
    """A corpus whose clips hold one event each, made by `wsed data synth --recipe waa` (or `waa_200ms`).

    Turpault, Serizel & Vincent, "Limitations of weak labels for embedding and tagging" (ICASSP 2020), read crops of
    such clips: set `data.windows` to their length and placement. The source of the training clips is `train`.

    Args:
        root: folder of the corpus.
        labels: the classes; None: those of `metadata/labels.txt`, or else those of the training clips, sorted.

    >>> SingleEvent(Path("data/waa"), labels=["Dog"]).sources
    ('train',)
    """

    def __init__(self, root: Path, labels: Sequence[str] | None = None) -> None:
        super().__init__(root, labels=labels)
        self.train = {"train": "train/strong"}
