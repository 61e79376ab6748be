"""A tiny soundbank of tones, with one pitch per class and split, and helpers that draw clips from it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wsed.data import audio
from wsed.data.synth.clip_maker import clip_generator
from wsed.data.synth.draw import draw_scene
from wsed.data.synth.mix import Mix, SoundCache, mix
from wsed.data.synth.recipe import Recipe
from wsed.data.synth.scene import Scene
from wsed.data.synth.soundbank import Soundbank

RATE = 8000
SPLITS = ("train", "validation", "eval")
PITCH = {"bell": 500, "fan": 1000, "knock": 2000}
SHIFT = {"train": 0, "validation": 60, "eval": 120}
RECIPE = Recipe(
    clips={"train": 6, "validation": 3, "eval": 3}, clip=2.0, sample_rate=RATE, events={1: 1.0, 2: 1.0, 3: 1.0}
)


def tone(pitch: float, seconds: float, level: float = 0.5) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def sound(label: str, pitch: float) -> np.ndarray:
    """A bell rings once, a fan is steady, and a knock is three sounds, of which the last two are one event."""
    if label == "bell":
        return np.concatenate([silence(0.2), tone(pitch, 0.3), silence(0.2)])
    if label == "fan":
        return tone(pitch, 1.2)
    knock = tone(pitch, 0.15)
    return np.concatenate([knock, silence(0.4), knock, silence(0.1), knock, silence(0.3)])


def write_bank(root: Path) -> None:
    """Write a soundbank with two recordings of every class and of the background in each split."""
    rng = np.random.default_rng(0)
    for split in SPLITS:
        for label, pitch in PITCH.items():
            folder = root / "foreground" / split / label
            folder.mkdir(parents=True)
            for i in range(2):
                audio.write(folder / f"{i}.wav", sound(label, pitch + SHIFT[split] + 20 * i), RATE)
        folder = root / "background" / split
        folder.mkdir(parents=True)
        for i in range(2):
            audio.write(folder / f"{i}.wav", 0.05 * rng.standard_normal(round(0.8 * RATE)), RATE)


def draw(recipe: Recipe, bank: Soundbank, n: int, split: str = "train") -> list[Scene]:
    resolved = recipe.of(split).resolve(bank.labels)
    return [
        draw_scene(resolved, bank.sounds[split], bank.backgrounds[split], clip_generator(0, split, i), i)
        for i in range(n)
    ]


def mixes(recipe: Recipe, bank: Soundbank, n: int) -> list[tuple[Scene, Mix]]:
    load = SoundCache(bank.root, recipe.sample_rate)
    return [(s, mix(s, recipe, load, np.random.default_rng(i))) for i, s in enumerate(draw(recipe, bank, n))]


def tree(root: Path) -> dict[str, bytes]:
    """All files of a corpus except the journal, whose order depends on the workers."""
    return {
        str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file() and f.name != "synth.jsonl"
    }


def break_bank(bank_folder: Path, tmp_path: Path, change: Callable[[Path], object]) -> Path:
    root = tmp_path / "broken"
    shutil.copytree(bank_folder, root)
    change(root)
    return root


def empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
