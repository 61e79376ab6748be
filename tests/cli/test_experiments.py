"""Every experiment's YAML is parsed and trained for two steps through the real command line."""

from pathlib import Path

import pytest

from wsed.cli.main import main

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
PARTS = {"cosine_penalty/soundscapes.yaml"}
"""Merged over a row, not rows themselves."""
ROWS = [p.relative_to(EXPERIMENTS).as_posix() for p in sorted(EXPERIMENTS.rglob("*.yaml"))]


@pytest.mark.parametrize("row", [r for r in ROWS if r not in PARTS])
def test_two_steps(row, corpus, tmp_path):
    args = ["fit", "--config", str(EXPERIMENTS / row), "--data.root", str(corpus), "--data.workers", "0"]
    args += ["--trainer.fast_dev_run", "2", "--trainer.accelerator", "cpu", "--trainer.default_root_dir", str(tmp_path)]
    assert main(args) == 0


@pytest.mark.parametrize("part", sorted(PARTS))
def test_parts_merge_over_a_row(part, corpus, tmp_path):
    row = next(r for r in ROWS if r.startswith(part.split("/")[0]) and r != part)
    args = ["fit", "--config", str(EXPERIMENTS / row), "--config", str(EXPERIMENTS / part), "--data.root", str(corpus)]
    args += ["--data.workers", "0", "--trainer.fast_dev_run", "1", "--trainer.accelerator", "cpu"]
    assert main([*args, "--trainer.default_root_dir", str(tmp_path)]) == 0
