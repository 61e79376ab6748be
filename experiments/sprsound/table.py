"""The tables of this folder's README from finished runs, with intervals by patient; nothing is trained.

    python -m experiments.sprsound.table runs --root ../shared/data/sprsound

Reads `<runs>/<row>/seed_<n>/test/` and the two CSV files. A value is the mean over seeds; its 95 % interval is drawn by
patient. The first line gives every true tag one event over the whole recording.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from wsed.data.clip import Clip
from wsed.data.corpus.folder.corpus import Folder
from wsed.data.corpus.folder.settings import Splits
from wsed.decoding import Decoder, StepDecoder
from wsed.metrics.base import default_metrics
from wsed.metrics.bootstrap import Interval, Statistic, Weights, bootstrap
from wsed.scoring.formats.run_scores import read_scores, truth_of
from wsed.scoring.resampling import samples
from wsed.scoring.score import system_of
from wsed.study.rows import read_recipe
from wsed.study.runs import finished
from wsed.study.table import markdown
from wsed.text import read_yaml
from wsed.truth import Truth
from wsed.tuned import decoder_of, read_tuned
from wsed.types import Labels
from wsed.values import Scores

HERE = Path(__file__).parent
COLUMNS = {
    "event F1": ("event_f1", "macro"),
    "segment F1": ("segment_f1", "macro"),
    "PSDS1": ("psds1", "value"),
    "PSDS2": ("psds2", "value"),
    "tagging F1": ("tagging_f1", "macro"),
}
BASELINE, TOP = "one event for each true tag", "frame_bce"
SPLITS = ("test_seen_patients", "test_unseen_patients")
Numbers = dict[str, Statistic]
"""Of one system, by column: a score as a function of the weights of its recordings."""


def clips_of(root: Path) -> list[Clip]:
    """The test recordings."""
    settings = read_yaml(HERE / "base.yaml")
    assert isinstance(settings, dict)
    arguments = settings["data"]["corpus"]["init_args"]
    splits = Splits(**arguments["splits"])
    corpus = Folder(root, arguments["tags"], arguments["events"], arguments["classes"], splits)
    return list(corpus.clips("test"))


def numbers(scores: Scores, truth: Truth, labels: Labels, decoder: Decoder) -> Numbers:
    """The statistics of the columns."""
    metrics = {name: metric for name, metric in default_metrics().items() if name in {m for m, _ in COLUMNS.values()}}
    found = {(s.metric, s.number): s.statistic for s in samples(system_of(scores, truth, labels, decoder), metrics)}
    return {column: found[key] for column, key in COLUMNS.items()}


def as_tags(scores: Scores, truth: Truth) -> Scores:
    """Scores that give every frame of a recording its true tags."""
    tags = truth.tags.float()
    return replace(scores, frames=scores.per_frame(tags), clip_scores=tags)


def mean_of(statistics: Sequence[Statistic]) -> Statistic:
    """The mean over seeds."""
    return lambda weights: np.mean([statistic(weights) for statistic in statistics], axis=0)


def by_group(statistic: Statistic, group: Sequence[str]) -> tuple[Statistic, int]:
    """The same as a function of the weights of groups, and the number of groups.

    >>> statistic, n = by_group(lambda weights: weights[:, 0] / weights.sum(1), ["p1", "p1", "p2"])
    >>> n, statistic(np.array([[1.0, 2.0]])).tolist()
    (2, [0.25])
    """
    names = list(dict.fromkeys(group))
    member: Float[np.ndarray, "group clip"] = np.array([[name == own for own in group] for name in names], dtype=float)

    def of_groups(weights: Weights) -> Float[np.ndarray, " resample"]:
        return statistic(weights @ member)

    return of_groups, len(names)


def cell(interval: Interval) -> str:
    """A value with its interval in %.

    >>> cell(Interval(0.25, 0.2, 0.3, 0.02, 0.95, "centred", 1000))
    '25.0 (20.0 to 30.0)'
    """
    return f"{100 * interval.value:.1f} ({100 * max(interval.low, 0.0):.1f} to {100 * min(interval.high, 1.0):.1f})"


def systems(runs: Path, clips: Sequence[Clip], rows: Sequence[str]) -> Iterator[tuple[str, list[Numbers]]]:
    """The baseline and the finished runs of each row, scored on some recordings."""
    baseline: list[Numbers] = []
    for row in rows:
        seeds = []
        for run in finished(runs, row):
            labels, scores = read_scores(run.split("test").path)
            place = {name: i for i, name in enumerate(scores.clip_ids)}
            scores = scores.select(torch.tensor([place[clip.id] for clip in clips]))
            truth = truth_of(clips, scores.clip_ids, labels)
            tuned = read_tuned(run.best)
            assert tuned is not None, f"{run.path}: its decoder was tuned on another state of its checkpoint"
            seeds.append(numbers(scores, truth, labels, decoder_of(tuned.decoder)))
            if not baseline:
                baseline = [numbers(as_tags(scores, truth), truth, labels, StepDecoder())]
                yield BASELINE, baseline
        if seeds:
            yield row, seeds


def table(
    found: Mapping[str, list[Numbers]], patients: Sequence[str], resamples: int = 1000
) -> tuple[str, dict[str, float]]:
    """The table of one split, and the event F1 of each system."""
    lines, event_f1 = [], {}
    for name, seeds in found.items():
        intervals = {}
        for column in COLUMNS:
            statistic, n_patients = by_group(mean_of([numbers_of[column] for numbers_of in seeds]), patients)
            intervals[column] = bootstrap(statistic, n_patients, method="centred", resamples=resamples)
        event_f1[name] = intervals["event F1"].value
        head = name if name == BASELINE else f"{name} ({len(seeds)})"
        lines.append([head, *(cell(interval) for interval in intervals.values())])
    return markdown(["%, 95 % interval by patient (seeds)", *COLUMNS], lines), event_f1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--root", type=Path, default=Path("../shared/data/sprsound"), help="folder of the recordings")
    parser.add_argument("--resamples", type=int, default=1000, help="of the patients, for the intervals")
    args = parser.parse_args()
    every, rows = clips_of(args.root), list(read_recipe(HERE).rows)
    for split in SPLITS:
        clips = [clip for clip in every if clip.groups["split"] == split]
        found = dict(systems(args.runs, clips, rows))
        if not found:
            raise SystemExit(f"no finished run of {', '.join(rows)} in {args.runs}")
        patients = [clip.groups["patient"] for clip in clips]
        text, event_f1 = table(found, patients, args.resamples)
        print(f"\n{split}: {len(clips)} recordings of {len(set(patients))} patients\n\n{text}")
        if TOP in event_f1:
            way = event_f1[TOP] - event_f1[BASELINE]
            for row in [name for name in event_f1 if name not in (TOP, BASELINE)]:
                share = (event_f1[row] - event_f1[BASELINE]) / way
                print(f"{row}: {share:.0%} of the way in event F1 from the baseline to the network trained on events")


if __name__ == "__main__":
    main()
