"""The files of a synthetic corpus: folders and tables as in DESED, and a journal of finished clips."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from wsed.data import table
from wsed.data.synth.records import ClipKey, ClipRecord, MixedStretch
from wsed.errors import WsedError
from wsed.files import write_text
from wsed.text import read_json_object, short


@contextmanager
def disk_errors(root: Path) -> Iterator[None]:
    """Report a disk that is full or read-only in one line.

    Raises:
        WsedError: instead of an `OSError`.
    """
    try:
        yield
    except OSError as error:
        place = short(error.filename or root)
        reason = error.strerror or str(error)
        raise WsedError(
            f"cannot write {place}: {reason}; make room or pass another --out (the same command continues a corpus)"
        ) from None


class Part(NamedTuple):
    """Folders and tables of one split, relative to the root of the corpus.

    >>> PARTS["eval"].strong
    'public.tsv'
    """

    audio: str
    folder: str
    weak: str | None
    strong: str
    durations: str


PARTS = {
    "train": Part("audio/train/weak", "metadata/train", "weak.tsv", "strong.tsv", "weak_durations.tsv"),
    "validation": Part(
        "audio/validation/validation", "metadata/validation", "weak.tsv", "validation.tsv", "validation_durations.tsv"
    ),
    "eval": Part("audio/eval/public", "metadata/eval", None, "public.tsv", "public_durations.tsv"),
}
"""Split of the soundbank -> its folders and tables, named as in DESED."""


class CorpusFiles:
    """A synthetic corpus that is being written to the folder `root`.

    `synth.json` describes how the corpus is made. `synth.jsonl`, the journal, has one line per finished clip. The
    tables are written from the journal at the end, so a stopped run loses only the clips that are unfinished.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     corpus = CorpusFiles(Path(folder))
    ...     finished = corpus.begin({"seed": 0}, {"train": 1}, overwrite=False)
    ...     corpus.add(ClipRecord("train", 0, "train_00000.flac", (("Dog", 3.0, 3.25),), (), "rain.wav", -6.0))
    ...     records = corpus.finish(["Dog"], clip=10.0)
    ...     table.read_strong(Path(folder) / "metadata/train/strong.tsv")
    {'train_00000.flac': (('Dog', 3.0, 3.25),)}
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._head, self._journal = root / "synth.json", root / "synth.jsonl"
        self._records: dict[ClipKey, ClipRecord] = {}

    def check_free(self) -> None:
        """Check that the folder is empty, new or a synthetic corpus.

        Raises:
            WsedError: the path is a file, or the folder holds another corpus.
        """
        if self.root.exists() and not self.root.is_dir():
            raise WsedError(f"{self.root} is a file; pass a folder as --out")
        if not self._head.exists() and any((self.root / name).exists() for name in ("audio", "metadata")):
            raise WsedError(f"{self.root} holds a corpus not made by `wsed data synth`; pass another folder as --out")

    def begin(self, fingerprint: Mapping[str, object], clips: Mapping[str, int], overwrite: bool) -> set[ClipKey]:
        """Make the folders; returns the clips that are already finished.

        Args:
            fingerprint: what determines the clips of the corpus.
            clips: number of clips to make per split.
            overwrite: replace a corpus with another fingerprint or more clips.

        Raises:
            WsedError: the folder holds a corpus with another fingerprint or more clips, and `overwrite` is False.
        """
        if self._head.exists() and (difference := self._difference(fingerprint, clips)):
            if not overwrite:
                raise WsedError(
                    f"{self.root} holds a corpus {difference}; replace it with --overwrite, or pass another --out"
                )
            self._clear()
        for split in clips:
            (self.root / PARTS[split].audio).mkdir(parents=True, exist_ok=True)
            (self.root / PARTS[split].folder).mkdir(parents=True, exist_ok=True)
            for unfinished in (self.root / PARTS[split].audio).glob(".*.part.flac"):
                unfinished.unlink()
        write_text(self._head, json.dumps({**fingerprint, "clips": dict(clips)}, indent=1) + "\n")
        self._records = {key: r for key, r in self._read_journal().items() if self._sound_file(key).exists()}
        write_text(self._journal, "".join(r.to_json() + "\n" for r in self._records.values()))
        return set(self._records)

    def add(self, record: ClipRecord) -> None:
        """Add a finished clip to the journal."""
        self._records[record.key] = record
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(record.to_json() + "\n")

    def finish(self, labels: Sequence[str], clip: float) -> list[ClipRecord]:
        """Write all tables; returns the records in order of their clips.

        Args:
            labels: all classes of the corpus.
            clip: length of a clip, seconds.
        """
        records = [self._records[key] for key in sorted(self._records)]
        for split, part in PARTS.items():
            of_split = [r for r in records if r.split == split]
            if of_split:
                _write_tables(self.root / part.folder, part, of_split, clip)
        write_text(self.root / "metadata" / "labels.txt", "".join(f"{label}\n" for label in labels))
        return records

    def _difference(self, fingerprint: Mapping[str, object], clips: Mapping[str, int]) -> str:
        """How the corpus in the folder differs from the one to make; empty if it can be continued."""
        try:
            head = read_json_object(self._head, "")
        except WsedError:
            return "whose synth.json cannot be read"
        names = {"seed": "another seed", "soundbank": "another soundbank", "recipe": "another recipe"}
        changed = [names.get(k, "another version of wsed") for k in fingerprint if head.get(k) != fingerprint[k]]
        if changed:
            return f"made from {' and '.join(changed)}"
        before = head.get("clips")
        if not isinstance(before, dict) or not all(isinstance(n, int) for n in before.values()):
            return "whose synth.json cannot be read"
        more = [f"{split}={n}" for split, n in before.items() if n > clips.get(split, 0)]
        return f"with more clips than asked for ({' '.join(more)})" if more else ""

    def _read_journal(self) -> dict[ClipKey, ClipRecord]:
        records: dict[ClipKey, ClipRecord] = {}
        text = self._journal.read_text("utf-8", errors="replace") if self._journal.exists() else ""
        for line in text.splitlines():
            try:
                record = ClipRecord.from_json(line)
            except ValueError:  # the run was killed while it wrote this line, or the file is damaged
                continue
            if record.split in PARTS:
                records[record.key] = record
        return records

    def _sound_file(self, key: ClipKey) -> Path:
        return self.root / PARTS[key.split].audio / key.filename

    def _clear(self) -> None:
        """Remove the files of an earlier run, and no others."""
        self._journal.unlink(missing_ok=True)
        (self.root / "metadata" / "labels.txt").unlink(missing_ok=True)
        for split, part in PARTS.items():
            for clip in (self.root / part.audio).glob(f"{split}_*.flac"):
                clip.unlink()
            for name in (part.weak, part.strong, part.durations, "provenance.tsv"):
                if name:
                    (self.root / part.folder / name).unlink(missing_ok=True)


def _write_tables(folder: Path, part: Part, records: Sequence[ClipRecord], clip: float) -> None:
    strong: list[Sequence[object]] = []
    provenance: list[Sequence[object]] = []
    for r in records:
        strong += [(r.filename, onset, offset, label) for label, onset, offset in r.events]
        strong += [] if r.events else [(r.filename, "", "", "")]
        stretches: Sequence[Sequence[object]] = r.rows or [[""] * len(MixedStretch._fields)]
        provenance += [(r.filename, *stretch, r.background, r.gain) for stretch in stretches]
    table.write_rows(folder / part.strong, ("filename", "onset", "offset", "event_label"), strong)
    if part.weak:
        tags = [(r.filename, ",".join(sorted({label for label, _, _ in r.events}))) for r in records]
        table.write_rows(folder / part.weak, ("filename", "event_labels"), tags)
    table.write_rows(folder / part.durations, ("filename", "duration"), [(r.filename, clip) for r in records])
    columns = ("filename", *MixedStretch._fields, "background_file", "clip_gain_db")
    table.write_rows(folder / "provenance.tsv", columns, provenance)
