"""F1 of tags by the duration of the event, from the tested runs of `study.py`; nothing is trained.

    python -m experiments.waa.durations runs/waa --data waa [--methods ...] [--root data/waa] [--edges 0.5 1 2 5]

Each test clip holds one event, whose duration puts it into a bin. The F1 of a bin is micro-averaged over classes, since
a bin lacks some of them; in %, mean +- standard deviation over seeds (n - 1), for crops as long as those of training.
"""

import argparse
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from experiments.waa.study import DATA, METHODS, SECONDS
from wsed.data.clip import Clip
from wsed.metrics.clips import tag_counts
from wsed.run import RunFolder
from wsed.study.compare import spread
from wsed.study.runs import ScoredClips, clips_of
from wsed.study.table import markdown

EDGES = (0.5, 1.0, 2.0, 5.0)


def bins(clips: Sequence[Clip], edges: Sequence[float]) -> tuple[list[str], list[int]]:
    """The names of the bins, and the bin of the longest event of each clip.

    >>> bins([Clip("a", Path("a"), "s", events=(("Dog", 0.0, 0.7),))], [0.5, 1.0])
    (['up to 0.5 s', '0.5 to 1 s', 'over 1 s'], [1])
    """
    between = [f"{low:g} to {high:g} s" for low, high in pairwise(edges)]
    names = [f"up to {edges[0]:g} s", *between, f"over {edges[-1]:g} s"]
    longest = [max((off - on for _, on, off in clip.events or ()), default=0.0) for clip in clips]
    return names, [sum(seconds > edge + 1e-6 for edge in edges) for seconds in longest]


def by_bin(
    tags: Bool[Tensor, "clip label"], scores: Float[Tensor, "clip label"], place: Sequence[int], n_bins: int
) -> list[float]:
    """Micro F1 in % of the clips of each bin, with the threshold 0.5; NaN of a bin without clips.

    >>> by_bin(torch.tensor([[True], [True]]), torch.tensor([[0.9], [0.1]]), [0, 1], 2)
    [100.0, 0.0]
    """
    where = torch.tensor(place)
    return [100 * float(tag_counts(tags[where == i], scores[where == i] > 0.5).micro_f1) for i in range(n_bins)]


def of_run(run: RunFolder, clips: Mapping[str, Clip], edges: Sequence[float]) -> list[float]:
    """The F1 of each bin of a tested run."""
    scored = ScoredClips.read(run, "test", clips.values())
    names, place = bins([clips[name] for name in scored.scores.clip_ids], edges)
    return by_bin(scored.tags, scored.clip_scores, place, len(names))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, help="--out of study.py")
    parser.add_argument("--data", choices=DATA, default="waa")
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--root", type=Path, help="the corpus, if it is not where the runs found it")
    parser.add_argument("--edges", type=float, nargs="+", default=list(EDGES), help="seconds, between the bins")
    args = parser.parse_args()
    lines, head, numbers = [], [], []
    for method in args.methods:
        for seconds in SECONDS:
            folder = args.study / f"{args.data}-{method}-{seconds:g}"
            tested = sorted(folder.glob(f"seed_*/classifier/test_{seconds:g}"))
            runs = [RunFolder(path) for path in tested if RunFolder(path).split("test").clip_scores.is_file()]
            if not runs:
                continue
            trained = RunFolder(runs[0].path.parent)
            clips = {clip.id: clip for clip in clips_of(trained, "test", args.root)}
            head, place = bins(list(clips.values()), args.edges)
            numbers = [str(place.count(i)) for i in range(len(head))]
            found = zip(*(of_run(run, clips, args.edges) for run in runs), strict=True)
            lines.append([f"{method}, {seconds:g} s ({len(runs)})", *map(spread, found)])
    if not lines:
        raise SystemExit(f"no tested run of {', '.join(args.methods)} on {args.data} in {args.study}")
    print(markdown(["F1 in %, trained and tested on", *head], [["clips", *numbers], *lines]))


if __name__ == "__main__":
    main()
