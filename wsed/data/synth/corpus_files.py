"""The files of a synthetic corpus: DESED's layout, a journal of finished clips, and the tables made from it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from wsed.data import table
from wsed.errors import WsedError
from wsed.files import write_text


class Part(NamedTuple):
    """Where a split lies in the corpus: folders and tables, relative to its root."""

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
"""Split of the soundbank -> its part of the corpus, as DESED names them."""

_EVENT = ("source_file", "event_label", "onset", "offset", "source_onset", "looped", "gain_db", "snr_db")
_PROVENANCE = ("filename", *_EVENT, "background_file", "clip_gain_db")


def clip_name(split: str, index: int) -> str:
    """File name of a clip."""
    return f"{split}_{index:05d}.flac"


class Corpus:
    """A corpus being written to `root`.

    `synth.json` says what it is made by; `synth.jsonl`, the journal, holds one line a finished clip. The tables are
    written from the journal at the end, so a stopped run loses at most the clips in work.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._head, self._journal = root / "synth.json", root / "synth.jsonl"
        self._records: dict[tuple[str, int], dict[str, Any]] = {}

    def check_free(self) -> None:
        """Raise a `WsedError` if something other than a synthetic corpus lies in the folder."""
        if self.root.exists() and not self.root.is_dir():
            raise WsedError(f"{self.root} is a file; pass a folder as --out")
        if not self._head.exists() and any((self.root / name).exists() for name in ("audio", "metadata")):
            raise WsedError(f"{self.root} holds a corpus not made by `wsed data synth`; pass another folder as --out")

    def begin(self, fingerprint: Mapping[str, Any], wanted: Mapping[str, int], overwrite: bool) -> set[tuple[str, int]]:
        """Make the folders and return the clips that are already there, as (split, index).

        Raises:
            WsedError: the folder holds a corpus made otherwise, or more clips than wanted, and not `overwrite`.
        """
        if self._head.exists() and (reason := self._differs(fingerprint, wanted)):
            if not overwrite:
                raise WsedError(
                    f"{self.root} holds a corpus {reason}; replace it with --overwrite, or pass another --out"
                )
            self._clear()
        for split in wanted:
            (self.root / PARTS[split].audio).mkdir(parents=True, exist_ok=True)
            (self.root / PARTS[split].folder).mkdir(parents=True, exist_ok=True)
            for torn in (self.root / PARTS[split].audio).glob(".*.part.flac"):
                torn.unlink()
        write_text(self._head, json.dumps({**fingerprint, "clips": dict(wanted)}, indent=1) + "\n")
        self._records = {key: r for key, r in self._read_journal().items() if self._audio(r).exists()}
        write_text(self._journal, "".join(json.dumps(r) + "\n" for r in self._records.values()))
        return set(self._records)

    def add(self, record: dict[str, Any]) -> None:
        """Note a finished clip in the journal."""
        self._records[record["split"], record["index"]] = record
        with self._journal.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def finish(self, labels: Sequence[str], clip: float) -> list[dict[str, Any]]:
        """Write all tables; returns the records in order."""
        records = [self._records[key] for key in sorted(self._records)]
        for split, part in PARTS.items():
            mine = [r for r in records if r["split"] == split]
            if mine:
                self._write_tables(part, mine, clip)
        write_text(self.root / "metadata" / "labels.txt", "".join(f"{label}\n" for label in labels))
        return records

    def _write_tables(self, part: Part, records: Sequence[Mapping[str, Any]], clip: float) -> None:
        folder = self.root / part.folder
        strong: list[Sequence[object]] = []
        provenance: list[Sequence[object]] = []
        for r in records:
            strong += [(r["filename"], onset, offset, label) for label, onset, offset in r["events"]]
            strong += [] if r["events"] else [(r["filename"], "", "", "")]
            provenance += [
                (r["filename"], *row, r["background"], r["gain"]) for row in r["rows"] or [[""] * len(_EVENT)]
            ]
        table.write_rows(folder / part.strong, ("filename", "onset", "offset", "event_label"), strong)
        if part.weak:
            tags = [(r["filename"], ",".join(sorted({e[0] for e in r["events"]}))) for r in records]
            table.write_rows(folder / part.weak, ("filename", "event_labels"), tags)
        table.write_rows(folder / part.durations, ("filename", "duration"), [(r["filename"], clip) for r in records])
        table.write_rows(folder / "provenance.tsv", _PROVENANCE, provenance)

    def _differs(self, fingerprint: Mapping[str, Any], wanted: Mapping[str, int]) -> str:
        """How the corpus in the folder differs from the one wanted; nothing if it can be gone on with."""
        try:
            there = json.loads(self._head.read_text("utf-8"))
        except json.JSONDecodeError:
            return "whose synth.json cannot be read"
        names = {"seed": "another seed", "soundbank": "another soundbank", "recipe": "another recipe"}
        changed = [names.get(k, "another version of wsed") for k in fingerprint if there.get(k) != fingerprint[k]]
        if changed:
            return f"made from {' and '.join(changed)}"
        more = [f"{split}={n}" for split, n in there["clips"].items() if n > wanted.get(split, 0)]
        return f"with more clips than asked for ({' '.join(more)})" if more else ""

    def _read_journal(self) -> dict[tuple[str, int], dict[str, Any]]:
        records: dict[tuple[str, int], dict[str, Any]] = {}
        for line in self._journal.read_text("utf-8").splitlines() if self._journal.exists() else []:
            try:
                record = json.loads(line)
            except json.JSONDecodeError:  # the run was killed while it wrote this line
                continue
            records[record["split"], record["index"]] = record
        return records

    def _audio(self, record: Mapping[str, Any]) -> Path:
        return self.root / PARTS[record["split"]].audio / clip_name(record["split"], record["index"])

    def _clear(self) -> None:
        """Remove what an earlier run wrote, and nothing else."""
        self._journal.unlink(missing_ok=True)
        (self.root / "metadata" / "labels.txt").unlink(missing_ok=True)
        for split, part in PARTS.items():
            for clip in (self.root / part.audio).glob(f"{split}_*.flac"):
                clip.unlink()
            for name in (part.weak, part.strong, part.durations, "provenance.tsv"):
                if name:
                    (self.root / part.folder / name).unlink(missing_ok=True)
