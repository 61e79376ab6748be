"""Speed of `wsed data synth`: seconds of audio mixed and written as FLAC per second of one core.

    .venv/bin/python experiments/benchmarks/synth.py --soundbank ../shared/data/soundbank --clips 600

Target: 300 times real time per core. Result on 2026-11-21 with 2 cores that also ran two trainings: 600 clips (6000 s
of audio) in 7.7 s with one worker, which is 782 times real time, or 1161 times by CPU time. This includes opening the
soundbank, which decodes every file once (about 1 s). Most of the remaining time is writing FLAC.
"""

import argparse
import cProfile
import pstats
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from wsed.data.synth.soundscape import synthesise


def measure(soundbank: str, recipe: str, clips: int, workers: int, folder: Path) -> tuple[float, float, float]:
    """Seconds on the clock, seconds of this process on a core, seconds of audio."""
    clock, core = time.perf_counter(), time.process_time()
    counts = {"train": clips, "validation": 0, "eval": 0}
    summary = synthesise(folder, soundbank=soundbank, recipe=recipe, clips=counts, workers=workers)
    return time.perf_counter() - clock, time.process_time() - core, 3600 * sum(summary.hours.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--soundbank", default="builtin", help="folder or 'builtin'")
    parser.add_argument("--recipe", default="domestic")
    parser.add_argument("--clips", type=int, default=600)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--profile", action="store_true", help="print where the time goes")
    args = parser.parse_args()
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder, profile if args.profile else nullcontext():
        elapsed, core, seconds = measure(args.soundbank, args.recipe, args.clips, args.workers, Path(folder))
    speed = seconds / elapsed / args.workers
    print(f"{args.clips} clips, {seconds:.0f} s of audio in {elapsed:.1f} s with {args.workers} worker(s)")
    print(f"{speed:.0f} x real time per worker on the clock (survey of the soundbank included)")
    if args.workers == 1:
        print(f"{seconds / core:.0f} x real time per second of core time ({core:.1f} s; what others took is left out)")
    if args.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(15)


if __name__ == "__main__":
    main()
