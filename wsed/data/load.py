"""From a corpus to the table of a split: listed, held out, looked for, cut and put into arrays."""

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
from wsed.data.windows import Windows, cut
from wsed.errors import WsedError
from wsed.types import Labels, Split


@dataclass(frozen=True)
class Loaded:
    """The clips of a split that can be read, and what the user should know of them."""

    table: ClipTable
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Loader:
    """What turns a corpus into tables.

    Args:
        corpus: the corpus.
        reader: what tells how long clips are, and which cannot be read.
        sources: the sources of the training clips.
        holdout: which training clips are kept for validation; None: none.
        windows: parts that are read in place of whole clips; None: whole clips.
        duration: seconds read of each clip; None: all.
        max_missing: share of the clips that may be missing; None: what is usual for the corpus.
    """

    corpus: Corpus
    reader: Reader
    sources: tuple[str, ...]
    holdout: Holdout | None = None
    windows: Windows | None = None
    duration: float | None = None
    max_missing: float | None = None

    def load(self, split: Split, report: Path | None = None) -> Loaded:
        """The table of a split.

        Args:
            split: which clips.
            report: where to list the clips left out (`filename, source, path, reason`); written if there are any.

        Raises:
            WsedError: more clips are missing than allowed, or a list of clips or a setting is wrong.
        """
        listed, annotated = self.listed(split)
        clips, headers, notes = present(listed, self.reader, split, self._max_missing(), report)
        notes = (*(listed.notes if isinstance(listed, Columns) else ()), *notes)
        if self.windows is not None:
            return Loaded(ClipTable.of(cut(clips, self.windows, split), self.corpus.labels, annotated=annotated), notes)
        if self.duration is not None and (longer := int((headers.seconds > self.duration + 0.1).sum())):
            notes = (*notes, f"of {longer} longer clips only the first {self.duration:g} s are read (data.duration)")
        end = inf if self.duration is None else self.duration
        return Loaded(table_of(clips, self.corpus.labels, end, annotated), notes)

    def listed(self, split: Split) -> tuple[Sequence[Clip], Mapping[str, Collection[str]]]:
        """The clips of a split before any file is looked for, and the classes that their sources annotate."""
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


def _as_validation(
    clips: Sequence[Clip], labels: Labels, annotated: Mapping[str, Collection[str]]
) -> tuple[Sequence[Clip], Mapping[str, Collection[str]]]:
    """Clips held out of training as validation clips; of several sources, the classes that all annotate are known."""
    if isinstance(clips, Columns):
        return clips.renamed("validation"), {}
    known: dict[str, set[str]] = {}
    for source in dict.fromkeys(clip.source for clip in clips):
        known.setdefault(_validation(source), set(labels)).intersection_update(annotated.get(source, labels))
    return [replace(clip, source=_validation(clip.source)) for clip in clips], known


def _validation(source: str) -> str:
    """The source of held out clips: `weak` -> `validation`, and of joint corpora `desed/weak` -> `desed/validation`."""
    return "/".join([*source.split("/")[:-1], "validation"])


def present(
    clips: Sequence[Clip], reader: Reader, split: Split, max_missing: float = 0.05, report: Path | None = None
) -> tuple[Sequence[Clip], Headers, tuple[str, ...]]:
    """The clips that can be read, now with their durations, the headers of their files, and notes for the user.

    Args:
        clips: any clips.
        reader: what looks at their files.
        split: what they are, for messages.
        max_missing: share of the clips, from 0 to 1, that may be left out.
        report: where to list the clips left out; written if there are any.

    Raises:
        WsedError: more than `max_missing` of the clips cannot be read, or none of a source can.
    """
    headers = reader.headers(clips)
    if not headers.unreadable:
        return with_durations(clips, headers.seconds), headers, ()
    left_out = np.array(list(headers.unreadable), dtype=np.int64)
    kept = np.setdiff1d(np.arange(len(clips)), left_out)
    missing = [(clip, reason) for clip, reason in zip(take(clips, left_out), headers.unreadable.values(), strict=True)]
    if report is not None:
        rows = [(clip.id, clip.source, clip.path, reason) for clip, reason in missing]
        tsv.write_rows(report, ("filename", "source", "path", "reason"), rows)
    if len(missing) > max_missing * len(clips):
        raise WsedError(_too_many(split, missing, len(clips), max_missing, report))
    there = take(clips, kept)
    _check_sources(there, missing)
    few = "; ".join(reason for _, reason in missing[:3]) + ("; ..." if len(missing) > 3 else "")
    listed = f"; all are listed in {report}" if report is not None else ""
    notes = f"{len(missing)} of {len(clips)} clips have no readable sound file and are left out: {few}{listed}"
    durations = headers.seconds[kept]
    return with_durations(there, durations), Headers(durations, {}), (notes,)


def _too_many(
    split: Split, missing: Sequence[tuple[Clip, str]], total: int, max_missing: float, report: Path | None
) -> str:
    sources = ", ".join(sorted({clip.source for clip, _ in missing}))
    few = "; ".join(reason for _, reason in missing[:3]) + ("; ..." if len(missing) > 3 else "")
    listed = f" All are listed in {report}." if report is not None else ""
    return (
        f"{split} ({sources}): {len(missing)} of {total} clips ({len(missing) / total:.1%}) are missing or cannot "
        f"be read, more than data.max_missing ({max_missing:g}) allows: {few}.{listed} Download them again, or raise "
        "data.max_missing"
    )


def _check_sources(there: Sequence[Clip], missing: Sequence[tuple[Clip, str]]) -> None:
    """Refuse a source of which nothing can be read."""
    gone = {clip.source: reason for clip, reason in reversed(missing)}
    left = _sources(there)
    for source, reason in gone.items():
        if source not in left:
            raise WsedError(f"none of the {source} clips can be read: {reason}")


def _sources(clips: Sequence[Clip]) -> set[str]:
    if isinstance(clips, Columns):
        return clips.used_sources()
    return {clip.source for clip in clips}
