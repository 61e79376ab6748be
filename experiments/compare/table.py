"""The tables of this folder's README from finished runs; nothing is trained.

    python -m experiments.compare.table runs [--root data/domestic] [--rows ...] [--resamples 300]

Reads `<runs>/<row>/seed_<n>/` and the labels of the corpus that the runs name, or of the same kind in `--root`. The
numbers of a run are kept in its `numbers.npz`, so that its frame scores are read once and need not be kept.
Values are in %, mean and standard deviation over seeds. Differences are paired by seed; their 95 % intervals are over
seeds and groups of recordings: the recordings of the soundbank that soundscapes share, or the patients of SPRSound.
"""

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from wsed.data.clip import Clip
from wsed.data.table import read_rows
from wsed.metrics import event_counts
from wsed.metrics.base import default_metrics
from wsed.metrics.bootstrap import ClipCounts, Statistic, clip_counts
from wsed.metrics.groups import Groups
from wsed.metrics.system import System
from wsed.run import RunFolder
from wsed.scoring.resampling import samples
from wsed.scoring.score import system_of
from wsed.study.claims import Claim, judge_difference
from wsed.study.compare import Difference, spread
from wsed.study.crossed import draws, of_draws
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
KEPT = "numbers.npz"
Resampled = Float[np.ndarray, " resample"]


@dataclass(frozen=True)
class Numbers:
    """The columns of one run in %: of the test clips as they are, and of each draw of their groups."""

    value: Mapping[str, float]
    drawn: Mapping[str, Resampled]


Seeds = Mapping[str, Numbers]
"""The numbers of the runs of a row, by seed."""


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
    """The columns of a system as functions of the weights of its clips."""
    metrics = {name: metric for name, metric in default_metrics().items() if name in {m for m, _ in METRICS.values()}}
    found = {(each.metric, each.number): each.statistic for each in samples(system, metrics)}
    columns = {column: found[key] for column, key in METRICS.items() if key in found}
    clips = system.need_timed()
    counts = clip_counts(event_counts, clips.reference, clips.detected, clips.n_clips, clips.n_labels)
    for column, of in zip((SHORT, LONG), short_and_long(clips.reference, len(labels)), strict=True):
        if of:
            part = ClipCounts(counts.tp[:, of], counts.n_ref[:, of], counts.n_sys[:, of])
            columns[column] = part.statistic("f1")
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


def numbers(run: RunFolder, root: Path | None, resamples: int) -> Numbers:
    """The columns of a run, scored with its tuned decoder; kept in its folder."""
    kept, scores = run.path / KEPT, run.split("test").frame_scores
    if kept.is_file() and not (scores.is_file() and scores.stat().st_mtime > kept.stat().st_mtime):
        with np.load(kept) as file:
            found = {name: file[name] for name in file.files}
        if all(len(values) == resamples + 1 for values in found.values()):
            return Numbers({c: float(v[0]) for c, v in found.items()}, {c: v[1:] for c, v in found.items()})
    corpus = corpus_of(run, root)
    clips = corpus.clips("test")
    scored = ScoredClips.read(run, "test", clips)
    tuned = read_tuned(run.last) or read_tuned(run.best)
    if tuned is None:
        raise SystemExit(f"{run.path}: no tuned decoder beside its last checkpoint")
    system = system_of(scored.scores, scored.truth, scored.labels, decoder_of(tuned.decoder))
    groups = groups_of(clips, scored.scores.clip_ids)
    weights = groups.clip_weights(draws(groups, resamples))
    every = np.ones((1, weights.shape[1]))
    columns = statistics(system, scored.labels)
    result = Numbers(
        {name: 100 * float(statistic(every)[0]) for name, statistic in columns.items()},
        {name: 100 * statistic(weights) for name, statistic in columns.items()},
    )
    np.savez(kept, **{name: np.array([value, *result.drawn[name]]) for name, value in result.value.items()})
    return result


def groups_of(clips: Iterable[Clip], ids: Sequence[str]) -> Groups:
    """The groups of recordings of clips, in the order of their ids."""
    by_id = {clip.id: clip for clip in clips}
    return Groups.of([sorted(each) for each in units(by_id[name] for name in ids)])


def difference(first: Seeds, second: Seeds, column: str, groups: Groups) -> Difference:
    """Second minus first over the seeds that both have, with its interval over seeds and groups of recordings."""
    seeds = sorted(first.keys() & second.keys())
    values = [second[seed].value[column] - first[seed].value[column] for seed in seeds]
    drawn = np.mean([second[seed].drawn[column] - first[seed].drawn[column] for seed in seeds], axis=0)
    return of_draws(values, drawn, groups)


def print_tables(found: Mapping[str, Seeds], groups: Groups) -> None:
    """The values of the rows, their differences, and the verdicts."""
    columns = [name for name in COLUMNS if all(name in run.value for runs in found.values() for run in runs.values())]
    lines = [
        [f"{row} ({len(runs)})", *(spread(run.value[name] for run in runs.values()) for name in columns)]
        for row, runs in found.items()
    ]
    print(f"\n{markdown(['% (seeds)', *columns], lines)}")
    pairs = dict.fromkeys([*((BASE, row) for row in found if row != BASE), *RECIPE.pairs()])
    lines = []
    for first, second in pairs:
        if shared := found.get(first, {}).keys() & found.get(second, {}).keys():
            cells = (str(difference(found[first], found[second], name, groups)) for name in columns)
            lines.append([f"{second} - {first} ({len(shared)})", *cells])
    print(f"\n{markdown(['points, 95 % over seeds and recordings', *columns], lines)}")
    print(f"\n{claims(RECIPE.claims, found, groups)}")


def claims(of: Iterable[Claim], found: Mapping[str, Seeds], groups: Groups) -> str:
    """A line per claim whose rows have runs, with its verdict."""
    lines = []
    for claim in of:
        if found.get(claim.first, {}).keys() & found.get(claim.second, {}).keys():
            between = difference(found[claim.first], found[claim.second], COLUMN_OF[claim.measure], groups)
            judged = judge_difference(claim, between)
            verdict = judged.verdict + (f": {judged.note}" if judged.note else "")
            rows = f"{claim.second} - {claim.first} ({between.n})"
            lines.append([claim.name, rows, claim.measure, str(between), claim.expect, verdict])
    return markdown(["claim", "rows (shared seeds)", "measure", "points, 95 %", "expected", "verdict"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="folder of the runs on one corpus")
    parser.add_argument("--root", type=Path, help="the corpus, if it is not where the runs found it")
    parser.add_argument("--rows", nargs="+", default=list(RECIPE.rows))
    parser.add_argument("--resamples", type=int, default=300, help="of the groups of recordings (default: 300)")
    args = parser.parse_args()
    found = {
        row: {run.path.name: numbers(run, args.root, args.resamples) for run in runs}
        for row, runs in by_row(args.runs, args.rows).items()
    }
    if not found:
        raise SystemExit(f"no finished run of {', '.join(args.rows)} in {args.runs}")
    first = next(iter(by_row(args.runs, found).values()))[0]
    corpus = corpus_of(first, args.root)
    clips = corpus.clips("test")
    truth = ScoredClips.read(first, "test", clips)
    short, long = short_and_long(truth.truth.events, len(truth.labels))
    groups = groups_of(clips, truth.scores.clip_ids)
    print(f"{len(clips)} test clips of {len(groups)} groups of recordings")
    for title, of in ((SHORT, short), (LONG, long)):
        print(f"{title}: {', '.join(truth.labels.names[c] for c in of)}")
    print_tables(found, groups)


if __name__ == "__main__":
    main()
