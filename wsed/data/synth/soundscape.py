"""Synthesis of a corpus of soundscapes, in the layout of DESED, from a soundbank and a recipe."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from wsed.data.synth.clip_maker import ClipMaker, make_clips
from wsed.data.synth.corpus_files import PARTS, CorpusFiles, disk_errors
from wsed.data.synth.recipe import Recipe, used_classes
from wsed.data.synth.recipe_files import load_recipe
from wsed.data.synth.records import ClipKey, ClipRecord
from wsed.data.synth.soundbank import Soundbank, drop_short, open_soundbank
from wsed.errors import WsedError

_VERSION = 1
"""Part of the fingerprint: increase it when the same recipe and seed give other audio."""

Progress = Callable[[int, int], None]
"""Called with the number of finished clips and the number of all clips."""


@dataclass(frozen=True)
class Summary:
    """What a synthetic corpus contains.

    Attributes:
        out: folder of the corpus.
        clips: split -> number of clips.
        hours: split -> duration of all clips, hours.
        made: number of clips made by this call; the others existed before.
        events: split -> class -> number of events.
        recordings: split -> class -> number of different recordings that the events come from.
        labels: all classes, sorted.

    >>> counts = {"train": {"Dog": 3}}
    >>> Summary(Path("data/toy"), {"train": 2}, {"train": 0.01}, 2, counts, counts, ("Dog",)).made
    2
    """

    out: Path
    clips: Mapping[str, int]
    hours: Mapping[str, float]
    made: int
    events: Mapping[str, Mapping[str, int]]
    recordings: Mapping[str, Mapping[str, int]]
    labels: tuple[str, ...]


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
    """Make a corpus of soundscapes, or continue one that was interrupted.

    A clip depends only on the recipe, the soundbank, the seed, its split and its index. It does not depend on the
    number of workers or on interruptions. Call again with larger `clips` to add clips.

    Args:
        out: folder of the corpus, in the layout of DESED.
        soundbank: folder of a soundbank, or `builtin` for synthetic sounds, which are written to `out/soundbank`.
        recipe: name of a packaged recipe, path of a YAML file, or `Recipe`.
        seed: seed of all random numbers.
        clips: split -> number of clips, in place of those of the recipe.
        workers: number of processes; None: one per core. With more than one, the calling script needs the
            `if __name__ == "__main__":` guard.
        overwrite: replace a corpus with another recipe, soundbank or seed.
        progress: called after each clip.

    Raises:
        WsedError: the recipe, soundbank or folder cannot be used; the message says what to change.

    >>> import tempfile
    >>> import numpy as np
    >>> from wsed.data import audio
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     bank = Path(folder) / "bank"
    ...     for name in ("foreground/train/Hum/1.wav", "background/train/rain.wav"):
    ...         (bank / name).parent.mkdir(parents=True)
    ...         audio.write(bank / name, np.full(8000, 0.1), 8000)
    ...     recipe = Recipe(clips={"train": 2}, clip=2.0, sample_rate=8000)
    ...     summary = synthesise(Path(folder) / "corpus", soundbank=bank, recipe=recipe)
    >>> summary.clips, summary.events
    ({'train': 2}, {'train': Counter({'Hum': 2})})
    """
    if seed < 0:
        raise WsedError(f"seed is {seed}, expected 0 or more")
    with disk_errors(Path(out)):
        files, plan = CorpusFiles(Path(out)), _plan(recipe, clips)
        files.check_free()
        bank = _open_bank(soundbank, files.root, plan)
        recipes = {split: _resolve(plan, bank, split, recipe) for split in plan.clips}
        finished = files.begin(_fingerprint(plan, bank, seed), plan.clips, overwrite)
        missing = [
            key for split, n in plan.clips.items() for i in range(n) if (key := ClipKey(split, i)) not in finished
        ]
        total = sum(plan.clips.values())
        with closing(make_clips(ClipMaker(bank, recipes, seed, files.root), missing, workers)) as records:
            for n_finished, record in enumerate(records, start=total - len(missing) + 1):
                files.add(record)
                if progress is not None:
                    progress(n_finished, total)
        labels = sorted({label for r in recipes.values() for label in used_classes(r)})
        return _summary(files.root, files.finish(labels, plan.clip), bank, labels, plan.clip, len(missing))


def _plan(recipe: str | Recipe, clips: Mapping[str, int] | None) -> Recipe:
    """The recipe with the requested numbers of clips, without splits that have no clips."""
    plan = load_recipe(recipe) if isinstance(recipe, str) else recipe
    plan = replace(plan, clips={**plan.clips, **(clips or {})})
    counts = {split: plan.clips.get(split, 0) for split in PARTS}
    if not any(counts.values()):
        raise WsedError("no clips to make: every split has 0; pass for example --clips train=100")
    return replace(plan, clips={split: n for split, n in counts.items() if n})


def _open_bank(soundbank: str | Path, root: Path, plan: Recipe) -> Soundbank:
    folder = Path(soundbank)
    if str(soundbank) == "builtin":
        from wsed.data.synth.builtin import write_soundbank

        folder = write_soundbank(root / "soundbank")
    bank = open_soundbank(folder, plan.clips, plan.sample_rate)
    return replace(bank, sounds={s: drop_short(bank.sounds[s], plan.of(s).shortest) for s in plan.clips})


def _resolve(plan: Recipe, bank: Soundbank, split: str, name: str | Recipe) -> Recipe:
    """The recipe of a split with the classes of the soundbank; every class that it uses has recordings."""
    try:
        recipe = plan.of(split).resolve(bank.labels)
    except WsedError as error:
        raise WsedError(f"recipe {name}: {error}" if isinstance(name, str) else str(error)) from None
    sounds = bank.sounds[split]
    for label in sorted(used_classes(recipe)):
        if not sounds.get(label):
            raise WsedError(
                f"the class {label!r} has no recording with {recipe.shortest:g} s of sound in the split {split!r}: add "
                f"some to {bank.root / 'foreground' / split / label}, or exclude it with 'classes: {{{label}: 0}}'"
            )
    return recipe


def _fingerprint(plan: Recipe, bank: Soundbank, seed: int) -> dict[str, object]:
    recipe = {name: value for name, value in asdict(plan).items() if value is not None}
    del recipe["clips"]  # clips can be added to a corpus
    return {"version": _VERSION, "seed": seed, "soundbank": bank.identity, "recipe": json.loads(json.dumps(recipe))}


def _summary(
    out: Path, records: Sequence[ClipRecord], bank: Soundbank, labels: list[str], clip: float, made: int
) -> Summary:
    clips = Counter(r.split for r in records)
    events = {split: Counter(label for r in records if r.split == split for label, _, _ in r.events) for split in clips}
    hours = {split: n * clip / 3600 for split, n in clips.items()}
    origins = {r.path: r.origin for sounds in bank.sounds.values() for of in sounds.values() for o in of for r in o}
    used = {(r.split, row.event_label, origins[row.source_file]) for r in records for row in r.rows}
    recordings = {split: Counter(label for s, label, _ in used if s == split) for split in clips}
    return Summary(out, dict(clips), hours, made, events, recordings, tuple(labels))
