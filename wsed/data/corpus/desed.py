"""DESED, DCASE task 4, and other corpora in the same layout."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from wsed.data.clip import Clip
from wsed.data.corpus import desed_layout as layout
from wsed.data.corpus.base import CORPORA, Corpus
from wsed.data.corpus.desed_listing import read_listings
from wsed.data.corpus.example_files import write_rows, write_tones
from wsed.data.corpus.listing import Listings, row_findings
from wsed.data.findings import Finding
from wsed.errors import WsedError, near
from wsed.types import Labels, Split

TRAIN = {
    "weak": "train/weak",
    "strong": "train/strong",
    "synthetic": "train/synthetic",
    "unlabelled": "train/unlabel_in_domain",
}

PARTS = {"train": "train", "validation": "validation", "test": "eval"}
"""The first part of the names of tables, by split."""


@CORPORA.register("desed")
class DESED(Corpus):
    """A folder with `metadata/` (label tables) and `audio/` (clips): DESED, DCASE task 4, or a synthetic corpus.

    Args:
        root: folder of the corpus.
        train: tables of further sources, by the name of the source; added to the usual ones (`weak`, `strong`,
            `synthetic`, `unlabelled`). Tables are named by their path below `metadata/`.
        validation: table of the validation clips; None: no validation.
        test: table of the test clips; None: no test.
        predict: table of the clips to predict; None: the test clips.
        labels: the classes; None: those of `metadata/labels.txt`, or else those of the training tables, sorted.
        annotated: the classes that a source annotates, if it does not annotate all: `{office: [Keyboard, Phone]}`.
            Other classes are unknown in its clips.

    Raises:
        WsedError: two settings contradict each other.

    >>> corpus = DESED(Path("data/desed"), labels=["Dog", "Cat"])
    >>> corpus.sources, corpus.has("test")
    (('weak', 'strong', 'synthetic', 'unlabelled'), True)
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
    ) -> None:
        self.root = Path(root)
        self.train = {**TRAIN, **(train or {})}
        self.splits: dict[Split, str | None] = {"validation": validation, "test": test, "predict": predict or test}
        self.annotated = dict(annotated or {})
        self._labels = labels
        for source in self.annotated:
            if source not in (*self.train, *self.splits):
                raise WsedError(f"data.corpus.annotated: unknown source {source!r}{near(source, self.train)}")

    @classmethod
    def example(cls, folder: Path) -> Corpus:
        """Four clips of each table: two classes, each a tone."""
        for table in ("train/strong", "validation/validation", "eval/public"):
            names = [f"{table.partition('/')[0]}_{i}.wav" for i in range(4)]
            write_tones(folder / "audio" / table, names)
            events = [(name, 0.2, 0.6, ("low", "high")[i % 2]) for i, name in enumerate(names)]
            rows = [("filename", "onset", "offset", "event_label"), *events]
            write_rows(folder / "metadata" / f"{table}.tsv", rows)
        write_tones(folder / "audio/train/weak", names := ["weak_0.wav", "weak_1.wav"])
        tags = [("filename", "event_labels"), (names[0], "low"), (names[1], "high,low")]
        write_rows(folder / "metadata/train/weak.tsv", tags)
        return cls(folder)

    @cached_property
    def labels(self) -> Labels:
        """The classes: of the argument `labels`, of `metadata/labels.txt`, or of the training tables."""
        names = self._labels or layout.classes(self.root, self.train.values())
        if not names:
            raise WsedError(f"no class names in the training tables of {self.root}; set data.corpus.labels")
        return Labels(names)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of training clips for which the corpus may have tables."""
        return tuple(self.train)

    def has(self, split: Split) -> bool:
        """Whether the split has a table."""
        return split == "train" or self.splits[split] is not None

    def clips(self, split: Split, sources: Collection[str] | None = None) -> Sequence[Clip]:
        """The clips of a split, table by table; the error for a missing table names its setting."""
        if split == "train":
            self._check_own_tables()
            existing = [name for name, table in self.train.items() if layout.table_file(self.root, table).is_file()]
            wanted = existing if sources is None else sources
            return [clip for name in wanted for clip in self._read(self.train[name], name)]
        table = self.splits[split]
        return self._read(table, split) if table else []

    def findings(self, split: Split) -> Iterable[Finding]:
        """The defects of the existing tables of a split."""
        names = [*self.train.values()] if split == "train" else [name for name in [self.splits[split]] if name]
        existing = [name for name in names if layout.table_file(self.root, name).is_file()]
        if not existing:
            return
        for listing in read_listings(self.root, existing, self.max_missing).lists:
            yield from row_findings(listing, self.labels.names)

    def listings(self) -> Listings | None:
        """All lists in its folder, with its own classes, and its own tables in the splits that it gives them."""
        found = self.examine(self.root)
        if found is None:
            return None
        parts = {table: split for split, table in self.splits.items() if table and split != "predict"}
        parts |= dict.fromkeys(self.train.values(), "train")
        parts = {layout.table_name(table): PARTS[split] for table, split in parts.items()}
        lists = tuple(replace(listing, part=parts.get(listing.table, "")) for listing in found.lists)
        labels = self._labels or layout.classes(self.root, self.train.values()) or found.labels
        return replace(found, lists=lists, labels=tuple(labels), listed=found.listed or bool(self._labels))

    @classmethod
    def examine(cls, root: Path, tables: Sequence[str] | None = None) -> Listings | None:
        """All tables in a folder with `metadata/`."""
        is_corpus = any((root / folder).is_dir() for folder in ("metadata", "dataset/metadata"))
        return read_listings(root, tables, cls.max_missing) if is_corpus else None

    def _check_own_tables(self) -> None:
        """Refuse a table of `train` that does not exist, even if no batch asks for it: the user has named it."""
        for source, table in self.train.items():
            if TRAIN.get(source) != table and not layout.table_file(self.root, table).is_file():
                self._read(table, source)

    def _read(self, table: str, source: str) -> list[Clip]:
        """The clips of a table; the error for a missing table names its setting."""
        exists = layout.table_file(self.root, table).is_file()
        try:
            return layout.read_clips(self.root, table, source)
        except WsedError as error:
            if exists:
                raise
            split = "test" if source == "predict" and table == self.splits["test"] else source
            remedy = {
                "validation": "set data.corpus.validation to null and data.holdout to 0.2 to hold training clips out",
                "test": "set data.corpus.test to null for no test",
                "predict": "leave it out for the test clips",
            }.get(split, f"take {split} out of data.batch" if source in TRAIN else "take it out of data.corpus.train")
            setting = split if split in self.splits else f"train.{split}"
            raise WsedError(f"{error}. Set data.corpus.{setting} to another table, or {remedy}") from None
