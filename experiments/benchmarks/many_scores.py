"""Memory and time of the scores of very many clips: collected, joined, written, decoded, and computed with.

    python experiments/benchmarks/many_scores.py [--clips 200000] [--labels 10] [--frames 10] [--ranks 8]

The scores are made up; tags are known and events are not, as in AudioSet, and about one event is detected per clip.
Everything runs in one process, which plays the ranks one after the other: each collects its clips in batches and
writes its part, then the first joins the parts. Printed for each stage: CPU seconds; the peak memory so far beyond
that of importing torch; and the Python objects that are kept, per clip. On a commit without parts, one rank gathers.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import torch

from wsed.decoding import StepDecoder
from wsed.metrics.chosen import chosen_metrics
from wsed.report.run import Evaluation
from wsed.scoring.collect import Collector
from wsed.scoring.formats.run_scores import read_scores, write_scores
from wsed.scoring.resampling import Resampling, resample, samples
from wsed.scoring.score import detect, score, system_of
from wsed.types import Batch, Events, Labels, Output

BATCH = 64


class Stages:
    """Prints what each stage took."""

    def __init__(self, clips: int) -> None:
        self.clips, self.imported, self.blocks = clips, peak(), sys.getallocatedblocks()
        self.start = time.process_time()

    def done(self, what: str) -> None:
        """Print the line of a stage."""
        kept = (sys.getallocatedblocks() - self.blocks) / self.clips
        seconds, now = time.process_time() - self.start, peak() - self.imported
        print(f"{what:<34} {seconds:7.1f} CPU s   peak {now:7.0f} MB   {kept:6.3f} objects per clip", flush=True)
        self.start = time.process_time()


def peak() -> float:
    """Peak memory of the process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def collected(first: int, args: argparse.Namespace) -> Collector:
    """The clips of a rank."""
    collector, draw = Collector(), torch.Generator().manual_seed(first)
    shape = (BATCH, max(args.frames, 1), args.labels)
    for begin in range(first * BATCH, args.clips, args.ranks * BATCH):
        n = min(BATCH, args.clips - begin)
        frames = torch.randn(shape, generator=draw)[:n] - 2.3  # about one frame of a clip is above 0.5
        none = torch.zeros(n, args.labels, dtype=torch.bool)
        batch = Batch(
            audio=None, n_samples=torch.full((n,), 160_000), clip_labels=(frames.amax(1) > 0).float(), tagged=~none,
            events=Events.of([]), timed=none, source=torch.zeros(n, dtype=torch.long), sources=("unbalanced",),
            clip_ids=tuple(f"audio/Y{i:011d}.wav" for i in range(begin, begin + n)),
        )  # fmt: skip
        tags = frames.amax(1) + torch.randn(n, args.labels, generator=draw)
        output = Output(clip_logits=tags)
        if args.frames:
            output = Output(frames, tags, frame_rate=args.frames / 10, valid=~none[:, :1].expand(n, args.frames))
        collector.update(output, batch, 16_000)
    return collector


def main() -> None:
    """Print the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("clips", 200_000), ("labels", 10), ("frames", 10), ("ranks", 8), ("resamples", 20)):
        parser.add_argument(f"--{name}", type=int, default=value)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if not hasattr(Collector, "first"):
        args.ranks = 1
    labels, decoder, stages = Labels([f"class {i}" for i in range(args.labels)]), StepDecoder(), Stages(args.clips)
    size = 4 * args.clips * args.labels * (args.frames + 1) / 1e6
    what = f"{args.clips:,} clips, {args.labels} classes, {args.frames} frames"
    print(f"{what}: {size:.0f} MB of scores, {args.ranks} ranks")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if args.ranks == 1:
            scores, truth = collected(0, args).gather()
        else:
            from wsed.scoring.parts import join, read_part, write_part

            for rank in range(args.ranks):
                write_part(folder / f"rank_{rank}.pt", collected(rank, args).gather())
                if not rank:
                    stages.done("one rank collects and writes")
            stages.done("the others, one after the other")
            scores, truth = join([read_part(folder / f"rank_{rank}.pt") for rank in range(args.ranks)])
        stages.done("joined and sorted")
        write_scores(folder, scores, labels)
        stages.done("scores written")
        detected = detect(scores, truth, decoder)
        stages.done(f"decoded, {len(detected):,} events")
        Evaluation(scores, truth, detected, None, labels, decoder).write_predictions(folder / "predictions.tsv")
        stages.done("events written")
        metrics = chosen_metrics(None)
        system = system_of(scores, truth, labels, decoder, detected.events)
        report = score(system, metrics)
        stages.done(f"metrics, mAP {report.value('tagging/macro_ap', float('nan')):.3f}")
        if args.resamples:
            resample(samples(system, metrics), Resampling(args.resamples))
            stages.done(f"intervals, {args.resamples} resamples")
        del scores, truth, detected, system
        again = read_scores(folder)[1]
        stages.done("scores read again")
        assert len(again) == args.clips


if __name__ == "__main__":
    main()
