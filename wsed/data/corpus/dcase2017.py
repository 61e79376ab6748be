"""DCASE 2017 task 4: clips of AudioSet with tags of warning and vehicle sounds."""

from pathlib import Path

from wsed.data.corpus.base import CORPORA, Corpus
from wsed.data.corpus.example_files import write_rows, write_tones
from wsed.data.corpus.videos.corpus import VideoCorpus
from wsed.data.corpus.videos.layout import DCASE2017_LABELS
from wsed.data.corpus.videos.lists import ListedClips, read_list, with_events
from wsed.types import Split

TRAIN = "groundtruth_weak_label_training_set.csv"
TEST = "groundtruth_weak_label_testing_set.csv"
"""The lists of the challenge; that of the evaluation set is `groundtruth_weak_label_evaluation_set.csv`."""


@CORPORA.register("dcase2017")
class DCASE2017(VideoCorpus):
    """DCASE 2017 task 4: 51,172 training and 488 test clips of 10 s with tags of 17 classes.

    The lists are those of the challenge. The source of the training clips is `weak`. There are no validation clips: set
    `data.holdout`, for example to 0.1. Events are scored too if their list (`groundtruth_strong_label_testing_set.csv`)
    lies beside the list of the test tags.

    Args:
        root: folder with the lists, and with the clips in `audio/` or in any subfolder.
        test: list of the test clips; there is no test without it. The list of the evaluation set (1,103 clips) is
            `groundtruth_weak_label_evaluation_set.csv`.
        validation: list of the validation clips; None: no validation clips.
        predict: list of the clips to predict; None: the test clips.
        lists: folder of the lists, or a folder above it; `root` if None.
        audio: folder of the clips, with any subfolders; None: `root/audio`, or `root` if there is no such folder.

    Raises:
        WsedError: a list is missing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     corpus = DCASE2017(Path(folder))
    >>> len(corpus.labels), corpus.sources, corpus.has("test")
    (17, ('weak',), False)
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

    @classmethod
    def example(cls, folder: Path) -> Corpus:
        """Six clips of two classes, in the lists of training and of test clips."""
        names = [f"-{i:010d}_0.000_1.000.wav" for i in range(6)]
        write_tones(folder, names)
        rows = [(name, "0.000", "1.000", DCASE2017_LABELS[i % 2]) for i, name in enumerate(names)]
        for table in (TRAIN, TEST):
            write_rows(folder / table, rows)
        return cls(folder)

    def read(self, source: str, name: str) -> ListedClips:
        """The clips of a list, with events if a list of events lies beside it."""
        tags = super().read(source, name)
        events = tags.path.with_name(tags.path.name.replace("weak", "strong"))
        if events == tags.path or not events.is_file():
            return tags
        return with_events(tags, read_list(events, self._index))
