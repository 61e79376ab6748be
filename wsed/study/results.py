"""The results of a study: the paper's values beside ours, and a verdict on each claim."""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wsed.errors import WsedError
from wsed.metrics.bootstrap import PerResample, Statistic, Weights
from wsed.metrics.groups import Groups
from wsed.run import RunFolder
from wsed.scoring.plain import to_json
from wsed.study.claims import Claim, Judged, judge_difference
from wsed.study.compare import Difference, difference, known
from wsed.study.crossed import crossed
from wsed.study.job import Job
from wsed.study.measures import MeasuredRun, missing_sounds
from wsed.study.numbers import Recordings
from wsed.study.paper import Cell, Format, paper_table, surely_best
from wsed.study.rows import Recipe
from wsed.study.runs import corpus_of
from wsed.study.table import markdown

Runs = Mapping[str, Mapping[str, MeasuredRun]]
"""Finished runs by row, then by seed."""


@dataclass(frozen=True)
class Failure:
    """A run that failed, with the end of its log.

    Args:
        name: study, row and seed.
        reason: why it failed.
        log: the last lines of its log.
        folder: folder of the run.

    >>> Failure("paper: mil, seed 0", "exit status 2", "wsed: error: no such file").reason
    'exit status 2'
    """

    name: str
    reason: str
    log: str
    folder: Path | None = None


@dataclass(frozen=True, eq=False)
class Results:
    """The results of one study.

    Args:
        recipe: the recipe.
        scale: name of the scale.
        corpus: the corpus of the runs, in words.
        comparable: whether it is the corpus of the paper.
        runs: finished runs.
        groups: groups of the test clips; None: intervals are over seeds only.
        kind: what a group is, for the report.
        failures: runs that failed.
        notes: further notes.
        apart: runs, by row and seed, whose test clips are not those of the groups.

    >>> claim = Claim("a", "fsl", "mil", "event_f1", "above")
    >>> results = Results(Recipe(Path("paper"), "A paper", {}, {}, (claim,)), "smoke", "2 clips", False, runs={})
    >>> print(results.markdown().splitlines()[0])
    # A paper
    >>> results.measures(), results.values("mil", "event_f1"), results.judged()
    (['event_f1'], {}, [])
    >>> results.difference("fsl", "mil", "event_f1").n
    0
    >>> '"scale": "smoke"' in results.to_json(), results.table("csv").splitlines()[0]
    (True, 'system')
    """

    recipe: Recipe
    scale: str
    corpus: str
    comparable: bool
    runs: Runs
    groups: Groups | None = None
    kind: str = "recordings"
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    apart: Collection[tuple[str, str]] = ()
    _statistics: dict[tuple[str, str, str], Statistic | None] = field(default_factory=dict, init=False, repr=False)
    _differences: dict[tuple[str, str, str], Difference] = field(default_factory=dict, init=False, repr=False)

    def measures(self) -> list[str]:
        """The measures of the paper's values, of the claims, and of `measures` in the recipe."""
        of_paper = (name for row in self.recipe.rows.values() for name in row.paper)
        of_claims = (claim.measure for claim in self.recipe.claims)
        return list(dict.fromkeys([*of_paper, *of_claims, *self.recipe.measures]))

    def values(self, row: str, measure: str) -> dict[str, float]:
        """A measure of the runs of a row, by seed, in points."""
        return {seed: run.value(self._source(measure)) for seed, run in self.runs.get(row, {}).items()}

    def judged(self) -> list[Judged]:
        """The verdict on each claim whose rows have runs."""
        return [
            judge_difference(claim, self.difference(claim.first, claim.second, claim.measure), self._effect(claim))
            for claim in self.recipe.claims
            if claim.first in self.runs and claim.second in self.runs
        ]

    def difference(self, first: str, second: str, measure: str) -> Difference:
        """Second row minus first, with an interval over seeds and, where there can be one, over recordings."""
        key = (first, second, measure)
        if key not in self._differences:
            self._differences[key] = self._difference(*key)
        return self._differences[key]

    def _difference(self, first: str, second: str, measure: str) -> Difference:
        below, above = self.values(first, measure), self.values(second, measure)
        seeds = [seed for seed in below if seed in above]
        differences = [above[seed] - below[seed] for seed in seeds]
        pairs = [(self._statistic(first, s, measure), self._statistic(second, s, measure)) for s in seeds]
        statistics = [_less(b, a) for a, b in pairs if a is not None and b is not None]
        if self.groups is None or len(statistics) < len(seeds) or len(seeds) < 2:
            return difference(differences)
        return crossed(differences, statistics, self.groups)

    def markdown(self) -> str:
        """The report as Markdown."""
        rows = self._rows_lines()
        head = ["row", "measure", "paper", "ours", "best", "seeds", "difference"]
        parts = [f"# {self.recipe.title}", f"Scale `{self.scale}`. Corpus: {self.corpus}."]
        if not self.comparable and any(row.paper for row in self.recipe.rows.values()):
            parts.append(
                "This is not the corpus of the paper. Its values are given for orientation only; claims are judged, "
                "since they compare rows on one corpus."
            )
        parts += [*self.notes, "## Rows (in %, mean +- standard deviation over seeds)", markdown(head, rows)]
        if claims := self._claim_lines():
            head = ["claim", "rows", "measure", "expected", "paper", "points, 95 %", "over", "verdict"]
            parts += ["## Claims", markdown(head, claims)]
        if pairs := self._pair_lines():
            parts += ["## Further differences (points, 95 %)", markdown(["rows", *self.measures()], pairs)]
        for failure in self.failures:
            parts += [f"## Failed: {failure.name} ({failure.reason})", f"```\n{failure.log}\n```"]
        return "\n\n".join(parts) + "\n"

    def table(self, form: Format) -> str:
        """The rows and measures as a table for a paper; a number is bold where the paired test says that it is best."""
        of_rows = {row: {name: self.values(row, name) for name in self.measures()} for row in self.runs}
        cells = {
            self.recipe.rows[row].title: {name: Cell.of(seeds) for name, seeds in of_row.items()}
            for row, of_row in of_rows.items()
        }
        best = {name: surely_best({row: of_row[name] for row, of_row in of_rows.items()}) for name in self.measures()}
        titles = {name: None if row is None else self.recipe.rows[row].title for name, row in best.items()}
        return paper_table(cells, titles, form)

    def to_json(self) -> str:
        """The report as JSON; null for unknown values."""
        rows = {row: {name: self._row_facts(row, name) for name in self.measures()} for row in self.runs}
        claims = [
            {
                **each.claim.facts(),
                "paper": self._effect(each.claim),
                "difference": each.difference.mean,
                "low": each.difference.low,
                "high": each.difference.high,
                "p": each.difference.p,
                "seeds": each.difference.n,
                "groups": each.difference.groups,
                "verdict": each.verdict,
                "note": each.note,
            }
            for each in self.judged()
        ]
        further = [
            {"rows": [first, second], "measure": name, "difference": of.mean, "low": of.low, "high": of.high, "p": of.p}
            for first, second in self._pairs()
            for name in self.measures()
            for of in (self.difference(first, second, name),)
        ]
        failures = [{"run": each.name, "reason": each.reason, "log": each.log} for each in self.failures]
        facts = {"title": self.recipe.title, "scale": self.scale, "corpus": self.corpus, "comparable": self.comparable}
        facts |= {"notes": list(self.notes), "rows": rows, "claims": claims}
        return to_json({**facts, "differences": further, "failures": failures})

    def _row_facts(self, row: str, measure: str) -> dict[str, object]:
        values, paper = self.values(row, measure), self.recipe.rows[row].paper.get(measure)
        cell = Cell.of(values)
        return {
            "paper": None if paper is None else paper.mean,
            "mean": cell.mean,
            "std": cell.std,
            "best": max(known(values.values()), default=math.nan),
            "seeds": values,
            "difference": None if paper is None else cell.mean - paper.mean,
        }

    def _rows_lines(self) -> list[list[str]]:
        lines = []
        for row in self.runs:
            for measure in self.measures():
                values, paper = self.values(row, measure), self.recipe.rows[row].paper.get(measure)
                cell = Cell.of(values)
                if not cell.runs and paper is None:
                    continue
                less = "-" if paper is None or not cell.runs else f"{cell.mean - paper.mean:+.1f}"
                best = f"{max(known(values.values())):.1f}" if cell.runs else "-"
                theirs = "-" if paper is None else str(paper)
                ours = cell.text("+-")
                lines.append([self.recipe.rows[row].title, measure, theirs, ours, best, str(cell.runs), less])
        return lines

    def _claim_lines(self) -> list[list[str]]:
        lines = []
        for each in self.judged():
            claim, effect, of = each.claim, self._effect(each.claim), each.difference
            over = f"{of.n} seed{'' if of.n == 1 else 's'}" + (f", {of.groups} {self.kind}" if of.groups else "")
            paper = "-" if effect is None else f"{effect:+.1f}"
            rows = f"{claim.second} - {claim.first}"
            lines.append([claim.name, rows, claim.measure, claim.expected, paper, str(of), over, each.in_words()])
        return lines

    def _pair_lines(self) -> list[list[str]]:
        """The differences of the pairs of `compare`, in all measures."""
        return [
            [f"{second} - {first}", *(str(self.difference(first, second, name)) for name in self.measures())]
            for first, second in self._pairs()
        ]

    def _pairs(self) -> list[tuple[str, str]]:
        """The pairs of `compare` that have runs."""
        return [pair for pair in self.recipe.compare if all(row in self.runs for row in pair)]

    def _effect(self, claim: Claim) -> float | None:
        """The difference in the paper; None if it is not there."""
        first, second = (self.recipe.rows[row].paper.get(claim.measure) for row in (claim.first, claim.second))
        return None if first is None or second is None else second.mean - first.mean

    def _source(self, measure: str) -> str:
        return self.recipe.measures.get(measure, measure)

    def _statistic(self, row: str, seed: str, measure: str) -> Statistic | None:
        key = (row, seed, measure)
        if key not in self._statistics:
            is_apart = (row, seed) in self.apart
            self._statistics[key] = None if is_apart else self.runs[row][seed].statistic(self._source(measure))
        return self._statistics[key]


def results(
    recipe: Recipe,
    scale: str,
    jobs: Sequence[Job],
    root: Path,
    corpus: str,
    comparable: bool = False,
    failures: Sequence[Failure] = (),
    before: Sequence[Job] = (),
) -> Results:
    """The results of the runs of a study that are done, in the order of the recipe.

    Args:
        recipe: the recipe.
        scale: name of the scale.
        jobs: the runs that are asked for.
        root: folder of the corpus.
        corpus: the corpus, in words.
        comparable: whether it is the corpus of the paper.
        failures: runs that failed.
        before: runs of earlier calls; those that are done with the settings of today are reported too.

    >>> recipe = Recipe(Path("paper"), "A paper", {}, {}, ())
    >>> dict(results(recipe, "smoke", [], Path("data"), "none").runs)
    {}
    """
    asked = [job for job in jobs if job.state() == "done"]
    kept = [job for job in before if job.begun() and job.state() == "done"]
    order = list(recipe.rows)
    done = sorted([*asked, *kept], key=lambda job: (order.index(job.row.name), job.seed))
    clips, notes = None, []
    if done:
        try:
            read = corpus_of(RunFolder(done[0].folder), root)
            clips = {clip.id: clip for clip in read.clips("test")}
            notes += [f"The corpus is incomplete: {line}." for line in (missing_sounds(read) if comparable else ())]
        except (WsedError, OSError) as error:
            notes.append(f"Intervals are over seeds alone: the corpus cannot be read ({error}).")
    runs: dict[str, dict[str, MeasuredRun]] = {}
    for job in done:
        run = MeasuredRun.read(RunFolder(job.folder), clips)
        runs.setdefault(job.row.name, {})[job.folder.name] = run
    recordings, apart = Recordings(), list[tuple[str, str]]()
    if clips is not None:
        ids, apart = _same_clips(runs)
        notes += [
            f"{row}, {seed} was not tested on the clips of the other runs, or in another order: its intervals are over "
            "seeds alone; test it again."
            for row, seed in apart
        ]
        recordings = Recordings.of(root, clips, ids, recipe.groups)
        notes += [recordings.sentence] if recordings.groups is None else []
    if scale == "smoke":
        notes.append("A smoke run only tests that everything runs. Its numbers and verdicts mean nothing.")
    if kept:
        notes.append(f"Made by earlier calls, not asked for now: {_in_words(kept)}.")
    missing = len(jobs) - len(asked)
    if missing:
        notes.append(f"{missing} of {len(jobs)} runs are not done.")
    return Results(
        recipe,
        scale,
        corpus,
        comparable,
        runs,
        recordings.groups,
        recordings.kind,
        tuple(failures),
        tuple(notes),
        apart,
    )


def _same_clips(runs: Runs) -> tuple[tuple[str, ...], list[tuple[str, str]]]:
    """The test clips of most runs with scores, and the runs on others, by row and seed."""
    of_run = {
        (row, seed): tuple(run.scored.scores.clip_ids)
        for row, seeds in runs.items()
        for seed, run in seeds.items()
        if run.scored is not None
    }
    ((ids, _),) = Counter(of_run.values()).most_common(1) or [((), 0)]
    return ids, [place for place, own in of_run.items() if own != ids]


def _in_words(jobs: Sequence[Job]) -> str:
    seeds: dict[str, list[int]] = {}
    for job in jobs:
        seeds.setdefault(job.row.name, []).append(job.seed)
    return "; ".join(f"{row}, seed {' '.join(map(str, sorted(several)))}" for row, several in seeds.items())


def _less(second: Statistic, first: Statistic) -> Statistic:
    def statistic(weights: Weights) -> PerResample:
        difference: PerResample = second(weights) - first(weights)
        return difference

    return statistic
