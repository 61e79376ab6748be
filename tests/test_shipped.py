"""The experiments are found in the repository, and in an installed wheel, which has no repository around it."""

import sys
from pathlib import Path

import pytest

from wsed import shipped
from wsed.cli.configs import merged, split_files
from wsed.cli.early import check_files
from wsed.errors import WsedError
from wsed.shipped import home, located, make_importable
from wsed.study.recipes import find_recipes

ROOT = Path(__file__).parents[1]


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """As in site-packages: the experiments are in the package, and the working folder is empty."""
    place = tmp_path / "site-packages/wsed/shipped/experiments"
    (place / "toy_paper/rows").mkdir(parents=True)
    (place / "quickstart.yaml").write_text("trainer: {max_epochs: 7}\n")
    (place / "toy_paper/recipe.yaml").write_text("title: Toy\nbase: null\nrows: {mil: {}}\nscales: {small: {}}\n")
    (place / "toy_paper/rows/mil.yaml").write_text("trainer: {max_epochs: 1}\n")
    (place / "toy_paper/wsed_toy_readings.py").write_text("MARGIN = 3\n")
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "site-packages/wsed")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return place


def test_the_repository_is_its_own_home():
    assert home() == ROOT


def test_a_configuration_of_the_wheel(installed):
    files, rest = split_files(["fit", "--config", "experiments/quickstart.yaml", "--config=other.yaml", "--seed", "1"])
    assert files == [str(installed / "quickstart.yaml"), "other.yaml"]
    assert rest == ["fit", "--seed", "1"]
    assert merged(files[:1]) == {"trainer": {"max_epochs": 7}}
    rest = ["--model.network.encoder=crnn", "--model.losses.tags.loss=mil", "--data.corpus=desed"]
    check_files(["--config", "experiments/quickstart.yaml", *rest])
    with pytest.raises(WsedError, match=r"no such --config: experiments/quick\.yaml"):
        check_files(["--config", "experiments/quick.yaml"])


def test_a_file_of_ones_own_comes_first(installed):
    Path("experiments").mkdir()
    Path("experiments/quickstart.yaml").write_text("trainer: {max_epochs: 9}\n")
    assert located("experiments/quickstart.yaml") == "experiments/quickstart.yaml"
    assert located("experiments/none.yaml") == "experiments/none.yaml"


def test_recipes_of_the_wheel_and_of_the_working_folder(installed):
    assert find_recipes("toy_paper", "small")[0].folder == installed / "toy_paper"
    own = Path("experiments/toy_paper")
    (own / "rows").mkdir(parents=True)
    (own / "recipe.yaml").write_text("title: My own\nrows: {}\nscales: {small: {}}\n")
    assert find_recipes("toy_paper", "small")[0].title == "My own"


def test_its_classes_can_be_named(installed, monkeypatch):
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path not in ("", str(ROOT))])
    make_importable()
    assert sys.path[-1] == str(installed.parent)
    assert sys.path.count(str(installed.parent)) == 1


def test_without_experiments_nothing_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "PACKAGE", tmp_path / "wsed")
    before = list(sys.path)
    make_importable()
    assert home() is None
    assert located("experiments/quickstart.yaml") == "experiments/quickstart.yaml"
    assert sys.path == before
