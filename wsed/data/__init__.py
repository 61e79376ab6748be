"""Data: corpora, readers of clips, windows, and the data module that serves batches."""

from typing import TYPE_CHECKING

from wsed.lazy import lazy

if TYPE_CHECKING:
    from wsed.data.clip import Clip
    from wsed.data.clip_table import ClipTable
    from wsed.data.corpus.audioset import AudioSet
    from wsed.data.corpus.base import CORPORA, Corpus
    from wsed.data.corpus.dcase2017 import DCASE2017
    from wsed.data.corpus.desed import DESED
    from wsed.data.corpus.folder.corpus import Folder
    from wsed.data.corpus.joint import Joint
    from wsed.data.corpus.pseudo import Pseudo
    from wsed.data.corpus.single_event import SingleEvent
    from wsed.data.holdout import Holdout
    from wsed.data.module import SEDDataModule
    from wsed.data.reading.base import READERS, Reader
    from wsed.data.reading.features import Features
    from wsed.data.reading.files import Files
    from wsed.data.reading.memory import Memory
    from wsed.data.reading.packed import Packed
    from wsed.data.windows import Windows
else:
    __getattr__, __dir__ = lazy(__name__, "corpus", "reader")

__all__ = [
    "CORPORA",
    "DCASE2017",
    "DESED",
    "READERS",
    "AudioSet",
    "Clip",
    "ClipTable",
    "Corpus",
    "Features",
    "Files",
    "Folder",
    "Holdout",
    "Joint",
    "Memory",
    "Packed",
    "Pseudo",
    "Reader",
    "SEDDataModule",
    "SingleEvent",
    "Windows",
]
