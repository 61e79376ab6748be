"""Shapes in annotations are checked while the tests run; `shared` is the material that lies beside the checkout.

The check slows the imports down: `WSED_TYPECHECK=0 pytest ...` leaves it out while one file is worked on.
"""

import gc
import os
from pathlib import Path

gc.disable()  # while modules are imported: see `wsed.cli.process.importing`

from jaxtyping import install_import_hook  # noqa: E402

ROOT = Path(__file__).parents[1]

if os.environ.get("WSED_TYPECHECK") != "0":
    # Only where there are shapes: the types of the others are mypy's, and readers of rows would take ten times as long.
    shaped = [
        path
        for path in sorted(ROOT.glob("wsed/**/*.py"))
        if "corpus" not in path.parts and "jaxtyping" in path.read_text(encoding="utf-8")
    ]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in shaped]
    # These wrap constructors; the hook would wrap them once more if they were left out.
    wrapping = ["wsed.literals", "wsed.registry", "wsed.spec"]
    install_import_hook([*names, *wrapping], "beartype.beartype").__enter__()

import json  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from importlib import metadata  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import soundfile  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402

# The same examples each time, so that what is green stays green; `--hypothesis-profile=default` draws new ones.
settings.register_profile("same", derandomize=True, deadline=None)
settings.load_profile("same")

torch.set_num_threads(1)  # there is a test process a core already, and sums then do not depend on the machine

SHARED = ROOT.parent / "shared"


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


EXTRA = re.compile(r"pip install ['\"]wsed\[(\w+)\]['\"]|No module named '(\w+)")
"""What a message says if a package of an extra is missing."""


def extras_missing() -> tuple[set[str], set[str]]:
    """The extras of which a package is not installed, and the modules of these packages."""
    extras, modules = set(), set()
    for line in metadata.requires("wsed") or []:
        package, _, extra = line.partition("; extra == ")
        name = re.split(r"[^\w.-]", package)[0]
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            extras.add(extra.strip("'\" "))
            modules.add(name.replace("-", "_"))
    return extras - {""}, modules


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Skip a test that fails because an extra is not installed, and says so; only where WSED_EXTRAS=skip is set."""
    report = yield
    if (
        os.environ.get("WSED_EXTRAS") == "skip"
        and report.failed
        and (said := EXTRA.search(f"{report.longrepr}\n{report.capstderr}"))
    ):
        extras, modules = extras_missing()
        if said[1] in extras or said[2] in modules:
            report.outcome = "skipped"
            report.longrepr = (str(item.path), item.location[1], f"Skipped: not installed: {said[1] or said[2]}")
    return report


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("../shared is not there: real recordings and label files lie beside the checkout")
    return SHARED


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window, driven by Playwright; its microphone is a made-up one."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install 'wsed[browser]'")
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=program, args=flags)
        yield running
        running.close()


@pytest.fixture(scope="session")
def golden() -> Callable[[str], Any]:
    return lambda name: json.loads((Path(__file__).parent / "golden" / f"{name}.json").read_text())


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny corpus in DESED's layout, 8 kHz, 1 s clips: `low` is a 300 Hz tone, `high` 2 kHz, over faint noise."""
    return make_corpus(tmp_path_factory.mktemp("corpus"))


def make_corpus(root: Path, clips: int = 8, rate: int = 8000) -> Path:
    rng = np.random.default_rng(0)
    for table, part in (("train/weak", "train"), ("validation/validation", "validation"), ("eval/public", "eval")):
        (root / "audio" / table).mkdir(parents=True)
        (root / "metadata" / table).parent.mkdir(parents=True, exist_ok=True)
        weak, strong = ["filename\tevent_labels"], ["filename\tonset\toffset\tevent_label"]
        for i in range(clips):
            name, label = f"{part}_{i}.wav", ("low", "high")[i % 2]
            onset, offset = 0.2 + 0.05 * (i % 4), 0.6 + 0.05 * (i % 4)
            time = np.arange(rate) / rate
            tone = 0.5 * np.sin(2 * np.pi * (300 if label == "low" else 2000) * time)
            audio = 0.01 * rng.standard_normal(rate) + tone * ((time >= onset) & (time < offset))
            soundfile.write(root / "audio" / table / name, audio, rate, subtype="PCM_16")
            weak.append(f"{name}\t{label}")
            strong.append(f"{name}\t{onset:.3f}\t{offset:.3f}\t{label}")
        lines = {"weak": weak, "strong": strong} if part == "train" else {Path(table).name: strong}
        for file, rows in lines.items():
            (root / "metadata" / Path(table).parent / f"{file}.tsv").write_text("\n".join(rows) + "\n")
    return root
