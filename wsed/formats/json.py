"""JSON of wsed: recordings with their events."""

import json
from collections.abc import Sequence
from pathlib import Path

from wsed.errors import WsedError
from wsed.files import write_text
from wsed.formats.event import Event, written_times
from wsed.formats.recording import Recording
from wsed.text import read_json_object


def write(path: Path, recordings: Sequence[Recording]) -> None:
    """All recordings: `{"recordings": [{"file", "path", "duration", "events": [{"label", "onset", ...}]}]}`."""
    entries = [
        {
            "file": recording.name,
            "path": recording.path,
            "duration": round(recording.duration, 3),
            "events": [
                {"label": e.label, **dict(zip(("onset", "offset"), written_times(e.onset, e.offset), strict=True))}
                | ({} if e.confidence is None else {"confidence": round(e.confidence, 4)})
                for e in recording.events
            ],
        }
        for recording in recordings
    ]
    write_text(path, json.dumps({"recordings": entries}, indent=1, ensure_ascii=False) + "\n")


def read(path: str | Path) -> list[Event]:
    """The events of all recordings; a recording without events has an event with an empty label.

    Raises:
        WsedError: the file is missing, or was not written by `write`.
    """
    content = read_json_object(path, "write it again with `wsed detect --format json`")
    recordings = content.get("recordings")
    try:
        assert isinstance(recordings, list)
        return [
            Event(e["label"], float(e["onset"]), float(e["offset"]), e.get("confidence"), recording["file"])
            for recording in recordings
            for e in recording["events"] or [{"label": "", "onset": 0, "offset": 0}]
        ]
    except (AssertionError, KeyError, TypeError, ValueError):
        raise WsedError(
            f"{path} is not a JSON file of `wsed detect`: expected recordings with file and events"
        ) from None
