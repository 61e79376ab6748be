"""The numbers of finished runs for draws of their recordings, and differences of rows over seeds and recordings.

The tables of the experiments and `wsed reproduce` take their groups and their intervals from here and from `crossed`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from wsed.data.clip import Clip
from wsed.errors import WsedError, near
from wsed.metrics.base import METRICS
from wsed.metrics.bootstrap import PerResample, Statistic
from wsed.metrics.groups import Groups
from wsed.metrics.system import System
from wsed.run import RunFolder
from wsed.scoring.resampling import samples
from wsed.study.claims import Claim, judge_difference
from wsed.study.compare import Difference, difference
from wsed.study.crossed import draws, of_draws
from wsed.study.measures import clip_groups, in_points
from wsed.study.table import markdown

KEPT = "numbers.npz"
"""File in the folder of a run that keeps its numbers, so that its scores are read once."""
RESAMPLES = 300
"""Number of draws of the groups of recordings."""


@dataclass(frozen=True, eq=False)
class Recordings:
    """The groups of test clips that are drawn for intervals: the recordings in them, or patients.

    Args:
        groups: groups of the test clips; None: intervals are over seeds alone.
        ids: the test clips, in the order of `groups`.
        kind: what a group is.
        resamples: number of draws.

    >>> Recordings().sentence, Recordings(Groups.of(["a", "b"]), ("1", "2")).sentence
    ('Intervals are over seeds alone: no groups of the test clips are known.', 'Intervals are over seeds and 2 \
recordings.')
    """

    groups: Groups | None = None
    ids: tuple[str, ...] = ()
    kind: str = "recordings"
    resamples: int = 0

    @classmethod
    def of(
        cls,
        root: Path | None,
        clips: Mapping[str, Clip],
        ids: tuple[str, ...],
        by: str | None = None,
        resamples: int = RESAMPLES,
    ) -> "Recordings":
        """The groups of test clips by a column of the corpus, such as `patient`, or by its `provenance.tsv`.

        Args:
            root: folder of the corpus; None: it is not known.
            clips: clips by id.
            ids: the test clips, in the order of their scores.
            by: name of the groups; without it, or if a clip has no such group, the recordings of `provenance.tsv` are
                taken.
            resamples: number of draws.

        >>> Recordings.of(None, {}, ()).groups is None
        True
        """
        if root is None or not ids:
            return cls()
        named = clip_groups(root, clips, ids, by) if by else []
        own = named or clip_groups(root, clips, ids, None)
        if len({name for names in own for name in names}) < 2:
            return cls()
        return cls(Groups.of(own), ids, f"groups by {by}" if named else "recordings", resamples)

    @property
    def sentence(self) -> str:
        """A sentence that says what the intervals are over."""
        if self.groups is None:
            return "Intervals are over seeds alone: no groups of the test clips are known."
        return f"Intervals are over seeds and {len(self.groups)} {self.kind}."

    def draw(self, statistics: Mapping[str, Statistic], ids: tuple[str, ...]) -> dict[str, PerResample]:
        """The statistics of a run for each draw of the groups; none if there are no groups.

        Args:
            statistics: functions of clip weights, by column.
            ids: the test clips of the run.

        Raises:
            WsedError: the run was tested on other clips.

        >>> recordings = Recordings(Groups.of(["a", "b"]), ("1", "2"), resamples=5)
        >>> recordings.draw({"n": lambda weights: weights.sum(1)}, ("1", "2"))["n"].tolist()
        [2.0, 2.0, 2.0, 2.0, 2.0]
        """
        if self.groups is None:
            return {}
        if ids != self.ids:
            raise WsedError("the runs were tested on other clips, or in another order: their scores cannot be paired")
        weights = draws(self.groups, self.resamples)
        return {name: self.groups.statistic(statistic)(weights) for name, statistic in statistics.items()}


@dataclass(frozen=True, eq=False)
class Numbers:
    """The numbers of one run.

    Args:
        value: the numbers by column.
        drawn: the same for each draw of the groups; a column that is not there is compared over seeds alone.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run = RunFolder(Path(folder))
    ...     Numbers({"F1": 20.0}, {"F1": np.array([19.0, 21.0])}).keep(run)
    ...     Numbers.kept(run, 2).value, Numbers.kept(run, 3)
    ({'F1': 20.0}, None)
    """

    value: Mapping[str, float]
    drawn: Mapping[str, PerResample] = field(default_factory=dict)

    def keep(self, run: RunFolder) -> None:
        """Write the numbers into the folder of the run."""
        columns: dict[str, Any] = {n: np.array([value, *self.drawn.get(n, ())]) for n, value in self.value.items()}
        np.savez(run.path / KEPT, **columns)

    @classmethod
    def kept(cls, run: RunFolder, resamples: int) -> "Numbers | None":
        """The numbers that a run keeps; None if there are none, its scores are newer, or there are other draws."""
        path, scores = run.path / KEPT, run.split("test").scores
        if not path.is_file() or (scores.is_file() and scores.stat().st_mtime > path.stat().st_mtime):
            return None
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
        if any(len(values) != resamples + 1 for values in found.values()):
            return None
        return cls({n: float(v[0]) for n, v in found.items()}, {n: v[1:] for n, v in found.items() if len(v) > 1})


Seeds = Mapping[str, Numbers]
"""The numbers of the runs of a row, by seed."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """The numbers of the rows of a study.

    Args:
        found: the numbers by row, then by seed.
        recordings: the groups that are drawn.

    >>> first, second = ({f"seed_{i}": Numbers({"F1": 20.0 + i + gain}) for i in range(2)} for gain in (0.0, 3.0))
    >>> drawn = Drawn({"mil": first, "glu": second})
    >>> print(drawn.difference("mil", "glu", "F1"))
    +3.0 [+3.0, +3.0]
    >>> drawn.shared("mil", "glu"), drawn.alone(["F1"]), drawn.sentence(["F1"])
    (['seed_0', 'seed_1'], [], 'Intervals are over seeds alone: no groups of the test clips are known.')
    >>> print(drawn.differences("points", [("mil", "glu")], ["F1"]))
    | points | F1 |
    |---|---|
    | glu - mil (2) | +3.0 [+3.0, +3.0] |
    >>> print(drawn.claims([Claim("GLU helps", "mil", "glu", "F1", "above")]).splitlines()[-1])
    | GLU helps | glu - mil (2) | F1 | +3.0 [+3.0, +3.0] | above | holds |
    """

    found: Mapping[str, Seeds]
    recordings: Recordings = field(default_factory=Recordings)

    def shared(self, first: str, second: str) -> list[str]:
        """The seeds that two rows share."""
        return sorted(self.found.get(first, {}).keys() & self.found.get(second, {}).keys())

    def difference(self, first: str, second: str, column: str) -> Difference:
        """Second row minus first, over their shared seeds and, where both have draws, over recordings."""
        both = [(self.found[first][seed], self.found[second][seed]) for seed in self.shared(first, second)]
        both = [(a, b) for a, b in both if column in a.value and column in b.value]
        return over(
            [b.value[column] - a.value[column] for a, b in both],
            [b.drawn[column] - a.drawn[column] for a, b in both if column in a.drawn and column in b.drawn],
            self.recordings.groups,
        )

    def alone(self, columns: Iterable[str]) -> list[str]:
        """The columns whose intervals are over seeds alone, although there are groups of recordings."""
        if self.recordings.groups is None:
            return []
        runs = [run for seeds in self.found.values() for run in seeds.values()]
        return [name for name in columns if any(name in run.value and name not in run.drawn for run in runs)]

    def sentence(self, columns: Iterable[str]) -> str:
        """Sentences that say what the intervals of the columns are over."""
        alone = self.alone(columns)
        return self.recordings.sentence + (f" Over seeds alone: {', '.join(alone)}." if alone else "")

    def differences(
        self,
        title: str,
        pairs: Iterable[tuple[str, str]],
        columns: Sequence[str],
        cell: Callable[[Difference], str] = str,
    ) -> str:
        """A table with a line per pair of rows and a column per number: the difference second minus first.

        Pairs without a common seed are left out.

        Args:
            title: title of the first column.
            pairs: pairs of a first and a second row.
            columns: the columns.
            cell: the text of a difference.
        """
        lines = [
            [f"{second} - {first} ({len(seeds)})", *(cell(self.difference(first, second, name)) for name in columns)]
            for first, second in pairs
            if (seeds := self.shared(first, second))
        ]
        return markdown([title, *columns], lines)

    def claims(self, claims: Iterable[Claim], columns: Mapping[str, str] | None = None) -> str:
        """A line per claim: the difference of its rows, what is expected, and the verdict.

        Claims whose rows share no seed are left out.

        Args:
            claims: claims of a recipe.
            columns: the column of each measure; None: measures are columns.

        Raises:
            WsedError: a claim is about a measure that no run has.
        """
        known = {name for seeds in self.found.values() for run in seeds.values() for name in run.value}
        lines = []
        for claim in claims:
            column = claim.measure if columns is None else columns.get(claim.measure, claim.measure)
            if not self.shared(claim.first, claim.second):
                continue
            if column not in known:
                raise WsedError(f"claim {claim.name!r}: no measure {claim.measure!r}{near(claim.measure, known)}")
            between = self.difference(claim.first, claim.second, column)
            judged = judge_difference(claim, between)
            verdict = judged.verdict + (f": {judged.note}" if judged.note else "")
            rows = f"{claim.second} - {claim.first} ({between.n})"
            lines.append([claim.name, rows, claim.measure, str(between), claim.expected, verdict])
        return markdown(["claim", "rows (shared seeds)", "measure", "points, 95 %", "expected", "verdict"], lines)


def over(values: Sequence[float], drawn: Sequence[PerResample], groups: Groups | None) -> Difference:
    """The mean of paired differences with its interval over seeds and, if each seed has draws, over groups.

    Args:
        values: the difference of each seed.
        drawn: the same of each seed for each draw of the groups.
        groups: the groups.

    >>> over([1.0, 3.0], [], None).groups, over([1.0, 3.0], [np.array([1.9, 2.1])] * 2, Groups.of(["a", "b"])).groups
    (0, 2)
    """
    if groups is None or not values or len(drawn) < len(values):
        return difference(values)
    return of_draws(values, np.mean(drawn, axis=0), groups)


def statistics_of(system: System, columns: Mapping[str, tuple[str, str]]) -> dict[str, Statistic]:
    """Numbers of metrics in points, as functions of clip weights; those that cannot be computed are left out.

    Args:
        system: a system with its truth.
        columns: the metric and the number of each column.

    >>> from wsed.testing.metrics import system
    >>> of = statistics_of(system(), {"event F1": ("event_f1", "macro"), "none": ("event_f1", "main")})
    >>> list(of), 0 < of["event F1"](np.ones((1, len(system().truth.tags))))[0] < 100
    (['event F1'], np.True_)
    """
    metrics = {name: METRICS[name]() for name in dict.fromkeys(metric for metric, _ in columns.values())}
    found = {(each.metric, each.number): each.statistic for each in samples(system, metrics)}
    return {name: in_points(found[key]) for name, key in columns.items() if key in found}
