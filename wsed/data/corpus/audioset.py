"""AudioSet: two million clips with tags of 527 classes, some of them with events."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from wsed.data.corpus.base import CORPORA
from wsed.data.corpus.videos.corpus import VideoCorpus, lists_folder
from wsed.data.corpus.videos.layout import CLASSES, find_list, read_classes
from wsed.data.corpus.videos.lists import ListedClips, read_list
from wsed.types import Split

TRAIN = {
    "balanced": "balanced_train_segments.csv",
    "unbalanced": "unbalanced_train_segments.csv",
    "unbalanced_1m": "unbalanced_train_segments.csv",
    "strong": "audioset_train_strong.tsv",
}
TEST = "eval_segments.csv"
COMMON = ("Music", "Speech")
"""Clips of `unbalanced_1m` have other classes than these."""


@CORPORA.register("audioset")
class AudioSet(VideoCorpus):
    """AudioSet's lists as they are published, and the clips the user has of them.

    The sources of training clips are `balanced` (22 K), `unbalanced` (2 M), `unbalanced_1m` (those of them that have
    other tags than Music and Speech: Chou, Jang & Yang 2018) and `strong` (103 K, with events; labels that are none of
    the 527 classes are left out). There are no validation clips: set `data.holdout`.

    Args:
        root: folder with the lists (`class_labels_indices.csv` among them) and, in `audio/` or anywhere below, the
            clips.
        test: list of the test clips: `eval_segments.csv` (20 K), or `audioset_eval_strong.tsv` with events.
        validation: list of the validation clips.
        predict: list of the clips to predict; the test clips if None.
        train: list of each source; added to the usual ones.
        lists: folder of the lists, which may also lie in a folder below it; `root` if None.
        audio: folder of the clips, at any depth; `root/audio` if None, or `root` where there is no such folder.

    Raises:
        WsedError: a list is not there.
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

    def read(self, source: str, name: str) -> ListedClips:
        """The clips that a list names; of `unbalanced_1m`, those with other tags than Music and Speech."""
        listed = read_list(find_list(self.lists, name), self._index, others="strong" in name)
        if source != "unbalanced_1m":
            return listed
        common = torch.tensor([self.labels.index(label) for label in COMMON])
        rare = listed.labels.rows[~torch.isin(listed.labels.values, common)]
        return listed.take(np.flatnonzero(torch.bincount(rare, minlength=len(listed)).numpy()))
