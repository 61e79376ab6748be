"""Reading of text, JSON and YAML files: always UTF-8, with one-line errors that name the file and the row."""

import json
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from wsed.errors import WsedError

CLASS_LISTS = frozenset({"labels"})
"""YAML keys whose value is a list of class names. These are read as they are written: `no` and `0` are names."""

CLASS_MAPPINGS = frozenset({"classes", "together", "extend", "threshold"})
"""YAML keys whose value may be a mapping with class names as keys."""

MAX_NODES = 1_000_000
"""Greatest number of values in a YAML file after its aliases are expanded."""


def read_text(path: str | Path, kind: str = "file") -> str:
    r"""The text of a UTF-8 file, without a byte order mark and with `\n` as line ends.

    Args:
        path: a regular file.
        kind: the word for the file in messages: `table`, `recipe`, ...

    Raises:
        WsedError: the file is missing, is a folder or a pipe, cannot be read, or is not UTF-8 text.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "labels.txt").write_bytes(b"Cat\r\nDog\r\n")
    ...     read_text(Path(folder, "labels.txt"))
    'Cat\nDog\n'
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise WsedError(f"{path} is a folder; name a {kind} in it")
        if not stat.S_ISREG(mode):
            raise WsedError(
                f"{path} is not a regular file; write the {kind} to a file first, since it is read more than once"
            )
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise WsedError(f"no such {kind}: {path}") from None
    except OSError as error:
        raise WsedError(f"cannot read the {kind} {short(path)}: {error.strerror}") from None
    return decode_text(content, path)


def decode_text(content: bytes, path: str | Path) -> str:
    r"""The text of bytes that were read from `path`; raises the same errors as `read_text`.

    >>> decode_text(b"\xef\xbb\xbfCat\r\nDog\n", "labels.txt")
    'Cat\nDog\n'
    """
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise WsedError(f"{path} is not UTF-8 text but UTF-16 (Excel's 'Unicode text'); save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        odd = f"byte 0x{content[error.start]:02x}"
        raise WsedError(f"{path} is not UTF-8 text (row {row}: {odd}); save it as UTF-8") from None
    if text.count("\0") > len(text) // 4:
        raise WsedError(f"{path} is not UTF-8 text: it is full of NUL bytes, as UTF-16 is; save it as UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def composed(text: str) -> str:
    """The text with composed letters (Unicode NFC). File names on macOS are decomposed.

    >>> len("cafe\u0301"), len(composed("cafe\u0301"))
    (5, 4)
    """
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return text
    return unicodedata.normalize("NFC", text)


def read_json(path: str | Path, remedy: str) -> object:
    """The value of a JSON file that wsed wrote.

    Args:
        path: the file.
        remedy: how to write the file again, for the message: `run wsed test again`.

    Raises:
        WsedError: the file is damaged, or cannot be read (see `read_text`).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "scores.json").write_text("[0.5, 1]")
    ...     read_json(Path(folder, "scores.json"), "run wsed test again")
    [0.5, 1]
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"row {error.lineno}: {error.msg}"
    except (ValueError, RecursionError):
        reason = "a number is too long, or values are nested too deeply"
    raise WsedError(f"{path} is damaged ({reason}); {remedy}")


def read_json_object(path: str | Path, remedy: str) -> dict[str, object]:
    """The object `{...}` in a JSON file; see `read_json`.

    Raises:
        WsedError: the file holds another value, is damaged, or cannot be read.
    """
    value = read_json(path, remedy)
    if not isinstance(value, dict):
        raise WsedError(f"{path} is damaged (expected an object {{...}}); {remedy}")
    return value


def read_yaml(path: str | Path, kind: str = "file") -> object:
    """The value of a YAML file; see `parse_yaml`.

    Raises:
        WsedError: the file is not valid YAML, or cannot be read (see `read_text`).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "config.yaml").write_text("data: {workers: 2}")
    ...     read_yaml(Path(folder, "config.yaml"))
    {'data': {'workers': 2}}
    """
    text = read_text(path, kind)
    try:
        return parse_yaml(text)
    except yaml.YAMLError as error:
        raise WsedError(f"{path} is not valid YAML: {yaml_fault(error)}") from None


def yaml_or_text(text: str) -> object:
    """The value of a YAML text; of one that is not YAML, the text itself: the parser says what is wrong with it.

    >>> yaml_or_text("1e-3"), yaml_or_text("[1")
    (0.001, '[1')
    """
    try:
        return parse_yaml(text)
    except yaml.YAMLError:
        return text


def parse_yaml(text: str) -> object:
    """The value of a YAML text, by the rules of YAML 1.2: `1e-3` is a number, and `no` is a string.

    Class names are kept as they are written, also `0` and `null`.

    >>> parse_yaml("{lr: 1e-3, labels: [yes, no, 0], test: no}")
    {'lr': 0.001, 'labels': ['yes', 'no', '0'], 'test': 'no'}

    Raises:
        yaml.YAMLError: the text is not valid YAML, is nested too deeply, expands to more than `MAX_NODES` values, or
            has a key twice in a mapping: the later one would replace the earlier one without a word.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _size(node, {})
        _keep_class_names(node)
        _check_keys(node)
        value: object = loader.construct_document(node)
        return value
    except RecursionError:
        raise yaml.YAMLError("values are nested too deeply") from None
    except ValueError as error:  # an impossible date or number, such as 2024-99-99
        raise yaml.YAMLError(f"{error}; put it in quotes") from None
    finally:
        loader.dispose()


def yaml_fault(error: yaml.YAMLError) -> str:
    """The row and the reason of a YAML error, in one line.

    >>> yaml_fault(yaml.YAMLError("values are nested too deeply"))
    'values are nested too deeply'
    """
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"row {error.problem_mark.line + 1}: {error.problem or error.context}"
    return " ".join(str(error).split())


class _Loader(yaml.SafeLoader):
    """Reads `1e-3` as a number, and only `true` and `false` as booleans."""


MERGE = "tag:yaml.org,2002:merge"
_BOOL, _FLOAT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:float"
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != _BOOL]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver(_FLOAT, re.compile(r"^[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+$"), list("-+0123456789"))


def _size(node: yaml.Node, known: dict[int, int]) -> int:
    """Number of values in a node once its aliases are expanded."""
    if id(node) in known:
        if known[id(node)] == 0:
            raise yaml.YAMLError("an alias contains itself")
        return known[id(node)]
    known[id(node)] = 0
    size = 1 if isinstance(node, yaml.ScalarNode) else 1 + sum(_size(part, known) for part in _below(node))
    if size > MAX_NODES:
        raise yaml.YAMLError("it holds more than a million values")
    known[id(node)] = size
    return size


def _mappings(node: yaml.Node) -> Iterator[yaml.MappingNode]:
    """The mappings in a document, each once, in the order of the file."""
    pending, seen = [node], set[int]()
    while pending:
        node = pending.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        pending += reversed(_below(node))
        if isinstance(node, yaml.MappingNode):
            yield node


def _keep_class_names(node: yaml.Node) -> None:
    """Mark class names as text, so that the classes `no`, `1` and `null` keep their names."""
    for mapping in _mappings(node):
        for key, value in mapping.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in (*CLASS_LISTS, "classes") and isinstance(value, yaml.SequenceNode):
                _mark(value.value)
            elif key.value in CLASS_MAPPINGS and isinstance(value, yaml.MappingNode):
                _mark(name for name, _ in value.value)
                for _, companions in value.value:
                    if isinstance(companions, yaml.MappingNode):
                        _mark(name for name, _ in companions.value)
                    elif isinstance(companions, yaml.SequenceNode):
                        _mark(companions.value)


def _check_keys(node: yaml.Node) -> None:
    """Refuse a mapping that has a key twice."""
    for mapping in _mappings(node):
        rows = dict[tuple[str, str], int]()
        for key, _ in mapping.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == MERGE:
                continue
            if (known := (key.tag, key.value)) in rows:
                why = f"{key.value} is set twice, first in row {rows[known] + 1}; remove one of them"
                raise yaml.MarkedYAMLError(problem=why, problem_mark=key.start_mark)
            rows[known] = key.start_mark.line


def _below(node: yaml.Node) -> list[yaml.Node]:
    return [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else list(node.value)


def _mark(names: Iterable[yaml.Node]) -> None:
    for name in names:
        if isinstance(name, yaml.ScalarNode) and name.tag != MERGE:
            name.tag, name.value = "tag:yaml.org,2002:str", composed(name.value)


def short(text: str | Path, most: int = 200) -> str:
    """A name for a message, cut to `most` characters.

    >>> short("a_long_name.wav", most=6)
    'a_long...'
    """
    text = str(text)
    return text if len(text) <= most else f"{text[:most]}..."
