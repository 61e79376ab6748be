"""The tables of this folder's README from finished runs; nothing is trained.

    python -m experiments.compare.table runs [--root data/domestic] [--rows ...] [--resamples 300]

Reads `<runs>/<row>/seed_<n>/` and the labels of the corpus that the runs name, or of the same kind in `--root`.
Values are in %, mean and standard deviation over seeds. Differences are paired by seed; their 95 % intervals are drawn
over recordings and seeds: the recordings of the soundbank that a soundscape is mixed from, or the patients of SPRSound.
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
from wsed.metrics.bootstrap import ClipCounts, Statistic, Weights, clip_counts
from wsed.metrics.system import System
from wsed.run import RunFolder
from wsed.scoring.resampling import samples
from wsed.scoring.score import system_of
from wsed.study.compare import spread
from wsed.study.rows import read_recipe
from wsed.study.runs import ScoredClips, by_row, corpus_of
from wsed.study.table import claims_table, markdown
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
LEVEL = 0.95
Resampled = Float[np.ndarray, " resample"]


@dataclass(frozen=True)
class Numbers:
    """The columns of one run in %: of the test clips as they are, and of each resample of them."""

    value: Mapping[str, float]
    drawn: Mapping[str, Resampled]


def units(clips: Iterable[Clip]) -> list[frozenset[str]]:
    """The recordings of each clip that are drawn: its patient, or those that a soundscape is mixed from, or itself."""
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


def draw(clip_units: Sequence[frozenset[str]], resamples: int, seed: int = 0) -> Weights:
    """Weights of clips whose recordings are drawn with replacement: the product of how often its recordings are drawn.

    This is the pigeonhole bootstrap (Owen 2007), for clips that hold several recordings.

    >>> draw([frozenset("a"), frozenset("b")], 1).sum()
    np.float64(2.0)
    """
    names = sorted(frozenset().union(*clip_units))
    drawn = np.random.default_rng(seed).multinomial(len(names), [1 / len(names)] * len(names), resamples)
    place = {name: i for i, name in enumerate(names)}
    return np.stack([drawn[:, [place[name] for name in each]].prod(1) for each in clip_units], 1).astype(np.float64)


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
    """The columns of a run, scored with its tuned decoder."""
    clips = corpus_of(run, root).clips("test")
    scored = ScoredClips.read(run, "test", clips)
    tuned = read_tuned(run.last) or read_tuned(run.best)
    if tuned is None:
        raise SystemExit(f"{run.path}: no tuned decoder beside its last checkpoint")
    system = system_of(scored.scores, scored.truth, scored.labels, decoder_of(tuned.decoder))
    by_id = {clip.id: clip for clip in clips}
    weights = draw(units(by_id[name] for name in scored.scores.clip_ids), resamples)
    every = np.ones((1, weights.shape[1]))
    columns = statistics(system, scored.labels)
    return Numbers(
        {name: 100 * float(statistic(every)[0]) for name, statistic in columns.items()},
        {name: 100 * statistic(weights) for name, statistic in columns.items()},
    )


def difference(first: Mapping[str, Numbers], second: Mapping[str, Numbers], column: str) -> str:
    """Second minus first over the seeds that both have, with the interval over recordings and seeds."""
    seeds = sorted(first.keys() & second.keys())
    value = float(np.mean([second[seed].value[column] - first[seed].value[column] for seed in seeds]))
    drawn = np.stack([second[seed].drawn[column] - first[seed].drawn[column] for seed in seeds])
    chosen = np.random.default_rng(1).integers(len(seeds), size=drawn.T.shape)
    means = np.take_along_axis(drawn.T, chosen, axis=1).mean(1)
    means = means[~np.isnan(means)]
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]) + value - np.median(means)
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def print_tables(found: Mapping[str, Mapping[str, Numbers]]) -> None:
    columns = [name for name in COLUMNS if all(name in run.value for runs in found.values() for run in runs.values())]
    lines = [
        [f"{row} ({len(runs)})", *(spread(run.value[name] for run in runs.values()) for name in columns)]
        for row, runs in found.items()
    ]
    print(f"\n{markdown(['% (seeds)', *columns], lines)}")
    pairs = dict.fromkeys([*((BASE, row) for row in found if row != BASE), *RECIPE.pairs()])
    lines = [
        [f"{second} - {first}", *(difference(found[first], found[second], name) for name in columns)]
        for first, second in pairs
        if found.get(first, {}).keys() & found.get(second, {}).keys()
    ]
    print(f"\n{markdown(['points, 95 % by recording and seed', *columns], lines)}")
    values = {row: {seed: run.value["event F1"] for seed, run in runs.items()} for row, runs in found.items()}
    print(f"\n{claims_table(RECIPE.claims, {'event_f1': values})}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="folder of the runs on one corpus")
    parser.add_argument("--root", type=Path, help="the corpus, if it is not where the runs found it")
    parser.add_argument("--rows", nargs="+", default=list(RECIPE.rows))
    parser.add_argument("--resamples", type=int, default=300, help="of the recordings (default: 300)")
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
    recordings = frozenset().union(*units(clips))
    print(f"{len(clips)} test clips of {len(recordings)} recordings")
    for title, of in ((SHORT, short), (LONG, long)):
        print(f"{title}: {', '.join(truth.labels.names[c] for c in of)}")
    print_tables(found)


if __name__ == "__main__":
    main()
