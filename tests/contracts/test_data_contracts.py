"""Every corpus and every reader that is registered keeps its contract, and broken ones are noticed."""

from dataclasses import replace

import numpy as np
import pytest

import wsed
from wsed import testing
from wsed.data import audio
from wsed.data.clip_table import ClipTable
from wsed.data.corpus.base import Corpus
from wsed.data.corpus.desed import DESED
from wsed.data.packed.pack import pack
from wsed.data.reading.files import ClipDataset, Files
from wsed.data.windows import Windows, cut
from wsed.models.encoders.identity import Identity
from wsed.models.frontends import LogMel
from wsed.registry import registry

RATE = 8000


@pytest.mark.parametrize("name", wsed.components("corpus"))
def test_corpus(name, tmp_path):
    testing.check_corpus(registry("corpus")[name].example(tmp_path))


@pytest.fixture(scope="module")
def desed(tmp_path_factory) -> Corpus:
    return DESED.example(tmp_path_factory.mktemp("desed"))


@pytest.fixture(scope="module")
def table(desed) -> ClipTable:
    return ClipTable.of(desed.clips("train", ["strong"]), desed.labels, end=0.75)


@pytest.fixture(scope="module")
def network() -> wsed.Network:
    frontend = LogMel(RATE, 256, 80, 16, f_max=4000.0)
    return wsed.Composed(wsed.Labels(["high", "low"]), Identity, frontend=frontend)


@pytest.mark.parametrize("name", wsed.components("reader"))
def test_reader(name, table, network, desed, tmp_path):
    if name == "packed":
        pack(desed.root, tmp_path, RATE, workers=1)
    testing.check_reader(registry("reader")[name].example(tmp_path), table, RATE, network)


@pytest.mark.parametrize("reader", ["files", "features"])
def test_readers_of_parts_of_files(reader, desed, network, tmp_path):
    whole = [replace(clip, duration=1.0) for clip in desed.clips("train", ["strong"])]
    parts = ClipTable.of(cut(whole, Windows(0.5), "train"), desed.labels)
    testing.check_reader(registry("reader")[reader].example(tmp_path), parts, RATE, network)


def test_a_corpus_without_an_example_is_told_to_have_one(tmp_path):
    class Mute(DESED):
        example = classmethod(Corpus.example.__func__)

    with pytest.raises(NotImplementedError, match=r"Mute\.example writes a small corpus"):
        Mute.example(tmp_path)


def test_a_contract_notices_a_broken_corpus(desed):
    class Opens(DESED):
        def clips(self, split, sources=None):
            clips = super().clips(split, sources)
            audio.info(clips[0].path)
            return clips

    class Shuffles(DESED):
        calls = 0

        def clips(self, split, sources=None):
            Shuffles.calls += 1
            return list(super().clips(split, sources))[:: 1 if Shuffles.calls % 2 else -1]

    class Renames(DESED):
        def clips(self, split, sources=None):
            return [replace(clip, source="other") for clip in super().clips(split, sources)]

    class Tells(DESED):
        annotated = {"weak": ["high"]}  # noqa: RUF012

        def __init__(self, root):
            super().__init__(root)
            self.annotated = {"weak": ["high"]}

    for broken, message in (
        (Opens, "opens no sound file"),
        (Shuffles, "the same each time"),
        (Renames, "not one of the sources"),
        (Tells, "does not annotate"),
    ):
        with pytest.raises(AssertionError, match=message):
            testing.check_corpus(broken(desed.root))


def test_a_contract_notices_a_broken_reader(table, network):
    class Swaps(ClipDataset):
        """Features where audio is promised."""

        def __getitem__(self, index):
            item = super().__getitem__(index)
            return replace(item, audio=item.audio[::2])

    class Wanders(ClipDataset):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            return replace(item, audio=item.audio + np.float32(np.random.default_rng().random()))

    class Both(ClipDataset):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            return replace(item, features=np.zeros((2, 3), np.float32))

    for dataset, message in (
        (Swaps, "n_samples is the length"),
        (Wanders, "the same each time"),
        (Both, "audio or features"),
    ):

        class Broken(Files):
            of = dataset

            def open(self, table, sample_rate, network=None):
                return self.of(table, sample_rate)

        with pytest.raises(AssertionError, match=message):
            testing.check_reader(Broken(), table, RATE, network)
