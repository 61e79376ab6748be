"""Writing of F1, precision and recall over thresholds as tables, one per metric."""

import re
from pathlib import Path

from wsed.data.table import write_rows
from wsed.scoring.report import Report

COLUMNS = ("event_label", "threshold", "f1", "precision", "recall", "tp", "n_sys", "n_ref")


def write_curves(folder: Path, report: Report) -> list[Path]:
    """Write the curves of each metric that has some, and the best threshold of each class; returns the files.

    `best_event_f1.tsv` has a row per class and threshold; `best_event_f1.thresholds.tsv` one per class, at its best
    threshold, and is read by `--threshold`: thresholds have all their digits, since the next score may be that near.
    At most 1,000 points of a class are kept, the best one among them.
    """
    files: list[Path] = []
    for name, value in report.computed.items():
        if not value.over_thresholds:
            continue
        folder.mkdir(parents=True, exist_ok=True)
        stem = re.sub(r"[^\w.=-]+", "_", name)
        rows = [
            (label, repr(float(t)), f"{f1:.6g}", f"{precision:.6g}", f"{recall:.6g}", int(tp), int(n_sys), curve.n_ref)
            for label, curve in value.over_thresholds.items()
            for t, f1, precision, recall, tp, n_sys in zip(
                curve.threshold, curve.f1, curve.precision, curve.recall, curve.tp, curve.n_sys, strict=True
            )
        ]
        best = [
            (label, repr(float(own["threshold"])), *(f"{own[part]:.6g}" for part in ("f1", "precision", "recall")))
            for label, own in value.per_class.items()
            if own["n_ref"]
        ]
        files += [folder / f"{stem}.tsv", folder / f"{stem}.thresholds.tsv"]
        write_rows(files[-2], COLUMNS, rows)
        write_rows(files[-1], COLUMNS[:5], best)
    return files
