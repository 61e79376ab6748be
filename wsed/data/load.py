"""`TableLoader` makes the table of a split: it lists the clips, holds some out, checks their files and cuts windows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path

import numpy as np

from wsed.data import table as tsv
from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.columns import Columns, table_of, take, with_durations
from wsed.data.corpus.base import Corpus
from wsed.data.holdout import Holdout
from wsed.data.reading.base import Headers, Reader
from wsed.data.windows import Windows, cut, slack, tags_without_event
from wsed.errors import WsedError
from wsed.literals import checked
from wsed.types import Labels, Split


@dataclass(frozen=True)
class LoadedTable:
    """The table of the readable clips of a split, and notes for the user."""

    table: ClipTable
    notes: tuple[str, ...]


@dataclass(frozen=True)
class TableLoader:
    """Makes the tables of the splits of a corpus.

    Args:
        corpus: the corpus.
        reader: reads the headers of the files: the durations, and which files cannot be read.
        sources: sources of the training clips; None: all sources that have clips.
        holdout: training clips that become validation clips; None: no clips.
        windows: windows that are read instead of whole clips; None: whole clips.
        duration: how many seconds of each clip are read; None: all.
        max_missing: share of the clips that may be missing; None: the default of the corpus.
    """

    corpus: Corpus
    reader: Reader
    sources: tuple[str, ...] | None = None
    holdout: Holdout | None = None
    windows: Windows | None = None
    duration: float | None = None
    max_missing: float | None = None

    def load(self, split: Split, report: Path | None = None) -> LoadedTable:
        """The table of a split.

        Args:
            split: the split.
            report: file for a list of the clips that are left out (`filename, source, path, reason`); it is written
                only if there are any.

        Raises:
            WsedError: more clips are missing than allowed, or a list of clips or a setting is wrong.
        """
        listed, annotated = self.listed(split)
        clips, headers, notes = present(listed, self.reader, split, self._max_missing(), report)
        notes = (*self.corpus.notes(split), *(listed.notes if isinstance(listed, Columns) else ()), *notes)
        check_times(clips)
        if split != "train":
            check_names(clips, split)
        if self.windows is not None:
            notes = (*notes, *tags_unknown(clips, self.windows.seconds(split), split))
            windows = cut(clips, self.windows, split)
            return LoadedTable(ClipTable.of(windows, self.corpus.labels, annotated=annotated), notes)
        if self.duration is not None and (longer := _longer(clips, headers, self.duration)):
            if split == "train" and not isinstance(clips, Columns):
                clips, note = _parts(clips, self.duration)
                table = ClipTable.of(clips, self.corpus.labels, self.duration, annotated)
                return LoadedTable(table, (*notes, note))
            notes = (*notes, f"of {longer} longer clips only the first {self.duration:g} s are read (data.duration)")
        end = inf if self.duration is None else self.duration
        return LoadedTable(table_of(clips, self.corpus.labels, end, annotated), notes)

    def listed(self, split: Split) -> tuple[Sequence[Clip], Mapping[str, Collection[str]]]:
        """All listed clips of a split, with or without a file, and the classes that their sources annotate."""
        annotated = self.corpus.annotated
        if self.holdout is None or split not in ("train", "validation"):
            return self.corpus.clips(split, self.sources if split == "train" else None), annotated
        clips = self.corpus.clips("train", self.sources)
        train, held = self.holdout.divide(table_of(clips, self.corpus.labels))
        if split == "train":
            return take(clips, train), annotated
        return _as_validation(take(clips, held), self.corpus.labels, annotated)

    def _max_missing(self) -> float:
        return self.corpus.max_missing if self.max_missing is None else self.max_missing


def _longer(clips: Sequence[Clip], headers: Headers, seconds: float) -> int:
    """Number of clips that are longer than what is read of them; a clip may be a part of its file."""
    limit = seconds + slack(seconds)
    if isinstance(clips, Columns):
        return int((headers.seconds > limit).sum())
    return sum(clip.duration is not None and clip.duration > limit for clip in clips)


def _parts(clips: Sequence[Clip], seconds: float) -> tuple[list[Clip], str]:
    """Cut longer training clips into parts with the tags of their clip; returns the clips and a note about it.

    Reading only their first seconds would lose the rest, and the tags may belong to the rest.
    """
    windows, parts = Windows(seconds), list[Clip]()
    longer = {id(clip) for clip in clips if clip.duration is not None and clip.duration > seconds + slack(seconds)}
    for clip in clips:
        cuts = windows.of(clip, "train") if id(clip) in longer else [clip]
        known, loose = clip.events is not None, tags_without_event(clip)
        parts += [
            replace(part, tags=clip.tags if not known or part.tags is None else part.tags | loose, unsure=clip.unsure)
            for part in cuts
        ]
    return parts, (
        f"{len(longer)} clips are longer than data.duration and are read in {len(parts) - len(clips) + len(longer)} "
        f"parts of {seconds:g} s, each with the tags of its clip (set data.windows or data.duration to change that)"
    )


def _as_validation(
    clips: Sequence[Clip], labels: Labels, annotated: Mapping[str, Collection[str]]
) -> tuple[Sequence[Clip], Mapping[str, Collection[str]]]:
    """Held-out clips as validation clips. If they have several sources, a class is known if all sources annotate it."""
    if isinstance(clips, Columns):
        of_sources = (annotated.get(source, labels) for source in clips.used_sources())
        return clips.renamed("validation"), {"validation": set(labels).intersection(*of_sources)}
    known: dict[str, set[str]] = {}
    for source in dict.fromkeys(clip.source for clip in clips):
        known.setdefault(_validation(source), set(labels)).intersection_update(annotated.get(source, labels))
    return [replace(clip, source=_validation(clip.source)) for clip in clips], known


def _validation(source: str) -> str:
    """The source of held-out clips: `weak` -> `validation`; in joint corpora `desed/weak` -> `desed/validation`."""
    return "/".join([*source.split("/")[:-1], "validation"])


@checked
def present(
    clips: Sequence[Clip], reader: Reader, split: Split, max_missing: float = 0.05, report: Path | None = None
) -> tuple[Sequence[Clip], Headers, tuple[str, ...]]:
    """The readable clips with their durations, the headers of their files, and notes for the user.

    Args:
        clips: the listed clips.
        reader: reads the headers of their files.
        split: the split of the clips, for messages.
        max_missing: share of the clips, from 0 to 1, that may be left out.
        report: file for a list of the clips that are left out; without any, it is removed.

    Raises:
        WsedError: more than `max_missing` of the clips cannot be read, or no clip of a source can.
    """
    missing: list[Missing] = []
    readable, total = clips, len(clips)
    if isinstance(clips, Columns):
        absent = np.flatnonzero(~clips.has_file)
        missing = [(*clips.row(i), "no file of this name") for i in absent.tolist()]
        readable = take(clips, np.flatnonzero(clips.has_file)) if len(absent) else clips
    headers = reader.headers(readable)
    if headers.unreadable:
        missing += [(*_row(readable, i), reason) for i, reason in headers.unreadable.items()]
        kept = np.setdiff1d(np.arange(len(readable)), np.array(list(headers.unreadable), dtype=np.int64))
        readable, headers = take(readable, kept), Headers(headers.seconds[kept], {})
    if missing and report is not None:
        tsv.write_rows(report, ("filename", "source", "path", "reason"), missing)
    elif report is not None:
        report.unlink(missing_ok=True)  # of an earlier start
    if len(missing) > max_missing * total:
        raise WsedError(_too_many(split, missing, total, max_missing, report))
    _check_sources(readable, missing)
    notes = (_left_out(missing, total, report),) if missing else ()
    return with_durations(readable, headers.seconds), headers, notes


def check_times(clips: Sequence[Clip]) -> None:
    """Refuse events that begin after the end of their clip in most clips: their times are not in seconds.

    Raises:
        WsedError: most clips with events have an event that begins after their end.
    """
    if isinstance(clips, Columns):
        return
    timed = [clip for clip in clips if clip.events and clip.duration is not None]
    beyond = [clip for clip in timed if max(onset for _, onset, _ in clip.events or ()) >= (clip.duration or inf)]
    if len(timed) >= MANY and 2 * len(beyond) > len(timed):
        clip = beyond[0]
        label, onset, _ = max(clip.events or (), key=lambda event: event[1])
        raise WsedError(
            f"{len(beyond)} of {len(timed)} clips have events after their end (first: {clip.id} ends at "
            f"{clip.duration:g} s, its {label} begins at {onset:g}): are the times in milliseconds or samples? Give "
            "them in seconds (corpus folder: set data.corpus.events.unit to 0.001 for milliseconds)"
        )


@checked
def check_names(clips: Sequence[Clip], split: Split) -> None:
    """Refuse different clips with the same name, since scores are kept by name: those of one clip would be lost.

    Raises:
        WsedError: two clips have the same name; the message has both files.
    """
    if isinstance(clips, Columns):  # names are made of the video and the place in it
        return
    first: dict[str, Clip] = {}
    for clip in clips:
        other = first.setdefault(clip.id, clip)
        if (other.path, other.start) != (clip.path, clip.start):
            raise WsedError(
                f"{split}: two clips have the name {clip.id}: {other.path} and {clip.path}; scores are kept by name: "
                "rename one of them, or take the clips of one source only (data.holdout.sources)"
            )


MANY = 3
"""Least number of clips with events from which the unit of the times is judged; with fewer, each event is checked."""


@checked
def tags_unknown(clips: Sequence[Clip], length: float, split: Split) -> list[str]:
    """A note about clips that are longer than a window and have tags without events: these tags are unknown in windows.

    Raises:
        WsedError: all training clips with tags are such clips, and none has an event.
    """
    tagged = [clip for clip in clips if clip.tags]
    longer = [clip for clip in tagged if tags_without_event(clip) and (clip.duration or 0.0) > length + slack(length)]
    if not longer:
        return []
    text = (
        f"{len(longer)} of {len(tagged)} clips with tags are longer than data.windows.length ({length:g} s) and have "
        f"tags without events (first: {longer[0].id}): the tags of a whole clip are not those of each window"
    )
    if split == "train" and len(longer) == len(tagged) and not any(clip.events for clip in longer):
        raise WsedError(
            f"{text}; give events, set data.windows to null and data.duration to the length of most clips, or cut the "
            "clips and tag the parts"
        )
    return [f"{text}, so these tags are unknown in their windows"]


Missing = tuple[str, str, Path, str]
"""A clip that cannot be read: name, source, path where its file should be, reason."""


def _row(clips: Sequence[Clip], index: int) -> tuple[str, str, Path]:
    clip = clips[index]
    return clip.id, clip.source, clip.path


def _left_out(missing: Sequence[Missing], total: int, report: Path | None) -> str:
    listed = f"; all are listed in {report}" if report is not None else ""
    few = _few(missing)
    return f"{len(missing)} of {total} clips have no readable sound file and are left out: {few}{listed}"


def _few(missing: Sequence[Missing]) -> str:
    texts = [reason if str(path) in reason else f"{name}: {reason} in {path}" for name, _, path, reason in missing[:3]]
    return "; ".join(texts) + ("; ..." if len(missing) > 3 else "")


def _too_many(split: Split, missing: Sequence[Missing], total: int, max_missing: float, report: Path | None) -> str:
    sources = ", ".join(sorted({source for _, source, _, _ in missing}))
    listed = f" All are listed in {report}." if report is not None else ""
    return (
        f"{split} ({sources}): {len(missing)} of {total} clips ({len(missing) / total:.1%}) are missing or cannot be "
        f"read, more than data.max_missing ({max_missing:g}) allows: {_few(missing)}.{listed} Download them again, or "
        "raise data.max_missing"
    )


def _check_sources(readable: Sequence[Clip], missing: Sequence[Missing]) -> None:
    """Refuse a source without readable clips."""
    reasons = {source: reason for _, source, _, reason in reversed(missing)}
    left = _sources(readable) if reasons else set()
    for source, reason in reasons.items():
        if source not in left:
            raise WsedError(f"none of the {source} clips can be read: {reason}")


def _sources(clips: Sequence[Clip]) -> set[str]:
    if isinstance(clips, Columns):
        return clips.used_sources()
    return {clip.source for clip in clips}
