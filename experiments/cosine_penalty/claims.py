"""The claims of Pellegrini & Cances 2019 on finished runs: differences with intervals, and the effect of the decoder.

    python -m experiments.cosine_penalty.claims runs [--reference data/domestic]

Reads what `table.py` reads, and for class thresholds the validation scores of each run, which
`wsed validate --config RUN/config.yaml --ckpt_path last` writes. Intervals are 95 % Student t, paired by seed.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
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
    f1_by_class,
    read_tagger,
    systems_of,
)
from wsed.decoding import Decoder, exact_thresholds, random_thresholds, tune_events
from wsed.metrics import event_counts
from wsed.metrics.clips import tag_counts
from wsed.run import RunFolder
from wsed.study.compare import difference, paired, spread
from wsed.study.runs import ScoredClips, clips_of
from wsed.study.table import claims_table, columns_table, markdown
from wsed.truth import Truth
from wsed.types import Split

LOW = (0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.014, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.14, 0.2, 0.3, 0.5, 0.7)
GAPS, WINDOWS = (0.2, 0.5, 1.0, 1.5), (0.2, 0.44, 0.8)


@cache
def class_f1(run: Run, decoder: Decoder) -> np.ndarray:
    """Event F1 of each class in %, with the tags of the system; for the best systems, as they report it themselves."""
    if run.row in BEST:
        return run.reported
    return 100 * f1_by_class(run, decoder)


def print_table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> None:
    print(f"\n{markdown(head, lines)}")


def differences(systems: dict[str, list[Run]]) -> None:
    """Print the differences of all pairs of the recipe; short and long classes, and the pair, where there are both."""
    first = next(iter(systems.values()))[0]
    short = np.array([label in SHORT for label in first.labels])
    columns: dict[str, Callable[[Run], float]] = {"event F1": lambda r: float(class_f1(r, PAPER).mean())}
    if short.any() and not short.all():
        columns["five short classes"] = lambda r: float(class_f1(r, PAPER)[short].mean())
        columns["five long classes"] = lambda r: float(class_f1(r, PAPER)[~short].mean())
    if has_pair(first):
        columns["Dishes/Frying corr."] = lambda r: 100 * r.pair("Dishes", "Frying")
    lines = []
    for one, other in RECIPE.pairs():
        both = [(a, b) for a in systems.get(one, []) for b in systems.get(other, []) if a.seed == b.seed]
        if not both:
            continue
        claims = dict.fromkeys(claim.name for claim in RECIPE.claims if (claim.first, claim.second) == (one, other))
        parts = [[value(b) - value(a) for a, b in both] for value in columns.values()]
        about = [", ".join(claims) or "-", f"{other} - {one}", str(len(both))]
        lines.append([*about, *(str(difference(part)) for part in parts)])
    print_table(["claim", "rows", "shared seeds", *columns], lines)


def has_pair(run: Run) -> bool:
    """Whether the corpus has the two classes that the paper's penalty is to separate."""
    return {"Dishes", "Frying"} <= set(run.labels)


def verdicts(systems: dict[str, list[Run]]) -> None:
    """The verdicts on the claims of the recipe; those about classes that the corpus lacks are left out."""
    measures: dict[str, Callable[[Run], float]] = {"event_f1": lambda r: float(class_f1(r, PAPER).mean())}
    if has_pair(next(iter(systems.values()))[0]):
        measures["dishes_frying_correlation"] = lambda r: 100 * r.pair("Dishes", "Frying")
        measures["dishes_f1"] = lambda r: float(class_f1(r, PAPER)[r.labels.index("Dishes")])
    values = {
        name: {row: {r.seed: measure(r) for r in runs} for row, runs in systems.items()}
        for name, measure in measures.items()
    }
    print(f"\n{claims_table([claim for claim in RECIPE.claims if claim.measure in values], values)}")
    if skipped := [claim.name for claim in RECIPE.claims if claim.measure not in values]:
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


def recall(run: Run, which: torch.Tensor) -> float:
    counts = event_counts(run.truth[which], run.detect(run.system_tags), len(run.labels))
    return 100 * float(counts.tp.sum() / counts.n_ref.sum())


def overlapped(systems: dict[str, list[Run]]) -> None:
    first = next(iter(systems.values()))[0]
    n = int(crossed(first).sum())
    names = (
        f"crossed by another class ({n})",
        f"alone ({len(first.truth) - n})",
        "crossed - alone, minus that of glu_mil",
    )
    base: dict[str, float] = {}
    lines = []
    for row, runs in {"glu_mil": systems.get("glu_mil", []), **systems}.items():
        cells = [[recall(r, which) for r in runs] for which in (crossed(first), ~crossed(first))]
        gap = {r.seed: one - other for r, one, other in zip(runs, *cells, strict=True)}
        base = base or gap
        shared = paired(base, gap)
        against = "" if row == "glu_mil" or not shared else str(difference(shared))
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


def tuned(run: Run, held: Run, gaps: tuple[float, ...], windows: tuple[float, ...]) -> np.ndarray:
    """Event F1 of each class in %, with the threshold, smoothing and joining that are best on the validation clips."""
    best = np.full(len(run.labels), -1.0)
    found = np.zeros(len(run.labels))
    for gap in gaps:
        for window in windows:
            decoder = replace(PAPER, merge_gap=gap, smooth=window, tags="oracle")
            truth = Truth.of_events(held.truth, len(held.ids), len(held.labels))
            fit = tune_events(
                decoder, held.scores, truth, event_counts, "validation", thresholds=LOW, tags=held.system_tags
            )
            chosen = fit.apply(decoder)
            there, here = f1_by_class(held, chosen), f1_by_class(run, chosen)
            found = np.where(there > best, here, found)
            best = np.maximum(there, best)
    return 100 * found


def thresholds(runs: Path, reference: Path | None, systems: dict[str, list[Run]]) -> None:
    """Compare decoders: the published one for all classes, and one per class; not without events to tune on."""
    clips = clips_of(next(iter(systems.values()))[0].folder, "validation", reference)
    if not any(clip.events for clip in clips):
        return
    tagger = read_tagger(runs, "validation")
    lines, tuned_f1 = [], {}
    for row, each in systems.items():
        held = [Run(r.folder, clips, tagger[0] if tagger else None, "validation") for r in each if r.validated]
        if not held:
            continue
        mine = [r for r in each if r.validated]
        if row in BEST:
            tuned_f1[row] = {r.seed: [r.reported.mean()] * 2 for r in mine}
            continue
        cells = [[class_f1(r, PAPER).mean() for r in mine]]
        for gaps, windows in (((0.2,), (0.44,)), (GAPS, WINDOWS)):
            cells.append([tuned(r, h, gaps, windows).mean() for r, h in zip(mine, held, strict=True)])
        tuned_f1[row] = {r.seed: list(pair) for r, *pair in zip(mine, *cells[1:], strict=True)}
        lines.append([f"{row} ({len(mine)})", *map(spread, cells)])
    if not lines:
        return
    columns = ("a threshold a class", "also smoothing and joining")
    print_table(["event F1, %", "the paper's decoder", *columns], lines)
    compared = []
    for one, other in RECIPE.pairs():
        seeds = sorted(tuned_f1.get(one, {}).keys() & tuned_f1.get(other, {}).keys())
        if seeds:
            changes = np.array([np.subtract(tuned_f1[other][s], tuned_f1[one][s]) for s in seeds]).T
            compared.append([f"{other} - {one}", str(len(seeds)), *(str(difference(change)) for change in changes)])
    print_table(["difference, tuned", "shared seeds", *columns], compared)


def tag_searches(runs: Path, reference: Path | None) -> None:
    """Print the tagging F1 with the thresholds of each search."""
    run = RunFolder(runs / "tagger" / "seed_0")
    if not run.split("validation").clip_scores.is_file():
        return
    splits: tuple[Split, ...] = ("validation", "test")
    read = {split: ScoredClips.read(run, split, clips_of(run, split, reference), CLIP_SECONDS) for split in splits}
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
    parser.add_argument("--reference", type=Path, help="the corpus of the runs, if it is not where they found it")
    args = parser.parse_args()
    systems = systems_of(args.runs, args.reference, (*ROWS, *BEST))
    differences(systems)
    verdicts(systems)
    bests = {row: systems.pop(row) for row in BEST if row in systems}
    best(bests)
    oracle(systems)
    overlapped(systems)
    thresholds(args.runs, args.reference, {**systems, **bests})
    tag_searches(args.runs, args.reference)


if __name__ == "__main__":
    main()
