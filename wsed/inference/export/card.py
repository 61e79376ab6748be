"""The model card of a folder for a hub."""

from collections.abc import Mapping

from wsed.inference.detector import Detector

SHOWN = ("event_f1", "segment_f1", "intersection_f1", "onset_f1", "tagging_f1", "psds1", "psds2")
TEXT = """\
---
library_name: wsed
license: unknown  # choose one before you publish
tags:
- audio
- sound-event-detection
---
# {name}

A sound event detector made with [wsed](https://pypi.org/project/wsed/) {version}. It tells when each of {n} classes of
sound starts and ends, in recordings of any length at {rate} Hz.

Classes: {classes}.

## Use

```python
import wsed

detector = wsed.load("{name}")  # this folder, or the name of the model on the hub
for event in detector.detect("recording.wav"):
    print(event.onset, event.offset, event.label, event.confidence)
```

## Training data

{data}

## Scores

{scores}

## Details

{parameters:,} parameters; {frame_rate:g} frames per second; windows of {window:g} s. Network and decoder are
described in `config.json`, and are built from components that are registered with wsed: the folder holds weights and
settings, no code.
"""


def card(detector: Detector, report: Mapping[str, object] | None, data: str, name: str) -> str:
    """The text of the card.

    Args:
        detector: the model.
        report: `scores.json` of the test clips.
        data: the training data, in words.
        name: name of the model.
    """
    import wsed

    network = detector.network
    return TEXT.format(
        name=name,
        version=wsed.__version__,
        n=len(network.labels),
        rate=network.sample_rate,
        classes=", ".join(network.labels),
        data=data or "Not stated.",
        scores=scores(report),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        frame_rate=network.frame_rate,
        window=detector.window,
    )


def scores(report: Mapping[str, object] | None) -> str:
    """A table of the scores of a report, with 95 % intervals where it has them."""
    if report is None:
        return "Not scored on test clips."
    intervals = report.get("intervals")
    lines = []
    for metric in SHOWN:
        value = _number(report.get(metric))
        if value is None:
            continue
        interval = _interval(intervals.get(metric)) if isinstance(intervals, Mapping) else ""
        lines.append(f"| {metric} | {value:.3f} | {interval} |")
    if not lines:
        return "See `metrics.json`."
    head = [f"On {report.get('clips', 'the')} test clips.", "", "| metric | score | 95 % interval |", "|---|---|---|"]
    return "\n".join([*head, *lines])


def _number(value: object) -> float | None:
    """The score of a metric: a number, or the macro mean over classes."""
    if isinstance(value, Mapping):
        return _number(value.get("macro"))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _interval(value: object) -> str:
    if isinstance(value, Mapping):
        value = value.get("macro", value)
    if isinstance(value, Mapping) and "low" in value and "high" in value:
        return f"{value['low']:.3f} to {value['high']:.3f}"
    return ""
