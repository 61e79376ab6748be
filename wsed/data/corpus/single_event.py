"""Corpora whose clips hold one event each, as `wsed data synth --recipe waa` makes them."""

from collections.abc import Sequence
from pathlib import Path

from wsed.data.corpus.base import CORPORA
from wsed.data.corpus.desed import DESED


@CORPORA.register("single_event")
class SingleEvent(DESED):
    """A corpus whose clips hold one event each, made by `wsed data synth --recipe waa` (or `waa_200ms`).

    Turpault, Serizel & Vincent, "Limitations of weak labels for embedding and tagging" (ICASSP 2020), read crops of
    such clips: set `data.windows` to their length and placement. The source of the training clips is `train`. Clips
    with several events are read too: a crop is then cut around one of them, and has the tags of all that lie in it.

    Args:
        root: folder of the corpus.
        labels: the classes; None: those of `metadata/labels.txt`, or else those of the training clips, sorted.
        train: table of the training clips, below `metadata/`.
        validation: table of the validation clips; None: no validation.
        test: table of the test clips; None: no test.

    >>> SingleEvent(Path("data/waa"), labels=["Dog"]).sources
    ('train',)
    """

    def __init__(
        self,
        root: Path,
        labels: Sequence[str] | None = None,
        train: str = "train/strong",
        validation: str | None = "validation/validation",
        test: str | None = "eval/public",
    ) -> None:
        super().__init__(root, None, validation, test, labels=labels)
        self.train = {"train": train}
