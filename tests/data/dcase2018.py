"""The DCASE 2018 task 4 folder with real labels and invented audio."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from wsed.data.clip import Timed
from wsed.data.table import strong_rows, weak_rows

LABELS = "dcase2019_task4"
Event = tuple[str, Timed]


def later_release(shared: Path) -> list[Event]:
    """The rows of the later annotation of the test clips, which lies in `shared`."""
    rows = strong_rows(shared / "data/metadata" / LABELS / "test_dcase2018.tsv")
    return [(clip, event) for _, clip, event in rows if event is not None]


def first_release(shared: Path) -> list[Event]:
    """Rows with the counts of the first release, which we have not: 13 Cats fewer, 6 Dogs and 5 Speeches more."""
    rows, instead = [], iter(["Dog"] * 6 + ["Speech"] * 5 + [None] * 2)
    for clip, (label, onset, offset) in later_release(shared):
        new = next(instead, label) if label == "Cat" else label
        if new is not None:
            rows.append((clip, (new, onset, offset)))
    return rows


def make_dcase2018(root: Path, shared: Path, test: Sequence[Event], every: int = 20, shorter: float = 10.0) -> Path:
    """`dataset/metadata/{train/weak,test/test}.csv` and 1 s of noise for each clip listed.

    Args:
        root: made.
        shared: where the real labels are.
        test: rows of the test table.
        every: one of so many weak clips is taken, in file order.
        shorter: events are so many times shorter and earlier, to fit into the audio.
    """
    weak = weak_rows(shared / "data/metadata" / LABELS / "weak.tsv")[::every]
    lines = {
        "train/weak": ["filename\tevent_labels", *(f"{clip}\t{','.join(sorted(tags))}" for _, clip, tags in weak)],
        "test/test": ["filename\tonset\toffset\tevent_label"],
    }
    for clip, (label, onset, offset) in test:
        lines["test/test"].append(f"{clip}\t{onset / shorter}\t{offset / shorter}\t{label}")
    for table, rows in lines.items():
        path = root / "dataset/metadata" / f"{table}.csv"
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(rows) + "\n")
    noise = root / "noise.wav"
    soundfile.write(noise, np.random.default_rng(0).uniform(-0.3, 0.3, 8000), 8000)
    for folder, clips in (("train/weak", {c for _, c, _ in weak}), ("test", {c for c, _ in test})):
        (root / "dataset/audio" / folder).mkdir(parents=True)
        for clip in clips:
            os.link(noise, root / "dataset/audio" / folder / clip)
    return root
