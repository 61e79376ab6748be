"""What a corpus is: which clips there are, and what is known of each."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from wsed.data.clip import Clip
from wsed.data.corpus.listing import Listings
from wsed.data.findings import Finding
from wsed.registry import Registry
from wsed.types import Labels, Split


class Corpus(ABC):
    """Which clips there are, and what is known of each. No audio is read here.

    Attributes:
        max_missing: share of the clips that may be missing unless the user says otherwise.
        annotated: the classes that a source annotates; a source that is not named annotates all.
    """

    max_missing: float = 0.05
    annotated: Mapping[str, Collection[str]] = {}

    @property
    @abstractmethod
    def labels(self) -> Labels:
        """The classes."""

    @property
    @abstractmethod
    def sources(self) -> tuple[str, ...]:
        """Names of the kinds of training clips, of which a batch takes some each."""

    @abstractmethod
    def clips(self, split: Split, sources: Collection[str] | None = None) -> Sequence[Clip]:
        """The clips of a split, and what is known of them.

        Args:
            split: which clips.
            sources: of training clips, the sources that are wanted; None: all that are there.

        Raises:
            WsedError: a list of clips is not there, or cannot be understood.
        """

    def has(self, split: Split) -> bool:
        """Whether there are clips of a split."""
        return split == "train"

    def absent(self, split: Split) -> str:
        """Why there are no clips of a split that such a corpus usually has; empty if that is as it should be."""
        return ""

    def setting(self, split: Split) -> str:
        """The setting that names the clips of a split, for messages."""
        return f"data.corpus.{split}"

    def findings(self, split: Split) -> Iterable[Finding]:
        """What is wrong with the lists of a split, as `wsed data check` shows it; no audio is looked at."""
        return ()

    def notes(self, split: Split) -> Sequence[str]:
        """What the user should know of the clips of a split, one line each."""
        return ()

    def listings(self) -> Listings | None:
        """The lists of this corpus for the data doctor; None where it has none to show."""
        return None

    @classmethod
    def examine(cls, root: Path, tables: Sequence[str] | None = None) -> Listings | None:  # noqa: ARG003
        """All lists in a folder for the data doctor; None where the folder is not such a corpus.

        Args:
            root: the folder.
            tables: names of the lists to read; None: all.

        Raises:
            WsedError: there is no list of such a name.
        """
        return None


CORPORA: Registry[type[Corpus]] = Registry("corpus", "wsed.data.corpus", Corpus)
