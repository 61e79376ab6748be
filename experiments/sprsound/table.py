"""The tables of this folder's README from finished runs, with intervals by patient; nothing is trained.

    python -m experiments.sprsound.table runs --root ../shared/data/sprsound

Reads `<runs>/<row>/seed_<n>/test/` and the two CSV files, and prints for each of the two test splits

- the scores of each row, beside the baseline that gives every true tag one event over the whole recording,
- the share of the way from that baseline to the row trained on events,
- the verdicts on the claims of `recipe.yaml`.

A value is the mean over seeds. Its 95 % interval is drawn by patient; differences and shares are of the same patients.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from wsed.data.clip import Clip
from wsed.data.corpus.folder.corpus import Folder
from wsed.data.corpus.folder.settings import Splits
from wsed.decoding import Decoder, StepDecoder
from wsed.metrics.base import default_metrics
from wsed.metrics.bootstrap import Interval, PerResample, Statistic, Weights, bootstrap, compare
from wsed.metrics.groups import Groups
from wsed.scoring.resampling import samples
from wsed.scoring.score import system_of
from wsed.study.claims import Claim, verdict
from wsed.study.compare import Difference
from wsed.study.rows import read_recipe
from wsed.study.runs import ScoredClips, finished
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
WAYS = ("event F1", "segment F1", "PSDS1")
"""The columns whose way from the baseline to the top line is shown; the baseline knows the tags."""
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


def cell(interval: Interval) -> str:
    """A value with its interval in %.

    >>> cell(Interval(0.25, 0.2, 0.3, 0.02, 0.95, "centred", 1000))
    '25.0 (20.0 to 30.0)'
    """
    return f"{100 * interval.value:.1f} ({100 * max(interval.low, 0.0):.1f} to {100 * min(interval.high, 1.0):.1f})"


def systems(
    runs: Path, every: Sequence[Clip], clips: Sequence[Clip], rows: Sequence[str]
) -> Iterator[tuple[str, list[Numbers]]]:
    """The baseline and the finished runs of each row on `clips`, some of all test recordings."""
    baseline: list[Numbers] = []
    for row in rows:
        seeds = []
        for run in finished(runs, row):
            scored = ScoredClips.read(run, "test", every)
            place = {name: i for i, name in enumerate(scored.scores.clip_ids)}
            chosen = torch.tensor([place[clip.id] for clip in clips])
            scores, truth, labels = scored.scores.select(chosen), scored.truth.select(chosen), scored.labels
            tuned = read_tuned(run.best)
            assert tuned is not None, f"{run.path}: its decoder was tuned on another state of its checkpoint"
            seeds.append(numbers(scores, truth, labels, decoder_of(tuned.decoder)))
            if not baseline:
                baseline = [numbers(as_tags(scores, truth), truth, labels, StepDecoder())]
                yield BASELINE, baseline
        if seeds:
            yield row, seeds


class Table:
    """The scores of the systems on one split, as functions of the weights of its patients.

    Args:
        systems: for each system, the numbers of each seed.
        patients: the patient of each recording.
        resamples: of the patients, for an interval.
    """

    def __init__(self, systems: Mapping[str, list[Numbers]], patients: Sequence[str], resamples: int = 1000) -> None:
        groups = Groups.of(patients)
        self.seeds = {name: len(seeds) for name, seeds in systems.items()}
        self.n, self.resamples = len(groups), resamples
        self.of: dict[tuple[str, str], Statistic] = {}
        for name, seeds in systems.items():
            for column in COLUMNS:
                self.of[name, column] = groups.statistic(mean_of([numbers_of[column] for numbers_of in seeds]))

    def title(self, row: str) -> str:
        """The row with its number of seeds."""
        return row if row == BASELINE else f"{row} ({self.seeds[row]})"

    def scores(self) -> str:
        """A line for each system."""
        lines = []
        for row in self.seeds:
            of = [self.of[row, column] for column in COLUMNS]
            cells = [cell(bootstrap(each, self.n, method="centred", resamples=self.resamples)) for each in of]
            lines.append([self.title(row), *cells])
        return markdown(["%, 95 % interval by patient (seeds)", *COLUMNS], lines)

    def difference(self, first: str, second: str, column: str) -> Difference:
        """Second minus first in points, on the same patients."""
        pair = self.of[first, column], self.of[second, column]
        both = compare(*pair, self.n, method="centred", resamples=self.resamples)
        points = [100 * value for value in (both.difference.value, both.difference.low, both.difference.high)]
        return Difference(*points, p=both.p, n=self.n)

    def shares(self) -> str:
        """How far each row goes from the baseline to the top line; `-` if the top line is not shown to be above."""
        lines = []
        for row in (name for name in self.seeds if name not in (BASELINE, TOP)):
            for column in WAYS:
                over, way = (self.difference(BASELINE, name, column) for name in (row, TOP))
                share = "-"
                if way.low > 0:
                    statistic = share_of(self.of[BASELINE, column], self.of[row, column], self.of[TOP, column])
                    part = bootstrap(statistic, self.n, method="percentile", resamples=self.resamples)
                    share = f"{100 * part.value:.0f} ({100 * part.low:.0f} to {100 * part.high:.0f})"
                lines.append([self.title(row), column, str(over), str(way), share])
        head = ["row (seeds)", "score", "points over the baseline", f"{TOP} over the baseline", "% of the way"]
        return markdown(head, lines)

    def claims(self, claims: Sequence[Claim]) -> str:
        """A line for each claim whose rows were run; its verdict follows from the interval by patient."""
        column_of = {metric: column for column, (metric, _) in COLUMNS.items()}
        lines = []
        for claim in (claim for claim in claims if {claim.first, claim.second} <= self.seeds.keys()):
            found = self.difference(claim.first, claim.second, column_of[claim.measure])
            rows = f"{claim.second} - {claim.first}"
            lines.append([claim.name, rows, claim.measure, str(found), verdict(found, claim.expect, claim.margin)])
        return markdown(["claim", "rows", "measure", "points, 95 % interval by patient", "verdict"], lines)


def share_of(low: Statistic, row: Statistic, high: Statistic) -> Statistic:
    """The share of the way from `low` to `high` that a row goes; none in a resample without such a way.

    >>> low, row, high = (lambda weights, part=part: weights @ np.array([part, 0.0]) for part in (0.0, 0.25, 0.5))
    >>> share_of(low, row, high)(np.array([[1.0, 1.0], [0.0, 2.0]])).tolist()
    [0.5, nan]
    """

    def share(weights: Weights) -> PerResample:
        start = low(weights)
        way = high(weights) - start
        return np.divide(row(weights) - start, way, out=np.full_like(way, np.nan), where=way > 0)

    return share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--root", type=Path, default=Path("../shared/data/sprsound"), help="folder of the recordings")
    parser.add_argument("--resamples", type=int, default=1000, help="of the patients, for the intervals")
    args = parser.parse_args()
    every, recipe = clips_of(args.root), read_recipe(HERE)
    for split in SPLITS:
        clips = [clip for clip in every if clip.groups["split"] == split]
        found = dict(systems(args.runs, every, clips, list(recipe.rows)))
        if not found:
            raise SystemExit(f"no finished run of {', '.join(recipe.rows)} in {args.runs}")
        patients = [clip.groups["patient"] for clip in clips]
        table = Table(found, patients, args.resamples)
        print(f"\n{split}: {len(clips)} recordings of {table.n} patients\n\n{table.scores()}")
        if TOP in found and len(found) > 2:
            print(f"\n{table.shares()}")
        print(f"\n{table.claims(recipe.claims)}")


if __name__ == "__main__":
    main()
