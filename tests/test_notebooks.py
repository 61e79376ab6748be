"""The notebooks of the documentation run from the first cell to the last, in an empty folder."""

import os
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs/notebooks").glob("*.ipynb"))
ROOT = Path(__file__).parents[1]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="needs nbclient, of the extra dev")
    client = pytest.importorskip("nbclient", reason="needs nbclient, of the extra dev")
    # `!wsed` is the program beside this Python, and the library is this one; a shell cell that fails stops the notebook
    program = tmp_path / "bin/wsed"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wsed.cli.main "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("COLUMNS", "100")
    book = nbformat.read(path, as_version=4)
    book.cells.insert(0, nbformat.v4.new_code_cell(SHELL))
    (tmp_path / "work").mkdir()
    client.NotebookClient(
        book, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(tmp_path / "work")}}
    ).execute()
    if place := os.environ.get("WSED_NOTEBOOKS"):  # keeps the notebooks with what they print
        del book.cells[0]
        nbformat.write(book, Path(place) / path.name)


SHELL = """
from IPython import get_ipython


def _run(command, _system=get_ipython().system):
    _system(command)
    status = get_ipython().user_ns.get("_exit_code", 0)
    if status:
        raise SystemError(f"{command}: exit status {status}")


get_ipython().system = _run
"""


def test_there_are_notebooks_for_the_three_jobs():
    assert [path.stem for path in NOTEBOOKS] == ["compare-losses", "own-folder", "score-a-submission"]
