"""The classes of a folder: labels are renamed, merged or left out."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from wsed.errors import WsedError, near

Classes = Mapping[str, Sequence[str] | str | None] | Sequence[str] | None
"""Names of the labels to keep; or the labels of each class; None: every label is a class."""


class ClassMap:
    """Maps labels, as they are written in tables and files, to classes.

    Args:
        classes: see `Classes`. A label may belong to several classes; labels of no class are left out.
        labels: how often each label occurs.

    Raises:
        WsedError: there are no labels, or `classes` names a label that does not occur.
    """

    def __init__(self, classes: Classes, labels: Mapping[str, int]) -> None:
        parts = parts_of(sorted(labels) if classes is None else classes)
        for name, of in parts.items():
            for label in of:
                if label not in labels:
                    known = ", ".join(sorted(labels)) or "none"
                    raise WsedError(
                        f"data.corpus.classes: no file has the label {label!r} (class {name}){near(label, labels)}; "
                        f"existing labels: {known}"
                    )
        self.names = tuple(parts)
        self._classes: dict[str, frozenset[str]] = {
            label: frozenset(name for name, of in parts.items() if label in of) for label in labels
        }
        self.left_out = {label: n for label, n in labels.items() if not self._classes[label]}
        self.merged = {name for name, of in parts.items() if len(of) > 1}

    def tags(self, labels: Iterable[str]) -> frozenset[str]:
        """The classes of some labels."""
        return frozenset(name for label in labels for name in self._classes[label])

    def events(self, events: Iterable[tuple[str, float, float]]) -> tuple[tuple[str, float, float], ...]:
        """Events of labels as events of classes; those that overlap because labels were merged are joined."""
        mapped = [
            (name, onset, offset) for label, onset, offset in events for name in sorted(self._classes[label])
        ]  # sorted: sets have no order that is the same each time
        kept: list[tuple[str, float, float]] = [event for event in mapped if event[0] not in self.merged]
        for name in sorted(self.merged):
            open_: tuple[str, float, float] | None = None
            for event in sorted(event for event in mapped if event[0] == name):
                if open_ is not None and event[1] < open_[2]:
                    open_ = (name, open_[1], max(open_[2], event[2]))
                    continue
                kept += [open_] if open_ is not None else []
                open_ = event
            kept += [open_] if open_ is not None else []
        return tuple(sorted(kept, key=lambda event: event[1:]))


def parts_of(classes: Mapping[str, Sequence[str] | str | None] | Sequence[str]) -> dict[str, list[str]]:
    """The labels of each class.

    >>> parts_of({"Crackle": ["Fine", "Coarse"], "Wheeze": None}), parts_of(["Dog"])
    ({'Crackle': ['Fine', 'Coarse'], 'Wheeze': ['Wheeze']}, {'Dog': ['Dog']})
    """
    if not isinstance(classes, Mapping):
        return {name: [name] for name in classes}
    return {name: [name] if of is None else [of] if isinstance(of, str) else list(of) for name, of in classes.items()}


def labels_of(classes: Classes) -> set[str] | None:
    """The labels that the classes name; None if every label is a class."""
    return None if classes is None else {label for of in parts_of(classes).values() for label in of}


def counted(labels: Iterable[str]) -> dict[str, int]:
    """How often each label occurs, in the order of first occurrence."""
    return dict(Counter(labels))
