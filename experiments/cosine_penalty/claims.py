"""The claims of Pellegrini & Cances 2019 on finished runs: differences with intervals, and the effect of the decoder.

    python -m experiments.cosine_penalty.claims runs [--root data/domestic]

Reads what `table.py` reads, and for class thresholds the validation scores of each run, which
`wsed validate --config RUN/config.yaml --ckpt_path last` writes. Differences are paired by seed; their 95 % intervals
are over seeds and the recordings in the test clips, or over seeds alone if the corpus does not name its recordings.
"""

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from experiments.cosine_penalty.table import (
    BEST,
    CLIP_SECONDS,
    PAPER,
    RECIPE,
    ROWS,
    SHORT,
    Run,
    counts_by_clip,
    f1_by_class,
    read_tagger,
    systems_of,
)
from wsed.decoding import Decoder, exact_thresholds, random_thresholds, tune_events
from wsed.metrics import event_counts
from wsed.metrics.bootstrap import ClipCounts, Statistic, clip_counts
from wsed.metrics.clips import tag_counts
from wsed.run import RunFolder
from wsed.study.compare import spread
from wsed.study.drawn import Drawn
from wsed.study.measures import correlation_of, in_points
from wsed.study.numbers import RESAMPLES, Numbers, Recordings
from wsed.study.runs import ScoredClips, clips_of, root_of
from wsed.study.table import columns_table, markdown
from wsed.truth import Truth
from wsed.types import Split

LOW = (0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.014, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.14, 0.2, 0.3, 0.5, 0.7)
COLUMN_OF = {"event_f1": "event F1", "dishes_frying_correlation": "Dishes/Frying corr.", "dishes_f1": "Dishes"}
"""The measures of the claims, as they are called here."""
GAPS, WINDOWS = (0.2, 0.5, 1.0, 1.5), (0.2, 0.44, 0.8)


@cache
def class_f1(run: Run, decoder: Decoder) -> np.ndarray:
    """Event F1 of each class in %, with the tags of the system; for the best systems, as they report it themselves."""
    if run.row in BEST:
        return run.reported
    return 100 * f1_by_class(run, decoder)


def print_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    print(f"\n{markdown(head, lines)}")


@dataclass(frozen=True)
class Measure:
    """A measure of a run in points, and the same as a function of clip weights, if it has one."""

    value: Callable[[Run], float]
    statistic: Callable[[Run], Statistic | None]


def drawn_of(systems: dict[str, list[Run]], recordings: Recordings, measures: Mapping[str, Measure]) -> Drawn:
    """The measures of all runs, with draws of the recordings in the test clips if they are known."""

    def numbers(run: Run) -> Numbers:
        values = {name: measure.value(run) for name, measure in measures.items()}
        if recordings.groups is None:
            return Numbers(values)
        found = {name: measure.statistic(run) for name, measure in measures.items()}
        known = {name: statistic for name, statistic in found.items() if statistic is not None}
        return Numbers(values, recordings.draw(known, run.ids))

    return Drawn({row: {run.seed: numbers(run) for run in runs} for row, runs in systems.items()}, recordings)


@cache
def class_counts(run: Run) -> ClipCounts | None:
    """Counts of the events in each clip as in `class_f1`; None if the detections of a best system were not kept."""
    if run.row not in BEST:
        return counts_by_clip(run)
    if not run.folder.split("test").predictions.is_file():
        return None
    events = run.folder.detections("test").events
    return clip_counts(event_counts, run.truth, events, len(run.ids), len(run.labels))


def mean_f1(classes: np.ndarray) -> Measure:
    """Mean event F1 of some classes."""

    def statistic(run: Run) -> Statistic | None:
        counts = class_counts(run)
        return None if counts is None else in_points(part_of(counts, classes).statistic("f1"))

    return Measure(lambda run: float(class_f1(run, PAPER)[classes].mean()), statistic)


def part_of(counts: ClipCounts, classes: np.ndarray) -> ClipCounts:
    """The counts of some classes."""
    return ClipCounts(counts.tp[:, classes], counts.n_ref[:, classes], counts.n_sys[:, classes])


def measures_of(first: Run) -> dict[str, Measure]:
    """The measures that are compared; those of classes that the corpus lacks are left out."""
    labels = np.array(first.labels)
    short = np.isin(labels, SHORT)
    measures = {"event F1": mean_f1(np.ones_like(short))}
    if short.any() and not short.all():
        measures |= {"five short classes": mean_f1(short), "five long classes": mean_f1(~short)}
    if has_pair(first):
        pair = Measure(lambda r: 100 * r.pair("Dishes", "Frying"), lambda r: correlation_of(r.scored, "Dishes/Frying"))
        measures |= {"Dishes/Frying corr.": pair, "Dishes": mean_f1(labels == "Dishes")}
    return measures


def differences(drawn: Drawn, columns: Sequence[str]) -> None:
    """Print the differences of all pairs of the recipe, by column."""
    lines = []
    for one, other in RECIPE.pairs():
        if not (seeds := drawn.shared(one, other)):
            continue
        claims = dict.fromkeys(claim.name for claim in RECIPE.claims if (claim.first, claim.second) == (one, other))
        about = [", ".join(claims) or "-", f"{other} - {one}", str(len(seeds))]
        lines.append([*about, *(str(drawn.difference(one, other, name)) for name in columns)])
    print_table(["claim", "rows", "shared seeds", *columns], lines)


def has_pair(run: Run) -> bool:
    """Whether the corpus has the two classes that the paper's penalty is to separate."""
    return {"Dishes", "Frying"} <= set(run.labels)


def verdicts(drawn: Drawn, columns: Sequence[str]) -> None:
    """The verdicts on the claims of the recipe; those about classes that the corpus lacks are left out."""
    judged = [claim for claim in RECIPE.claims if COLUMN_OF[claim.measure] in columns]
    print(f"\n{drawn.sentence(columns)}\n\n{drawn.claims(judged, COLUMN_OF)}")
    if skipped := [claim.name for claim in RECIPE.claims if claim not in judged]:
        print(f"\nnot judged, since the corpus lacks Dishes or Frying: {'; '.join(skipped)}")


def best(systems: dict[str, list[Run]]) -> None:
    """Print the metrics in the reports of the runs, whose decoders were tuned on the validation clips."""
    if not systems:
        return
    measures: dict[str, Callable[[Run], float]] = {
        "event F1": lambda r: 100 * r.report.value("event_f1/macro"),
        "segment F1": lambda r: 100 * r.report.value("segment_f1/macro"),
        "tagging F1": lambda r: 100 * r.report.value("tagging_f1/macro"),
        "PSDS1": lambda r: 100 * r.report.value("psds1"),
        "PSDS2": lambda r: 100 * r.report.value("psds2"),
    }
    print(f"\n{columns_table('%', systems, measures)}")


def crossed(run: Run) -> torch.Tensor:
    """Mask of the true events that overlap an event of another class."""
    t = run.truth
    meets = (t.clip[:, None] == t.clip) & (t.label[:, None] != t.label)
    meets &= (t.onset[:, None] < t.offset) & (t.onset < t.offset[:, None])
    return meets.any(1)


def recalled(run: Run, which: torch.Tensor) -> ClipCounts:
    """Counts of some of the true events in each clip."""
    found = run.detect(run.system_tags)
    return clip_counts(event_counts, run.truth[which], found, len(run.ids), len(run.labels))


def recall(run: Run, which: torch.Tensor) -> float:
    counts = recalled(run, which).total()
    return 100 * float(counts.tp.sum() / counts.n_ref.sum())


def gap(first: Run) -> Measure:
    """Recall of the events that another class crosses minus that of the others."""
    which = crossed(first)

    def statistic(run: Run) -> Statistic:
        ours, theirs = (recalled(run, part).statistic("recall", "micro") for part in (which, ~which))
        return lambda weights: 100 * (ours(weights) - theirs(weights))

    return Measure(lambda run: recall(run, which) - recall(run, ~which), statistic)


def overlapped(systems: dict[str, list[Run]], recordings: Recordings) -> None:
    first = next(iter(systems.values()))[0]
    n = int(crossed(first).sum())
    name = "crossed - alone, minus that of glu_mil"
    names = (f"crossed by another class ({n})", f"alone ({len(first.truth) - n})", name)
    drawn = drawn_of(systems, recordings, {name: gap(first)})
    lines = []
    for row, runs in systems.items():
        cells = [[recall(r, which) for r in runs] for which in (crossed(first), ~crossed(first))]
        compared = row != "glu_mil" and drawn.shared("glu_mil", row)
        against = str(drawn.difference("glu_mil", row, name)) if compared else ""
        lines.append([row, *map(spread, cells), against])
    print_table(["recall of true events, %", *names], lines)


def oracle(systems: dict[str, list[Run]]) -> None:
    lines = []
    for row, runs in systems.items():
        gains = [
            [100 * (r.event_f1(r.tags) / max(r.event_f1(given(r)), 1e-9) - 1) for r in runs]
            for given in (lambda r: r.system_tags, lambda r: r.own)
        ]
        lines.append([row, *(f"{np.mean(g):.0f}" for g in gains)])
    print_table(["oracle tags: relative gain of the event F1, %", "over the tagger's", "over its own"], lines)


def tuned(run: Run, held: Run, gaps: tuple[float, ...], windows: tuple[float, ...]) -> ClipCounts:
    """Counts of events; each class has the threshold, smoothing and joining that are best on the validation clips."""
    best = np.full(len(run.labels), -1.0)
    found = tuple(np.zeros((len(run.ids), len(run.labels)), dtype=np.int64) for _ in range(3))
    for merge in gaps:
        for window in windows:
            decoder = replace(PAPER, merge_gap=merge, smooth=window, tags="oracle")
            truth = Truth.of_events(held.truth, len(held.ids), len(held.labels))
            fit = tune_events(
                decoder, held.scores, truth, event_counts, "validation", thresholds=LOW, tags=held.system_tags
            )
            chosen = fit.apply(decoder)
            there, here = f1_by_class(held, chosen), counts_by_clip(run, chosen)
            parts = zip((here.tp, here.n_ref, here.n_sys), found, strict=True)
            found = tuple(np.where(there > best, new, old) for new, old in parts)
            best = np.maximum(there, best)
    return ClipCounts(*found)


def tuned_measure(found: Mapping[Run, ClipCounts]) -> Measure:
    """Event F1 with a tuned decoder; for the best systems, as they report it themselves."""

    def value(run: Run) -> float:
        return float(100 * np.asarray(found[run].total().f1).mean()) if run in found else float(run.reported.mean())

    def statistic(run: Run) -> Statistic | None:
        counts = found.get(run) or class_counts(run)
        return None if counts is None else in_points(counts.statistic("f1"))

    return Measure(value, statistic)


def thresholds(runs: Path, root: Path | None, systems: dict[str, list[Run]], recordings: Recordings) -> None:
    """Compare decoders: the published one for all classes, and one per class; not without events to tune on."""
    clips = clips_of(next(iter(systems.values()))[0].folder, "validation", root)
    if not any(clip.events for clip in clips):
        return
    tagger = read_tagger(runs, "validation")
    validated = {row: mine for row, each in systems.items() if (mine := [run for run in each if run.validated])}
    decoders = {"a threshold a class": ((0.2,), (0.44,)), "also smoothing and joining": (GAPS, WINDOWS)}
    found: dict[str, dict[Run, ClipCounts]] = {name: {} for name in decoders}
    for row, mine in validated.items():
        for run in mine if row not in BEST else ():
            held = Run(run.folder, clips, tagger[0] if tagger else None, "validation")
            for name, (gaps, windows) in decoders.items():
                found[name][run] = tuned(run, held, gaps, windows)
    if not any(found.values()):
        return
    measures = {name: tuned_measure(of) for name, of in found.items()}
    lines = [
        [f"{row} ({len(mine)})", spread(class_f1(r, PAPER).mean() for r in mine)]
        + [spread(measure.value(r) for r in mine) for measure in measures.values()]
        for row, mine in validated.items()
        if row not in BEST
    ]
    print_table(["event F1, %", "the paper's decoder", *decoders], lines)
    drawn = drawn_of(validated, recordings, measures)
    compared = [
        [f"{other} - {one}", str(len(seeds)), *(str(drawn.difference(one, other, name)) for name in decoders)]
        for one, other in RECIPE.pairs()
        if (seeds := drawn.shared(one, other))
    ]
    print_table(["difference, tuned", "shared seeds", *decoders], compared)


def tag_searches(runs: Path, root: Path | None) -> None:
    """Print the tagging F1 with the thresholds of each search."""
    run = RunFolder(runs / "tagger" / "seed_0")
    if not run.split("validation").clip_scores.is_file():
        return
    splits: tuple[Split, ...] = ("validation", "test")
    read = {split: ScoredClips.read(run, split, clips_of(run, split, root), CLIP_SECONDS) for split in splits}
    scores = {split: scored.clip_scores for split, scored in read.items()}
    tags = {split: scored.tags for split, scored in read.items()}
    half = torch.full((scores["test"].shape[1],), 0.5)
    found = {"0.5": half}
    for name, search in (("random walks (the paper's)", random_thresholds), ("exact", exact_thresholds)):
        values = search(tags["validation"], scores["validation"], "validation", setting="tag_threshold").values
        found[name] = torch.tensor(values["tag_threshold"])
    lines = [
        [name, *(f"{100 * tag_counts(tags[s], scores[s] > limits).macro_f1:.1f}" for s in ("validation", "test"))]
        for name, limits in found.items()
    ]
    print_table(["tag thresholds", "validation F1, %", "test F1, %"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--root", type=Path, help="the corpus of the runs, if it has moved")
    parser.add_argument("--resamples", type=int, default=RESAMPLES, help="draws of the groups (default: %(default)s)")
    args = parser.parse_args()
    systems = systems_of(args.runs, args.root, (*ROWS, *BEST))
    if not systems:
        raise SystemExit(f"no finished run of {', '.join((*ROWS, *BEST))} in {args.runs}")
    first = next(iter(systems.values()))[0]
    clips = {clip.id: clip for clip in clips_of(first.folder, "test", args.root)}
    where = args.root or root_of(first.folder)
    recordings = Recordings.of(where, clips, first.ids, RECIPE.groups, args.resamples)
    measures = measures_of(first)
    drawn = drawn_of(systems, recordings, measures)
    differences(drawn, [name for name in measures if name != "Dishes"])
    verdicts(drawn, list(measures))
    bests = {row: systems.pop(row) for row in BEST if row in systems}
    best(bests)
    oracle(systems)
    overlapped(systems, recordings)
    thresholds(args.runs, args.root, {**systems, **bests}, recordings)
    tag_searches(args.runs, args.root)


if __name__ == "__main__":
    main()
