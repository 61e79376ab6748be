"""The public names: lazy, typed, complete."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import wsed
from wsed.lazy import exports_of
from wsed.losses import functional
from wsed.registry import HOMES, registry

ROOT = Path(__file__).parents[1]
PACKAGES = ("wsed", "wsed.losses", "wsed.models", "wsed.data", "wsed.decoding", "wsed.metrics", "wsed.augment")


@pytest.mark.parametrize("name", PACKAGES)
def test_what_a_package_exports_is_what_type_checkers_see(name):
    package = importlib.import_module(name)
    assert sorted({*package.__all__} - {"__version__"}) == sorted(exports_of(name))
    assert {*package.__all__} <= {*dir(package)}
    for public in package.__all__:
        assert getattr(package, public) is not None
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        _ = package.nothing


def test_modules_are_imported_when_they_are_named():
    code = "import wsed; print(wsed.testing.check_loss.__name__, wsed.losses.schedule.Ramp.__name__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said == "check_loss Ramp\n"
    with pytest.raises(AttributeError, match="has no attribute '_hidden'"):
        _ = wsed._hidden


@pytest.mark.parametrize("kind", HOMES)
def test_every_registered_class_is_a_name_of_its_package(kind):
    for cls in registry(kind).classes():
        if cls.__module__.startswith("wsed."):
            package = importlib.import_module(".".join(cls.__module__.split(".")[:2]))
            assert getattr(package, cls.__name__) is cls


@pytest.mark.parametrize("kind", HOMES)
def test_type_checkers_see_every_component_that_the_changelog_announces(kind):
    """A new component works without a line in these lists; the line comes with its announcement."""
    announced = set(re.findall(r"`(\w+)`", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
    for name in registry(kind).names():
        cls = registry(kind)[name]
        if name in announced and cls.__module__.startswith("wsed."):
            assert cls.__name__ in exports_of(".".join(cls.__module__.split(".")[:2])), name
            if kind == "loss" and name in vars(sys.modules[cls.__module__]):
                assert name in exports_of("wsed.losses.functional"), name


def test_the_function_of_a_loss_has_its_name():
    assert functional.mil.__module__ == "wsed.losses.mil"
    assert {"mil", "clip_bce", "class_weights"} <= {*dir(functional)}
    assert {*exports_of("wsed.losses.functional")} <= {*dir(functional)}
    with pytest.raises(AttributeError, match="no attribute 'metric_learning'"):
        _ = functional.metric_learning


def test_importing_everything_hides_no_builtin():
    names: dict[str, object] = {}
    exec("from wsed import *", names)
    assert not {*wsed.__all__} & {*dir(__builtins__)} - {"__version__"}
    assert names["load"] is wsed.load


def test_importing_wsed_imports_nothing_else():
    code = "import sys, wsed; print([m for m in sys.modules if m.startswith('wsed.')], 'torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['wsed.lazy'] False"
