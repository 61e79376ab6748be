"""Drawing scenes, from tones and from real recordings with the packaged recipes."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from tests.data.synth.tones import PITCH, RATE, RECIPE, draw
from wsed.data.synth.clip_maker import clip_generator
from wsed.data.synth.draw import draw_scene
from wsed.data.synth.mix import Mix, SoundCache, mix
from wsed.data.synth.recipe import Recipe
from wsed.data.synth.recipe_files import load_recipe, packaged
from wsed.data.synth.scene import Scene, polyphony
from wsed.data.synth.soundbank import Soundbank


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
        tags = [{e[0] for e in s.events} for s in draw(recipe, bank, 800, split)]
        return sum({"knock", "bell"} <= clip for clip in tags) / sum("knock" in clip for clip in tags)

    assert share("train") == pytest.approx(0.4, abs=0.06)
    assert share("validation") == 0


def test_long_sounds_are_extended_up_to_the_clip(bank: Soundbank) -> None:
    recipe = replace(RECIPE, clip=6.0, extend={"fan": 1.0}, extend_to=(3.0, 9.0), classes={"bell": 0.0, "knock": 0.0})
    durations = np.array([offset - onset for s in draw(recipe, bank, 200) for _, onset, offset in s.events])
    assert durations.min() >= 3.0
    assert durations.max() <= 6.0 + 1e-9
    assert np.mean(durations > 5.99) == pytest.approx(0.5, abs=0.12)


def test_long_sounds_are_cut_at_random_and_nothing_else_changes(bank: Soundbank) -> None:
    """The remaining part keeps its time in the clip, also in looped sounds; all other random choices are the same."""
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
            for long, cut, event, part in zip(old.stretches, new.stretches, old.events, new.events, strict=True):
                length = long.offset - long.onset
                assert cut.offset - cut.onset == pytest.approx(min(length, 0.2))
                assert part[1] - event[1] == pytest.approx(cut.onset - long.onset)
                assert event[1] - 1e-9 <= part[1] < part[2] <= event[2] + 1e-9
                places += [(cut.onset - long.onset) / (length - 0.2)] if length > 0.21 else []
    assert min(places) < 0.1
    assert max(places) > 0.9
    assert np.mean(places) == pytest.approx(0.5, abs=0.1)


def test_plain_takes_any_classes(bank: Soundbank) -> None:
    assert packaged() == ["domestic", "plain", "waa", "waa_200ms"]
    scenes = draw(replace(load_recipe("plain"), sample_rate=RATE), bank, 100)
    assert {e[0] for s in scenes for e in s.events} == set(PITCH)


def shares(scenes: list[Scene]) -> Mapping[tuple[str, str], float]:
    tags = [{e[0] for e in s.events} for s in scenes]
    labels = set().union(*tags)
    n_clips = {label: sum(label in clip for clip in tags) for label in labels}
    return {(a, b): sum({a, b} <= clip for clip in tags) / max(1, n_clips[a]) for a in labels for b in labels}


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
