"""TextGrids of Praat, long and short: the events are the intervals with a text."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from wsed.errors import WsedError
from wsed.files import write_text
from wsed.formats.event import Event
from wsed.formats.numbers import span
from wsed.formats.recording import Recording
from wsed.text import composed, read_text

TOKEN = re.compile(r'"((?:[^"]|"")*)"|\[[^\]\n]*\]|(?<!\S)(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?!\S)|<(exists|absent)>')
UTF16 = (b"\xff\xfe", b"\xfe\xff")
FIX = "save it in Praat with Save as text file"


def read(path: str | Path) -> list[Event]:
    """The intervals of all tiers whose text is not empty; points are events of 0 s.

    Raises:
        WsedError: the file is missing, or is not a TextGrid.
    """
    tokens = _tokens(_text(path))
    try:
        if next(tokens) != ("ooTextFile", 1) or next(tokens)[0] != "TextGrid":
            raise WsedError(f"{path} is not a TextGrid; {FIX}")
        _, _, exists = next(tokens), next(tokens), next(tokens)
        n_tiers = int(next(tokens)[0]) if exists[0] == "exists" else 0
        return [event for _ in range(n_tiers) for event in _tier(path, tokens)]
    except (StopIteration, ValueError, RuntimeError) as error:
        if isinstance(error, WsedError):
            raise
        raise WsedError(f"{path} is not a complete TextGrid; {FIX}") from None


def _text(path: str | Path) -> str:
    """The text of the file; Praat writes UTF-16 if a text is not ASCII."""
    path = Path(path)
    if path.is_file() and (content := path.read_bytes())[:2] in UTF16:
        return composed(content.decode("utf-16").replace("\r\n", "\n"))
    return composed(read_text(path, "TextGrid"))


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """The strings, numbers and flags of a TextGrid, each with its line; the names of fields are left out."""
    line, before = 1, 0
    for match in TOKEN.finditer(text):
        line += text.count("\n", before, match.start())
        before = match.start()
        string, value, flag = match.groups()
        if string is not None:
            yield string.replace('""', '"'), line
        elif value or flag:
            yield value or flag, line


def _tier(path: str | Path, tokens: Iterator[tuple[str, int]]) -> list[Event]:
    kind = next(tokens)[0]
    if kind not in ("IntervalTier", "TextTier"):
        raise WsedError(f"{path} has a tier of the kind {kind!r}; {FIX}")
    _, _, _, (count, _) = next(tokens), next(tokens), next(tokens), next(tokens)
    events = []
    for _ in range(int(count)):
        onset, line = next(tokens)
        offset = next(tokens)[0] if kind == "IntervalTier" else onset
        label = next(tokens)[0].strip()
        span(path, line, float(onset), float(offset))
        if label:
            events.append(Event(label, float(onset), float(offset), line=line))
    return events


def write(path: Path, recordings: Sequence[Recording]) -> None:
    """The TextGrid of one recording: a tier per class that occurs, whose intervals fill it without gaps or overlaps."""
    (recording,) = recordings
    end = max([recording.duration, *(event.offset for event in recording.events)])
    names = sorted({event.label for event in recording.events})
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", "xmin = 0", f"xmax = {end:.6f}"]
    lines += ["tiers? <exists>", f"size = {len(names)}", "item []:"] if names else ["tiers? <absent>"]
    for i, name in enumerate(names, start=1):
        intervals = _filled([event for event in recording.events if event.label == name], end)
        lines += [f"    item [{i}]:", '        class = "IntervalTier"', f"        name = {_string(name)}"]
        lines += ["        xmin = 0", f"        xmax = {end:.6f}", f"        intervals: size = {len(intervals)}"]
        for j, (onset, offset, text) in enumerate(intervals, start=1):
            lines += [
                f"        intervals [{j}]:",
                f"            xmin = {onset:.6f}",
                f"            xmax = {offset:.6f}",
            ]
            lines += [f"            text = {_string(text)}"]
    write_text(path, "\n".join(lines) + "\n")


def _filled(events: Sequence[Event], end: float) -> list[tuple[float, float, str]]:
    """Intervals from 0 to the end, empty ones between events."""
    intervals: list[tuple[float, float, str]] = []
    before = 0.0
    for event in sorted(events, key=lambda event: event.onset):
        onset, offset = max(event.onset, before), event.offset
        if offset - onset < 1e-6:
            continue
        if onset - before >= 1e-6:
            intervals.append((before, onset, ""))
        intervals.append((onset if onset - before >= 1e-6 else before, offset, event.label))
        before = offset
    return [*intervals, (before, end, "")] if end - before >= 1e-6 else intervals


def _string(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
