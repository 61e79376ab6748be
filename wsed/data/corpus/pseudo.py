"""Pseudo labels: the clips of a corpus that have no labels, with the events that a network detected in them."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Literal

from wsed.data.clip import Clip, greatest
from wsed.data.corpus.base import CORPORA, Corpus
from wsed.data.corpus.desed import DESED
from wsed.data.corpus.example_files import write_rows, write_tones
from wsed.data.corpus.listing import Listings
from wsed.data.findings import Finding
from wsed.errors import WsedError, check_option, near
from wsed.formats.cells import CONFIDENCE, FILE, LABEL, OFFSET, ONSET, read_cells
from wsed.formats.event import Event
from wsed.formats.reading import format_of, read_events
from wsed.split_folder import SplitFolder
from wsed.types import Labels, Split

PSEUDO = "pseudo"
"""The source of the clips with pseudo labels."""

COLUMNS = {"filename": FILE, "onset": ONSET, "offset": OFFSET, "event_label": LABEL, "confidence": CONFIDENCE}
"""The columns of a table that `wsed predict` writes, and the names that a table of another program may have instead."""


@CORPORA.register("pseudo")
class Pseudo(Corpus):
    """A corpus with a further source `pseudo`: its clips without labels, with the events that a network detected.

    The clips to predict are those without labels, so `wsed predict` with this corpus and without `predictions` writes
    what the next training needs.

    Only events with a confidence of at least `least` are used. Clips without such events are left out of `pseudo`. In
    the others, classes without any event count as absent, and events of less confidence make their class unknown: its
    events there, and its tag too unless another event is sure.

    Args:
        corpus: the corpus.
        predictions: the folder of a run after `wsed predict`, or a table of events with the columns filename, onset,
            offset, event_label and confidence; None: no predictions yet, so that `pseudo` cannot be trained on.
        source: name of the source of the clips without labels.
        least: lowest confidence of an event that is used, from 0 to 1.
        unsure: what events of less confidence mean: `unknown` as above, or `absent`, as if they were not there.
        soft: whether events count with their confidence, and tags with the greatest confidence of their events;
            otherwise they count as true.

    Raises:
        WsedError: `least` is not in [0, 1], the corpus has no such source, or (when clips are read) there is no table,
            it lacks a column or names none of the clips, or an event that is used is of an unknown class.

    >>> corpus = Pseudo(DESED(Path("data/desed"), labels=["Dog"]), source="unlabelled")
    >>> corpus.sources, corpus.has("predict")
    (('weak', 'strong', 'synthetic', 'unlabelled', 'pseudo'), True)
    """

    def __init__(
        self,
        corpus: Corpus,
        predictions: str | None = None,
        source: str = "unlabelled",
        least: float = 0.5,
        soft: bool = False,
        unsure: Literal["unknown", "absent"] = "unknown",
    ) -> None:
        check_option("pseudo", "unsure", unsure, ("unknown", "absent"))
        if not 0 <= least <= 1:
            raise WsedError(f"data.corpus.least is a confidence from 0 to 1, not {least:g}")
        self.corpus, self.source, self.least, self.soft, self.unsure = corpus, source, least, soft, unsure
        self.table = None if predictions is None else table_of(Path(predictions))
        self.max_missing = corpus.max_missing

    @classmethod
    def example(cls, folder: Path) -> Corpus:
        """DESED's example with two clips without labels, and an event in one of them."""
        inner = DESED.example(folder)
        write_tones(folder / "audio/train/unlabel_in_domain", names := ["other_0.wav", "other_1.wav"])
        write_rows(folder / "metadata/train/unlabel_in_domain.tsv", [("filename",), *((name,) for name in names)])
        header = ("filename", "onset", "offset", "event_label", "confidence")
        rows = [(names[0], 0.2, 0.6, "low", 0.75), (names[1], 0.2, 0.6, "high", 0.25)]
        write_rows(folder / "predictions.tsv", [header, *rows])
        return cls(inner, str(folder / "predictions.tsv"), soft=True)

    @property
    def labels(self) -> Labels:
        """The classes of the corpus."""
        return self.corpus.labels

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of the corpus, and `pseudo`."""
        return (*self.corpus.sources, PSEUDO)

    @property
    def annotated(self) -> Mapping[str, Collection[str]]:  # type: ignore[override]
        """The classes that the sources of the corpus annotate."""
        return self.corpus.annotated

    def has(self, split: Split) -> bool:
        """Whether the corpus has the split; there are always clips to predict."""
        return split == "predict" or self.corpus.has(split)

    def clips(self, split: Split, sources: Collection[str] | None = None) -> Sequence[Clip]:
        """The clips of the corpus, and those with pseudo labels."""
        if split == "predict":
            return [replace(clip, source="predict") for clip in self._unlabelled]
        if split != "train":
            return self.corpus.clips(split, sources)
        inner = None if sources is None else [source for source in sources if source != PSEUDO]
        clips = [] if inner == [] else list(self.corpus.clips(split, inner))
        pseudo = self.table is not None if sources is None else PSEUDO in sources
        return [*clips, *self._pseudo] if pseudo else clips

    def absent(self, split: Split) -> str:
        """The reason of the corpus."""
        return "" if split == "predict" else self.corpus.absent(split)

    def setting(self, split: Split) -> str:
        """The setting of the corpus."""
        return self.corpus.setting(split)

    def notes(self, split: Split) -> Sequence[str]:
        """The notes of the corpus, and how many pseudo labels there are."""
        own: list[str] = []
        if split == "train" and self.table is not None:
            tags = Counter(tag for clip in self._pseudo for tag in sorted(clip.tags or ()))
            counts = ", ".join(f"{name} {tags[name]}" for name in self.labels)
            own = [
                f"pseudo labels: {len(self._pseudo)} of {len(self._unlabelled)} clips without labels have events of "
                f"confidence {self.least:g} or more ({counts})"
            ]
        return [*self.corpus.notes(split), *own]

    def findings(self, split: Split) -> Iterable[Finding]:
        """The defects of the lists of the corpus."""
        return self.corpus.findings(split)

    def listings(self) -> Listings | None:
        """The lists of the corpus."""
        return self.corpus.listings()

    @cached_property
    def _unlabelled(self) -> list[Clip]:
        if self.source not in self.corpus.sources:
            raise WsedError(
                f"data.corpus.source: unknown source {self.source!r}{near(self.source, self.corpus.sources)}; the "
                f"corpus has {', '.join(self.corpus.sources)}"
            )
        clips = self.corpus.clips("train", [self.source])
        if known := [clip for clip in clips if clip.tags is not None or clip.events is not None]:
            raise WsedError(
                f"data.corpus.source {self.source!r}: {known[0].id} has labels; name the source of clips without labels"
            )
        return list(clips)

    @cached_property
    def _pseudo(self) -> list[Clip]:
        if self.table is None:
            raise WsedError(
                f"no clip has pseudo labels, but data.batch asks for {PSEUDO!r}: set data.corpus.predictions to the "
                "folder of a run after `wsed predict` with this corpus"
            )
        of: dict[str, list[Event]] = {clip.id: [] for clip in self._unlabelled}
        unsure: dict[str, set[str]] = {clip.id: set() for clip in self._unlabelled}
        named = False
        check_columns(self.table)
        for event in read_events(self.table):
            named |= event.file in of
            if event.file not in of or not event.label or event.offset <= event.onset:
                continue
            if self._sure(event):
                of[event.file].append(event)
            elif self.unsure == "unknown" and event.label in self.labels.names:
                unsure[event.file].add(event.label)
        if not named:
            raise WsedError(
                f"{self.table} names none of the {len(of)} clips of {self.source!r} (such as {next(iter(of), '')!r}): "
                "run `wsed predict` with this corpus, so that the clips without labels are predicted"
            )
        made = (self._with_events(clip, of[clip.id], unsure[clip.id]) for clip in self._unlabelled if of[clip.id])
        pseudo = list(made)
        if not pseudo:
            raise WsedError(f"{self.table} has no event of confidence {self.least:g} or more: lower data.corpus.least")
        return pseudo

    def _sure(self, event: Event) -> bool:
        if event.confidence is None:
            raise WsedError(f"{self.table}:{event.line}: no confidence; it needs a column confidence with numbers")
        if event.confidence < self.least:
            return False
        if event.label not in self.labels.names:
            raise WsedError(
                f"{self.table}:{event.line}: unknown label {event.label!r}{near(event.label, self.labels.names)}; the "
                f"corpus has {', '.join(self.labels)}"
            )
        return True

    def _with_events(self, clip: Clip, events: Sequence[Event], unsure: Collection[str]) -> Clip:
        every = [(event.label, event.onset, event.offset) for event in events]
        confidences = [min(event.confidence or 0.0, 1.0) for event in events]
        of_tags = greatest(every, confidences)
        known = [i for i, event in enumerate(events) if event.label not in unsure]
        return replace(
            clip,
            source=PSEUDO,
            tags=frozenset(of_tags),
            events=tuple(every[i] for i in known),
            confidence=of_tags if self.soft else {},
            event_confidence=tuple(confidences[i] for i in known) if self.soft else (),
            unsure=frozenset(unsure),
        )


def table_of(path: Path) -> Path:
    """The table of events in the folder of a run or of a split, or the file itself.

    Raises:
        WsedError: it does not exist.

    >>> table_of(Path("runs/none"))
    Traceback (most recent call last):
    wsed.errors.WsedError: data.corpus.predictions: no runs/none; give the folder of a run after `wsed predict`
    """
    choices = [path] if path.is_file() else [SplitFolder(folder).predictions for folder in (path / "predict", path)]
    table = next((choice for choice in choices if choice.is_file()), None)
    if table is None:
        what = f"{path} has no predictions.tsv; run `wsed predict` first" if path.is_dir() else f"no {path}; give the "
        rest = "" if path.is_dir() else "folder of a run after `wsed predict`"
        raise WsedError(f"data.corpus.predictions: {what}{rest}")
    return table


def check_columns(path: Path) -> None:
    """Refuse a table that lacks a column of those that `wsed predict` writes, such as a table of labels.

    Raises:
        WsedError: with the missing columns, and how to make the table.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "predictions.csv")
    ...     _ = path.write_text("filename,onset,offset,event_label,confidence")
    ...     check_columns(path)
    """
    if format_of(path) != "table":
        return
    cells = read_cells(path)
    missing = [name for name, usual in COLUMNS.items() if cells.column(None, usual, "") is None]
    if missing:
        raise WsedError(
            f"data.corpus.predictions: {path} is not a table that `wsed predict` has written: it has no column "
            f"{', '.join(missing)} (its columns: {', '.join(cells.header)}); run `wsed predict` with this corpus and "
            "--data.corpus.predictions null, then give the folder of that run"
        )
