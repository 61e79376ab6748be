"""Making the clips of a corpus, in one process or several."""

import multiprocessing
import signal
import zlib
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsed.data import audio
from wsed.data.processes import end_with_parent, n_cores
from wsed.data.synth.corpus_files import PARTS
from wsed.data.synth.draw import draw_scene
from wsed.data.synth.mix import Mix, SoundCache, mix
from wsed.data.synth.recipe import Recipe
from wsed.data.synth.records import ClipKey, ClipRecord, MixedStretch
from wsed.data.synth.scene import Scene
from wsed.data.synth.soundbank import Soundbank

_CLIPS_PER_WORKER = 16
"""A process is not started for fewer clips."""


def clip_generator(seed: int, split: str, index: int) -> np.random.Generator:
    """The random generator of one clip, which depends only on these arguments.

    >>> clip_generator(0, "train", 0).random() == clip_generator(0, "train", 0).random()
    True
    """
    return np.random.default_rng([seed, zlib.crc32(split.encode()), index])


@dataclass
class ClipMaker:
    """Draws, mixes and writes the clips of a corpus.

    Attributes:
        bank: the soundbank.
        recipes: split -> resolved recipe.
        seed: seed of the corpus.
        root: folder of the corpus; the folders of its splits must exist.

    >>> import tempfile
    >>> from wsed.data.synth.activity import Stretch
    >>> from wsed.data.synth.bank_files import Recording
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     root = Path(folder)
    ...     (root / PARTS["train"].audio).mkdir(parents=True)
    ...     audio.write(root / "hum.wav", np.full(8000, 0.1), 8000)
    ...     hum = Recording("hum.wav", "Hum", "1", 1.0, -20.0, (Stretch(0.0, 1.0, -20.0),))
    ...     bank = Soundbank(root, {"train": {"Hum": ((hum,),)}}, {"train": (hum,)}, "0")
    ...     recipe = Recipe(clips={"train": 1}, clip=2.0, sample_rate=8000).resolve(["Hum"])
    ...     record = ClipMaker(bank, {"train": recipe}, 0, root).make(ClipKey("train", 0))
    >>> record.filename, [label for label, onset, offset in record.events]
    ('train_00000.flac', ['Hum'])
    """

    bank: Soundbank
    recipes: Mapping[str, Recipe]
    seed: int
    root: Path

    def __post_init__(self) -> None:
        self._load: SoundCache | None = None

    def make(self, key: ClipKey) -> ClipRecord:
        """Write one clip and return its record."""
        recipe = self.recipes[key.split]
        if self._load is None:
            self._load = SoundCache(self.bank.root, recipe.sample_rate)
        rng = clip_generator(self.seed, key.split, key.index)
        sounds, backgrounds = self.bank.sounds[key.split], self.bank.backgrounds[key.split]
        scene = draw_scene(recipe, sounds, backgrounds, rng, key.index)
        mixed = mix(scene, recipe, self._load, rng)
        audio.write(self.root / PARTS[key.split].audio / key.filename, mixed.audio, recipe.sample_rate)
        return _record(key, scene, mixed)


def make_clips(maker: ClipMaker, keys: Sequence[ClipKey], workers: int | None) -> Generator[ClipRecord]:
    """Make clips and yield their records in order.

    Args:
        maker: makes one clip.
        keys: the clips to make.
        workers: maximum number of processes; None: one per core. Few clips are made in this process.

    >>> maker = ClipMaker(Soundbank(Path(), {}, {}, ""), {}, 0, Path())
    >>> list(make_clips(maker, [], workers=2))
    []
    """
    n_workers = max(1, min(workers or n_cores(), len(keys) // _CLIPS_PER_WORKER))
    if n_workers == 1:
        yield from map(maker.make, keys)
        return
    # Processes are spawned, not forked: this process may have threads (torch, rich), and Windows and macOS only spawn.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_workers, context, _begin_worker, (maker,)) as pool:
        try:
            yield from pool.map(_make, keys, chunksize=8)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _record(key: ClipKey, scene: Scene, mixed: Mix) -> ClipRecord:
    rows = tuple(
        MixedStretch(
            source_file=stem.sound.recording.path,
            event_label=label,
            onset=onset,
            offset=offset,
            source_onset=round(stretch.onset, 3),
            looped=stem.sound.loop is not None,
            gain_db=stem.gain,
            snr_db=stem.snr,
        )
        for stem in mixed.stems
        for (label, onset, offset), stretch in zip(stem.sound.events, stem.sound.stretches, strict=True)
    )
    events, background = tuple(scene.events), scene.background.path
    return ClipRecord(key.split, key.index, key.filename, events, rows, background, mixed.gain)


_maker: ClipMaker | None = None
"""The clip maker of this worker process."""


def _begin_worker(maker: ClipMaker) -> None:
    global _maker
    _maker = maker
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent stops its workers
    end_with_parent()


def _make(key: ClipKey) -> ClipRecord:
    assert _maker is not None
    return _maker.make(key)
