"""Every corpus and every reader that is registered keeps its contract, and broken ones are noticed."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import wsed
from tests.conftest import make_corpus
from wsed import testing
from wsed.data import audio
from wsed.data.clip_table import ClipTable
from wsed.data.corpus.base import Corpus
from wsed.data.corpus.desed import DESED
from wsed.data.corpus.folder.settings import Splits
from wsed.data.corpus.joint import Joint
from wsed.data.corpus.videos.layout import DCASE2017_LABELS
from wsed.data.reading.features import Features
from wsed.data.reading.files import ClipDataset, Files
from wsed.data.windows import Windows, cut
from wsed.models.encoders.identity import Identity
from wsed.models.frontends import LogMel
from wsed.registry import registry

RATE = 8000


@pytest.fixture(scope="module")
def roots(tmp_path_factory) -> dict[str, Path]:
    """A small corpus of each layout."""
    tones, videos = make_corpus(tmp_path_factory.mktemp("tones"), clips=4), tmp_path_factory.mktemp("videos")
    mids, clips = ("/m/a", "/m/b"), [f"-{i:010d}" for i in range(6)]
    (videos / "class_labels_indices.csv").write_text("index,mid,display_name\n0,/m/a,Speech\n1,/m/b,Music\n")
    rows = "".join(f'{c}, 0.000, 1.000, "{mids[i % 2]}"\n' for i, c in enumerate(clips))
    for name in ("balanced_train_segments", "eval_segments"):
        (videos / f"{name}.csv").write_text(f"# made\n# up\n# YTID, start, end, labels\n{rows}")
    rows = "".join(f"{c}_0.000_1.000.wav\t0.000\t1.000\t{DCASE2017_LABELS[i % 2]}\n" for i, c in enumerate(clips))
    for name in ("training", "testing"):
        (videos / f"groundtruth_weak_label_{name}_set.csv").write_text(rows)
    for clip in clips:
        soundfile.write(videos / f"{clip}_0.000_1.000.wav", np.zeros(RATE), RATE)
    return {"desed": tones, "single_event": tones, "audioset": videos, "dcase2017": videos}


def built(name: str, roots: dict[str, Path]) -> Corpus:
    if name == "folder":
        table = roots["desed"] / "metadata" / "train" / "strong.tsv"
        return registry("corpus")["folder"](
            roots["desed"] / "audio" / "train", events=str(table), splits=Splits(test=0.5)
        )
    if name == "joint":
        return Joint({"home": DESED(roots["desed"]), "street": registry("corpus")["dcase2017"](roots["dcase2017"])})
    corpus: Corpus = registry("corpus")[name](roots[name])
    return corpus


@pytest.mark.parametrize("name", wsed.components("corpus"))
def test_corpus(name, roots):
    testing.check_corpus(built(name, roots))


@pytest.fixture(scope="module")
def table(roots) -> ClipTable:
    corpus = DESED(roots["desed"])
    return ClipTable.of(corpus.clips("train", ["strong"]), corpus.labels, end=0.75)


@pytest.fixture(scope="module")
def network() -> wsed.Network:
    frontend = LogMel(RATE, 256, 80, 16, f_max=4000.0)
    return wsed.Composed(wsed.Labels(["high", "low"]), Identity, frontend=frontend)


@pytest.mark.parametrize("name", wsed.components("reader"))
def test_reader(name, table, network, tmp_path):
    arguments = {"features": {"folder": tmp_path}}.get(name, {})
    testing.check_reader(registry("reader")[name](**arguments), table, RATE, network)


@pytest.mark.parametrize("reader", ["files", "features"])
def test_readers_of_parts_of_files(reader, roots, network, tmp_path):
    corpus = DESED(roots["desed"])
    whole = [replace(clip, duration=1.0) for clip in corpus.clips("train", ["strong"])]
    parts = ClipTable.of(cut(whole, Windows(0.5), "train"), corpus.labels)
    of = Files() if reader == "files" else Features(tmp_path)
    testing.check_reader(of, parts, RATE, network)


def test_a_contract_notices_a_broken_corpus(roots):
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
            testing.check_corpus(broken(roots["desed"]))


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
