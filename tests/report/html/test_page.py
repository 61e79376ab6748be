"""The page holds all that was shown, opens without a network, and no name can break out of it."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from tests.report.html.systems import LABELS, NASTY, shown
from wsed.errors import WsedError
from wsed.report.html import page
from wsed.report.html.page import Contents, write_page
from wsed.report.html.shown import Sound
from wsed.types import Labels

FEW = Contents(resamples=20)


class Blocks(HTMLParser):
    """The JSON blocks of a page by their ids, and the names of all tags."""

    def __init__(self):
        super().__init__()
        self.blocks, self.tags, self.now = {}, [], None

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.now = dict(attrs).get("id", "script") if tag == "script" else None

    def handle_data(self, data):
        if self.now:
            self.blocks[self.now] = self.blocks.get(self.now, "") + data


def read(path):
    parser = Blocks()
    parser.feed(path.read_text(encoding="utf-8"))
    blocks = {name: json.loads(text) for name, text in parser.blocks.items() if name != "script"}
    return blocks, parser.tags


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    soundfile.write(folder / "a.wav", 0.1 * np.random.default_rng(0).standard_normal(32000), 16000)
    sounds = {"a.wav": Sound(folder / "a.wav"), NASTY: Sound(folder / "gone.wav")}
    systems = [shown(sounds=sounds), shown(f"runs/{NASTY}", seed=1)]
    counts = write_page(folder / "page.html", systems, FEW, {("a.wav", "Dog", 0.2): 7.0})
    return folder / "page.html", counts


def test_names_stay_text(written):
    blocks, tags = read(written[0])
    assert blocks["data"]["labels"] == list(LABELS)
    assert NASTY in [clip["id"] for clip in blocks["data"]["clips"]]
    assert "img" not in tags
    assert sum(name.startswith("clip-") for name in blocks) == 3


def test_nothing_is_fetched(written):
    text = written[0].read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert not re.findall(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", text)
    assert set(re.findall(r"https?://[^\"'\s]+", text)) <= {"http://www.w3.org/2000/svg"}


def test_sounds_and_pictures_are_counted(written):
    blocks, _ = read(written[0])
    assert {key: written[1][key] for key in ("clips", "pictures", "sounds")} == {"clips": 3, "pictures": 1, "sounds": 1}
    media = {blocks["data"]["clips"][int(name[5:])]["id"]: b for name, b in blocks.items() if name[:5] == "clip-"}
    assert {"picture", "sound"} <= media["a.wav"].keys()
    assert "gone.wav" in media[NASTY]["missing"]
    assert all(len(block["curves"]) == 2 for block in media.values())


def test_two_systems_are_compared(written):
    data = read(written[0])[0]["data"]
    assert [row["metric"] for row in data["comparisons"][0]["rows"]][:1] == ["event F1"]
    assert data["systems"][0]["recall"]["SNR"]["n"] == [1]
    assert sorted(data["order"]) == [0, 1, 2]
    assert any(clip["apart"] > 0 for clip in data["clips"])


def test_detections_alone(tmp_path):
    bare = replace(shown(), system=None, report=None, points=())
    write_page(tmp_path / "page.html", [bare], FEW, {})
    data = read(tmp_path / "page.html")[0]["data"]
    assert data["systems"][0]["scores"] == []
    assert {event[3] for clip in data["clips"] for event in clip["systems"][0]["events"]} == {-1}


def test_a_page_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MOST_BYTES", 1000)
    assert write_page(tmp_path / "page.html", [shown()], FEW, {})["pictures"] == 0
    assert not [name for name in read(tmp_path / "page.html")[0] if name.startswith("clip-")]


def test_systems_that_do_not_fit_together(tmp_path):
    with pytest.raises(WsedError, match="different classes; only one of them has Bird, Cat"):
        write_page(tmp_path / "a.html", [shown(), shown("b", labels=Labels(["Dog", NASTY, "Bird"]))], FEW, {})
    with pytest.raises(WsedError, match="no clip in common"):
        write_page(tmp_path / "a.html", [shown(), shown("b", clip_ids=("x", "y", "z"))], FEW, {})
    write_page(tmp_path / "a.html", [shown(), shown("b", clip_ids=("a.wav", NASTY, "z"))], FEW, {})
    assert "only 2 clips are in all systems" in read(tmp_path / "a.html")[0]["data"]["notes"][0]
