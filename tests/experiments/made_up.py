"""A corpus and runs whose scores are those of perfect systems, for the scripts that make tables."""

from pathlib import Path

import numpy as np
import torch

from wsed.run import RunFolder
from wsed.scoring.formats.run_scores import write_scores
from wsed.types import Labels, Split
from wsed.values import Scores

LABELS = Labels(["Dishes", "Frying", "Speech"])
EVENTS = {
    "a": [("Dishes", 1.0, 3.0), ("Frying", 2.0, 4.5), ("Speech", 5.0, 8.0)],
    "b": [("Frying", 0.5, 9.0)],
    "c": [("Frying", 2.0, 4.0)],
}
SPLITS: tuple[Split, ...] = ("test", "validation")
RATE, SECONDS = 10.0, 10.0


def make_corpus(root: Path) -> Path:
    """Tables of the same events as test and as validation clips; no audio."""
    rows = [f"{name}.wav\t{on}\t{off}\t{label}" for name, events in EVENTS.items() for label, on, off in events]
    for table in ("eval/public", "validation/validation"):
        path = root / "metadata" / f"{table}.tsv"
        path.parent.mkdir(parents=True)
        path.write_text("\n".join(["filename\tonset\toffset\tevent_label", *rows]) + "\n")
        (root / "audio" / table).mkdir(parents=True)
    return root


def name_recordings(root: Path) -> None:
    """Write which recordings each test clip is made of: `a` and `b` have the same background."""
    rows = [f"{name}.wav\tforeground/{name}.wav\tbackground/{name == 'c'}.wav" for name in EVENTS]
    path = root / "metadata/eval/provenance.tsv"
    path.write_text("\n".join(["filename\tsource_file\tbackground_file", *rows]) + "\n")


def made_scores(missed: str = "", clips: str = "abc") -> Scores:
    """Scores that find every event but those of the class `missed` in some clips."""
    frames = torch.full((len(EVENTS), round(SECONDS * RATE), len(LABELS)), 0.01)
    for i, (name, events) in enumerate(EVENTS.items()):
        for label, on, off in events:
            if label != missed or name not in clips:
                frames[i, round(on * RATE) : round(off * RATE), LABELS.index(label)] = 0.99
    names = tuple(f"{name}.wav" for name in EVENTS)
    durations = torch.full((len(names),), SECONDS, dtype=torch.float64)
    return Scores.of_padded(frames, RATE, durations=durations, clip_ids=names, clip_scores=frames.amax(1))


def make_run(folder: Path, report: str = "{}", missed: str = "", clips: str = "abc") -> None:
    """A run that finds every event but those of the class `missed` in some clips."""
    run, scores = RunFolder(folder), made_scores(missed, clips)
    for split in SPLITS:
        run.split(split).path.mkdir(parents=True)
        write_scores(run.split(split).path, scores, LABELS)
        run.split(split).report.write_text(report)
    run.config.write_text("data: {corpus: {class_path: wsed.data.corpus.desed.DESED}}\n")


def cells(printed: str) -> dict[str, list[str]]:
    """The rows of Markdown tables by their first cell; of several rows of a name the last."""
    lines = [line.strip("|").split("|") for line in printed.splitlines() if line.startswith("|")]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in lines}


def numbers(row: list[str]) -> list[float]:
    """The means of a row of cells."""
    return [np.nan if cell == "-" else float(cell.split()[0]) for cell in row]
