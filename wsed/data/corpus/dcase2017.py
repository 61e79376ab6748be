"""DCASE 2017 task 4: warning and vehicle sounds, clips of AudioSet with tags."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wsed.data.corpus.videos.corpus import VideoCorpus
from wsed.data.corpus.videos.layout import DCASE2017_LABELS
from wsed.data.corpus.videos.lists import Segments, read_segments, with_events
from wsed.data.module import DATA

TRAIN = "groundtruth_weak_label_training_set.csv"
TEST = "groundtruth_weak_label_testing_set.csv"
"""Lists as the challenge names them; the evaluation set's is `groundtruth_weak_label_evaluation_set.csv`."""


@DATA.register("dcase2017")
class DCASE2017(VideoCorpus):
    """51,172 training and 488 test clips of 10 s with tags of 17 classes; the evaluation set has 1,103.

    The lists are those the challenge published. Where a list of events lies beside that of the test tags
    (`groundtruth_strong_label_testing_set.csv`), events are scored too.

    Args:
        root: folder with the lists and, in `audio/` or anywhere below, the clips.
        batch: clips in a training batch; their source is called `weak`.
        test: list of the test clips; without it there is no test. Another is that of the evaluation set.
        validation: list of the validation clips.
        predict: list of the clips to predict; the test clips if None.
        holdout: share of the training clips kept for validation, of each class; None: none.
        more: the other settings of `VideoCorpus`.

    Raises:
        WsedError: settings that contradict each other, or a list is not there.
    """

    usual_test = TEST

    def __init__(
        self,
        root: Path,
        batch: Mapping[str, int] = MappingProxyType({"weak": 64}),
        test: str | None = TEST,
        validation: str | None = None,
        predict: str | None = None,
        holdout: float | None = 0.1,
        **more: Any,
    ) -> None:
        stages = {"validation": validation, "test": test, "predict": predict or test}
        classes = {name: name for name in DCASE2017_LABELS}
        super().__init__(root, classes, {"weak": TRAIN}, stages, batch, holdout=holdout, **more)

    def _segments(self, source: str, name: str) -> Segments:
        tags = super()._segments(source, name)
        events = tags.path.with_name(name.replace("weak", "strong"))
        if events == tags.path or not events.is_file():
            return tags
        return with_events(tags, read_segments(events, self._index))
