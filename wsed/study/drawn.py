"""Differences of the rows of a study over seeds and recordings.

The tables of the experiments and `wsed reproduce` take their groups and their intervals from here and from `crossed`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from wsed.errors import WsedError, near
from wsed.metrics.bootstrap import PerResample
from wsed.metrics.groups import Groups
from wsed.study.claims import Claim, judge_difference
from wsed.study.compare import Difference, difference
from wsed.study.crossed import of_draws
from wsed.study.numbers import Recordings, Seeds
from wsed.study.table import markdown


@dataclass(frozen=True, eq=False)
class Drawn:
    """The numbers of the rows of a study.

    Args:
        numbers: the numbers by row, then by seed.
        recordings: the groups that are drawn.

    >>> from wsed.study.numbers import Numbers
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

    numbers: Mapping[str, Seeds]
    recordings: Recordings = field(default_factory=Recordings)

    def shared(self, first: str, second: str) -> list[str]:
        """The seeds that two rows share."""
        return sorted(self.numbers.get(first, {}).keys() & self.numbers.get(second, {}).keys())

    def difference(self, first: str, second: str, column: str) -> Difference:
        """Second row minus first, over their shared seeds and, where both have draws, over recordings."""
        both = [(self.numbers[first][seed], self.numbers[second][seed]) for seed in self.shared(first, second)]
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
        runs = [run for seeds in self.numbers.values() for run in seeds.values()]
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
        known = {name for seeds in self.numbers.values() for run in seeds.values() for name in run.value}
        lines = []
        for claim in claims:
            column = claim.measure if columns is None else columns.get(claim.measure, claim.measure)
            if not self.shared(claim.first, claim.second):
                continue
            if column not in known:
                raise WsedError(f"claim {claim.name!r}: no measure {claim.measure!r}{near(claim.measure, known)}")
            between = self.difference(claim.first, claim.second, column)
            verdict = judge_difference(claim, between).in_words()
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
