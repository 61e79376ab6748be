"""Makes the page reference/components.md when the documentation is built: every name YAML can use, with its docstring.

MkDocs calls it as a hook; `.venv/bin/python docs/make_reference.py` prints the page.
"""

import inspect
from typing import TYPE_CHECKING

from wsed.registry import HOMES, registry

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PAGE = "reference/components.md"


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the page to those that are built."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, PAGE, content=page()))
    return files


def page() -> str:
    """The page, as Markdown."""
    parts = ["# Components by name\n\nMade from the registries; `wsed list KIND` prints the names.\n"]
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
    print(page(), end="")
