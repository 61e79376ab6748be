"""Synthesis of soundscapes: from a soundbank and a recipe to a corpus laid out as DESED, the same at every run."""

import json
import multiprocessing
import os
import signal
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wsed.data import audio
from wsed.data.processes import end_with_parent
from wsed.data.synth.corpus_files import PARTS, Corpus, clip_name
from wsed.data.synth.mix import Mix, SoundCache, mix
from wsed.data.synth.recipe import Recipe, load_recipe, used_classes
from wsed.data.synth.scene import Scene, draw_scene
from wsed.data.synth.soundbank import Soundbank, drop_short, open_soundbank
from wsed.errors import WsedError

_VERSION = 1
"""Part of the fingerprint: raise it when the same recipe and seed give other audio."""

Progress = Callable[[int, int], None]
"""Called with the clips done and the clips in all."""


@dataclass(frozen=True)
class Summary:
    """What lies in a corpus: clips, hours, and events of each class, by split; `made`: the clips of this call.

    `recordings`: how many different recordings the events of each class were cut from, by split.
    """

    out: Path
    clips: Mapping[str, int]
    hours: Mapping[str, float]
    made: int
    events: Mapping[str, Mapping[str, int]]
    recordings: Mapping[str, Mapping[str, int]]
    labels: tuple[str, ...]


@dataclass(frozen=True)
class _Job:
    split: str
    index: int


def synthesise(
    out: str | Path,
    *,
    soundbank: str | Path = "builtin",
    recipe: str | Recipe = "domestic",
    seed: int = 0,
    clips: Mapping[str, int] | None = None,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Summary:
    """Make a corpus of soundscapes in `out`, or go on with one that was interrupted.

    A clip depends on the recipe, the soundbank, the seed, its split and its index alone: not on the number of
    workers, nor on how often the work was stopped. More clips can be added later by calling again.

    Args:
        out: folder of the corpus, in DESED's layout.
        soundbank: folder of a soundbank, or `builtin` for a procedural one (kept in `out/soundbank`).
        recipe: packaged name, YAML file or `Recipe`.
        seed: of everything drawn.
        clips: split -> number of clips, in place of the recipe's.
        workers: processes; one a core if None. With more than one, a script that calls this needs the
            `if __name__ == "__main__":` guard.
        overwrite: replace a corpus made by another recipe, soundbank or seed.
        progress: called as clips are done.

    Raises:
        WsedError: the recipe, soundbank or folder cannot be used; the message says what to change.
    """
    if seed < 0:
        raise WsedError(f"seed is {seed}, expected 0 or more")
    corpus, plan = Corpus(Path(out)), _plan(recipe, clips)
    corpus.check_free()
    bank = _bank(soundbank, corpus, plan)
    recipes = {split: _resolve(plan, bank, split, recipe) for split in plan.clips}
    done = corpus.begin(_fingerprint(plan, bank, seed), plan.clips, overwrite)
    jobs = [_Job(split, i) for split, n in plan.clips.items() for i in range(n) if (split, i) not in done]
    total = sum(plan.clips.values())
    with closing(_run(_Work(bank, recipes, seed, corpus.root), jobs, workers)) as records:
        for n_done, record in enumerate(records, start=total - len(jobs) + 1):
            corpus.add(record)
            if progress is not None:
                progress(n_done, total)
    labels = sorted({label for r in recipes.values() for label in used_classes(r)})
    return _summary(corpus.root, corpus.finish(labels, plan.clip), bank, labels, plan.clip, len(jobs))


def clip_generator(seed: int, split: str, index: int) -> np.random.Generator:
    """The random generator of one clip."""
    return np.random.default_rng([seed, zlib.crc32(split.encode()), index])


@dataclass
class _Work:
    """All that a worker needs to make any clip."""

    bank: Soundbank
    recipes: Mapping[str, Recipe]
    seed: int
    root: Path

    def __post_init__(self) -> None:
        self._load: SoundCache | None = None

    def make(self, job: _Job) -> dict[str, Any]:
        """Write one clip and return its record."""
        recipe = self.recipes[job.split]
        if self._load is None:
            self._load = SoundCache(self.bank.root, recipe.sample_rate)
        rng = clip_generator(self.seed, job.split, job.index)
        sounds, backgrounds = self.bank.sounds[job.split], self.bank.backgrounds[job.split]
        scene = draw_scene(recipe, sounds, backgrounds, rng, job.index)
        mixed = mix(scene, recipe, self._load, rng)
        name = clip_name(job.split, job.index)
        audio.write(self.root / PARTS[job.split].audio / name, mixed.audio, recipe.sample_rate)
        return {"split": job.split, "index": job.index, "filename": name, **_record(scene, mixed)}


def _record(scene: Scene, mixed: Mix) -> dict[str, Any]:
    rows = [
        [s.sound.recording.path, label, onset, offset, round(source.onset, 3), s.sound.loop is not None, s.gain, s.snr]
        for s in mixed.stems
        for (label, onset, offset), source in zip(s.sound.events, s.sound.stretches, strict=True)
    ]
    return {"events": scene.events, "rows": rows, "background": scene.background.path, "gain": mixed.gain}


_work: _Work | None = None


def _begin_worker(work: _Work) -> None:
    global _work
    _work = work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller stops the workers
    end_with_parent()


def _make(job: _Job) -> dict[str, Any]:
    assert _work is not None
    return _work.make(job)


def _run(work: _Work, jobs: Sequence[_Job], workers: int | None) -> Generator[dict[str, Any]]:
    n_workers = max(1, min(workers or _n_cores(), len(jobs) // 16))
    if n_workers == 1:
        yield from map(work.make, jobs)
        return
    # Spawned, not forked: the caller may hold threads (torch, rich), and Windows and macOS know nothing else.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(n_workers, context, _begin_worker, (work,)) as pool:
        try:
            yield from pool.map(_make, jobs, chunksize=8)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _plan(recipe: str | Recipe, clips: Mapping[str, int] | None) -> Recipe:
    """The recipe with the numbers of clips asked for, splits without clips left out."""
    plan = load_recipe(recipe) if isinstance(recipe, str) else recipe
    plan = replace(plan, clips={**plan.clips, **(clips or {})})
    wanted = {split: plan.clips.get(split, 0) for split in PARTS}
    if not any(wanted.values()):
        raise WsedError("no clips to make: every split has 0; pass for example --clips train=100")
    return replace(plan, clips={split: n for split, n in wanted.items() if n})


def _bank(soundbank: str | Path, corpus: Corpus, plan: Recipe) -> Soundbank:
    folder = Path(soundbank)
    if str(soundbank) == "builtin":
        from wsed.data.synth.builtin import write_soundbank

        folder = write_soundbank(corpus.root / "soundbank")
    bank = open_soundbank(folder, plan.clips, plan.sample_rate)
    return replace(bank, sounds={s: drop_short(bank.sounds[s], plan.of(s).shortest) for s in plan.clips})


def _resolve(plan: Recipe, bank: Soundbank, split: str, name: str | Recipe) -> Recipe:
    try:
        recipe = plan.of(split).resolve(bank.labels)
    except WsedError as error:
        raise WsedError(f"recipe {name}: {error}" if isinstance(name, str) else str(error)) from None
    sounds = bank.sounds[split]
    for label in sorted(used_classes(recipe)):
        if not sounds.get(label):
            raise WsedError(
                f"the class {label!r} has no recording with {recipe.shortest:g} s of sound in the split {split!r}: add "
                f"some to {bank.root / 'foreground' / split / label}, or take the class out ('classes: {{{label}: 0}}')"
            )
    return recipe


def _fingerprint(plan: Recipe, bank: Soundbank, seed: int) -> dict[str, Any]:
    recipe = {name: value for name, value in asdict(plan).items() if value is not None}
    del recipe["clips"]  # more clips can be added to a corpus
    return {"version": _VERSION, "seed": seed, "soundbank": bank.identity, "recipe": json.loads(json.dumps(recipe))}


def _summary(
    out: Path, records: Sequence[Mapping[str, Any]], bank: Soundbank, labels: list[str], clip: float, made: int
) -> Summary:
    clips = Counter(r["split"] for r in records)
    events = {
        split: Counter(label for r in records if r["split"] == split for label, _, _ in r["events"]) for split in clips
    }
    hours = {split: n * clip / 3600 for split, n in clips.items()}
    origins = {r.path: r.origin for sounds in bank.sounds.values() for of in sounds.values() for o in of for r in o}
    used = {(r["split"], label, origins[path]) for r in records for path, label, *_ in r["rows"]}
    recordings = {split: Counter(label for s, label, _ in used if s == split) for split in clips}
    return Summary(out, dict(clips), hours, made, events, recordings, tuple(labels))
