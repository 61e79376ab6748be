"""AudioSet: two million clips with tags of 527 classes, some of them with events."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wsed.data.corpus.videos.corpus import VideoCorpus
from wsed.data.corpus.videos.layout import CLASSES, find_list, read_classes
from wsed.data.corpus.videos.lists import Segments, read_segments
from wsed.data.module import DATA

TRAIN = {
    "balanced": "balanced_train_segments.csv",
    "unbalanced": "unbalanced_train_segments.csv",
    "unbalanced_1m": "unbalanced_train_segments.csv",
    "strong": "audioset_train_strong.tsv",
}
TEST = "eval_segments.csv"
COMMON = ("Music", "Speech")
"""Clips of `unbalanced_1m` have other classes than these."""


@DATA.register("audioset")
class AudioSet(VideoCorpus):
    """AudioSet's lists as they are published, and the clips the user has of them.

    The sources of training clips are `balanced` (22 K), `unbalanced` (2 M), `unbalanced_1m` (those of them that have
    other tags than Music and Speech: Chou, Jang & Yang 2018) and `strong` (103 K, with events; labels that are none of
    the 527 classes are left out).

    Args:
        root: folder with the lists (`class_labels_indices.csv` among them) and, in `audio/` or anywhere below, the
            clips.
        batch: clips of each source in a training batch: `{balanced: 32, unbalanced: 32}`.
        test: list of the test clips: `eval_segments.csv` (20 K), or `audioset_eval_strong.tsv` with events.
        validation: list of the validation clips; None: none, unless `holdout` is set.
        predict: list of the clips to predict; the test clips if None.
        train: list of each source; added to the usual ones.
        more: the other settings of `VideoCorpus`; set `balanced: true` for balanced classes.

    Raises:
        WsedError: settings that contradict each other, or a list is not there.
    """

    usual_test = TEST

    def __init__(
        self,
        root: Path,
        batch: Mapping[str, int],
        test: str | None = TEST,
        validation: str | None = None,
        predict: str | None = None,
        train: Mapping[str, str] | None = None,
        lists: Path | None = None,
        **more: Any,
    ) -> None:
        classes = read_classes(find_list(Path(root if lists is None else lists), CLASSES))
        stages = {"validation": validation, "test": test, "predict": predict or test}
        super().__init__(root, classes, {**TRAIN, **(train or {})}, stages, batch, lists=lists, **more)

    def _segments(self, source: str, name: str) -> Segments:
        path = find_list(self.lists, name)
        segments = read_segments(path, self._index, others="strong" in name)
        if source != "unbalanced_1m":
            return segments
        common = torch.tensor([self.labels.index(label) for label in COMMON])
        rare = segments.labels.rows[~torch.isin(segments.labels.values, common)]
        return segments.take(np.flatnonzero(torch.bincount(rare, minlength=len(segments)).numpy()))
