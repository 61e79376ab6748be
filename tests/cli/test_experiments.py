"""Every experiment's YAML is parsed and trained for two steps through the real command line."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import make_corpus
from tests.data.dcase2018 import first_release, make_dcase2018
from wsed.cli.main import main

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
REAL = "cosine_penalty/dcase2018.yaml"
SYSTEMS = {"cosine_penalty/soundscapes_at.yaml": "cosine_penalty/glu_mil_cos_at.yaml"}
PARTS = {"cosine_penalty/soundscapes.yaml", "fpd/soundscapes.yaml", *SYSTEMS, REAL}
"""Merged over a row, not rows themselves."""
ROWS = [p.relative_to(EXPERIMENTS).as_posix() for p in sorted(EXPERIMENTS.rglob("*.yaml"))]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """The tiny corpus, its strongly labelled clips a second source besides: the rows of the FPD paper mix both."""
    root = make_corpus(tmp_path_factory.mktemp("rows"))
    for source in ("synthetic", "builtin"):
        shutil.copytree(root / "audio/train/weak", root / "audio/train" / source)
        shutil.copy(root / "metadata/train/strong.tsv", root / f"metadata/train/{source}.tsv")
    return root


@pytest.mark.parametrize("row", [r for r in ROWS if r not in PARTS])
def test_two_steps(row, corpus, tmp_path):
    args = ["fit", "--config", str(EXPERIMENTS / row), "--data.root", str(corpus), "--data.workers", "0"]
    args += ["--trainer.fast_dev_run", "2", "--trainer.accelerator", "cpu", "--trainer.default_root_dir", str(tmp_path)]
    assert main([*args, *untrained(row)]) == 0


def untrained(row):
    """Rows that take an earlier run's weights do without them here."""
    return ["--model.network.init_args.pretrained", "null"] * ("pretrained:" in (EXPERIMENTS / row).read_text())


@pytest.mark.parametrize("part", sorted(PARTS - {REAL}))
def test_parts_merge_over_a_row(part, corpus, tmp_path):
    row = SYSTEMS.get(part) or next(r for r in ROWS if r.startswith(part.split("/")[0]) and r not in PARTS)
    args = ["fit", "--config", str(EXPERIMENTS / row), "--config", str(EXPERIMENTS / part), "--data.root", str(corpus)]
    args += ["--data.workers", "0", "--trainer.fast_dev_run", "1", "--trainer.accelerator", "cpu"]
    assert main([*args, *untrained(row), "--trainer.default_root_dir", str(tmp_path)]) == 0


def test_a_row_on_the_papers_corpus(shared, tmp_path):
    root = make_dcase2018(tmp_path / "dcase2018", shared, first_release(shared))
    row = EXPERIMENTS / "cosine_penalty/glu_mil_cos.yaml"
    args = ["fit", "--config", str(row), "--config", str(EXPERIMENTS / REAL), "--data.root", str(root)]
    args += ["--data.workers", "0", "--trainer.fast_dev_run", "true", "--trainer.accelerator", "cpu"]
    assert main([*args, "--trainer.default_root_dir", str(tmp_path / "run")]) == 0
