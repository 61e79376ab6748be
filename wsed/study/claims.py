"""The claims of a paper, as comparisons of two rows, and whether the runs support them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from wsed.errors import WsedError, check_option, near
from wsed.literals import checked
from wsed.study.compare import Difference, difference, paired

Expect = Literal["above", "below", "equal"]
Verdict = Literal["holds", "does not hold", "open", "one seed"]
FIELDS = ("name", "rows", "measure", "expect", "margin")


@checked
@dataclass(frozen=True)
class Claim:
    """The claim that the measure of one row is above that of another row, below it, or within a margin of it.

    Args:
        name: name of the claim in the README.
        first: the row to compare with.
        second: the row that the claim is about.
        measure: the measure that is compared, one value per run.
        expect: whether the second row is expected `above`, `below` or `equal` to the first.
        margin: greatest difference, in points, that counts as `equal`.

    >>> Claim("MIL is better", first="fsl", second="mil", measure="event_f1", expect="above").margin
    0.0
    """

    name: str
    first: str
    second: str
    measure: str
    expect: Expect
    margin: float = 0.0

    @classmethod
    def read(cls, place: str, entry: object) -> "Claim":
        """Read a claim from a recipe: `{name:, rows: [first, second], measure:, expect:, margin:}`.

        Args:
            place: the place of the entry, for messages.
            entry: the value in the YAML file.

        Raises:
            WsedError: a field is missing, unknown or malformed.

        >>> Claim.read("claim", {"name": "a", "rows": ["fsl", "mil"], "measure": "event_f1", "expect": "above"}).second
        'mil'
        """
        if not isinstance(entry, Mapping):
            raise WsedError(f"{place} is {entry!r}; write {{{', '.join(FIELDS)}}}")
        for key in entry:
            if key not in FIELDS:
                raise WsedError(f"{place} has {key!r}{near(str(key), FIELDS)}; known: {', '.join(FIELDS)}")
        rows, expect = entry.get("rows"), entry.get("expect")
        if not isinstance(rows, list) or len(rows) != 2:
            raise WsedError(f"{place}: rows are two, [first, second], not {rows!r}")
        check_option(place, "expect", expect, get_args(Expect))
        for field in ("name", "measure"):
            if field not in entry:
                raise WsedError(f"{place} lacks {field}")
        first, second = map(str, rows)
        name, measure, margin = str(entry["name"]), str(entry["measure"]), float(entry.get("margin", 0))
        return cls(name, first, second, measure, cast("Expect", expect), margin)


@checked
@dataclass(frozen=True)
class Judged:
    """A claim with the difference between its rows and the verdict.

    >>> judged = judge(Claim("a", "fsl", "mil", "event_f1", "above"), {"fsl": {"0": 7.0}, "mil": {"0": 27.0}})
    >>> judged.difference.mean, judged.verdict
    (20.0, 'one seed')
    """

    claim: Claim
    difference: Difference
    verdict: Verdict


def judge(claim: Claim, values: Mapping[str, Mapping[str, float]]) -> Judged:
    """The verdict on a claim.

    Args:
        claim: the claim.
        values: for each row, the measure of each seed, in points.

    >>> runs = {"fsl": {"0": 7.0, "1": 8.0, "2": 8.0}, "mil": {"0": 27.0, "1": 28.0, "2": 29.0}}
    >>> judge(Claim("a", "fsl", "mil", "event_f1", "above"), runs).verdict
    'holds'
    """
    differences = difference(paired(values.get(claim.first, {}), values.get(claim.second, {})))
    return Judged(claim, differences, verdict(differences, claim.expect, claim.margin))


@checked
def verdict(of: Difference, expect: Expect, margin: float = 0.0) -> Verdict:
    """Whether the interval of a difference supports the expectation, contradicts it, or leaves it open.

    Args:
        of: the difference.
        expect: above 0, below 0, or within `margin` of it.
        margin: points.

    >>> verdict(Difference(3.0, 1.0, 5.0, 0.02, 3), "above")
    'holds'
    """
    if of.n < 2 or math.isnan(of.mean):
        return "one seed"
    if expect == "equal":
        holds, fails = max(-of.low, of.high) < margin, max(of.low, -of.high) > margin
    else:
        low, high = (of.low, of.high) if expect == "above" else (-of.high, -of.low)
        holds, fails = low > 0, high < 0
    return "holds" if holds else "does not hold" if fails else "open"
