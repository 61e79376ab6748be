"""DESED, DCASE task 4, and every corpus in that layout."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from wsed.data import holdout as split
from wsed.data.clip import Clip
from wsed.data.corpus import desed_layout as layout
from wsed.data.module import DATA, SEDDataModule
from wsed.errors import WsedError

TRAIN = {
    "weak": "train/weak",
    "strong": "train/strong",
    "synthetic": "train/synthetic",
    "unlabelled": "train/unlabel_in_domain",
}

REVISIONS = {
    "2018-03": {"events": 906, "Cat": 82, "Dog": 126, "Speech": 260},
    "2019-05": {"events": 908, "Cat": 95, "Dog": 120, "Speech": 255},
}
"""Releases of the annotation of the DCASE 2018 test clips, by what tells them apart: all events, those of a class."""


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
        revision: which release of the annotation of the DCASE 2018 test clips `test` must be: `2018-03` (906 events,
            those of the papers of that year) or `2019-05` (908); scores differ by points. None: any table.
        holdout: share of the weak clips that is kept out of training and validated on, where there is no validation
            table (`validation: null`); tags are scored. None: none.
        holdout_split: apart, a like share of each class (`clip`), or as in the published code of Pellegrini & Cances
            2019 (`ijcnn`): class by class, so that a clip of n tags is entered n times and may be on both sides.
        holdout_seed: of the choice of clips (`clip`; `ijcnn` takes the first ones).
        loading: the other settings of `SEDDataModule`.

    Raises:
        WsedError: settings that contradict each other.
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
        revision: Literal["2018-03", "2019-05"] | None = None,
        holdout: float | None = None,
        holdout_split: Literal["clip", "ijcnn"] = "clip",
        holdout_seed: int = 0,
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
        self.revision, self.holdout = revision, holdout
        self.holdout_split, self.holdout_seed = holdout_split, holdout_seed
        self._check(batch)
        if holdout is not None:
            self.stages["validation"] = self.train["weak"]
        self._training: list[Clip] | None = None
        super().__init__(labels or self._find_labels(batch), batch, **loading)

    def read(self, stage: str) -> list[Clip]:
        if stage == "train":
            return self._divided()[0]
        if stage == "validation" and self.holdout is not None:
            return self._divided()[1]
        table = self.stages[stage]
        clips = self._clips(table, stage) if table else []
        if self.revision is not None and table == self.stages["test"]:
            check_revision(clips, self.revision, layout.find(self.root, str(table))[0])
        return clips

    def _divided(self) -> tuple[list[Clip], list[Clip]]:
        """Training clips, and those held out of them for validation."""
        clips = self._read_train(self.batch)
        if self.holdout is None:
            return clips, []
        weak = [clip for clip in clips if clip.source == "weak"]
        if self.holdout_split == "ijcnn":
            train, held = split.by_class(weak, self.holdout)
        else:
            train, held = split.by_clip(weak, self.holdout, self.holdout_seed)
        if not held:
            raise WsedError(f"data.holdout {self.holdout:g} of {len(weak)} weak clips is none of them; raise it")
        # The same recording may be listed in another table (`train/strong` of `wsed data synth`).
        paths = {clip.path for clip in held}
        others = [clip for clip in clips if clip.source != "weak" and clip.path not in paths]
        return train + others, [replace(clip, source="validation") for clip in held]

    def _read_train(self, batch: Mapping[str, int]) -> list[Clip]:
        if self._training is None:
            names = [name for name, clips in batch.items() if clips > 0]
            self._training = [c for name in names for c in self._clips(self.train[name], name)]
        return self._training

    def _clips(self, table: str, source: str) -> list[Clip]:
        """The clips of a table; where it is not there, the error names the setting that names it."""
        there = layout.table_file(self.root, table).is_file()
        try:
            return layout.read_clips(self.root, table, source)
        except WsedError as error:
            if there:
                raise
            stage = "test" if source == "predict" and table == self.stages["test"] else source
            remedy = {
                "validation": "set data.validation to null and data.holdout to 0.2 to validate on weak clips held out",
                "test": "set data.test to null for no test",
                "predict": "leave it out for the test clips",
            }.get(stage, f"take {stage} out of data.batch")
            setting = stage if stage in self.stages else f"train.{stage}"
            raise WsedError(f"{error}. data.{setting} names it: name another table there, or {remedy}") from None

    def _find_labels(self, batch: Mapping[str, int]) -> list[str]:
        found = layout.classes(self.root, lambda: (tag for c in self._read_train(batch) for tag in c.tags or ()))
        if not found:
            raise WsedError(f"no class names in the training tables of {self.root}; set data.labels")
        return list(found)

    def _check(self, batch: Mapping[str, int]) -> None:
        if self.revision is not None:
            if self.revision not in REVISIONS:
                raise WsedError(f"data.revision must be of {', '.join(REVISIONS)}, or null, not {self.revision!r}")
            if self.stages["test"] is None:
                raise WsedError("data.revision says which test table is meant, but data.test is null; set one of them")
        if self.holdout is None:
            return
        if not 0 < self.holdout < 1:
            raise WsedError(f"data.holdout must lie between 0 and 1, not {self.holdout}; null: no clips are held out")
        if self.holdout_split not in ("clip", "ijcnn"):
            raise WsedError(f"data.holdout_split must be clip or ijcnn, not {self.holdout_split!r}")
        if self.stages["validation"] is not None:
            raise WsedError(
                f"data.holdout makes validation clips of weak ones, and data.validation names the table "
                f"{self.stages['validation']}: set data.validation or data.holdout to null"
            )
        if not batch.get("weak", 0) > 0:
            raise WsedError(
                f"data.holdout keeps weak clips out of training, but data.batch {dict(batch)} takes none: set "
                f"data.holdout to null, and data.validation to {self.train['weak']} to validate on all of them"
            )


def check_revision(clips: Sequence[Clip], revision: str, table: Path) -> None:
    """Refuse another release of the annotation of the DCASE 2018 test clips than the one that is meant.

    Args:
        clips: the test clips with their events.
        revision: a key of `REVISIONS`.
        table: the table they were read from, for the message.

    Raises:
        WsedError: the clips have other numbers of events.
    """
    counts = Counter(label for clip in clips for label, _, _ in clip.events or ())
    found = {name: counts.total() if name == "events" else counts[name] for name in REVISIONS[revision]}
    if found == REVISIONS[revision]:
        return
    release = next((f"revision {name}" for name, known in REVISIONS.items() if known == found), "no known revision")
    raise WsedError(
        f"{table} is not revision {revision} of the DCASE 2018 test clips: it has {_told(found)} ({release}), expected "
        f"{_told(REVISIONS[revision])}. Put the table of that release there (the figures of the IJCNN paper are of "
        "2018-03), or set data.revision to the release you have, or to null for any; scores of different releases "
        "cannot be compared"
    )


def _told(counts: Mapping[str, int]) -> str:
    classes = ", ".join(f"{name} {n}" for name, n in counts.items() if name != "events")
    return f"{counts['events']} events, {classes}"
