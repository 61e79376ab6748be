"""Makes the page reference/components.md when the documentation is built: every name YAML can use, with its docstring.

MkDocs calls it as a hook; `.venv/bin/python docs/make_reference.py` prints the page.
"""

import inspect
import re
import textwrap
from typing import TYPE_CHECKING

from wsed.registry import HOMES, registry

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

PAGE = "reference/components.md"

ARGUMENTS = re.compile(r"^Args:\n((?: {4}.*\n|\n)+)", re.MULTILINE)
RAISES = re.compile(r"^Raises:\n((?: {4}.*\n|\n)+)", re.MULTILINE)
EXAMPLE = re.compile(r"^>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)


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
    """The docstring as Markdown: arguments as bullets, examples as code, errors left out."""
    text = RAISES.sub("", f"{inspect.getdoc(cls)}\n")
    text = EXAMPLE.sub(lambda example: f"```pycon\n{example[0]}\n```", text)
    return ARGUMENTS.sub(lambda arguments: bullets(arguments[1]), text).strip()


def bullets(arguments: str) -> str:
    """The lines of an `Args:` section as a Markdown list, one bullet per argument."""
    lines: list[str] = []
    for line in textwrap.dedent(arguments).strip().splitlines():
        if line.startswith(" "):
            lines[-1] += f" {line.strip()}"
        elif line:
            name, _, meaning = line.partition(":")
            lines.append(f"- `{name}`:{meaning}")
    return "\n".join(lines) + "\n\n"


if __name__ == "__main__":
    print(page(), end="")
