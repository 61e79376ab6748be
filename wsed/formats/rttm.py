"""RTTM, the format of speaker diarisation: a line per event, with blanks between fields."""

from collections.abc import Sequence
from pathlib import Path

from wsed.files import write_text
from wsed.formats.event import Event, written_times
from wsed.formats.numbers import certainty, number
from wsed.formats.recording import Recording
from wsed.formats.rows import RowError
from wsed.text import composed, read_text


def read(path: str | Path) -> list[Event]:
    """The events of the lines that begin with SPEAKER; `file` is the name without a suffix.

    Raises:
        WsedError: the file is missing, or is not UTF-8 text.
        RowError: a line has fewer than eight fields, or a time is not a number.
    """
    events = []
    for line, text in enumerate(composed(read_text(path, "RTTM")).split("\n"), start=1):
        fields = text.split()
        if not fields or fields[0] != "SPEAKER":
            continue
        if len(fields) < 8:
            raise RowError(path, line, f"{len(fields)} fields, expected 10 with blanks between them; correct the line")
        onset, duration = (number(path, line, what, fields[i]) for i, what in ((3, "onset"), (4, "duration")))
        certain = fields[8] if len(fields) > 8 else "<NA>"
        confidence = None if certain == "<NA>" else certainty(path, line, "confidence", certain)
        events.append(Event(fields[7], onset, round(onset + duration, 6), confidence, fields[1], line))
    return events


def write(path: Path, recordings: Sequence[Recording]) -> None:
    """The events of all recordings; blanks in names become `_`, since blanks separate fields."""
    lines = [
        f"SPEAKER {_word(recording.stem)} 1 {onset:.3f} {offset - onset:.3f} <NA> <NA> "
        f"{_word(event.label)} {'<NA>' if event.confidence is None else f'{event.confidence:.4f}'} <NA>\n"
        for recording in recordings
        for event in recording.events
        for onset, offset in [written_times(event.onset, event.offset)]
    ]
    write_text(path, "".join(lines))


def _word(text: str) -> str:
    return "_".join(text.split())
