"""Every example in a docstring (`>>>`) and the Python of the documentation runs."""

import ast
import doctest
import importlib
import os
import re
import shutil
from pathlib import Path

import pytest

import wsed
import wsed.testing

ROOT = Path(__file__).parents[1]
FILES = [path for path in sorted((ROOT / "wsed").rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def examples(path):
    """The examples of a module, by its functions, classes and methods."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    module, parser = importlib.import_module(name), doctest.DocTestParser()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ">>> " in (
            text := ast.get_docstring(node) or ""
        ):
            title = f"{name}.{getattr(node, 'name', '')}"
            yield parser.get_doctest(text, dict(vars(module)), title, str(path), getattr(node, "lineno", 1) - 1)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_examples_of_docstrings(path, capsys):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL)
    for example in examples(path):
        runner.run(example, clear_globs=False)
    assert runner.summarize(verbose=False).failed == 0, capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_python_of_the_documentation_is_python_and_imports_what_there_is(page):
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "wsed":
                module = importlib.import_module(node.module)
                for alias in node.names:
                    getattr(module, alias.name, None) or importlib.import_module(f"{node.module}.{alias.name}")
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "wsed":
                assert hasattr(wsed, node.attr) or importlib.import_module(f"wsed.{node.attr}"), node.attr


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")
def test_the_tutorial_in_python_runs(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(corpus, "data/quickstart")
    (code,) = BLOCK.findall((ROOT / "docs/tutorials/python.md").read_text(encoding="utf-8"))
    assert len([line for line in code.splitlines() if line]) <= 24
    exec(compile(code, os.fspath(ROOT / "docs/tutorials/python.md"), "exec"), {"__name__": "__main__"})
    assert (tmp_path / "runs/python/test/scores.json").is_file()
    assert (tmp_path / "runs/python/last.ckpt").is_file()


def test_the_table_for_newcomers_is_what_its_code_prints(capsys):
    text = (ROOT / "docs/explanation/scores-for-newcomers.md").read_text(encoding="utf-8")
    exec(compile(BLOCK.findall(text)[0], "scores-for-newcomers.md", "exec"), {"__name__": "__main__"})
    printed = capsys.readouterr().out.splitlines()
    table = re.findall(r"^\| ([a-z0-9. ]+) \(.*?\) \| (\d+) \| (\d+) \| (\d+) \|$", text, re.MULTILINE)
    assert printed == [" ".join(row) for row in table]
    assert len(table) == 7


def test_the_loss_of_the_guide_keeps_the_contract():
    (code, *_) = BLOCK.findall((ROOT / "docs/how-to/write-a-loss.md").read_text(encoding="utf-8"))
    names: dict[str, type] = {}
    exec(compile(code, "my_losses.py", "exec"), names)
    wsed.testing.check_loss(names["Sparse"]())


def test_the_corpus_of_the_guide_keeps_the_contract(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "robin_1.wav").touch()
    code = next(
        code for code in BLOCK.findall((ROOT / "docs/how-to/data.md").read_text(encoding="utf-8")) if "Birds" in code
    )
    names: dict[str, type] = {}
    exec(compile(code, "my_corpus.py", "exec"), names)
    wsed.testing.check_corpus(names["Birds"](tmp_path))
