"""Label Studio: a task per recording, whose predictions are regions of the audio."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from wsed.errors import WsedError
from wsed.files import write_text
from wsed.formats.event import Event, written_times
from wsed.formats.recording import Recording
from wsed.text import read_json

FROM, TO = "label", "audio"
"""The names of the tags `Labels` and `Audio` in the labelling interface."""


def write(path: Path, recordings: Sequence[Recording]) -> None:
    """Tasks to import, each with `data.audio` and a prediction."""
    tasks = [
        {
            "data": {"audio": recording.path},
            "predictions": [
                {"model_version": "wsed", "result": [_region(i, e) for i, e in enumerate(recording.events)]}
            ],
        }
        for recording in recordings
    ]
    write_text(path, json.dumps(tasks, indent=1, ensure_ascii=False) + "\n")


def _region(i: int, event: Event) -> dict[str, object]:
    start, end = written_times(event.onset, event.offset)
    value = {"start": start, "end": end, "channel": 0, "labels": [event.label]}
    names = {"id": f"event_{i}", "from_name": FROM, "to_name": TO, "type": "labels"}
    return names | {"value": value} | ({} if event.confidence is None else {"score": round(event.confidence, 4)})


def read(path: str | Path) -> list[Event]:
    """The labelled regions of all tasks: of their annotations, or of their predictions if there are no annotations.

    A region with several labels gives one event per label. Cancelled annotations and other entries, such as choices
    about the whole recording, are skipped. An annotated task without regions gives an event without a label.

    Raises:
        WsedError: the file is missing, or is not an export of Label Studio.
    """
    tasks = read_json(path, "export it from Label Studio again")
    events = []
    for task in tasks if isinstance(tasks, list) else [tasks]:
        try:
            assert isinstance(task, dict)
            file = task["data"]["audio"]
            results = task.get("annotations") or task.get("predictions") or []
            kept = [result for result in results if result.get("was_cancelled") is not True]
            regions = [region for result in kept for region in result["result"] if "labels" in region.get("value", {})]
            events += [event for region in regions for event in _events(file, region)]
            if kept and not regions:
                events.append(Event("", 0.0, 0.0, file=str(file)))
        except (AssertionError, KeyError, TypeError, AttributeError, IndexError, ValueError):
            raise WsedError(
                f"{path} is not an export of Label Studio with regions of audio; export it as JSON"
            ) from None
    return events


def _events(file: str, region: Mapping[str, object]) -> list[Event]:
    """An event for each label of a region."""
    value, score = region["value"], region.get("score")
    assert isinstance(value, Mapping)
    labels = value["labels"]
    assert isinstance(labels, list)
    assert labels
    confidence = float(score) if isinstance(score, int | float) else None
    onset, offset = float(str(value["start"])), float(str(value["end"]))
    return [Event(str(label), onset, offset, confidence, str(file)) for label in dict.fromkeys(labels)]
