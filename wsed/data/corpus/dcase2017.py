"""DCASE 2017 task 4: warning and vehicle sounds, clips of AudioSet with tags."""

from pathlib import Path

from wsed.data.corpus.base import CORPORA
from wsed.data.corpus.videos.corpus import VideoCorpus
from wsed.data.corpus.videos.layout import DCASE2017_LABELS
from wsed.data.corpus.videos.lists import ListedClips, read_list, with_events
from wsed.types import Split

TRAIN = "groundtruth_weak_label_training_set.csv"
TEST = "groundtruth_weak_label_testing_set.csv"
"""Lists as the challenge names them; the evaluation set's is `groundtruth_weak_label_evaluation_set.csv`."""


@CORPORA.register("dcase2017")
class DCASE2017(VideoCorpus):
    """51,172 training and 488 test clips of 10 s with tags of 17 classes; the evaluation set has 1,103.

    The lists are those the challenge published. Training clips are of the source `weak`; there are no validation clips,
    so set `data.holdout` to 0.1. Where a list of events lies beside that of the test tags
    (`groundtruth_strong_label_testing_set.csv`), events are scored too.

    Args:
        root: folder with the lists and, in `audio/` or anywhere below, the clips.
        test: list of the test clips; without it there is no test. Another is that of the evaluation set.
        validation: list of the validation clips.
        predict: list of the clips to predict; the test clips if None.
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
        lists: Path | None = None,
        audio: Path | None = None,
    ) -> None:
        classes = {name: name for name in DCASE2017_LABELS}
        splits: dict[Split, str | None] = {"validation": validation, "test": test, "predict": predict or test}
        super().__init__(root, classes, {"weak": TRAIN}, splits, TEST, lists, audio)

    def read(self, source: str, name: str) -> ListedClips:
        """The clips that a list names, with events where a list of them lies beside it."""
        tags = super().read(source, name)
        events = tags.path.with_name(name.replace("weak", "strong"))
        if events == tags.path or not events.is_file():
            return tags
        return with_events(tags, read_list(events, self._index))
