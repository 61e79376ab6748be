"""Recipes, and mistakes in them."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.data.synth.tones import RECIPE
from wsed.data.synth.recipe_files import load_recipe
from wsed.data.synth.soundscape import synthesise
from wsed.errors import WsedError


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
