"""The gallery shows every loss, and its pictures are made by the losses."""

import importlib.util
import re
from pathlib import Path

import pytest
import torch

from wsed.losses.base import LOSSES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/reference/losses.md").read_text(encoding="utf-8")
NAMES = [name for name in LOSSES.names() if LOSSES[name].__module__.startswith("wsed.")]


@pytest.fixture(scope="module")
def gallery():
    spec = importlib.util.spec_from_file_location("make_gallery", ROOT / "docs/make_gallery.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.STEPS = 60
    return module


def test_every_loss_has_formula_picture_and_paper():
    parts = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))
    assert sorted(parts) == sorted(NAMES)
    for name, text in parts.items():
        assert re.search(r"```text\n.+?```", text, re.DOTALL), name
        assert f"(losses/{name}.svg)" in text
        assert "*Paper*: " in text, name


@pytest.mark.parametrize("name", [name for name in NAMES if name != "metric_learning"])
def test_descent_lowers_the_loss_of_its_own_scene(gallery, name):
    start, loss = gallery.scene_of(name), LOSSES[name]()
    end = gallery.descend(start, loss)
    before, after = (float(loss(scene.output, scene.batch)) for scene in (start, end))
    assert after < before


def curve(scene, label):
    return scene.output.frame_scores[0, :, label]


def test_the_words_of_the_gallery_are_true(gallery):
    scene = gallery.scene_of("mil")
    end = {
        name: gallery.descend(scene, LOSSES[name]()) for name in ("mil", "false_strong", "clip_bce", "cosine_penalty")
    }
    rose = (curve(end["mil"], 0) > curve(scene, 0) + 0.01).sum()
    assert rose == 1  # max raises one frame
    assert curve(end["false_strong"], 0).min() > 0.7  # no border is left
    assert torch.equal(curve(end["clip_bce"], 0), curve(scene, 0))
    together = [(curve(s, 0) * curve(s, 1)).sum() for s in (scene, end["cosine_penalty"])]
    assert together[1] < 0.5 * together[0]


def test_a_picture_is_drawn(gallery):
    scene = gallery.scene_of("fpd")
    svg = gallery._svg(gallery._drawn(scene, gallery.descend(scene, LOSSES["fpd"]())))
    assert svg.startswith(b"<?xml")
    assert len(svg) > 10_000
