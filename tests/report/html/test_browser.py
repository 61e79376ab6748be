"""The page in a real browser: it is ready at once, and clicks, keys, filters and sound work."""

import numpy as np
import pytest
import soundfile

from tests.report.html.systems import NASTY, shown
from wsed.metrics.error_kinds import KINDS
from wsed.report.html.page import Contents, write_page
from wsed.report.html.shown import Sound

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    time = np.arange(32000) / 16000
    soundfile.write(folder / "a.wav", 0.3 * np.sin(2 * np.pi * 440 * time), 16000)
    sounds = {name: Sound(folder / "a.wav") for name in ("a.wav", NASTY, "c.wav")}
    write_page(folder / "page.html", systems(sounds), Contents(resamples=20), {})
    return folder / "page.html"


@pytest.fixture(params=["light", "dark", "phone"])
def page(browser, written, request):
    size = {"width": 390, "height": 844} if request.param == "phone" else {"width": 1200, "height": 900}
    context = browser.new_context(viewport=size, color_scheme="dark" if request.param == "dark" else "light")
    opened, problems = context.new_page(), []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("dialog", lambda dialog: problems.append(f"a name ran as a script: {dialog.message}"))
    opened.on(
        "request", lambda asked: problems.append(asked.url) if not asked.url.startswith(("file:", "data:")) else 0
    )
    opened.goto(f"file://{written}")
    opened.wait_for_selector("canvas[data-painted]")
    yield opened
    assert not problems
    context.close()


def systems(sounds=None):
    return [shown(sounds=sounds), shown("runs/b", seed=1)]


def clips_with(label, kind=None):
    """Names of the clips in which a system has an event of a class, or a detected one of a kind."""
    names = set()
    for system in systems():
        for side, of_side in zip((system.true, system.detected), system.kinds(), strict=True):
            for clip, own, of_event in zip(side.clip.tolist(), side.label.tolist(), of_side.tolist(), strict=True):
                if system.labels.names[own] == label and kind in (None, of_event):
                    names.add(system.clip_ids[clip])
    return names


def shown_names(page):
    return set(page.locator(".list button span:first-child").all_inner_texts())


def until(page, expression):
    """Wait until an expression is true; the page itself may not evaluate text."""
    for _ in range(100):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(50)
    raise AssertionError(expression)


def test_it_fits_the_screen_and_shows_all_sections(page):
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    titles = page.locator("main h2").all_inner_texts()
    assert titles[:4] == ["Scores", "Classes", "Clips", "Thresholds"]
    assert page.locator("main svg").count() > 8
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="light / dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != back


def test_clips_are_chosen_sorted_and_filtered(page):
    names = page.locator(".list button")
    assert names.count() == 3
    page.keyboard.press("ArrowRight")
    assert page.locator("#clip h3").inner_text().startswith(names.nth(1).locator("span").first.inner_text())
    page.select_option("#by-sort", "name")
    assert page.locator(".list button span:first-child").first.inner_text() == sorted(["a.wav", NASTY, "c.wav"])[0]
    page.select_option("#by-label", "Dog")
    assert shown_names(page) == clips_with("Dog")
    for kind in range(len(KINDS)):
        page.select_option("#by-kind", str(kind))
        assert shown_names(page) == clips_with("Dog", kind)
    assert any(0 < len(clips_with("Dog", kind)) < 3 for kind in range(len(KINDS)))
    page.select_option("#by-kind", "")
    page.fill("#by-text", "c.w")
    assert page.locator("#count").inner_text() == "1 of 3 clips"
    page.fill("#by-text", "")
    page.locator("h1").click()
    page.keyboard.press("e")
    assert page.locator("#by-kind").input_value() == "0"


def test_sound_plays_and_the_cursor_runs(page):
    page.locator("h1").click()
    page.keyboard.press(" ")
    until(page, "document.querySelector('audio').currentTime > 0.2")
    until(page, "parseFloat(document.querySelector('.cursor').style.left) > 5")
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('audio').paused")
    assert abs(page.evaluate("document.querySelector('audio').duration") - 2) < 0.15
    onset = page.evaluate("view.events[0][0]")
    page.locator("g.event").first.click()
    until(page, "!document.querySelector('audio').paused")
    assert abs(page.evaluate("document.querySelector('audio').currentTime") - max(onset - 0.3, 0)) < 0.7


def test_tables_sort(page):
    table = page.locator("#classes table").first
    table.locator("th button").first.click()
    first = table.locator("tbody tr td:first-child").all_inner_texts()
    assert first == sorted(first, key=str.casefold)
    table.locator("th button").first.click()
    assert table.locator("tbody tr td:first-child").all_inner_texts() == first[::-1]
