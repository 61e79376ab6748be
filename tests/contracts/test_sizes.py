"""A newcomer reads any module in a minute: sizes, and how much of the code escapes the type checker."""

import ast
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2] / "wsed"
FILES = {p.relative_to(ROOT).as_posix(): p.read_text(encoding="utf-8") for p in sorted(ROOT.rglob("*.py"))}


def nodes():
    return ((file, node) for file, text in FILES.items() for node in ast.walk(ast.parse(text)))


def test_modules_are_short():
    lines = {file: len(text.splitlines()) for file, text in FILES.items()}
    assert median(n for n in lines.values() if n) < 120
    assert not {file: n for file, n in lines.items() if n > 350}


def test_functions_are_short():
    for file, node in nodes():
        if isinstance(node, ast.FunctionDef):
            start = node.body[1:] or node.body if ast.get_docstring(node) else node.body
            assert node.end_lineno - start[0].lineno < 50, f"{file}: {node.name}"


def test_types_are_known():
    anything = [file for file, node in nodes() if isinstance(node, ast.Name) and node.id == "Any"]
    assert len(anything) < 60, sorted(set(anything))


def test_objects_are_not_asked_what_they_have():
    asked = [
        f"{file}:{node.lineno}"
        for file, node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr")
    ]
    assert len(asked) < 15, asked
