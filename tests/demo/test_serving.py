"""Where the page of `wsed demo` is served; no browser and no Gradio."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from wsed.cli.main import main
from wsed.demo import page
from wsed.inference import loading


@pytest.mark.parametrize(
    ("args", "place"),
    [
        ([], ("127.0.0.1", 7860)),  # this machine only
        (["--host", "0.0.0.0", "--port", "9000"], ("0.0.0.0", 9000)),
    ],
)
def test_the_page_is_served_where_the_user_says(monkeypatch, args, place):
    served, whole = [], page.launch
    theme = SimpleNamespace(Default=lambda **fonts: None)
    monkeypatch.setitem(sys.modules, "gradio", SimpleNamespace(themes=theme, __spec__=object()))
    monkeypatch.setattr(loading, "load_all", lambda models: SimpleNamespace(check=lambda: None))

    def launch(**settings):
        served.append((settings["server_name"], settings["server_port"], settings["share"]))
        return None, "http://here", ""

    blocks = SimpleNamespace(launch=launch)
    monkeypatch.setattr(page, "serve", lambda detector, host, port: whole(blocks, Path(), host, port))
    assert main(["demo", "model", *args]) == 0
    assert served == [(*place, False)]
