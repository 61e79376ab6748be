"""DESED, DCASE task 4, and every corpus in that layout."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Literal

from wsed.data.clip import Clip
from wsed.data.corpus import desed_layout as layout
from wsed.data.corpus.base import CORPORA, Corpus
from wsed.data.corpus.desed_listing import read_listings
from wsed.data.corpus.listing import Listings, row_findings
from wsed.data.findings import Finding
from wsed.errors import WsedError
from wsed.registry import near
from wsed.types import Labels, Split

TRAIN = {
    "weak": "train/weak",
    "strong": "train/strong",
    "synthetic": "train/synthetic",
    "unlabelled": "train/unlabel_in_domain",
}

Revision = Literal["2018-03", "2019-05"]

REVISIONS = {
    "2018-03": {"events": 906, "Cat": 82, "Dog": 126, "Speech": 260},
    "2019-05": {"events": 908, "Cat": 95, "Dog": 120, "Speech": 255},
}
"""Releases of the annotation of the DCASE 2018 test clips, with the counts that tell them apart."""


@CORPORA.register("desed")
class DESED(Corpus):
    """A folder with `metadata/` (label tables) and `audio/` (clips): DESED, DCASE task 4, or made by `wsed data synth`.

    Args:
        root: the corpus.
        train: table of each source, below `metadata/`; added to the usual ones (weak, strong, synthetic, unlabelled).
        validation: table of the validation clips; None for no validation.
        test: table of the test clips; None for no test.
        predict: table of the clips to predict; the test clips if None.
        labels: the classes; None reads `metadata/labels.txt`, or takes those of the training tables, sorted.
        annotated: the classes that a source annotates, where these are not all: `{office: [Keyboard, Phone]}`; of the
            others nothing is known in its clips.
        revision: which release of the annotation of the DCASE 2018 test clips `test` must be: `2018-03` (906 events,
            those of the papers of that year) or `2019-05` (908); scores differ by points. None: any table.

    Raises:
        WsedError: settings that contradict each other.
    """

    def __init__(
        self,
        root: Path,
        train: Mapping[str, str] | None = None,
        validation: str | None = "validation/validation",
        test: str | None = "eval/public",
        predict: str | None = None,
        labels: Sequence[str] | None = None,
        annotated: Mapping[str, Sequence[str]] | None = None,
        revision: Revision | None = None,
    ) -> None:
        self.root = Path(root)
        self.train = {**TRAIN, **(train or {})}
        self.splits: dict[Split, str | None] = {"validation": validation, "test": test, "predict": predict or test}
        self.annotated, self.revision = dict(annotated or {}), revision
        self._labels = labels
        if revision is not None and test is None:
            raise WsedError(
                "data.corpus.revision says which test table is meant, but data.corpus.test is null; set one of them"
            )
        for source in self.annotated:
            if source not in (*self.train, *self.splits):
                raise WsedError(f"data.corpus.annotated names the source {source!r}{near(source, self.train)}")

    @cached_property
    def labels(self) -> Labels:
        """The classes: those that the user names, those of `metadata/labels.txt`, or those of the training tables."""
        names = self._labels or layout.classes(self.root, self.train.values())
        if not names:
            raise WsedError(f"no class names in the training tables of {self.root}; set data.corpus.labels")
        return Labels(names)

    @property
    def sources(self) -> tuple[str, ...]:
        """The kinds of training clips that the corpus may have tables of."""
        return tuple(self.train)

    def has(self, split: Split) -> bool:
        """Whether a table of the split is named."""
        return split == "train" or self.splits[split] is not None

    def clips(self, split: Split, sources: Collection[str] | None = None) -> Sequence[Clip]:
        """The clips of a split, table by table; the error for a missing table names its setting."""
        if split == "train":
            there = [name for name, table in self.train.items() if layout.table_file(self.root, table).is_file()]
            return [c for name in (there if sources is None else sources) for c in self._read(self.train[name], name)]
        table = self.splits[split]
        clips = self._read(table, split) if table else []
        if self.revision is not None and table == self.splits["test"]:
            check_revision(clips, self.revision, layout.find(self.root, str(table))[0])
        return clips

    def findings(self, split: Split) -> Iterable[Finding]:
        """What is wrong with the tables of a split that are there."""
        names = [*self.train.values()] if split == "train" else [name for name in [self.splits[split]] if name]
        there = [name for name in names if layout.table_file(self.root, name).is_file()]
        if not there:
            return
        for listing in read_listings(self.root, there, self.max_missing).lists:
            yield from row_findings(listing, self.labels.names)

    def listings(self) -> Listings | None:
        """All lists in its folder."""
        return self.examine(self.root)

    @classmethod
    def examine(cls, root: Path, tables: Sequence[str] | None = None) -> Listings | None:
        """All tables in a folder with `metadata/`."""
        there = any((root / folder).is_dir() for folder in ("metadata", "dataset/metadata"))
        return read_listings(root, tables, cls.max_missing) if there else None

    def _read(self, table: str, source: str) -> list[Clip]:
        """The clips of a table; where it is not there, the error names the setting that names it."""
        there = layout.table_file(self.root, table).is_file()
        try:
            return layout.read_clips(self.root, table, source)
        except WsedError as error:
            if there:
                raise
            split = "test" if source == "predict" and table == self.splits["test"] else source
            remedy = {
                "validation": "set data.corpus.validation to null and data.holdout to 0.2 to hold training clips out",
                "test": "set data.corpus.test to null for no test",
                "predict": "leave it out for the test clips",
            }.get(split, f"take {split} out of data.batch")
            setting = split if split in self.splits else f"train.{split}"
            raise WsedError(f"{error}. data.corpus.{setting} names it: name another table there, or {remedy}") from None


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
    here = {name: counts.total() if name == "events" else counts[name] for name in REVISIONS[revision]}
    if here == REVISIONS[revision]:
        return
    release = next((f"revision {name}" for name, known in REVISIONS.items() if known == here), "no known revision")
    raise WsedError(
        f"{table} is not revision {revision} of the DCASE 2018 test clips: it has {_in_words(here)} ({release}), "
        f"expected {_in_words(REVISIONS[revision])}. Put the table of that release there (the figures of the IJCNN "
        "paper are of 2018-03), or set data.corpus.revision to the release you have, or to null for any; scores of "
        "different releases cannot be compared"
    )


def _in_words(counts: Mapping[str, int]) -> str:
    classes = ", ".join(f"{name} {n}" for name, n in counts.items() if name != "events")
    return f"{counts['events']} events, {classes}"
