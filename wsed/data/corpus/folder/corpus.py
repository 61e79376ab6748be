"""The corpus `folder`: your own recordings, used where they are."""

from collections import Counter
from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path

from wsed.data.clip import Clip
from wsed.data.corpus.base import CORPORA, Corpus
from wsed.data.corpus.example_files import write_rows, write_tones
from wsed.data.corpus.folder import listing
from wsed.data.corpus.folder.classes import Classes, ClassMap, labels_of
from wsed.data.corpus.folder.events import FoundEvents, find_events
from wsed.data.corpus.folder.files import BACKGROUND, SoundFiles, folders
from wsed.data.corpus.folder.listed import OneFile, check_labels, join, settle
from wsed.data.corpus.folder.notes import notes
from wsed.data.corpus.folder.settings import FOLDERS, EventTable, Splits, TagTable
from wsed.data.corpus.folder.splits import Listed, assign
from wsed.data.corpus.folder.tags import Tagged, folder_tags, read_tags, times_in
from wsed.data.corpus.listing import Listings
from wsed.types import Labels, Split

SOURCES = ("strong", "weak", "background", "unlabelled")


@CORPORA.register("folder")
class Folder(Corpus):
    """Sound files in a folder, at any depth, and their labels; no file is copied or renamed.

    The source of a file is `strong` if its events are known, `weak` if only its tags are known, `background` if it is
    in a folder of background sounds (none of the classes), and `unlabelled` if nothing is known. A row without tags
    means that the file has none of the classes. Every other column of the tables is a kind of groups of clips, such as
    `patient` or `site`.

    Args:
        root: the folder.
        tags: table of tags (CSV or TSV, with one row per file or per tag), below `root` or anywhere; `folders` if files
            are in folders named by class; None: tags follow from events.
        events: table of events, Raven selection table, or a folder of label files (Audacity, Raven, TextGrid, tables)
            with the names of their sound files; None: no events are known.
        classes: the labels to keep; or the labels of each class, as `{Crackle: [Fine Crackle, Coarse Crackle]}`, where
            a label may belong to several classes. Labels of no class are left out. None: every label is a class.
        splits: by a column, or drawn by groups; None: all files are for training.
        background: names of folders of files with none of the classes; None: `background`, `noise` and similar names.

    Raises:
        WsedError: when clips or classes are first read: there are no labels, the files of a table are missing or
            ambiguous, or a split lacks a class.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     corpus = Folder.example(Path(folder))
    ...     list(corpus.labels)
    ['high', 'low']
    """

    def __init__(
        self,
        root: Path,
        tags: str | TagTable | None = None,
        events: str | EventTable | None = None,
        classes: Classes = None,
        splits: Splits | None = None,
        background: Sequence[str] | None = None,
    ) -> None:
        self.root, self.classes, self.splits = Path(root), classes, splits
        self.tags = TagTable(tags) if isinstance(tags, str) else tags
        self.events = EventTable(table=events) if isinstance(events, str) else events
        self.background = BACKGROUND if background is None else tuple(background)

    @classmethod
    def example(cls, folder: Path) -> Corpus:
        """Six files of two classes with their events, and one without labels."""
        names = [f"{i}.wav" for i in range(6)]
        write_tones(folder, [*names, "unlabelled.wav"])
        rows = [(name, 0.2, 0.6, ("low", "high")[i % 2]) for i, name in enumerate(names)]
        write_rows(folder / "events.tsv", [("filename", "onset", "offset", "event_label"), *rows])
        return cls(folder, events="events.tsv", splits=Splits(test=0.5))

    @property
    def labels(self) -> Labels:
        """The classes: in the order of `classes`, or all labels, sorted."""
        return Labels(self._read.classes.names)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources that have training files."""
        here = {clip.source for clip in self._read.clips["train"]}
        return tuple(source for source in SOURCES if source in here)

    def has(self, split: Split) -> bool:
        """Whether the split has files; the files to predict are those of the test."""
        return bool(self._of(split))

    def clips(self, split: Split, sources: Collection[str] | None = None) -> Sequence[Clip]:
        """The files of a split in the order of their names."""
        clips = self._of(split)
        return clips if split != "train" or sources is None else [clip for clip in clips if clip.source in sources]

    def notes(self, split: Split) -> Sequence[str]:
        """How many files each source has, and what was left out."""
        return self._read.notes if split == "train" else ()

    def setting(self, split: Split) -> str:
        """The setting that makes splits."""
        return "data.corpus.splits"

    def listings(self) -> Listings:
        """The tables for the data doctor."""
        read = self._read
        tags = None if self.tags is None else self.tags.table
        events = None if self.events is None else self.events.table
        return listing.listings(
            self._files,
            read.classes,
            listing.Tables(tags, self._tag_rows, events, self._event_rows),
            read.clips,
            read.notes,
        )

    @classmethod
    def examine(cls, root: Path, tables: Sequence[str] | None = None) -> Listings | None:  # noqa: ARG003
        """The tables of a folder that is not another kind of corpus, as `wsed new` would use them."""
        from wsed.data.corpus.folder.guess import guess

        settings = guess(root)
        return None if settings is None else cls(**settings).listings()

    def _of(self, split: Split) -> list[Clip]:
        return self._read.clips["test" if split == "predict" else split]

    @cached_property
    def _files(self) -> SoundFiles:
        return SoundFiles(self.root)

    @cached_property
    def _in_background(self) -> frozenset[int]:
        return frozenset(self._files.background(self.background))

    @cached_property
    def _tag_rows(self) -> list[Tagged]:
        if self.tags is None:
            return []
        if self.tags.table == FOLDERS:
            return folder_tags(self._files, labels_of(self.classes), self._in_background)
        return read_tags(self._files, self.tags)

    @cached_property
    def _event_rows(self) -> FoundEvents:
        return FoundEvents((), frozenset()) if self.events is None else find_events(self._files, self.events)

    @cached_property
    def _read(self) -> "Read":
        tables = "" if self.tags is None else self.tags.table, "" if self.events is None else self.events.table
        files, empty = join(self._files, self._tag_rows, self._event_rows, self._in_background, tables)
        mapped, incomplete = settle(files, self.classes)
        check_labels(self._files, files, mapped.names)
        tags = [None if file.tags is None else mapped.tags(file.tags) for file in files]
        listed = [
            Listed(file.name, own, file.facts, file.table, file.differing)
            for file, own in zip(files, tags, strict=True)
        ]
        of = assign(listed, self.splits, mapped.names)
        clips: dict[Split, list[Clip]] = {"train": [], "validation": [], "test": []}
        for file, own, split in zip(files, tags, of, strict=True):
            if split is not None:
                events = None if file.events is None else mapped.events(file.events)
                source = source_of(file) if split == "train" else split
                groups = {**top_folder(file.name), **file.facts}
                clips[split].append(Clip(file.name, file.path, source, own, events, groups=groups))
        training = [(file, own) for file, own, split in zip(files, tags, of, strict=True) if split == "train"]
        counts = Counter(source_of(file) for file, _ in training)
        counts["negative"] = sum(own is not None and not own and not file.background for file, own in training)
        counts["left out"], counts["0 s"] = of.count(None), empty
        times = times_in(self._tag_rows) if self.events is None else ()
        texts = notes(counts, mapped, incomplete, self._event_rows.unused, times)
        return Read(mapped, clips, texts)


class Read:
    """The contents of the tables: the classes, the clips of each split, and notes for the user."""

    def __init__(self, classes: ClassMap, clips: dict[Split, list[Clip]], notes: tuple[str, ...]) -> None:
        self.classes, self.clips, self.notes = classes, clips, notes


def source_of(file: OneFile) -> str:
    """The source of a training file."""
    if file.background:
        return "background"
    if file.events is not None:
        return "strong"
    return "unlabelled" if file.tags is None else "weak"


def top_folder(name: str) -> dict[str, str]:
    """The group `folder`: the first folder that a file is in, if any."""
    above = folders(name)
    return {"folder": above[0]} if above else {}
