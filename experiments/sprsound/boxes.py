"""Bounding boxes against thresholds and medians on the same scores; nothing is trained or tuned.

    python -m experiments.sprsound.boxes runs --root ../shared/data/sprsound

Reads `<runs>/<row>/seed_<n>/test/`; both test splits together. Means and standard deviations over seeds, in %.
"""

import argparse
from pathlib import Path

from experiments.sprsound.table import clips_of
from wsed.decoding import Decoder, StepDecoder
from wsed.decoding.sebb import BoxDecoder
from wsed.scoring.score import score, system_of
from wsed.study.compare import spread
from wsed.study.rows import read_recipe
from wsed.study.runs import ScoredClips, by_row
from wsed.study.table import markdown

COLUMNS = {"event F1": "event_f1/macro", "PSDS1": "psds1", "PSDS2": "psds2"}
WAYS: dict[str, Decoder] = {
    "threshold": StepDecoder(),
    "median of 0.45 s": StepDecoder(median=0.45),
    "median of 1 s": StepDecoder(median=1.0),
    "boxes": BoxDecoder(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--root", type=Path, default=Path("../shared/data/sprsound"), help="folder of the recordings")
    args = parser.parse_args()
    clips, lines = clips_of(args.root), []
    for row, runs in by_row(args.runs, read_recipe(Path(__file__).parent).rows).items():
        scored = [ScoredClips.read(run, "test", clips) for run in runs]
        for name, decoder in WAYS.items():
            reports = [score(system_of(each.scores, each.truth, each.labels, decoder)) for each in scored]
            cells = [spread(100 * report.value(key) for report in reports) for key in COLUMNS.values()]
            lines.append([f"{row} ({len(runs)})", name, *cells])
    print(markdown(["% (seeds)", "decoder", *COLUMNS], lines))


if __name__ == "__main__":
    main()
