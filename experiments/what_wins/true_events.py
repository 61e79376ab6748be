"""Pseudo labels whose faults are mended with the true events: which fault costs how much?

    python -m experiments.what_wins.true_events TRUTH.tsv PREDICTIONS.tsv OUT.tsv --mend borders|events [--least 0.7]

Only events of the confidence `--least` are mended, so the same clips and classes stay unknown:

- `borders`: an event that overlaps a true one of its class gets the borders of the one that it overlaps most;
- `events`: in each clip, the true events of a class take the place of its sure events, so that none is missed or false.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.what_wins.borders import by_key, key, overlapped, read
from wsed.data.corpus.example_files import write_rows
from wsed.formats.event import Event


def with_true_borders(truth: Sequence[Event], sure: Sequence[Event]) -> list[Event]:
    """The sure events, with the borders of the true events that they overlap most; false events are kept."""
    known = by_key(truth)
    best = ((event, overlapped(event, known.get(key(event), []))) for event in sure)
    moved = [event if true is None else event._replace(onset=true.onset, offset=true.offset) for event, true in best]
    return list({(*key(event), event.onset, event.offset): event for event in moved}.values())


def with_true_events(truth: Sequence[Event], sure: Sequence[Event]) -> list[Event]:
    """The true events of the clips and classes that have a sure event."""
    of = {key(event) for event in sure}
    return [event._replace(confidence=1.0) for event in truth if key(event) in of]


MENDS = {"borders": with_true_borders, "events": with_true_events}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("truth", "predictions", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--mend", choices=MENDS, required=True, help="what is mended")
    parser.add_argument("--least", type=float, default=0.7, help="lowest confidence of an event that counts")
    args = parser.parse_args()
    every = read(args.predictions)
    sure = [event for event in every if (event.confidence or 0.0) >= args.least]
    unsure = [event for event in every if (event.confidence or 0.0) < args.least]
    events = [*MENDS[args.mend](read(args.truth), sure), *unsure]
    rows = [(e.file, f"{e.onset:.3f}", f"{e.offset:.3f}", e.label, f"{e.confidence:.6f}") for e in events]
    write_rows(args.out, [("filename", "onset", "offset", "event_label", "confidence"), *rows])


if __name__ == "__main__":
    main()
