"""Are detected events there, and are their borders right? For test clips, and for pseudo labels.

    python -m experiments.what_wins.borders TRUTH.tsv PREDICTIONS.tsv [PREDICTIONS.tsv ...] [--least 0.7]

An event is there if it overlaps a true event of its class; its borders are then compared with those of the true event
that it overlaps most. With `--least`, only events of this confidence count, and the second table says what clips with
such events hold of the classes that have none: `unsure` classes have events of less confidence, `undetected` ones no
event at all. `corpus.py` writes the true events of the clips without labels to `unlabelled_events.tsv`.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsed.formats.event import Event
from wsed.formats.reading import read_events
from wsed.study.table import markdown

COLLARS = (0.2, 0.5, 1.0)
"""Seconds."""
Key = tuple[str, str]
"""A clip and a class."""


@dataclass(frozen=True)
class Borders:
    """What the events of a table are worth.

    Attributes:
        events: number of events.
        there: share of them that overlap a true one of their class.
        onsets: share of these whose onset is within each of `COLLARS` of the true one; NaN if there are none.
        offsets: the same for offsets.
    """

    events: int
    there: float
    onsets: tuple[float, ...]
    offsets: tuple[float, ...]


def borders(truth: Sequence[Event], detected: Sequence[Event]) -> Borders:
    """Compare the borders of detected events with those of the true events that they overlap most."""
    known = by_key(truth)
    pairs = []
    for event in detected:
        if best := overlapped(event, known.get(key(event), [])):
            pairs.append((abs(event.onset - best.onset), abs(event.offset - best.offset)))
    errors = np.array(pairs).reshape(-1, 2)
    within = (errors[:, :, None] <= np.array(COLLARS)).sum(0) / (len(pairs) or np.nan)
    onsets, offsets = (tuple(row) for row in within.tolist())
    return Borders(len(detected), len(pairs) / max(len(detected), 1), onsets, offsets)


def overlapped(event: Event, truth: Sequence[Event]) -> Event | None:
    """The event that it overlaps most, if any."""
    overlaps = [(min(event.offset, t.offset) - max(event.onset, t.onset), t) for t in truth]
    overlap, best = max(overlaps, key=lambda pair: pair[0], default=(0.0, event))
    return best if overlap > 0 else None


def left_out(truth: Sequence[Event], detected: Sequence[Event], least: float) -> dict[str, tuple[int, int]]:
    """The classes without a sure event in clips that have one: how many there are, and how many are truly there."""
    there = set(by_key(truth))
    sure = {key(event) for event in detected if (event.confidence or 0.0) >= least}
    clips, labels = {clip for clip, _ in sure}, {label for _, label in there}
    rest = {(clip, label) for clip in clips for label in labels} - sure
    unsure = rest & {key(event) for event in detected}
    return {name: (len(of), len(of & there)) for name, of in (("unsure", unsure), ("undetected", rest - unsure))}


def key(event: Event) -> Key:
    return event.file, event.label


def by_key(events: Sequence[Event]) -> dict[Key, list[Event]]:
    of: dict[Key, list[Event]] = {}
    for event in events:
        of.setdefault(key(event), []).append(event)
    return of


def read(path: Path) -> list[Event]:
    return [event for event in read_events(path) if event.label and event.offset > event.onset]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path)
    parser.add_argument("predictions", type=Path, nargs="+")
    parser.add_argument("--least", type=float, help="lowest confidence of an event that counts")
    args = parser.parse_args()
    truth, rows, more = read(args.truth), [], []
    for path in args.predictions:
        every = read(path)
        sure = every if args.least is None else [e for e in every if (e.confidence or 0.0) >= args.least]
        of = borders(truth, sure)
        shares = (f"{100 * share:.0f}" for share in (of.there, *of.onsets, *of.offsets))
        rows.append([str(path), str(of.events), *shares])
        if args.least is not None:
            counts = (f"{true} of {n}" for n, true in left_out(truth, every, args.least).values())
            more.append([str(path), *counts])
    collars = [f"{border} within {collar:g} s" for border in ("onset", "offset") for collar in COLLARS]
    print(markdown(["events (%)", "number", "there", *collars], rows))
    if more:
        print(markdown(["classes that are there", "unsure", "undetected"], more))


if __name__ == "__main__":
    main()
