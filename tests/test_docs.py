"""The documentation says what is true of the code."""

import importlib
import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from wsed.cli.arguments import parsed
from wsed.cli.check_flags import check_flags
from wsed.cli.configs import merged, split_files
from wsed.cli.flags import underscores
from wsed.cli.main import RENAMED
from wsed.cli.trusted import split_trusted
from wsed.cli.verbs import all_verbs, groups
from wsed.registry import HOMES, registry

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("experiments/**/*.md")]


GENERATED = ROOT / "docs" / "reference" / "components.md"  # when the documentation is built
PICTURES = ROOT / "docs" / "reference" / "losses"  # those of the gallery too


def test_the_reference_has_every_component():
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    text = maker.page()
    assert ROOT / "docs" / maker.PAGE == GENERATED
    for kind in HOMES:
        assert f"\n## {kind}\n" in text
        for name in registry(kind).names():
            assert f"\n### `{name}`\n" in text
    assert "\n- `reduction`:" in text
    assert "\n```pycon\n>>> " in text
    assert not re.search(r"^(- `>>>|Args:|Raises:)", text, re.MULTILINE), "sections are bullets, examples are code"


def test_every_page_is_in_the_navigation():
    nav = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text())
    there = [path.relative_to(ROOT / "docs").as_posix() for path in {*ROOT.glob("docs/**/*.md"), GENERATED}]
    assert sorted(nav) == sorted(there)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_files_and_verbs_exist(page):
    text, verbs = page.read_text(), {verb.name for verb in all_verbs()} | {*RENAMED}
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        path = page.parent / target
        assert (
            path.exists()
            or path.with_name(f"{path.name}.md").exists()
            or path.resolve() == GENERATED
            or path.parent == PICTURES
        ), target
    for file in re.findall(r"(?<![\w/.])((?:wsed|experiments|tests|docs)/[\w/.-]+\.(?:py|yaml|md))", text):
        if "my_" not in file:
            assert (ROOT / file).exists(), f"{file} is named and not there"
    for verb, sub in re.findall(r"^\s*wsed (\w+)(?: (\w+))?", text, flags=re.MULTILINE):
        name = f"{verb} {sub}" if verb in groups() else verb
        assert name in verbs, f"wsed {name}"


def test_no_placeholder_is_left():
    for page in PAGES:
        assert not re.search(r"\b(TODO|QUICKSTART_RESULT|RESULTS)\b", page.read_text()), page


TRAININGS = ("fit", "validate", "test", "predict", "search")


def commands():
    """The commands of `wsed` in the pages: in blocks of code, and between backticks."""
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        blocks = re.findall(r"^(?:\$ |[A-Z]+=\S+ )*(wsed .*)$", text, flags=re.MULTILINE)
        inline = re.findall(r"`(wsed [^`\n]+)`", text)
        for command in dict.fromkeys([*blocks, *inline]):
            line = re.split(r"\s+#\s|; done| \|", command)[0]
            whole = command in blocks or " --config" in line or " --out" in line or " --reference" in line
            if len(line.split()) > 2 and whole and "..." not in line and "VERB" not in line:
                yield pytest.param(line, id=f"{page.stem} {line[:60]}")


@pytest.mark.parametrize("line", [*commands()])
def test_commands_are_understood(line):
    words = shlex.split(line)[1:]
    name = " ".join(words[:2]) if words[0] in groups() else RENAMED.get(words[0], words[0])
    rest = words[len(name.split()) :]
    module = importlib.import_module(next(verb.module for verb in all_verbs() if verb.name == name))
    if name == "search":
        rest = parsed(name, module.add_arguments, rest, settings=True).settings
    elif name not in TRAININGS:
        parsed(name, module.add_arguments, rest)
    if name in TRAININGS:
        files, flags = split_files(split_trusted(rest)[0])
        assert all((ROOT / file).is_file() for file in files if file.startswith("experiments/")), files
        there = [str(ROOT / file) for file in files if (ROOT / file).is_file()]
        check_flags(underscores(flags), merged(there or [str(ROOT / "experiments/quickstart.yaml")]))
