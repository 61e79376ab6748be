"""The learning curves of a run, from the table of its metrics."""

import csv
from pathlib import Path

from wsed.scoring.plain import Plain
from wsed.text import read_text


def learning(path: Path | None) -> Plain | None:
    r"""The values of each epoch by their names in the log; None if there is no table.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "metrics.csv").write_text("epoch,step,train/loss,val/loss\n0,4,0.7,\n0,4,,0.6\n")
    ...     learning(Path(folder, "metrics.csv"))
    {'epochs': [0], 'values': {'train/loss': [0.7], 'val/loss': [0.6]}}
    """
    if path is None or not path.is_file():
        return None
    epochs: dict[int, dict[str, float]] = {}
    for row in csv.DictReader(read_text(path).splitlines()):
        known = {name: value for name, value in row.items() if value and name not in ("epoch", "step")}
        if known and row.get("epoch"):
            epochs.setdefault(int(row["epoch"]), {}).update({k: float(v) for k, v in known.items()})
    names = dict.fromkeys(name for values in epochs.values() for name in values if name.startswith(("train/", "val/")))
    if not names:
        return None
    return {"epochs": list(epochs), "values": {name: [of.get(name) for of in epochs.values()] for name in names}}


def newest_log(folder: Path) -> Path | None:
    """The table of metrics of the last training in the folder of a run; None if there is none."""
    tables = sorted((folder / "csv").glob("version_*/metrics.csv"), key=lambda path: path.stat().st_mtime)
    return tables[-1] if tables else None
