"""Notes for the user about a folder: how its files are used, and what is left out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from wsed.data.corpus.folder.classes import ClassMap
from wsed.data.corpus.folder.listed import Incomplete

KINDS = {
    "strong": "with events (strong)",
    "weak": "with tags only (weak)",
    "background": "in folders of background sounds, without any of the classes (background)",
    "unlabelled": "without any labels (unlabelled)",
}


def notes(
    counts: Mapping[str, int],
    classes: ClassMap,
    incomplete: Sequence[Incomplete],
    unused: Sequence[Path],
    times: Sequence[str] = (),
) -> tuple[str, ...]:
    """The notes, one line each; only what occurs is noted.

    Args:
        counts: number of training files of each source; `negative`: training files without a class; `left out`: files
            of no split; `0 s`: events without length.
        classes: the classes, with the labels that are left out.
        incomplete: files with a tag that has no event.
        unused: label files that belong to no sound file.
        times: columns of times in the table of tags, if there are no events.
    """
    lines = [", ".join(f"{counts[kind]} files {text}" for kind, text in KINDS.items() if counts[kind])]
    if counts["negative"]:
        lines.append(f"{counts['negative']} files have none of the classes and are used as negatives")
    if classes.left_out:
        labels = ", ".join(f"{label} ({n})" for label, n in classes.left_out.items())
        lines.append(f"labels of no class, left out: {labels}")
    if incomplete:
        lines.append(
            f"{len(incomplete)} files have a tag without an event, so their events are unknown (first: "
            f"{incomplete[0].name}, {incomplete[0].tag})"
        )
    if counts["left out"]:
        reason = "they are in no split, or unlabelled and in a group that is held out"
        lines.append(f"{counts['left out']} files are left out: {reason}")
    if counts["0 s"]:
        lines.append(f"{counts['0 s']} events of 0 s are left out")
    if unused:
        lines.append(f"{len(unused)} label files belong to no sound file (first: {unused[0]})")
    if times:
        lines.append(
            f"the times of the table of tags ({', '.join(times)}) are not used; times of events in the files belong "
            "in a table of data.corpus.events (file, onset, offset, label)"
        )
    return tuple(lines)
