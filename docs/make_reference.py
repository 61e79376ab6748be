"""Writes docs/reference/components.md from the registries: every name YAML can use, with its docstring.

    .venv/bin/python docs/make_reference.py

A test holds the page equal to what this makes.
"""

import inspect
from pathlib import Path

from wsed.registry import HOMES, registry

PAGE = Path(__file__).parent / "reference" / "components.md"


def page() -> str:
    """The page, as Markdown."""
    parts = ["# Components by name\n\nMade by `docs/make_reference.py` from the registries; do not edit.\n"]
    for kind in HOMES:
        parts.append(f"\n## {kind}\n")
        for name in registry(kind).names():
            cls = registry(kind)[name]
            if cls.__module__.startswith("wsed."):
                parts.append(f"\n### `{name}`\n\n`{cls.__module__}.{cls.__qualname__}`\n\n{described(cls)}\n")
    return "".join(parts)


def described(cls: type) -> str:
    """The docstring with its list of arguments as bullets."""
    text, _, arguments = inspect.getdoc(cls).partition("\nArgs:\n")
    if not arguments:
        return text.strip()
    bullets: list[str] = []
    for line in inspect.cleandoc(arguments.partition("\nRaises:")[0]).splitlines():
        if line.startswith(" ") or not line:
            bullets[-1] += " " + line.strip()
        else:
            name, _, meaning = line.partition(":")
            bullets.append(f"- `{name}`:{meaning}")
    return text.strip() + "\n\n" + "\n".join(b.strip() for b in bullets)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
