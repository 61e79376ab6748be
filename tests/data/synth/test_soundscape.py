"""Synthesis of soundscapes, on a tiny soundbank of tones: a pitch for each class and split."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsed.data import audio, table
from wsed.data.synth.activity import active_stretches, power_db
from wsed.data.synth.clip_maker import clip_generator
from wsed.data.synth.corpus_files import PARTS
from wsed.data.synth.draw import draw_scene
from wsed.data.synth.mix import Mix, SoundCache, fade, loop, mix
from wsed.data.synth.recipe import Recipe
from wsed.data.synth.recipe_files import load_recipe, packaged
from wsed.data.synth.scene import Scene, merge_events, polyphony
from wsed.data.synth.soundbank import Soundbank, open_soundbank
from wsed.data.synth.soundscape import synthesise
from wsed.errors import WsedError

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
    """A bell rings once, a fan goes on, a knock is three with pauses; the last two are close enough to be one event."""
    if label == "bell":
        return np.concatenate([silence(0.2), tone(pitch, 0.3), silence(0.2)])
    if label == "fan":
        return tone(pitch, 1.2)
    knock = tone(pitch, 0.15)
    return np.concatenate([knock, silence(0.4), knock, silence(0.1), knock, silence(0.3)])


@pytest.fixture(scope="module")
def bank_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bank")
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
    return root


@pytest.fixture(scope="module")
def bank(bank_folder: Path) -> Soundbank:
    return open_soundbank(bank_folder, SPLITS, RATE)


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
    """Every file of a corpus but the journal, whose order is the order of the work."""
    return {
        str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file() and f.name != "synth.jsonl"
    }


# Soundbank


def test_pauses_split_events_and_short_gaps_are_closed() -> None:
    spans = active_stretches(sound("knock", 2000), RATE)
    np.testing.assert_allclose(spans, [(0.0, 0.15), (0.55, 0.95)], atol=0.021)


def test_steady_sound_is_active_throughout() -> None:
    assert active_stretches(tone(300, 1.0), RATE) == [(0.0, 1.0)]


def test_segments_of_a_manifest_win(bank_folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "bank"
    (root / "foreground/train/fan").mkdir(parents=True)
    (root / "background/train").mkdir(parents=True)
    audio.write(root / "foreground/train/fan/0.wav", tone(300, 1.2), RATE)
    audio.write(root / "background/train/0.wav", tone(100, 1.0), RATE)
    rows = [("foreground/train/fan/0.wav", "0.10-0.30;0.40-0.50;0.90-1.20", "a")]
    table.write_rows(root / "manifest.tsv", ("path", "segments", "recording_id"), rows)
    (recording,) = open_soundbank(root, ["train"], RATE).sounds["train"]["fan"][0]
    assert [(s.onset, s.offset) for s in recording.stretches] == [(0.1, 0.5), (0.9, 1.2)]


# Scenes


def test_number_of_events_and_polyphony(bank: Soundbank) -> None:
    crowd = {"*": {"*": 0.5}}
    recipe = replace(RECIPE, events={3: 1.0, 4: 1.0}, polyphony=2, clip=3.0, together=crowd)
    scenes = draw(recipe, bank, 200)
    assert max(polyphony(s.events) for s in scenes) == 2
    assert all(1 <= sum(len(x.events) for x in s.sounds) <= 4 for s in scenes)
    alone = draw(replace(recipe, polyphony=1), bank, 200)
    assert max(polyphony(s.events) for s in alone) == 1


def test_one_event_balanced(bank: Soundbank) -> None:
    scenes = draw(replace(RECIPE, events={1: 1.0}, balanced=True), bank, 30)
    labels = [event[0] for s in scenes for event in s.events]
    assert {label: labels.count(label) for label in PITCH} == dict.fromkeys(PITCH, 10)
    assert all(len(s.events) == 1 for s in scenes)


def test_clips_without_events(bank: Soundbank) -> None:
    scenes = draw(replace(RECIPE, events={0: 1.0, 1: 1.0}), bank, 400)
    assert np.mean([not s.sounds for s in scenes]) == pytest.approx(0.5, abs=0.08)


def test_class_prior(bank: Soundbank) -> None:
    scenes = draw(replace(RECIPE, events={1: 1.0}, classes={"bell": 3.0, "FAN": 0.0}), bank, 400)
    labels = [s.events[0][0] for s in scenes]
    assert "fan" not in labels
    assert labels.count("bell") / len(labels) == pytest.approx(0.75, abs=0.07)


def test_co_occurrence_by_split(bank: Soundbank) -> None:
    apart = {"validation": {"together": {}}}
    recipe = replace(RECIPE, classes={"bell": 0.0}, together={"knock": {"bell": 0.4}}, splits=apart)

    def share(split: str) -> float:
        held = [{e[0] for e in s.events} for s in draw(recipe, bank, 800, split)]
        return sum({"knock", "bell"} <= h for h in held) / sum("knock" in h for h in held)

    assert share("train") == pytest.approx(0.4, abs=0.06)
    assert share("validation") == 0


def test_long_sounds_are_extended_up_to_the_clip(bank: Soundbank) -> None:
    recipe = replace(RECIPE, clip=6.0, extend={"fan": 1.0}, extend_to=(3.0, 9.0), classes={"bell": 0.0, "knock": 0.0})
    durations = np.array([offset - onset for s in draw(recipe, bank, 200) for _, onset, offset in s.events])
    assert durations.min() >= 3.0
    assert durations.max() <= 6.0 + 1e-9
    assert np.mean(durations > 5.99) == pytest.approx(0.5, abs=0.12)


def test_long_sounds_are_cut_at_random_and_nothing_else_changes(bank: Soundbank) -> None:
    """Looped ones too; what is left is heard where it was, so a seed gives the same pairs with and without the cut."""
    whole = replace(RECIPE, clip=4.0, extend={"fan": 0.5}, extend_to=(2.0, 4.0), snr=(20.0, 20.0), max_gain=60.0)
    load = SoundCache(bank.root, RATE)

    def made(recipe: Recipe, index: int) -> tuple[Scene, Mix]:
        rng = clip_generator(0, "train", index)
        scene = draw_scene(recipe.resolve(bank.labels), bank.sounds["train"], bank.backgrounds["train"], rng, index)
        return scene, mix(scene, recipe, load, rng)

    places = []
    for index in range(60):
        (before, loud), (after, short) = made(whole, index), made(replace(whole, longest=0.2), index)
        assert (after.background, after.start, after.gain) == (before.background, before.start, before.gain)
        bare = [mixed.background / 10 ** (mixed.gain / 20) for mixed in (loud, short)]
        np.testing.assert_allclose(*bare, atol=1e-6)  # the noise in it too
        for old, new, stem in zip(before.sounds, after.sounds, short.stems, strict=True):
            assert (new.recording, new.snr, new.loop) == (old.recording, old.snr, old.loop)
            assert stem.snr == pytest.approx(20, abs=0.01)
            for was, now, heard, left in zip(old.stretches, new.stretches, old.events, new.events, strict=True):
                length = was.offset - was.onset
                assert now.offset - now.onset == pytest.approx(min(length, 0.2))
                assert left[1] - heard[1] == pytest.approx(now.onset - was.onset)
                assert heard[1] - 1e-9 <= left[1] < left[2] <= heard[2] + 1e-9
                places += [(now.onset - was.onset) / (length - 0.2)] if length > 0.21 else []
    assert min(places) < 0.1
    assert max(places) > 0.9
    assert np.mean(places) == pytest.approx(0.5, abs=0.1)


def test_merge_events() -> None:
    events = [("a", 1.0, 2.0), ("b", 1.2, 1.4), ("a", 2.2, 3.0), ("a", 3.3, 4.0), ("b", 1.3, 1.35)]
    assert merge_events(events) == [("a", 1.0, 3.0), ("b", 1.2, 1.4), ("a", 3.3, 4.0)]
    assert polyphony([("a", 0.0, 1.0), ("b", 1.0, 2.0)]) == 1


# Mixing


def test_snr_reached_measured_from_the_stems(bank: Soundbank) -> None:
    recipe = replace(RECIPE, snr=(0.0, 20.0), max_gain=60.0, fade=0.005)
    seen = 0
    for scene, mixed in mixes(recipe, bank, 25):
        total = mixed.background.copy()
        for stem in mixed.stems:
            total[stem.start : stem.start + len(stem.audio)] += stem.audio
            alone = np.zeros_like(total)
            alone[stem.start : stem.start + len(stem.audio)] = stem.audio
            active = np.concatenate([alone[round(a * RATE) : round(b * RATE)] for _, a, b in stem.sound.events])
            snr = power_db(active) - power_db(mixed.background)
            assert snr == pytest.approx(stem.sound.snr, abs=0.2)
            assert snr == pytest.approx(stem.snr, abs=0.2)
            seen += 1
        np.testing.assert_allclose(mixed.audio, total, atol=1e-6)
        assert {s.sound.recording.path for s in mixed.stems} == {s.recording.path for s in scene.sounds}
    assert seen > 25


def test_max_gain_limits_the_snr(bank: Soundbank) -> None:
    recipe = replace(RECIPE, snr=(40.0, 40.0), max_gain=3.0, gain=(0.0, 0.0), background_level=-20.0)
    for _, mixed in mixes(recipe, bank, 5):
        for stem in mixed.stems:
            assert stem.gain - mixed.gain == pytest.approx(3.0, abs=1e-6)
            assert stem.snr < 40


def test_nothing_sounds_outside_the_events(bank: Soundbank) -> None:
    for _, mixed in mixes(replace(RECIPE, fade=0.01), bank, 20):
        for stem in mixed.stems:
            time = (stem.start + np.arange(len(stem.audio))) / RATE
            outside = np.ones(len(time), bool)
            for _, onset, offset in stem.sound.events:
                outside &= (time < onset - 0.0102) | (time > offset + 0.0102)
            assert not stem.audio[outside].any()


def test_loud_clips_are_scaled_not_clipped(bank: Soundbank) -> None:
    recipe = replace(RECIPE, snr=(60.0, 60.0), max_gain=60.0, gain=(0.0, 0.0))
    for _, mixed in mixes(recipe, bank, 5):
        assert np.abs(mixed.audio).max() == pytest.approx(0.99, abs=1e-3)
        assert mixed.gain < 0


def test_background_fills_the_clip_at_its_level(bank: Soundbank) -> None:
    recipe = replace(RECIPE, events={0: 1.0}, gain=(0.0, 0.0), background_level=-30.0, background_floor=-60.0, clip=5.0)
    for _, mixed in mixes(recipe, bank, 5):
        tenths = mixed.audio.reshape(50, -1)
        assert power_db(mixed.audio) == pytest.approx(-30, abs=0.7)
        assert min(power_db(t) for t in tenths) > -33


def test_fade_and_loop() -> None:
    steady = np.ones(100, np.float32)
    faded = fade(steady, 10, 20)
    assert faded[0] < 0.01
    assert faded[-1] < 0.01
    assert (faded[10:80] == 1).all()
    assert (np.diff(faded[:10]) > 0).all()
    ramp = np.linspace(-1, 1, 1000, dtype=np.float32)
    looped = loop(ramp, 5000, 200, start=1300)
    assert len(looped) == 5000
    # Without the crossfade the seam would jump by 2; the ramp itself climbs by 0.002.
    assert np.abs(np.diff(looped)).max() < 0.02
    assert np.abs(np.diff(loop(ramp, 5000, 0))).max() == pytest.approx(2.0)


# Corpora


def test_same_corpus_whatever_the_number_of_workers(bank_folder: Path, tmp_path: Path) -> None:
    counts = {"train": 40, "validation": 4, "eval": 4}
    for workers in (1, 2):
        synthesise(tmp_path / str(workers), soundbank=bank_folder, recipe=RECIPE, clips=counts, workers=workers)
    one, two = tree(tmp_path / "1"), tree(tmp_path / "2")
    assert one.keys() == two.keys()
    assert all(one[name] == two[name] for name in one)
    other = synthesise(tmp_path / "3", soundbank=bank_folder, recipe=RECIPE, seed=1, workers=1).out
    assert tree(other)["audio/train/weak/train_00000.flac"] != one["audio/train/weak/train_00000.flac"]


def test_layout_reads_back(bank_folder: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, events={0: 1.0, 2: 3.0})
    synthesise(tmp_path, soundbank=bank_folder, recipe=recipe, clips={"train": 12}, workers=1)
    assert (tmp_path / "metadata/labels.txt").read_text().split() == ["bell", "fan", "knock"]
    for split, part in PARTS.items():
        folder = tmp_path / part.folder
        strong, durations = table.read_strong(folder / part.strong), table.read_durations(folder / part.durations)
        assert sorted(f.name for f in (tmp_path / part.audio).iterdir()) == sorted(strong) == sorted(durations)
        assert all(0 <= a < b <= 2.0 for events in strong.values() for _, a, b in events)
        assert set(durations.values()) == {2.0}
        if part.weak:
            tags = {name: frozenset(e[0] for e in events) for name, events in strong.items()}
            assert table.read_weak(folder / part.weak) == tags
        header = audio.info(tmp_path / part.audio / f"{split}_00000.flac")
        assert (header.sample_rate, header.duration) == (RATE, 2.0)
    assert () in table.read_strong(tmp_path / "metadata/train/strong.tsv").values()


def test_splits_are_never_mixed(bank_folder: Path, tmp_path: Path) -> None:
    synthesise(tmp_path, soundbank=bank_folder, recipe=RECIPE, clips=dict.fromkeys(SPLITS, 12), workers=1)
    for split in SPLITS:
        for _, row in table.read_rows(tmp_path / PARTS[split].folder / "provenance.tsv", ("source_file",)):
            assert row["source_file"].startswith(f"foreground/{split}/{row['event_label']}/")
            assert row["background_file"].startswith(f"background/{split}/")


def test_provenance_tells_what_is_heard(bank_folder: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, events={1: 1.0}, snr=(20.0, 20.0), balanced=True)
    synthesise(tmp_path, soundbank=bank_folder, recipe=recipe, clips={"train": 9}, workers=1)
    for _, row in table.read_rows(tmp_path / "metadata/train/provenance.tsv", ()):
        onset, offset = float(row["onset"]), float(row["offset"])
        heard = audio.read(tmp_path / "audio/train/weak" / row["filename"], RATE, onset, offset - onset)
        peak = np.fft.rfftfreq(len(heard), 1 / RATE)[np.abs(np.fft.rfft(heard)).argmax()]
        take = int(Path(row["source_file"]).stem)
        assert peak == pytest.approx(PITCH[row["event_label"]] + 20 * take, abs=8)
        assert float(row["snr_db"]) == pytest.approx(20, abs=0.01) or float(row["gain_db"]) > 0


def test_the_summary_counts_recordings(bank_folder: Path, tmp_path: Path) -> None:
    """Two files of one recording count once."""
    names = [f"foreground/train/{label}/{i}.wav" for label in PITCH for i in range(2)]
    rows = [(name, "one" if "/bell/" in name else name) for name in names]
    bank = break_bank(
        bank_folder, tmp_path, lambda r: table.write_rows(r / "manifest.tsv", ("path", "recording_id"), rows)
    )
    recipe = replace(RECIPE, events={1: 1.0}, balanced=True)
    make: dict[str, Any] = {"soundbank": bank, "recipe": recipe, "workers": 1}
    summary = synthesise(tmp_path / "out", **make, clips={"train": 30, "validation": 3})
    assert summary.recordings["train"] == {"bell": 1, "fan": 2, "knock": 2}
    assert summary.recordings["validation"] == dict.fromkeys(PITCH, 1)
    assert synthesise(tmp_path / "out", **make, clips={"train": 30, "validation": 3}).recordings == summary.recordings


def test_a_corpus_made_before_a_setting_existed_can_be_gone_on_with(bank_folder: Path, tmp_path: Path) -> None:
    synthesise(tmp_path, soundbank=bank_folder, recipe=RECIPE, workers=1)
    assert "longest" not in json.loads((tmp_path / "synth.json").read_text())["recipe"]
    with pytest.raises(WsedError, match="another recipe"):
        synthesise(tmp_path, soundbank=bank_folder, recipe=replace(RECIPE, longest=0.2), workers=1)


def stop_after(n: int) -> Callable[[int, int], None]:
    def progress(done: int, total: int) -> None:
        if done == n:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("workers", [1, 2])
def test_goes_on_where_it_was_stopped(bank_folder: Path, tmp_path: Path, workers: int) -> None:
    make: dict[str, Any] = {"soundbank": bank_folder, "recipe": RECIPE, "clips": {"train": 40}, "workers": workers}
    whole = synthesise(tmp_path / "whole", **make | {"workers": 1}).out
    stopped = tmp_path / "stopped"
    with pytest.raises(KeyboardInterrupt):
        synthesise(stopped, **make, progress=stop_after(9))
    # What a kill leaves behind: half a line in the journal, half a clip on the disk.
    with (stopped / "synth.jsonl").open("a") as journal:
        journal.write('{"split": "train", "ind')
    (stopped / "audio/train/weak/.train_00030.part.flac").write_bytes(b"fLaC")
    first = stopped / "audio/train/weak/train_00000.flac"
    written = first.stat().st_mtime_ns
    assert synthesise(stopped, **make).made == 46 - 9
    assert first.stat().st_mtime_ns == written
    assert tree(stopped) == tree(whole)
    assert synthesise(stopped, **make).made == 0


def test_a_lost_clip_is_made_again_and_clips_can_be_added(bank_folder: Path, tmp_path: Path) -> None:
    make: dict[str, Any] = {"soundbank": bank_folder, "recipe": RECIPE, "workers": 1}
    before = tree(synthesise(tmp_path, **make).out)
    (tmp_path / "audio/eval/public/eval_00001.flac").unlink()
    assert synthesise(tmp_path, **make).made == 1
    assert tree(tmp_path) == before
    assert synthesise(tmp_path, **make, clips={"train": 8}).made == 2
    after = tree(tmp_path)
    assert all(after[name] == data for name, data in before.items() if name.endswith(".flac"))


def test_other_corpora_are_not_overwritten(bank_folder: Path, tmp_path: Path) -> None:
    make: dict[str, Any] = {"soundbank": bank_folder, "recipe": RECIPE, "workers": 1}
    mine = tmp_path / "mine"
    synthesise(mine, **make)
    with pytest.raises(WsedError, match=r"another seed.*--overwrite"):
        synthesise(mine, **make, seed=1)
    with pytest.raises(WsedError, match="another recipe"):
        synthesise(mine, **make | {"recipe": replace(RECIPE, polyphony=1)})
    with pytest.raises(WsedError, match=r"more clips than asked for \(train=6\)"):
        synthesise(mine, **make, clips={"train": 5})
    (mine / "notes.txt").write_text("keep")
    summary = synthesise(mine, **make, seed=1, clips={"train": 2}, overwrite=True)
    assert summary.clips == {"train": 2, "validation": 3, "eval": 3}
    assert len(list((mine / "audio/train/weak").iterdir())) == 2
    assert (mine / "notes.txt").read_text() == "keep"
    foreign = tmp_path / "foreign"
    (foreign / "audio").mkdir(parents=True)
    with pytest.raises(WsedError, match="not made by `wsed data synth`"):
        synthesise(foreign, **make, overwrite=True)


# Mistakes


def break_bank(bank_folder: Path, tmp_path: Path, change: Callable[[Path], object]) -> Path:
    import shutil

    root = tmp_path / "broken"
    shutil.copytree(bank_folder, root)
    change(root)
    return root


def empty(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def silent(root: Path) -> None:
    audio.write(root / "foreground/train/bell/0.wav", silence(1.0), RATE)


def two_splits(root: Path) -> None:
    rows = [("foreground/train/bell/0.wav", "r1"), ("foreground/eval/bell/0.wav", "r1")]
    table.write_rows(root / "manifest.tsv", ("path", "recording_id"), rows)


def no_class_in_eval(root: Path) -> None:
    empty(root / "foreground/eval/bell")
    (root / "foreground/eval/bell").rmdir()


def bad_segments(root: Path) -> None:
    rows = [("foreground/train/bell/0.wav", "0.1-0.2;x")]
    table.write_rows(root / "manifest.tsv", ("path", "segments"), rows)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: empty(r / "foreground/train/bell"), r"foreground/train/bell holds no sound files"),
        (lambda r: empty(r / "background/eval"), r"no background for 'eval'.*background/eval.*eval=0"),
        (lambda r: (r / "foreground/validation").rename(r / "elsewhere"), r"no folder .*foreground/validation"),
        (silent, r"bell/0.wav is silent"),
        (
            two_splits,
            r"manifest.tsv: recording 'r1' is in two splits \(foreground/train/bell/0.wav and foreground/eval",
        ),
        (no_class_in_eval, r"class 'bell' has no recording .* split 'eval'.*classes: \{bell: 0\}"),
        (bad_segments, r"segments of foreground/train/bell/0.wav are '0.1-0.2;x'"),
        (lambda r: (r / "foreground/train/bell/0.wav").write_bytes(b"no sound"), r"cannot read .*bell/0.wav"),
    ],
)
def test_mistakes_in_a_soundbank(
    bank_folder: Path, tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    with pytest.raises(WsedError, match=message):
        synthesise(tmp_path / "out", soundbank=break_bank(bank_folder, tmp_path, change), recipe=RECIPE, workers=1)


def test_missing_soundbank(tmp_path: Path) -> None:
    with pytest.raises(WsedError, match="nowhere is not a soundbank"):
        synthesise(tmp_path / "out", soundbank=tmp_path / "nowhere", recipe=RECIPE)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("clips: {train: 2}\npolifony: 2", r"mine.yaml: unknown setting 'polifony' \(did you mean polyphony\?\)"),
        ("polyphony: 2", r"no setting 'clips'"),
        ("clips: {test: 2}", r"clips: unknown split 'test'"),
        ("clips: {train: many}", r"clips.train is 'many', expected a whole number"),
        ("clips: {train: 2}\nsnr: [30, 6]", r"snr is \[30, 6\].*write \[6, 30\]"),
        ("clips: {train: 2}\nsnr: 6", r"snr is 6, expected a lowest and a highest"),
        ("clips: {train: 2}\nlongest: 0", r"longest is 0, expected a number, 0.02 or more"),
        ("like: wwa", r"mine.yaml: like: unknown recipe 'wwa' \(did you mean waa\?\)"),
        ("like: waa\nsnrr: [1, 2]", r"mine.yaml: unknown setting 'snrr'"),
        ("clips: {train: 2}\npolyphony: 0", r"polyphony is 0, expected a whole number, 1 or more"),
        ("clips: {train: 2}\nevents: {1: 0}", r"events has no number of events with a weight above 0"),
        ("clips: {train: 2}\nextend: {fan: 2}", r"extend.fan is 2, expected a number from 0 to 1"),
        ("clips: {train: 2}\ntogether: {fan: {bell: -1}}", r"together.fan.bell is -1"),
        ("clips: {train: 2}\nbalanced: 1", r"balanced is 1, expected true or false"),
        ("clips: {train: 2}\nclasses: [fan]", r"classes is \['fan'\], expected a mapping"),
        (
            "clips: {train: 2}\nsplits: {train: {snrr: [1, 2]}}",
            r"splits.train: unknown setting 'snrr' \(did you mean snr",
        ),
        ("clips: {train: 2}\nsplits: {train: {clip: 5}}", r"splits.train: unknown setting 'clip'"),
        ("clips: {train: 2}\nsplits: {dev: {}}", r"splits: unknown split 'dev'"),
        ("clips: {train: 2}\nclasses: {knok: 2}", r"classes: .* no class 'knok' \(did you mean knock\?\)"),
        ("clips: {train: 2}\nclasses: {'*': 0}", r"every class has weight 0"),
        ("clips: {train: 0}", r"no clips to make"),
        ("clips: [", r"mine.yaml is not valid YAML"),
        ("- clips", r"expected settings"),
    ],
)
def test_mistakes_in_a_recipe(bank_folder: Path, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(WsedError, match=message):
        synthesise(tmp_path / "out", soundbank=bank_folder, recipe=str(path), workers=1)


def test_a_recipe_like_another(tmp_path: Path) -> None:
    waa = load_recipe("waa")
    assert load_recipe("waa_200ms") == replace(waa, longest=0.2)
    (tmp_path / "mine.yaml").write_text("like: waa\nsnr: [0, 5]\nclips: {train: 9}")
    assert load_recipe(str(tmp_path / "mine.yaml")) == replace(waa, snr=(0.0, 5.0), clips={"train": 9})


def test_unknown_recipe_and_bad_seed(bank_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(WsedError, match=r"no recipe 'domestik' \(did you mean domestic\?\)"):
        load_recipe("domestik")
    with pytest.raises(WsedError, match="seed is -1"):
        synthesise(tmp_path, soundbank=bank_folder, recipe=RECIPE, seed=-1)


# Packaged recipes


def test_plain_takes_any_classes(bank: Soundbank) -> None:
    assert packaged() == ["domestic", "plain", "waa", "waa_200ms"]
    scenes = draw(replace(load_recipe("plain"), sample_rate=RATE), bank, 100)
    assert {e[0] for s in scenes for e in s.events} == set(PITCH)


@pytest.fixture(scope="module")
def real(shared: Path) -> Soundbank:
    return open_soundbank(shared / "data/soundbank")


def shares(scenes: list[Scene]) -> Mapping[tuple[str, str], float]:
    held = [{e[0] for e in s.events} for s in scenes]
    labels = set().union(*held)
    return {(a, b): sum({a, b} <= h for h in held) / max(1, sum(a in h for h in held)) for a in labels for b in labels}


def test_domestic_on_real_sounds(real: Soundbank) -> None:
    recipe = load_recipe("domestic")
    train, validation = draw(recipe, real, 3000), draw(recipe, real, 1500, "validation")
    share = shares(train)
    assert share["Dishes", "Frying"] == pytest.approx(0.46, abs=0.07)  # DCASE 2018, weak training set
    assert share["Dishes", "Speech"] == pytest.approx(0.52, abs=0.07)
    assert share["Frying", "Dishes"] > 0.6
    assert shares(validation)["Frying", "Dishes"] < 0.25
    assert 2 <= np.mean([len(s.events) for s in train]) <= 3
    assert max(polyphony(s.events) for s in train) == 2


def test_waa_on_real_sounds(real: Soundbank) -> None:
    scenes = draw(load_recipe("waa"), real, 200)
    assert all(len(s.events) == 1 for s in scenes)
    snr = [s.sounds[0].snr for s in scenes]
    assert 6 <= min(snr) < 8
    assert 28 < max(snr) <= 30
    labels = [s.events[0][0] for s in scenes]
    assert {labels.count(label) for label in real.labels} == {20}


def test_waa_200ms_has_the_pairs_of_waa(real: Soundbank) -> None:
    whole, cut = draw(load_recipe("waa"), real, 300), draw(load_recipe("waa_200ms"), real, 300)
    for before, after in zip(whole, cut, strict=True):
        (old,), (new,) = before.sounds, after.sounds
        assert (new.recording, new.snr, after.background, after.start) == (
            old.recording, old.snr, before.background, before.start
        )  # fmt: skip
        assert new.duration == pytest.approx(min(old.duration, 0.2))
    assert {after.events[0][0] for after in cut} == set(real.labels)


def test_fingerprint_is_readable(bank_folder: Path, tmp_path: Path) -> None:
    synthesise(tmp_path, soundbank=bank_folder, recipe=RECIPE, workers=1)
    head = json.loads((tmp_path / "synth.json").read_text())
    assert (head["seed"], head["clips"]) == (0, {"train": 6, "validation": 3, "eval": 3})
