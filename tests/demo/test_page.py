"""The page of `wsed demo` in a real browser: Chromium without a window, driven by Playwright."""

import pytest
import soundfile

from tests.inference.small import RATE, detector, tones
from wsed.formats.reading import read_events

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SOUND = tones(3.0, (0.3, 0.7, 0.5), (1.4, 2.62, 0.5)).numpy()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    soundfile.write(folder / "night.wav", SOUND, RATE)
    (folder / "text.wav").write_text("no sound")
    return folder


@pytest.fixture(scope="module")
def address(files):
    pytest.importorskip("gradio", reason="needs the extra demo")
    from wsed.demo.page import build, launch

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(files))
        page = build(detector(threshold=0.5), files)
        yield launch(page, files, "127.0.0.1", 7861)[1]
    page.close()


@pytest.fixture
def page(browser, address):
    page = browser.new_page(viewport={"width": 1200, "height": 1400})
    page.set_default_timeout(30_000)
    page.goto(address)
    yield page
    page.close()


ROWS = "#events .virtual-body [role=row]"


def rows(page):
    return [
        [cell.inner_text().strip() for cell in row.locator("[role=gridcell]").all()] for row in page.locator(ROWS).all()
    ]


def wait_for_rows(page, n):
    page.wait_for_function("([rows, n]) => document.querySelectorAll(rows).length == n", arg=[ROWS, n])


def test_a_file_is_dropped_and_its_events_seen_heard_and_taken_along(page, files, tmp_path):
    page.set_input_files("#sound input[type=file]", files / "night.wav")
    wait_for_rows(page, 4)
    expected = [
        [e.label, f"{e.onset:.2f}", f"{e.offset:.2f}", f"{e.confidence:.2f}"]
        for e in detector().detect(files / "night.wav")
    ]
    assert rows(page) == expected
    assert page.locator("img[alt='spectrogram with events']").evaluate("image => image.naturalWidth") == 1100
    page.screenshot(path=tmp_path / "events.png", full_page=True)
    print(f"screenshot: {tmp_path / 'events.png'}")

    page.locator("audio.wsed-player").evaluate("player => { player.muted = true; return player.play(); }")
    page.wait_for_function("parseFloat(document.querySelector('.wsed-cursor').style.left) > 30")
    box = page.locator("img[alt='spectrogram with events']").bounding_box()
    page.locator("audio.wsed-player").evaluate("player => player.pause()")
    page.mouse.click(box["x"] + box["width"] * 0.55, box["y"] + 50)
    assert page.locator("audio.wsed-player").evaluate("player => player.currentTime") == pytest.approx(1.5, abs=0.1)

    for name, suffix in (("audacity", "night.txt"), ("raven", "night.selections.txt")):
        with page.expect_download() as download:
            page.locator(f"#{name}").click()
        assert download.value.suggested_filename == suffix
        download.value.save_as(tmp_path / suffix)
        found = [(e.label, f"{e.onset:.2f}", f"{e.offset:.2f}") for e in read_events(tmp_path / suffix)]
        assert found == [tuple(row[:3]) for row in expected]


def test_the_threshold_is_moved(page, files):
    page.set_input_files("#sound input[type=file]", files / "night.wav")
    wait_for_rows(page, 4)
    number = page.locator("#threshold input[type=number]")
    number.fill("1")
    number.press("Enter")
    number.blur()
    wait_for_rows(page, 0)
    assert not page.locator("#own input").is_checked()
    page.locator("#own input").check()
    wait_for_rows(page, 4)


def test_a_damaged_file_is_named(page, files):
    page.set_input_files("#sound input[type=file]", files / "text.wav")
    page.get_by_text("text.wav").first.wait_for()
    assert rows(page) == []


def test_sound_is_recorded(page):
    page.locator("#sound").get_by_label("Record audio").click()
    page.locator("#sound").get_by_text("Record", exact=True).click()
    page.wait_for_timeout(2000)
    page.locator("#sound").get_by_text("Stop", exact=True).first.click()
    page.locator("img[alt='spectrogram with events']").wait_for()
