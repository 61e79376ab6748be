"""The page: drop or record sound, see its events over the spectrogram, move the threshold, download the events."""

import base64
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

from wsed.decoding.base import PerLabel
from wsed.demo.analysis import Analysis, analyse
from wsed.errors import WsedError
from wsed.formats.recording import Recording
from wsed.formats.writing import FORMATS
from wsed.inference.detector import Detector
from wsed.report.spectrogram import LEFT, RIGHT

if TYPE_CHECKING:
    import gradio

COLUMNS = ["class", "onset (s)", "offset (s)", "confidence"]
DOWNLOADS = {"audacity": "Audacity labels", "raven": "Raven selection table"}

FOLLOW = f"""
element.addEventListener('timeupdate', event => {{
  const player = event.target, cursor = document.querySelector('.wsed-cursor');
  if (cursor && player.duration)
    cursor.style.left = `${{100 * ({LEFT} + {RIGHT - LEFT} * player.currentTime / player.duration)}}%`;
}}, true);
"""
"""The cursor in the picture follows the player."""

SEEK = f"""
element.addEventListener('click', event => {{
  const player = document.querySelector('audio.wsed-player');
  const box = element.querySelector('img').getBoundingClientRect();
  const share = ((event.clientX - box.left) / box.width - {LEFT}) / {RIGHT - LEFT};
  if (player && player.duration) player.currentTime = Math.min(Math.max(share, 0), 1) * player.duration;
}});
"""
"""A click on the picture moves the player."""


class Shown(NamedTuple):
    """The contents of the page about the events of a recording, in the order of its parts."""

    picture: str
    rows: list[list[str]]
    audacity: str | None
    raven: str | None


def build(detector: Detector, folder: Path) -> "gradio.Blocks":
    """The page of a detector.

    Args:
        detector: the detector.
        folder: files to download are written here.
    """
    import gradio

    with gradio.Blocks(title="wsed demo", analytics_enabled=False) as page:
        gradio.Markdown(f"## Events in a recording\nClasses: {', '.join(detector.labels)}")
        analysis = gradio.State()
        sources = ["upload", "microphone"]
        sound = gradio.Audio(
            sources=sources, type="filepath", label="Recording", elem_id="sound", editable=False, buttons=[]
        )
        with gradio.Row():
            own = gradio.Checkbox(True, label="The thresholds of the model", elem_id="own")
            threshold = gradio.Slider(
                0,
                1,
                _mean(detector.decoder.threshold),
                step=0.01,
                label="Threshold of all classes",
                elem_id="threshold",
            )
        player = gradio.HTML(js_on_load=FOLLOW)
        picture = gradio.HTML(js_on_load=SEEK)
        table = gradio.Dataframe(headers=COLUMNS, interactive=False, label="Events", elem_id="events")
        with gradio.Row():
            buttons = [gradio.DownloadButton(text, elem_id=name) for name, text in DOWNLOADS.items()]
        shown = [picture, table, *buttons]

        def show(of: Analysis | None, use_own: bool, at: float) -> Shown:
            if of is None:
                return Shown("", [], None, None)
            try:
                recording = of.with_events(detector, None if use_own else float(at))
            except WsedError as error:
                raise gradio.Error(str(error), print_exception=False) from None
            return _shown(of, detector, recording, folder)

        def opened(path: str | None, use_own: bool, at: float) -> tuple[object, ...]:
            try:
                of = None if path is None else analyse(detector, path)
            except WsedError as error:
                message = str(error).replace(f"{Path(str(path)).parent}{os.sep}", "")  # a folder of Gradio
                raise gradio.Error(message, print_exception=False) from None
            return of, "" if path is None else _player(path), *show(of, use_own, at)

        settings = [own, threshold]
        sound.change(opened, [sound, *settings], [analysis, player, *shown])
        own.input(show, [analysis, *settings], shown)
        moved = (lambda of, at: (False, *show(of, False, at))), [analysis, threshold], [own, *shown]
        threshold.input(*moved, trigger_mode="always_last", show_progress="hidden")
    return page


def serve(detector: Detector, host: str, port: int) -> None:
    """Serve the page until the process is interrupted; recordings and tables are deleted at the end.

    Raises:
        WsedError: the port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="wsed-demo-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder  # where Gradio puts uploads
        page = build(detector, Path(folder))
        try:
            _, address, _ = launch(page, Path(folder), host, port)
        except OSError as error:
            raise WsedError(f"cannot serve the page at {host}:{port} ({error}); choose another --port") from None
        print(f"wsed demo: {address} (Ctrl-C ends it)", flush=True)
        page.block_thread()


def launch(page: "gradio.Blocks", folder: Path, host: str, port: int) -> tuple[object, str, str]:
    """Start to serve the page in a thread, without external fonts and scripts."""
    import gradio

    started: tuple[object, str, str] = page.launch(
        server_name=host,
        server_port=port,
        allowed_paths=[str(folder)],
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        ssr_mode=False,
        footer_links=[],
        theme=gradio.themes.Default(font=["sans-serif"], font_mono=["monospace"]),
    )
    return started


def _shown(of: Analysis, detector: Detector, recording: Recording, folder: Path) -> Shown:
    data = base64.b64encode(of.picture(detector, recording)).decode("ascii")
    image = f'<img src="data:image/png;base64,{data}" alt="spectrogram with events" style="width:100%">'
    line = f"position:absolute;top:0;bottom:0;left:{100 * LEFT}%;width:2px;background:#d62728"
    picture = (
        f'<div style="position:relative;cursor:crosshair">{image}<div class="wsed-cursor" style="{line}"></div></div>'
    )
    rows = [[e.label, f"{e.onset:.2f}", f"{e.offset:.2f}", f"{e.confidence or 0:.2f}"] for e in recording.events]
    place = Path(tempfile.mkdtemp(dir=folder))
    files = []
    for name in DOWNLOADS:
        file = place / f"{recording.stem}{FORMATS[name].suffix}"
        FORMATS[name].write(file, [recording])
        files.append(str(file))
    return Shown(picture, rows, *files)


def _player(path: str) -> str:
    source = f"gradio_api/file={quote(path)}"
    return f'<audio class="wsed-player" controls preload="metadata" src="{source}" style="width:100%"></audio>'


def _mean(threshold: PerLabel) -> float:
    several = threshold if isinstance(threshold, list) else [threshold]
    return round(sum(several) / len(several), 2)
