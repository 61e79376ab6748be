"""The tables of a folder as the data doctor sees them: a list for each table and split.

Files without a row are used too: as clips without labels, or as background. They have lists of their own.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from wsed.data.clip import Clip
from wsed.data.corpus.folder.classes import ClassMap
from wsed.data.corpus.folder.events import FoundEvents
from wsed.data.corpus.folder.files import SoundFiles
from wsed.data.corpus.folder.tags import Tagged
from wsed.data.corpus.listing import Listing, Listings, Row
from wsed.data.findings import Finding
from wsed.types import Split

MAX_MISSING = 0.05


class Tables(NamedTuple):
    """The tables of a folder with their rows.

    Args:
        tags: name of the table of tags; None: there is none.
        tag_rows: its rows.
        events: name of the file or folder of events; None: there is none.
        found: the events of that file or folder.
    """

    tags: str | None
    tag_rows: Sequence[Tagged]
    events: str | None
    found: FoundEvents


def listings(
    files: SoundFiles,
    classes: ClassMap,
    tables: Tables,
    clips: Mapping[Split, Sequence[Clip]],
    notes: Sequence[str] = (),
) -> Listings:
    """A list for each table and split, and for the used files that no table lists; the notes are in the first list."""
    of_clip = {clip.id: split for split, of in clips.items() for clip in of}
    paths = {clip.id: clip.path for of in clips.values() for clip in of}
    findings = [Finding("note", "folder", text) for text in notes]
    lists = []
    for name, kind, rows in _tables(files, classes, tables):
        for split in clips:
            mine = tuple(row for row in rows if of_clip.get(row.clip) == split)
            if mine:
                there = {row.clip: paths[row.clip] for row in mine}
                lists.append(Listing(name, kind, mine, there, tuple(findings), split))
                findings = []
    lists += _without_rows(clips, {clip for listing in lists for clip in listing.files})
    return Listings(files.root, files.root, tuple(lists), classes.names, MAX_MISSING)


def _tables(files: SoundFiles, classes: ClassMap, tables: Tables) -> list[tuple[str, str, list[Row]]]:
    """Name, kind and rows of each table; a table of tags has a row for each file."""
    result = []
    if tables.tags is not None:
        of: dict[str, tuple[int, set[str]]] = {}
        for tagged in tables.tag_rows:
            clip = tagged.file if tagged.number is None else files.names[tagged.number]
            of.setdefault(clip, (tagged.line, set()))[1].update(classes.tags(tagged.tags))
        name = "*/" if tables.tags == "folders" else tables.tags
        rows = [Row(line, clip, tuple(sorted(tags))) for clip, (line, tags) in of.items()]
        result.append((name, "weak", rows))
    if tables.events is not None:
        timed = []
        for row in tables.found.rows:
            event, number = row.event, row.number
            clip = event.file if number is None else files.names[number]
            names = sorted(classes.tags([event.label])) if event.label and event.offset > event.onset else []
            timed += [Row(event.line, clip, (name,), (name, event.onset, event.offset)) for name in names]
            timed += [] if names else [Row(event.line, clip)]
        listed = {made.clip for made in timed}
        timed += [Row(0, files.names[i]) for i in sorted(tables.found.known) if files.names[i] not in listed]
        single = tables.events.endswith((".csv", ".tsv", ".txt"))
        result.append((tables.events if single else f"{tables.events}/", "strong", timed))
    return result


def _without_rows(clips: Mapping[Split, Sequence[Clip]], listed: Collection[str]) -> Iterator[Listing]:
    """The lists `unlabelled` and `background`: the clips of each split that no table lists."""
    for split, of in clips.items():
        others = [clip for clip in of if clip.id not in listed]
        for name, kind, mine in (
            ("unlabelled", "unlabelled", [clip for clip in others if clip.tags is None]),
            ("background", "weak", [clip for clip in others if clip.tags is not None]),
        ):
            if mine:
                rows = tuple(Row(0, clip.id) for clip in mine)
                yield Listing(name, kind, rows, {clip.id: clip.path for clip in mine}, part=split)
