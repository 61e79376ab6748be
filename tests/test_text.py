"""Text, JSON and YAML of users: UTF-8 whatever the locale, and errors of one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from wsed.errors import WsedError
from wsed.text import parse_yaml, read_json, read_json_object, read_text, read_yaml, yaml_fault


def test_utf8_with_or_without_mark(tmp_path: Path) -> None:
    for content in (b"Katze\r\nH\xc3\xbcndchen\r", b"\xef\xbb\xbfKatze\nH\xc3\xbcndchen\n"):
        (tmp_path / "labels.txt").write_bytes(content)
        assert read_text(tmp_path / "labels.txt") == "Katze\nH\u00fcndchen\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nH\u00fcndchen\n".encode("latin-1"), r"is not UTF-8 text \(row 2: byte 0xfc\); save it as UTF-8"),
        ("Cat\n".encode("utf-16"), "UTF-16"),
        ("Cat\n".encode("utf-16-le"), "UTF-16"),
    ],
)
def test_other_encodings_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(WsedError, match=rf"labels\.txt .*{message}"):
        read_text(tmp_path / "labels.txt")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, message in (
        ("gone", "no such table: "),
        ("gone/below", "no such table: "),
        (".", "is a folder"),
        ("pipe", "is not a regular file; write the table to a file first"),
        ("a dog barks " * 30, "File name too long"),
    ):
        with pytest.raises(WsedError, match=message):
            read_text(tmp_path / name, "table")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": {"macro": 0.3,', "row 1"),
        ("", "row 1"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5000, "a number is too long"),
        ("[1]", "expected an object"),
    ],
)
def test_damaged_json(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "scores.json"
    path.write_text(text)
    with pytest.raises(WsedError, match=rf"scores\.json is damaged \(.*{message}.*\); run wsed test again"):
        read_json_object(path, "run wsed test again")
    path.write_text('{"a": 1}')
    assert read_json(path, "") == read_json_object(path, "") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: {a: 1}\nmodel: {}\ndata: {b: 2}", "row 3: data is set twice, first in row 1; remove one of them"),
        ("model:\n  losses:\n    - tags: 1\n      tags: 2", "row 4: tags is set twice, first in row 3"),
        ("threshold: {0: 0.5, '0': 0.3}", "row 1: 0 is set twice"),
    ],
)
def test_a_key_that_is_set_twice_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "exp.yaml").write_text(text)
    with pytest.raises(WsedError, match=rf"exp\.yaml is not valid YAML: {message}"):
        read_yaml(tmp_path / "exp.yaml")


def test_keys_over_merged_ones_and_of_other_types_are_no_repetition() -> None:
    assert parse_yaml("{a: &a {x: 1}, b: {<<: *a, x: 2}, c: *a}") == {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 1}}
    assert parse_yaml("{1: a, '1': b}") == {1: "a", "1": "b"}


def test_yaml_keeps_names_of_classes() -> None:
    text = "labels: [yes, No, on, 0, 007, 1e3, null, Hu\u0308ndchen, 2024-01-01]"
    assert parse_yaml(text) == {"labels": ["yes", "No", "on", "0", "007", "1e3", "null", "H\u00fcndchen", "2024-01-01"]}
    text = "{classes: {no: 2, 1: 3}, together: {off: {no: 0.5}}, threshold: {0: 0.3}, events: {1: 0.5}}"
    assert parse_yaml(text) == {
        "classes": {"no": 2, "1": 3},
        "together": {"off": {"no": 0.5}},
        "threshold": {"0": 0.3},
        "events": {1: 0.5},
    }
    text = "{labels: null, classes: 3, threshold: [0.3, 1], a: true, b: 1e-3, c: no, d: null, e: 3}"
    assert parse_yaml(text) == {
        "labels": None, "classes": 3, "threshold": [0.3, 1], "a": True, "b": 0.001, "c": "no", "d": None, "e": 3,
    }  # fmt: skip


def bomb() -> str:
    """Nine times nine aliases: 387 million values in ten rows."""
    rows = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    return "\n".join([*rows, *(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 9))])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [", "row 2"),
        ("a: \x01", "#x0001"),
        ("&a [*a]", "an alias contains itself"),
        ("[" * 5000, "nested too deeply"),
        ("a: 2024-99-99", "put it in quotes"),
        ("!!python/object:os.system {}", "row 1: could not determine a constructor"),
        (bomb(), "more than a million values"),
    ],
)
def test_what_is_no_yaml(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(yaml.YAMLError) as caught:
        parse_yaml(text)
    assert message in yaml_fault(caught.value)
    (tmp_path / "exp.yaml").write_text(text)
    with pytest.raises(WsedError, match=r"exp\.yaml is not valid YAML: .*") as shown:
        read_yaml(tmp_path / "exp.yaml")
    assert "\n" not in str(shown.value)


def test_the_locale_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "exp.yaml").write_text("labels: [H\u00fcndchen]", encoding="utf-8")
    code = "import sys; from wsed.text import read_yaml; print(ascii(read_yaml(sys.argv[1])))"
    plain = {**os.environ, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "exp.yaml"], env=plain, capture_output=True, text=True
    )
    assert done.stdout.strip() == r"{'labels': ['H\xfcndchen']}", done.stderr
