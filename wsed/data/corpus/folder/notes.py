"""What the user is told of a folder: what files were taken for, and what was left out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from wsed.data.corpus.folder.classes import ClassMap
from wsed.data.corpus.folder.listed import Incomplete

KINDS = {
    "strong": "with events (strong)",
    "weak": "with tags only (weak)",
    "background": "in folders of background sounds, without any of the classes (background)",
    "unlabelled": "without a row, of which nothing is known (unlabelled)",
}


def notes(
    counts: Mapping[str, int], classes: ClassMap, incomplete: Sequence[Incomplete], unused: Sequence[Path]
) -> tuple[str, ...]:
    """The notes, one line each; what did not happen is not said.

    Args:
        counts: training files of each source, and under `negative`, `left out` and `0 s` those of them without a class,
            files of no split, and events of no length.
        classes: the classes, which know the labels left out.
        incomplete: files that have tags without an event.
        unused: label files of no sound file.
    """
    lines = [", ".join(f"{counts[kind]} files {text}" for kind, text in KINDS.items() if counts[kind])]
    if counts["negative"]:
        lines.append(f"{counts['negative']} files hold none of the classes and are taken as negatives")
    if classes.left_out:
        labels = ", ".join(f"{label} ({n})" for label, n in classes.left_out.items())
        lines.append(f"labels of no class, left out: {labels}")
    if incomplete:
        lines.append(
            f"{len(incomplete)} files have a tag without an event of it, so their events are taken as unknown (first: "
            f"{incomplete[0].name}, {incomplete[0].tag})"
        )
    if counts["left out"]:
        lines.append(f"{counts['left out']} files are of no split, or unlabelled in a group that is held out; left out")
    if counts["0 s"]:
        lines.append(f"{counts['0 s']} events of 0 s are left out")
    if unused:
        lines.append(f"{len(unused)} label files belong to no sound file (first: {unused[0]})")
    return tuple(lines)
