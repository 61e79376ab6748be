"""The page of a report: data as JSON, and template, style and scripts of this folder, in one file."""

import html
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np

import wsed
from wsed.errors import WsedError
from wsed.files import write_whole
from wsed.metrics.error_kinds import KINDS
from wsed.report.html import figures, media
from wsed.report.html.breakdown import recall_by
from wsed.report.html.clips import by_clip, clip_rows, worst_first
from wsed.report.html.learning import learning
from wsed.report.html.reliability import reliability
from wsed.report.html.shown import Shown
from wsed.report.html.thresholds import over_thresholds
from wsed.scoring.plain import Plain, without_nan

SCRIPTS = ("tools.js", "charts.js", "sections.js", "browser.js", "start.js")
MOST_BYTES = 28_000_000
"""Size of a page beyond which pictures and sounds are left out."""

Snr = Mapping[tuple[str, str, float], float]
"""Signal-to-noise ratio of events, by clip, class and onset."""


@dataclass(frozen=True)
class Contents:
    """How much a page holds.

    Args:
        pictures: number of clips with a picture and curves.
        sounds: number of clips with sound.
        resamples: number of resamples of paired differences.
    """

    pictures: int = 1000
    sounds: int = 100
    resamples: int = 1000


Progress = Callable[[Iterable[int], str], Iterable[int]]
"""Wrapped around the clips, to show progress."""


def write_page(
    path: Path, systems: Sequence[Shown], contents: Contents, snr: Snr, progress: Progress = lambda items, _: items
) -> Plain:
    """Write the page of one or several systems on the same clips.

    Args:
        path: the page.
        systems: the systems; differences are to the first.
        contents: how much the page holds.
        snr: signal-to-noise ratios of true events, as far as they are known.
        progress: wrapped around the clips.

    Returns:
        The number of clips, of pictures and of sounds, and the size in bytes.

    Raises:
        WsedError: the systems have no clip in common, or different classes.
    """
    clip_ids, notes = shared_clips(systems)
    kinds = [shown.kinds() for shown in systems]
    of_clips = [by_clip(shown, each) for shown, each in zip(systems, kinds, strict=True)]
    rows = clip_rows(clip_ids, of_clips, _durations(systems))
    order = worst_first(rows)
    labels = list(systems[0].labels)
    data = {
        "version": wsed.__version__,
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "labels": labels,
        "kinds": KINDS,
        "notes": notes,
        "systems": [_system(shown, each, snr) for shown, each in zip(systems, kinds, strict=True)],
        "comparisons": figures.comparisons(systems, contents.resamples),
        "clips": rows,
        "order": order,
    }
    text = json.dumps(without_nan(data), separators=(",", ":"), ensure_ascii=False)
    counts = {"clips": len(rows), "pictures": 0, "sounds": 0, "bytes": 0}
    head, tail = _template(", ".join(shown.name for shown in systems), _for_script(text))
    with write_whole(path) as part, part.open("w", encoding="utf-8") as file:
        size = file.write(head)
        for place, block in _media(systems, rows, order[: contents.pictures], contents.sounds, progress):
            if size + len(block["text"]) > MOST_BYTES:
                break
            size += file.write(f'<script type="application/json" id="clip-{place}">{block["text"]}</script>\n')
            counts["pictures"] += block["picture"]
            counts["sounds"] += block["sound"]
        counts["bytes"] = size + file.write(tail)
    return counts


def shared_clips(systems: Sequence[Shown]) -> tuple[list[str], list[str]]:
    """The clips that all systems have, in the order of the first, and notes about the others.

    Raises:
        WsedError: there are none, or the systems have different classes.
    """
    first, notes = systems[0], []
    for other in systems[1:]:
        apart = sorted(set(first.labels) ^ set(other.labels))
        if apart:
            names = ", ".join(apart[:5])
            raise WsedError(
                f"{first.name} and {other.name} have different classes; only one of them has {names}: "
                "make a report of each"
            )
    shared = set(first.clip_ids).intersection(*(other.clip_ids for other in systems[1:]))
    clip_ids = [name for name in first.clip_ids if name in shared]
    if not clip_ids:
        raise WsedError(f"{' and '.join(shown.name for shown in systems)} have no clip in common")
    if any(len(shown.clip_ids) > len(clip_ids) for shown in systems):
        notes.append(f"only {len(clip_ids)} clips are in all systems; scores are of all clips of each, unpaired")
    return clip_ids, notes


def _durations(systems: Sequence[Shown]) -> dict[str, float]:
    known: dict[str, float] = {}
    for shown in systems:
        if shown.durations is not None:
            known |= dict(zip(shown.clip_ids, shown.durations.tolist(), strict=True))
    return known


def _system(shown: Shown, kinds: tuple[np.ndarray, np.ndarray], snr: Snr) -> Plain:
    report = shown.report
    known = shown.system is not None and bool(shown.system.truth.timed.any())
    return {
        "name": shown.name,
        "scores": figures.scores(shown),
        "level": report.intervals.how.level if report is not None and report.intervals else None,
        "groups": None if shown.groups is None else len(shown.groups),
        "too_good": report is not None and report.run is not None and report.run.tuned_on_these_clips,
        "rocs": figures.psd_rocs(shown),
        "sweep": over_thresholds(shown),
        "chosen": {name: round(at, 4) for name, at in zip(shown.labels, shown.thresholds, strict=False)},
        "confusion": figures.confusion(shown),
        "recall": recall_by(shown, kinds[0], _snr(shown, snr)) if known else {},
        "reliability": reliability(shown, kinds[1]),
        "correlation": figures.correlation(shown),
        "learning": learning(shown.logs),
        "config": shown.config,
        "facts": {name: " ".join(v) if isinstance(v, list) else str(v) for name, v in shown.facts.items()},
        "notes": shown.notes,
        "events": [int((kinds[1] == i).sum()) for i in range(len(KINDS))],
        "true": [int((kinds[0] == i).sum()) for i in range(len(KINDS))],
        "judged": known,
        "has_truth": shown.system is not None,
    }


def _snr(shown: Shown, snr: Snr) -> np.ndarray | None:
    if not snr:
        return None
    events, nan = shown.true, float("nan")
    rows = zip(events.clip.tolist(), events.label.tolist(), events.onset.tolist(), strict=True)
    keys = [(shown.clip_ids[clip], shown.labels.names[label], round(on, 3)) for clip, label, on in rows]
    return np.array([snr.get(key, nan) for key in keys])


def _media(
    systems: Sequence[Shown], rows: Sequence[Plain], order: Sequence[int], n_sounds: int, progress: Progress
) -> Iterator[tuple[int, Plain]]:
    """Picture, sound and curves of the clips, in their order."""
    frontend = media.frontend()
    places = [{name: i for i, name in enumerate(shown.clip_ids)} for shown in systems]
    sounds = {name: sound for shown in reversed(systems) for name, sound in shown.sounds.items()}

    def block(job: tuple[int, int]) -> tuple[int, Plain]:
        nth, i = job
        row, content = rows[i], dict[str, object]()
        name, seconds = str(row["id"]), float(row["seconds"])
        if name in sounds and seconds <= media.LONGEST:
            try:
                wave = media.samples(sounds[name], seconds)
                content["picture"] = media.picture(wave, frontend)
                if nth < n_sounds:
                    content["sound"] = media.mp3(wave)
            except WsedError as error:
                content["missing"] = str(error)
        names = [each[0] for each in (*row["true"], *(event for s in row["systems"] for event in s["events"]))]
        sound = sounds.get(name) if "picture" in content else None
        content["curves"] = [
            media.curves(shown, place[name], names, sound) for shown, place in zip(systems, places, strict=True)
        ]
        text = _for_script(json.dumps(content, separators=(",", ":"), ensure_ascii=False))
        return i, {"text": text, "picture": "picture" in content, "sound": "sound" in content}

    with ThreadPoolExecutor(2) as pool:  # encoding of sound releases the interpreter
        yield from zip_progress(pool.map(block, enumerate(order)), order, progress)


def zip_progress(
    blocks: Iterable[tuple[int, Plain]], order: Sequence[int], progress: Progress
) -> Iterator[tuple[int, Plain]]:
    """The blocks, with progress over the clips."""
    for block, _ in zip(blocks, progress(order, "clips"), strict=True):
        yield block


def _template(title: str, data: str) -> tuple[str, str]:
    """The page before and after the pictures and sounds."""
    folder = files("wsed.report.html")
    parts = {name: (folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.css", *SCRIPTS)}
    scripts = "\n".join(parts[name] for name in SCRIPTS)
    page = parts["page.html"].replace("@STYLE@", parts["page.css"]).replace("@SCRIPT@", scripts)
    head, rest = page.split("@DATA@")  # before file names are inserted, which may hold anything
    middle, tail = rest.split("@MEDIA@")
    return f"{head.replace('@TITLE@', html.escape(title))}{data}{middle}", tail


def _for_script(text: str) -> str:
    """JSON for a script, with `</script>` and comments in names escaped."""
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
