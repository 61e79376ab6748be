"""The claims of a paper, as comparisons of two rows, and whether the runs support them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from wsed.errors import WsedError, check_option, near
from wsed.literals import checked
from wsed.study.compare import Difference, difference, paired, seeds_needed

Expect = Literal["above", "below", "equal"]
Verdict = Literal["holds", "fails", "equal", "open"]
"""The claim holds, the opposite holds, the rows differ by less than the margin, or the runs leave it open."""
POWER = 2.8
"""Standard errors that an effect must have for a test at 5 % to find it in 80 of 100 trials."""
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
        margin: points; the rows are equal if two one-sided tests find the difference smaller. 0: never equal.

    >>> claim = Claim("MIL is better", first="fsl", second="mil", measure="event_f1", expect="above")
    >>> claim.margin, claim.expected, list(claim.facts())
    (0.0, 'above', ['name', 'rows', 'measure', 'expected', 'margin'])
    """

    name: str
    first: str
    second: str
    measure: str
    expect: Expect
    margin: float = 0.0

    @property
    def expected(self) -> str:
        """What is expected, with its margin, for tables."""
        return self.expect + (f" (margin {self.margin:g})" if self.margin else "")

    def facts(self) -> dict[str, object]:
        """The claim as plain values."""
        rows = [self.first, self.second]
        return {
            "name": self.name,
            "rows": rows,
            "measure": self.measure,
            "expected": self.expect,
            "margin": self.margin,
        }

    @classmethod
    def read(cls, place: str, entry: object) -> "Claim":
        """Read a claim from a recipe: `{name:, rows: [first, second], measure:, expect:, margin:}`.

        Args:
            place: the place of the entry, for messages.
            entry: the value in the YAML file.

        Raises:
            WsedError: a field is missing, unknown or malformed, or `equal` has no margin.

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
        name, measure, margin = str(entry["name"]), str(entry["measure"]), entry.get("margin", 0)
        is_number = isinstance(margin, int | float) and not isinstance(margin, bool)
        if not is_number or not 0 <= margin < math.inf:
            raise WsedError(f"{place} ({name}): margin is {margin!r}; write a number of points, 0 or more")
        if expect == "equal" and not margin:
            raise WsedError(
                f"{place} ({name}) expects `equal` without a margin, which no run can show: give the margin in points "
                "within which the rows are equal, such as margin: 1"
            )
        return cls(name, first, second, measure, cast("Expect", expect), float(margin))


@checked
@dataclass(frozen=True)
class Judged:
    """A claim with the difference between its rows, the verdict, and a note on the seeds that a verdict would need.

    >>> judged = judge(Claim("a", "fsl", "mil", "event_f1", "above"), {"fsl": {"0": 7.0}, "mil": {"0": 27.0}})
    >>> judged.difference.mean, judged.verdict, judged.note
    (20.0, 'open', '1 seed; a test needs 2 or more')
    >>> judged.in_words()
    'open: 1 seed; a test needs 2 or more'
    """

    claim: Claim
    difference: Difference
    verdict: Verdict
    note: str = ""

    def in_words(self) -> str:
        """The verdict with its note, for tables."""
        return self.verdict + (f": {self.note}" if self.note else "")


def judge(claim: Claim, values: Mapping[str, Mapping[str, float]], effect: float | None = None) -> Judged:
    """The verdict on a claim, over seeds.

    Args:
        claim: the claim.
        values: for each row, the measure of each seed, in points.
        effect: the difference that the authors state; an open verdict then says how many seeds would find it.

    >>> runs = {"fsl": {"0": 7.0, "1": 8.0, "2": 8.0}, "mil": {"0": 27.0, "1": 28.0, "2": 29.0}}
    >>> judge(Claim("a", "fsl", "mil", "event_f1", "above"), runs).verdict
    'holds'
    """
    return judge_difference(
        claim, difference(paired(values.get(claim.first, {}), values.get(claim.second, {}))), effect
    )


def judge_difference(claim: Claim, of: Difference, effect: float | None = None) -> Judged:
    """The verdict on a claim from a difference and its interval; arguments as in `judge`.

    >>> claim = Claim("a", "fsl", "mil", "event_f1", "above")
    >>> judge_difference(claim, difference([-1.0, 3.0, 2.0]), effect=1.5).note
    '3 of the 18 seeds that a test needs to find the +1.5 points of the authors'
    """
    result = verdict(of, claim.expect, claim.margin)
    return Judged(claim, of, result, _note(claim, of, effect) if result == "open" else "")


def _note(claim: Claim, of: Difference, effect: float | None) -> str:
    """What an open verdict lacks to find the authors' effect, or, if they state none, the one that is seen."""
    if of.n < 2:
        return f"{of.n} seed{'' if of.n == 1 else 's'}; a test needs 2 or more"
    if math.isnan(of.mean):
        return "a run has no value"
    if claim.expect == "equal" and (of.low > 0 or of.high < 0):
        side = "above" if of.low > 0 else "below"
        return f"{side} 0, but not shown to be by less than {claim.margin:g} points"
    stated = f"the {effect or 0:+.1f} points of the authors"
    if not effect:
        if claim.expect == "equal" or (of.mean > 0) != (claim.expect == "above"):
            return ""
        effect, stated = of.mean, f"{of.mean:+.1f} points, if that is the true difference"
    if of.groups and POWER * of.of_groups > abs(effect):
        return f"{of.groups} groups of test clips are too few to find {stated}, with any number of seeds"
    need = seeds_needed(effect, of.deviation)
    if need <= of.n:
        return ""
    several = f"{of.n} of the {need}" if need < 1000 else f"{of.n} of more than 1000"
    return f"{several} seeds that a test needs to find {stated}"


@checked
def verdict(of: Difference, expect: Expect, margin: float = 0.0) -> Verdict:
    """Whether a difference supports the expectation (`holds`), contradicts it (`fails`), is `equal` or `open`.

    `holds` and `fails` follow from the interval; `equal` from two one-sided tests of the margin, which fail if the
    interval is wide.

    Args:
        of: the difference.
        expect: above 0, below 0, or within `margin` of it.
        margin: points.

    >>> verdict(Difference(3.0, 1.0, 5.0, 0.02, 3), "above")
    'holds'
    """
    if of.n < 2 or math.isnan(of.low):
        return "open"
    if expect == "equal":
        fails, holds = max(of.low, -of.high) > margin, False
    else:
        low, high = (of.low, of.high) if expect == "above" else (-of.high, -of.low)
        holds, fails = low > 0, high < 0
    if holds or fails:
        return "holds" if holds else "fails"
    return "equal" if of.within(margin) else "open"
