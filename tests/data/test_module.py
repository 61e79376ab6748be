"""The data module: which batches a training gets, and what it refuses."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from tests.data.modules import module, serving
from wsed.data.checks import Episodes
from wsed.data.clip import Clip
from wsed.data.corpus.base import Corpus
from wsed.errors import WsedError
from wsed.models.encoders.cnn import CNN
from wsed.models.frontends import LogMel
from wsed.models.network import Composed
from wsed.types import Labels


class Listed(Corpus):
    """A corpus of one's own: a list of clips."""

    sources, labels = ("weak",), Labels(["Dog"])

    def __init__(self, clips):
        self.all = clips

    def clips(self, split, sources=None):
        return self.all


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    for i in range(12):
        soundfile.write(tmp_path / f"{i}.wav", np.zeros(800), 8000)
    return [Clip(f"{i}.wav", tmp_path / f"{i}.wav", "weak", frozenset({"Dog"})) for i in range(12)]


def at(epoch: int, done: int) -> SimpleNamespace:
    """The loop of a training in an epoch of which some batches are done."""
    return SimpleNamespace(
        epoch_progress=SimpleNamespace(current=SimpleNamespace(ready=epoch + 1, processed=epoch)),
        epoch_loop=SimpleNamespace(batch_progress=SimpleNamespace(current=SimpleNamespace(ready=done, processed=done))),
    )


@pytest.mark.parametrize(
    ("done", "limit", "expected"),
    [(0, 1.0, (1, 0)), (2, 1.0, (1, 2)), (4, 1.0, (2, 0)), (3, 3, (2, 0)), (2, 0.5, (2, 0)), (2, 9, (1, 2))],
)
def test_a_training_goes_on_where_its_checkpoint_was_written(clips, tmp_path, done, limit, expected):
    """With a checkpoint written after the last batch of an epoch, the next epoch had no batches."""
    data = serving(module(Listed(clips), {"weak": 3}), tmp_path)
    data.trainer.fit_loop, data.trainer.limit_train_batches = at(1, done), limit
    sampler, (epoch, skipped) = data.train_dataloader().batch_sampler, expected
    assert sampler.epoch == epoch  # reading processes fetch batches before Lightning says which epoch it is
    whole = serving(module(Listed(clips), {"weak": 3}), tmp_path).train_dataloader().batch_sampler
    whole.set_epoch(epoch)
    assert list(sampler) == list(whole)[skipped:]


@pytest.mark.parametrize("how", [{"batch": {"weak": 3}}, {"episodes": Episodes()}])
def test_a_corpus_without_training_clips_is_refused(tmp_path, how):
    with pytest.raises(WsedError, match=r"there are no training clips: check data.corpus"):
        serving(module(Listed([]), **how), tmp_path)


def test_a_clip_shorter_than_a_frame_is_refused_before_the_training(clips, tmp_path):
    for i in range(4):
        soundfile.write(tmp_path / f"short_{i}.wav", np.zeros(100 + i), 8000)
    short = [Clip(f"short_{i}.wav", tmp_path / f"short_{i}.wav", "weak", frozenset({"Dog"})) for i in range(4)]
    network = Composed(Labels(["Dog"]), partial(CNN, channels=4, pools=[(4, 4)]), frontend=LogMel(8000, 256, 160, 64))
    assert serving(module(Listed(clips), {"weak": 3}), tmp_path, network=network)
    said = r"train: 4 of 16 clips are shorter than one frame .*: short_0.wav \(0.0125 s\), short_1.wav .*, \.\.\.; take"
    with pytest.raises(WsedError, match=said):
        serving(module(Listed([*clips, *short]), {"weak": 3}), tmp_path, network=network)
