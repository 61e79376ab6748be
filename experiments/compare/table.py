"""The tables of this folder's README from finished runs; nothing is trained.

    python -m experiments.compare.table runs [--root data/domestic] [--rows ...] [--resamples 300]

Reads `<runs>/<row>/seed_<n>/` and the labels of the corpus that the runs name, or of the same kind in `--root`. The
numbers of a run are kept in its `numbers.npz`, so that its frame scores are read once and need not be kept.
Values are in %, mean and standard deviation over seeds. Differences are paired by seed; their 95 % intervals are over
seeds and groups of recordings: the recordings of the soundbank that soundscapes share, or the patients of SPRSound.
"""

import argparse
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from wsed.data.clip import Clip
from wsed.data.table import read_rows
from wsed.metrics import event_counts
from wsed.metrics.bootstrap import ClipCounts, Statistic, clip_counts
from wsed.metrics.groups import Groups
from wsed.metrics.system import System
from wsed.run import RunFolder
from wsed.scoring.score import system_of
from wsed.study.compare import spread
from wsed.study.drawn import Drawn
from wsed.study.measures import in_points
from wsed.study.numbers import RESAMPLES, Numbers, Recordings, statistics_of
from wsed.study.rows import read_recipe
from wsed.study.runs import ScoredClips, by_row, corpus_of
from wsed.study.table import markdown
from wsed.tuned import decoder_of, read_tuned
from wsed.types import Events, Labels

RECIPE = read_recipe(Path(__file__).parent)
BASE = "linear_softmax"
METRICS = {
    "event F1": ("event_f1", "macro"),
    "segment F1": ("segment_f1", "macro"),
    "PSDS1": ("psds1", "value"),
    "PSDS2": ("psds2", "value"),
    "tagging F1": ("tagging_f1", "macro"),
    "mAP": ("tagging", "macro_ap"),
}
SHORT, LONG = "short classes", "long classes"
COLUMNS = ("event F1", SHORT, LONG, *list(METRICS)[1:])
COLUMN_OF = {metric: column for column, (metric, _) in METRICS.items()}


def units(clips: Iterable[Clip]) -> list[frozenset[str]]:
    """The recordings of each clip that are drawn: its patient, or those of the events of a soundscape, or itself.

    Unlike `wsed.study.measures.clip_groups`, it leaves backgrounds out and joins the parts of a recording. The figures
    of the README are drawn like this, and the scores to draw them anew were not kept.
    """
    clips = list(clips)
    sources: dict[str, set[str]] = {}
    for table in {path for clip in clips for path in provenance(clip.path)}:
        for _, line in read_rows(table, ("filename", "source_file")):
            sources.setdefault(line["filename"], set()).add(recording(line["source_file"]))
    return [
        frozenset([clip.groups["patient"]] if "patient" in clip.groups else sources.get(clip.id, {clip.of_recording}))
        for clip in clips
    ]


def provenance(audio: Path) -> list[Path]:
    """The table of the recordings of a soundscape, `metadata/eval/provenance.tsv` for `audio/eval/public/a.flac`."""
    if len(audio.parents) < 4:
        return []
    table = audio.parents[3] / "metadata" / audio.parents[1].name / "provenance.tsv"
    return [table] if table.is_file() else []


def recording(file: str) -> str:
    """The recording that a file of the soundbank is a part of.

    >>> recording("foreground/eval/Dog/ESC-10_208030_0.flac")
    'ESC-10_208030'
    """
    return re.sub(r"_\d+$", "", Path(file).stem)


def statistics(system: System, labels: Labels) -> dict[str, Statistic]:
    """The columns of a system in points, as functions of the weights of its clips."""
    columns = statistics_of(system, METRICS)
    clips = system.need_timed()
    counts = clip_counts(event_counts, clips.reference, clips.detected, clips.n_clips, clips.n_labels)
    for column, of in zip((SHORT, LONG), short_and_long(clips.reference, len(labels)), strict=True):
        if of:
            part = ClipCounts(counts.tp[:, of], counts.n_ref[:, of], counts.n_sys[:, of])
            columns[column] = in_points(part.statistic("f1"))
    return columns


def short_and_long(reference: Events, n_labels: int) -> tuple[list[int], list[int]]:
    """The half of the classes whose events are shorter in the median, and the others.

    >>> short_and_long(Events.of([(0, 0, 0.0, 5.0), (0, 1, 0.0, 1.0), (0, 2, 0.0, 9.0)]), 3)
    ([1], [0, 2])
    """
    seconds, label = (reference.offset - reference.onset).numpy(), reference.label.numpy()
    median = {c: float(np.median(seconds[label == c])) for c in range(n_labels) if (label == c).any()}
    order = sorted(median, key=lambda c: median[c])
    half = len(order) // 2
    return sorted(order[:half]), sorted(order[half:])


def numbers(run: RunFolder, root: Path | None, recordings: Recordings) -> Numbers:
    """The columns of a run, scored with its tuned decoder; kept in its folder."""
    if (kept := Numbers.kept(run, recordings)) is not None:
        return kept
    scored = ScoredClips.read(run, "test", corpus_of(run, root).clips("test"))
    tuned = read_tuned(run.last) or read_tuned(run.best)
    if tuned is None:
        raise SystemExit(f"{run.path}: no tuned decoder beside its last checkpoint")
    columns = statistics(
        system_of(scored.scores, scored.truth, scored.labels, decoder_of(tuned.decoder)), scored.labels
    )
    result = Numbers.of(columns, scored.scores.clip_ids, recordings)
    result.keep(run, recordings)
    return result


def recordings_of(clips: Iterable[Clip], ids: tuple[str, ...], resamples: int) -> Recordings:
    """The groups of recordings of clips, in the order of their ids."""
    by_id = {clip.id: clip for clip in clips}
    own = [sorted(each) for each in units(by_id[name] for name in ids)]
    return Recordings(Groups.of(own), ids, "groups of recordings", resamples)


def print_tables(drawn: Drawn) -> None:
    """The values of the rows, their differences, and the verdicts."""
    found = drawn.numbers
    columns = [name for name in COLUMNS if all(name in run.value for runs in found.values() for run in runs.values())]
    lines = [
        [f"{row} ({len(runs)})", *(spread(run.value[name] for run in runs.values()) for name in columns)]
        for row, runs in found.items()
    ]
    print(f"\n{markdown(['% (seeds)', *columns], lines)}")
    pairs = dict.fromkeys([*((BASE, row) for row in found if row != BASE), *RECIPE.pairs()])
    print(f"\n{drawn.differences('points, 95 % over seeds and recordings', list(pairs), columns)}")
    print(f"\n{drawn.claims(RECIPE.claims, COLUMN_OF)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="folder of the runs on one corpus")
    parser.add_argument("--root", type=Path, help="the corpus, if it is not where the runs found it")
    parser.add_argument("--rows", nargs="+", default=list(RECIPE.rows))
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="draws of the groups (default: %(default)s)")
    args = parser.parse_args()
    runs = by_row(args.runs, args.rows)
    if not runs:
        raise SystemExit(f"no finished run of {', '.join(args.rows)} in {args.runs}")
    first = next(iter(runs.values()))[0]
    clips = corpus_of(first, args.root).clips("test")
    truth = ScoredClips.read(first, "test", clips)
    short, long = short_and_long(truth.truth.events, len(truth.labels))
    recordings = recordings_of(clips, truth.scores.clip_ids, args.resamples)
    print(f"{len(clips)} test clips of {len(recordings.groups or ())} groups of recordings")
    for title, of in ((SHORT, short), (LONG, long)):
        print(f"{title}: {', '.join(truth.labels.names[c] for c in of)}")
    found = {row: {run.path.name: numbers(run, args.root, recordings) for run in of} for row, of in runs.items()}
    print_tables(Drawn(found, recordings))


if __name__ == "__main__":
    main()
