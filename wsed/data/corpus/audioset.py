"""AudioSet: two million clips with tags of 527 classes, some of them with events."""

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from wsed.data.corpus.base import CORPORA, Corpus
from wsed.data.corpus.example_files import write_rows, write_tones
from wsed.data.corpus.videos.corpus import VideoCorpus, lists_folder
from wsed.data.corpus.videos.layout import CLASSES, find_list, list_there, read_classes
from wsed.data.corpus.videos.lists import ListedClips, labels_of_strong, read_list
from wsed.types import Split

TRAIN = {
    "balanced": "balanced_train_segments.csv",
    "unbalanced": "unbalanced_train_segments.csv",
    "unbalanced_1m": "unbalanced_train_segments.csv",
    "strong": "audioset_train_strong.tsv",
}
TEST = "eval_segments.csv"
COMMON = ("Music", "Speech")
"""Clips that have no other classes are left out of `unbalanced_1m`."""


@CORPORA.register("audioset")
class AudioSet(VideoCorpus):
    r"""AudioSet: the published lists, and the clips of them that the user has.

    The sources of training clips are `balanced` (22 K), `unbalanced` (2 M), `unbalanced_1m` (the clips of `unbalanced`
    with tags besides Music and Speech: Chou, Jang & Yang 2018) and `strong` (103 K, with events). Labels in `strong`
    that are not among the 527 classes are ignored; classes that never occur in a list with events were not annotated,
    and are unknown in its clips. There are no validation clips: set `data.holdout`.

    Args:
        root: folder with the lists (also `class_labels_indices.csv`), and with the clips in `audio/` or any subfolder.
        test: list of the test clips: `eval_segments.csv` (20 K), or `audioset_eval_strong.tsv` with events.
        validation: list of the validation clips; None: no validation clips.
        predict: list of the clips to predict; None: the test clips.
        train: lists of further sources, by the name of the source; added to the sources above.
        lists: folder of the lists, or a folder above it; `root` if None.
        audio: folder of the clips, with any subfolders; None: `root/audio`, or `root` if there is no such folder.

    Raises:
        WsedError: a list is missing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, CLASSES).write_text('index,mid,display_name\n0,/m/09x0r,"Speech"\n')
    ...     AudioSet(Path(folder)).labels.names
    ('Speech',)
    """

    def __init__(
        self,
        root: Path,
        test: str | None = TEST,
        validation: str | None = None,
        predict: str | None = None,
        train: Mapping[str, str] | None = None,
        lists: Path | None = None,
        audio: Path | None = None,
    ) -> None:
        classes = read_classes(find_list(lists_folder(root, lists), CLASSES))
        splits: dict[Split, str | None] = {"validation": validation, "test": test, "predict": predict or test}
        super().__init__(root, classes, {**TRAIN, **(train or {})}, splits, TEST, lists, audio)

    @cached_property
    def annotated(self) -> Mapping[str, Collection[str]]:  # type: ignore[override]
        """The classes that each list with events annotates: those that occur in it."""
        known: dict[str, Collection[str]] = {}
        for source, name in (*self.train.items(), *self._splits.items()):
            path = None if name is None else list_there(self.lists, name)
            labels = None if path is None else labels_of_strong(path)
            if labels is not None:
                known[source] = tuple(label for mid, label in self.classes.items() if mid in labels)
        return known

    @classmethod
    def example(cls, folder: Path) -> Corpus:
        """Six clips of Speech and Music, in the lists of balanced and of test clips."""
        mids, clips = ('"/m/09x0r"', '"/m/04rlf"'), [f"-{i:010d}" for i in range(6)]
        write_tones(folder, [f"{clip}_0.000_1.000.wav" for clip in clips])
        classes = (("index", "mid", "display_name"), (0, "/m/09x0r", "Speech"), (1, "/m/04rlf", "Music"))
        write_rows(folder / CLASSES, classes, ",")
        rows = [(clip, "0.000", "1.000", mids[i % 2]) for i, clip in enumerate(clips)]
        for name in (TRAIN["balanced"], TEST):
            write_rows(folder / name, [("# made",), ("# up",), ("# YTID", "start", "end", "labels"), *rows], ", ")
        return cls(folder)

    def read(self, source: str, name: str) -> ListedClips:
        """The clips of a list; for `unbalanced_1m`, only those with tags besides Music and Speech."""
        listed = read_list(find_list(self.lists, name), self._index, others="strong" in name)
        if source != "unbalanced_1m":
            return listed
        common = torch.tensor([self.labels.index(label) for label in COMMON])
        rare = listed.labels.rows[~torch.isin(listed.labels.values, common)]
        return listed.take(np.flatnonzero(torch.bincount(rare, minlength=len(listed)).numpy()))
