"""DESED, DCASE task 4, and every corpus in that layout."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wsed.data import desed_layout as layout
from wsed.data.module import DATA, SEDDataModule
from wsed.data.table import Clip
from wsed.errors import WsedError

TRAIN = {
    "weak": "train/weak",
    "strong": "train/strong",
    "synthetic": "train/synthetic",
    "unlabelled": "train/unlabel_in_domain",
}


@DATA.register("desed")
class DESED(SEDDataModule):
    """A folder with `metadata/` (label tables) and `audio/` (clips): DESED, DCASE task 4, or made by `wsed data synth`.

    Args:
        root: the corpus.
        batch: clips of each source in a training batch: `{weak: 32}`; sources are the keys of `train`.
        train: table of each source, below `metadata/`; added to the usual ones (weak, strong, synthetic, unlabelled).
        validation: table of the validation clips; None for no validation.
        test: table of the test clips; None for no test.
        predict: table of the clips to predict; the test clips if None.
        labels: the classes; None reads `metadata/labels.txt`, or takes those of the training tables, sorted.
        loading: the other settings of `SEDDataModule`.
    """

    def __init__(
        self,
        root: Path,
        batch: Mapping[str, int],
        train: Mapping[str, str] | None = None,
        validation: str | None = "validation/validation",
        test: str | None = "eval/public",
        predict: str | None = None,
        labels: Sequence[str] | None = None,
        **loading: Any,
    ) -> None:
        self.root = Path(root)
        self.train = {**TRAIN, **(train or {})}
        self.stages = {"validation": validation, "test": test, "predict": predict or test}
        unknown = [name for name in batch if name not in self.train]
        if unknown:
            raise WsedError(f"data.batch names the source {unknown[0]!r}; data.train has {', '.join(self.train)}")
        if not any(clips > 0 for clips in batch.values()):
            raise WsedError(f"data.batch asks for no clips at all: {dict(batch)}")
        self._training: list[Clip] | None = None
        super().__init__(labels or self._find_labels(batch), batch, **loading)

    def read(self, stage: str) -> list[Clip]:
        if stage == "train":
            return self._read_train(self.batch)
        table = self.stages[stage]
        return layout.read_clips(self.root, table, stage) if table else []

    def _read_train(self, batch: Mapping[str, int]) -> list[Clip]:
        if self._training is None:
            names = [name for name, clips in batch.items() if clips > 0]
            self._training = [c for name in names for c in layout.read_clips(self.root, self.train[name], name)]
        return self._training

    def _find_labels(self, batch: Mapping[str, int]) -> list[str]:
        if listed := layout.labels(self.root):
            return list(listed)
        found = sorted({tag for clip in self._read_train(batch) for tag in clip.tags or ()})
        if not found:
            raise WsedError(f"no class names in the training tables of {self.root}; set data.labels")
        return found
