"""What a paper claims, as a comparison of two rows, and whether runs bear it out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from wsed.errors import WsedError
from wsed.registry import near
from wsed.study.compare import Difference, difference, paired

Expect = Literal["above", "below", "equal"]
Verdict = Literal["holds", "does not hold", "open", "one seed"]
EXPECT: tuple[Expect, ...] = ("above", "below", "equal")
FIELDS = ("name", "rows", "measure", "expect", "margin")


@dataclass(frozen=True)
class Claim:
    """That one row lies above another, below it, or within a margin of it.

    Args:
        name: as the README calls it.
        first: the row that is compared with.
        second: the row of which something is claimed.
        measure: what is compared, a value per run.
        expect: where the second should lie.
        margin: points within which two rows are equal; of use with `equal` only.
    """

    name: str
    first: str
    second: str
    measure: str
    expect: Expect
    margin: float = 0.0

    @classmethod
    def read(cls, place: str, entry: object) -> "Claim":
        """A claim from a recipe's entry `{name:, rows: [first, second], measure:, expect:, margin:}`.

        Args:
            place: what messages call the entry.
            entry: as YAML has it.

        Raises:
            WsedError: a field is missing, unknown or of another form.

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
        if expect not in EXPECT:
            raise WsedError(
                f"{place}: unknown expect {expect!r}{near(str(expect), EXPECT)}; known: {', '.join(EXPECT)}"
            )
        for field in ("name", "measure"):
            if field not in entry:
                raise WsedError(f"{place} lacks {field}")
        first, second = map(str, rows)
        return cls(str(entry["name"]), first, second, str(entry["measure"]), expect, float(entry.get("margin", 0)))


@dataclass(frozen=True)
class Judged:
    """A claim with the difference of its rows and the verdict on it."""

    claim: Claim
    difference: Difference
    verdict: Verdict


def judge(claim: Claim, values: Mapping[str, Mapping[str, float]]) -> Judged:
    """The verdict on a claim.

    Args:
        claim: what to judge.
        values: of each row, its measure by seed, in points.

    >>> runs = {"fsl": {"0": 7.0, "1": 8.0, "2": 8.0}, "mil": {"0": 27.0, "1": 28.0, "2": 29.0}}
    >>> judge(Claim("a", "fsl", "mil", "event_f1", "above"), runs).verdict
    'holds'
    """
    differences = difference(paired(values.get(claim.first, {}), values.get(claim.second, {})))
    return Judged(claim, differences, verdict(differences, claim.expect, claim.margin))


def verdict(of: Difference, expect: Expect, margin: float = 0.0) -> Verdict:
    """Whether the interval of a difference lies where it is expected, lies elsewhere, or leaves it open.

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
