"""The base class of corpora whose lists name parts of YouTube videos; many of the videos no longer exist."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from wsed.data.clip import Clip
from wsed.data.corpus.base import Corpus
from wsed.data.corpus.listing import Listings, row_findings
from wsed.data.corpus.videos.clips import Located, VideoClips
from wsed.data.corpus.videos.files import VideoFiles
from wsed.data.corpus.videos.layout import audio_folder, find_list, list_there, not_there, video_lists
from wsed.data.corpus.videos.listing import read_listings
from wsed.data.corpus.videos.lists import ListedClips, read_list
from wsed.data.findings import Finding
from wsed.data.packed.contents import refuse_pack
from wsed.errors import WsedError
from wsed.types import Labels, Split


class VideoCorpus(Corpus):
    """Clips of videos. The file of a clip is found by the id of its video, see `wsed.data.corpus.videos.files`.

    Args:
        root: folder of the corpus.
        classes: name of each class by its name in the lists, in order.
        train: list of each source.
        splits: list of the clips of `validation`, `test` and `predict`; None: no clips.
        usual_test: name of the published list of the test clips. If it is missing, there is no test, but no error.
        lists: folder of the lists, or a folder above it; `root` if None.
        audio: folder of the clips, with any subfolders; None: `root/audio`, or `root` if there is no such folder.

    Raises:
        WsedError: a list of the clips to test or to predict is missing.
    """

    max_missing = 1.0

    def __init__(
        self,
        root: Path,
        classes: Mapping[str, str],
        train: Mapping[str, str],
        splits: Mapping[Split, str | None],
        usual_test: str,
        lists: Path | None = None,
        audio: Path | None = None,
    ) -> None:
        self.root, self.train, self.usual_test = Path(root), dict(train), usual_test
        self.lists, self.audio = lists_folder(root, lists), audio
        self.classes = dict(classes)
        self._splits, self._absent = dict(splits), dict[Split, str]()
        for split in ("test", "predict"):
            self._check_list(split)

    @cached_property
    def labels(self) -> Labels:
        """The classes, in order."""
        return Labels(self.classes.values())

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of training clips that have a list."""
        return tuple(self.train)

    def has(self, split: Split) -> bool:
        """Whether the split has a list."""
        return split == "train" or self._splits[split] is not None

    def absent(self, split: Split) -> str:
        """The reason why there are no test clips: their usual list is missing."""
        return self._absent.get(split, "")

    def clips(self, split: Split, sources: Collection[str] | None = None) -> Sequence[Clip]:
        """The listed clips of a split, with and without a sound file."""
        parts = [self._located(name, listed) for name, listed in self.listed(split, sources)]
        return VideoClips.of(parts, self._files, self.labels) if parts else []

    def listed(self, split: Split, sources: Collection[str] | None = None) -> Iterable[tuple[str, ListedClips]]:
        """The lists of a split with their sources."""
        if split == "train":
            wanted = [name for name, path in self.train.items() if list_there(self.lists, path) is not None]
            return [(name, self.read(name, self.train[name])) for name in (wanted if sources is None else sources)]
        name = self._splits[split]
        return [] if name is None else [(split, self.read(split, name))]

    def findings(self, split: Split) -> Iterable[Finding]:
        """The defects of the existing lists of a split."""
        names = [*self.train.values()] if split == "train" else [self._splits[split]]
        there = {path.name: path for name in names if name and (path := list_there(self.lists, name)) is not None}
        if not there:
            return
        for listing in read_listings(self.root, list(there.values()), None, self.max_missing, self.audio).lists:
            yield from row_findings(listing, self.labels.names)

    def listings(self) -> Listings | None:
        """All published lists in the folder of its lists, and its own, with the folder of its clips."""
        own = (list_there(self.lists, name) for name in (*self.train.values(), *self._splits.values()) if name)
        lists = {path.resolve(): path for path in (*video_lists(self.lists), *own) if path is not None}
        return read_listings(self.root, [*lists.values()], None, self.max_missing, self.audio) if lists else None

    @classmethod
    def examine(cls, root: Path, tables: Sequence[str] | None = None) -> Listings | None:
        """All published lists in a folder and its subfolders."""
        lists = video_lists(root)
        return read_listings(root, lists, tables, cls.max_missing) if lists else None

    def read(self, source: str, name: str) -> ListedClips:
        """The clips of a list, with and without audio.

        Args:
            source: the source of the clips.
            name: file name of the list.

        Raises:
            WsedError: the list is missing or malformed.
        """
        return read_list(find_list(self.lists, name), self._index)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.classes)}

    @cached_property
    def _files(self) -> VideoFiles:
        return VideoFiles(audio_folder(self.root, self.audio))

    def _check_list(self, split: Split) -> None:
        """Refuse a missing list. Without the usual list of the test clips there is no test instead."""
        name = self._splits[split]
        if name is None or list_there(self.lists, name) is not None:
            return
        if name != self.usual_test:
            raise WsedError(f"data.corpus.{split}: {not_there(self.lists, name)}")
        self._splits[split] = None
        self._absent[split] = (
            f"no list {name} in {self.lists} or a folder in it; put it there, or set data.corpus.lists or "
            f"data.corpus.{split}"
        )

    def _located(self, source: str, listed: ListedClips) -> Located:
        file = self._files.find(listed.video, listed.begin)
        if not (file >= 0).any():
            raise WsedError(_no_clip(listed, self._files))
        return Located(source, listed, np.asarray(file, dtype=np.int64))


def lists_folder(root: Path, lists: Path | None) -> Path:
    """The folder of the lists.

    Raises:
        WsedError: there is no such folder.
    """
    folder = Path(root if lists is None else lists)
    if not folder.is_dir():
        setting = "root" if lists is None else "lists"
        raise WsedError(f"no such folder: {folder}; set data.corpus.{setting} to the folder of the lists")
    refuse_pack(folder)
    return folder


def _no_clip(listed: ListedClips, files: VideoFiles) -> str:
    some = f"{len(files)} files are named after videos, such as {files.path(0).name}" if len(files) else "no such names"
    name, video = listed.name(0), listed.video[0].decode()
    return (
        f"{listed.path}: none of its {len(listed)} clips is in {files.folder} or below ({some}); looked for {name}, "
        f"Y{name}, {video}.wav and the like; set data.corpus.audio to the folder of the clips"
    )
