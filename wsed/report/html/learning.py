"""The learning curves of a run, from the tables of its metrics."""

import csv
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from wsed.scoring.plain import Plain
from wsed.text import read_text

Values = dict[str, float]
"""The values of an epoch, by their names in the log."""


def learning(logs: Sequence[Path]) -> Plain | None:
    r"""The values of each epoch of the last training by their names in the log; None if there is no training.

    Each start of a training has a table, in the order of the starts: one that goes on from an epoch adds to those
    before it. Tables of other verbs, such as `wsed test`, have no losses of the training and are left out.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "metrics.csv").write_text("epoch,step,train/loss,val/loss\n0,4,0.7,\n0,4,,0.6\n")
    ...     learning([Path(folder, "metrics.csv")])
    {'epochs': [0], 'values': {'train/loss': [0.7], 'val/loss': [0.6]}}
    """
    epochs: dict[int, Values] = {}
    for log in logs:
        own: dict[int, Values] = {}
        for epoch, values in _rows(log):
            own.setdefault(epoch, {}).update(values)
        if any(name.startswith("train/") for values in own.values() for name in values):
            epochs = own if 0 in own else epochs | own
    names = dict.fromkeys(name for values in epochs.values() for name in values if name.startswith(("train/", "val/")))
    if not names:
        return None
    return {"epochs": list(epochs), "values": {name: [of.get(name) for of in epochs.values()] for name in names}}


def _rows(log: Path) -> Iterator[tuple[int, Values]]:
    """The rows of a table; one that was cut by a kill is left out."""
    for row in csv.DictReader(read_text(log).splitlines()):
        with suppress(ValueError, TypeError):
            known = {name: float(text) for name, text in row.items() if text and name not in ("epoch", "step")}
            if known:
                yield int(row["epoch"]), known


def training_logs(folder: Path) -> tuple[Path, ...]:
    """The tables of metrics in the folder of a run, in the order in which they were begun."""
    tables = (folder / "csv").glob("version_*/metrics.csv")
    return tuple(sorted(tables, key=lambda path: (len(path.parent.name), path.parent.name)))
