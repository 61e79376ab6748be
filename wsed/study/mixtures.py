"""The claims of a study over several mixtures: corpora in which other recordings are for training and for test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from wsed.metrics.bootstrap import over_seeds
from wsed.scoring.plain import to_json
from wsed.study.claims import Judged, judge_difference
from wsed.study.compare import Difference, interval
from wsed.study.results import Results
from wsed.study.table import markdown

TEXT = """\
Each mixture but the first is made of another random division of the recordings into training, validation and test. A
mixture counts as one value, the mean over its seeds. The last interval is over mixtures, and allows for recordings that
they share (Nadeau & Bengio 2003)."""


@dataclass(frozen=True, eq=False)
class Mixtures:
    """The results of one study on several corpora.

    Args:
        studies: the results on each corpus, the first on the soundbank as it is.
        test_share: test recordings for each training recording.

    >>> from pathlib import Path
    >>> from wsed.study.rows import Recipe
    >>> mixtures = Mixtures([Results(Recipe(Path("paper"), "A paper", {}, {}, ()), "small", "2 clips", False, {})], 0.3)
    >>> mixtures.judged, mixtures.markdown().splitlines()[0], '"claims": []' in mixtures.to_json()
    ([], '# A paper: verdicts over mixtures', True)
    """

    studies: Sequence[Results]
    test_share: float

    @cached_property
    def judged(self) -> list[tuple[Judged, list[Difference]]]:
        """The verdict on each claim that has runs in a mixture, and its difference in each of them."""
        found = []
        for claim in self.studies[0].recipe.claims:
            of = [study.difference(claim.first, claim.second, claim.measure) for study in self.studies]
            if any(each.n for each in of):
                judged = judge_difference(claim, over_mixtures([each.mean for each in of], self.test_share))
                found.append((judged, of))
        return found

    def markdown(self) -> str:
        """The claims as Markdown."""
        head = ["claim", "rows", "measure", "expected", *(f"mixture {i}" for i in range(len(self.studies)))]
        lines = []
        for judged, of in self.judged:
            claim = judged.claim
            cells = [f"{each} ({each.n} seed{'' if each.n == 1 else 's'})" if each.n else "no runs" for each in of]
            row = [claim.name, f"{claim.second} - {claim.first}", claim.measure, claim.expected, *cells]
            lines.append([*row, str(judged.difference), judged.verdict])
        table = markdown([*head, "all, points, 95 %", "verdict"], lines)
        return f"# {self.studies[0].recipe.title}: verdicts over mixtures\n\n{TEXT}\n\n{table}\n"

    def to_json(self) -> str:
        """The claims as JSON; null for unknown values."""
        claims = [
            {
                **judged.claim.facts(),
                "mixtures": [{"difference": e.mean, "low": e.low, "high": e.high, "seeds": e.n} for e in of],
                "difference": judged.difference.mean,
                "low": judged.difference.low,
                "high": judged.difference.high,
                "p": judged.difference.p,
                "verdict": judged.verdict,
            }
            for judged, of in self.judged
        ]
        corpora = [study.corpus for study in self.studies]
        return to_json({"title": self.studies[0].recipe.title, "corpora": corpora, "claims": claims})


def over_mixtures(differences: Sequence[float], test_share: float) -> Difference:
    """The mean over mixtures with an interval that allows for shared recordings.

    Divisions of the same recordings overlap, so that Student's interval is too narrow. The squared standard error is
    `s^2 (1 / n + test_share)` instead of `s^2 / n` (Nadeau & Bengio 2003, corrected resampled t test).

    Args:
        differences: the difference in each mixture; NaN if it is not known.
        test_share: test recordings for each training recording.

    >>> print(over_mixtures([8.0, 10.0, 12.0], test_share=0.0), over_mixtures([8.0, 10.0, 12.0], test_share=1 / 3))
    +10.0 [+5.0, +15.0] +10.0 [+3.0, +17.0]
    """
    of = over_seeds(differences)
    error = of.std * math.sqrt(1 / of.runs + test_share) if of.runs > 1 else math.nan
    return interval(of.mean, error, of.runs - 1.0 if of.runs > 1 else math.nan, of.runs)
