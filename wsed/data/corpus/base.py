"""`Corpus`, the base class of corpora."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from wsed.data.clip import Clip
from wsed.data.corpus.listing import Listings
from wsed.data.findings import Finding
from wsed.registry import Registry
from wsed.types import Labels, Split


class Corpus(ABC):
    """The clips of a data set with their tags and events. A corpus reads lists and tables, but no audio.

    Attributes:
        max_missing: share of the clips that may be missing by default.
        annotated: the classes that a source annotates; a source that is not named annotates all classes.

    >>> class Toy(Corpus):
    ...     labels, sources = Labels(["Dog"]), ("weak",)
    ...     def clips(self, split, sources=None):
    ...         return [Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog"}))]
    >>> toy = Toy()
    >>> toy.clips("train")[0].tags, toy.has("test"), toy.absent("test"), toy.setting("test")
    (frozenset({'Dog'}), False, '', 'data.corpus.test')
    >>> list(toy.findings("train")), toy.notes("train"), toy.listings(), Toy.examine(Path("data"))
    ([], (), None, None)
    """

    max_missing: float = 0.05
    annotated: Mapping[str, Collection[str]] = {}

    @classmethod
    def example(cls, folder: Path) -> "Corpus":
        """A small corpus of this kind, whose lists and sound files are written into a folder, for the contract tests.

        Its clips last a second or more, and some of them are for training.
        """
        raise NotImplementedError(f"{cls.__name__}.example writes a small corpus; the contract of corpora needs one")

    @property
    @abstractmethod
    def labels(self) -> Labels:
        """The classes."""

    @property
    @abstractmethod
    def sources(self) -> tuple[str, ...]:
        """Names of the sources of training clips; a batch has a quota for each."""

    @abstractmethod
    def clips(self, split: Split, sources: Collection[str] | None = None) -> Sequence[Clip]:
        """The clips of a split with their tags and events.

        Args:
            split: the split.
            sources: the sources of training clips to list; None: all sources that have clips.

        Raises:
            WsedError: a list of clips is missing or malformed.
        """

    def has(self, split: Split) -> bool:
        """Whether the corpus has clips of a split."""
        return split == "train"

    def absent(self, split: Split) -> str:
        """The reason why a split is missing; empty if it exists, or if such a corpus usually lacks it."""
        return ""

    def setting(self, split: Split) -> str:
        """The setting that chooses the clips of a split, for messages."""
        return f"data.corpus.{split}"

    def findings(self, split: Split) -> Iterable[Finding]:
        """The defects of the lists of a split, for `wsed data check`; no audio is read."""
        return ()

    def notes(self, split: Split) -> Sequence[str]:
        """Notes for the user about the clips of a split."""
        return ()

    def listings(self) -> Listings | None:
        """The lists of this corpus, for `wsed data check`; None if it has none."""
        return None

    @classmethod
    def examine(cls, root: Path, tables: Sequence[str] | None = None) -> Listings | None:  # noqa: ARG003
        """All lists in a folder, for `wsed data check`; None if the folder is not such a corpus.

        Args:
            root: the folder.
            tables: names of the lists to read; None: all.

        Raises:
            WsedError: a named list does not exist.
        """
        return None


CORPORA: Registry[type[Corpus]] = Registry("corpus", "wsed.data.corpus", Corpus)
