"""The claims of a study over several mixtures: corpora in which other recordings are for training and for test."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from wsed.scoring.plain import to_json
from wsed.study.claims import Claim, Judged, judge_difference
from wsed.study.compare import Difference, difference
from wsed.study.results import Results
from wsed.study.table import markdown


@dataclass(frozen=True, eq=False)
class Mixtures:
    """The results of one study on several corpora.

    Args:
        studies: the results on each corpus, the first on the soundbank as it is.

    >>> from pathlib import Path
    >>> from wsed.study.rows import Recipe
    >>> mixtures = Mixtures([Results(Recipe(Path("paper"), "A paper", {}, {}, ()), "small", "2 clips", False, {})])
    >>> mixtures.judged(), mixtures.markdown().splitlines()[0], '"claims": []' in mixtures.to_json()
    ([], '# A paper: 1 mixtures', True)
    """

    studies: Sequence[Results]

    def judged(self) -> list[tuple[Judged, list[Difference]]]:
        """The verdict on each claim over mixtures, and its difference in each of them.

        A mixture counts as one value: the mean over its seeds. The interval is Student's, so that it has the spread
        over training recordings, test recordings and seeds in it.
        """
        return [(judge_difference(claim, difference(d.mean for d in of)), of) for claim, of in self._claims()]

    def _claims(self) -> list[tuple[Claim, list[Difference]]]:
        found = []
        for claim in self.studies[0].recipe.claims:
            of = [study.difference(claim.first, claim.second, claim.measure) for study in self.studies]
            if all(each.n for each in of):
                found.append((claim, of))
        return found

    def markdown(self) -> str:
        """The claims as Markdown."""
        head = ["claim", "rows", "measure", *(f"mixture {i}" for i in range(len(self.studies)))]
        lines = [
            [judged.claim.name, f"{judged.claim.second} - {judged.claim.first}", judged.claim.measure]
            + [f"{each} ({each.n} seed{'' if each.n == 1 else 's'})" for each in of]
            + [str(judged.difference), judged.verdict]
            for judged, of in self.judged()
        ]
        text = (
            "In each mixture but the first, the recordings were dealt anew to training, validation and test. A mixture "
            "counts as one value, the mean over its seeds; the last interval is over mixtures."
        )
        table = (
            markdown([*head, "all, points, 95 %", "verdict"], lines) if lines else "No claim has runs in all of them."
        )
        return f"# {self.studies[0].recipe.title}: {len(self.studies)} mixtures\n\n{text}\n\n{table}\n"

    def to_json(self) -> str:
        """The claims as JSON; null for unknown values."""
        claims = [
            {
                "name": judged.claim.name,
                "rows": [judged.claim.first, judged.claim.second],
                "measure": judged.claim.measure,
                "mixtures": [{name: asdict(each)[name] for name in ("mean", "low", "high", "n")} for each in of],
                "difference": judged.difference.mean,
                "low": judged.difference.low,
                "high": judged.difference.high,
                "verdict": judged.verdict,
            }
            for judged, of in self.judged()
        ]
        corpora = [study.corpus for study in self.studies]
        return to_json({"title": self.studies[0].recipe.title, "corpora": corpora, "claims": claims})
