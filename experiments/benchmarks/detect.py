"""How fast `wsed detect` is, and how much memory it takes, on recordings of several lengths; the latency of a stream.

    .venv/bin/python -m experiments.benchmarks.detect MODEL SOUNDS --hours 1 3 4

MODEL is a run or checkpoint, SOUNDS a folder of recordings that are joined into one file of each length. Each length is
detected by a process of its own, so that its peak memory is its own; times are of the whole command, start-up included.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile

from wsed.data import audio
from wsed.data.sound_files import sound_files

RATE = 16000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("sounds", type=Path)
    parser.add_argument("--hours", type=float, nargs="+", default=[1.0, 3.0, 4.0])
    parser.add_argument("--rate", type=int, default=RATE, help="of the joined files, Hz")
    args = parser.parse_args()
    with TemporaryDirectory() as folder:
        short = Path(folder, "short.wav")
        join(short, sound_files(args.sounds), 10, args.rate)
        print(f"10 s: the table is there after {detect(args.model, short)[0]:.1f} s")
        for hours in args.hours:
            path = Path(folder, f"{hours:g}.wav")
            join(path, sound_files(args.sounds), round(hours * 3600), args.rate)
            wall, cpu, peak = detect(args.model, path)
            path.unlink()
            print(
                f"{hours:g} h: {wall:.0f} s ({hours * 3600 / wall:.0f} times real time), CPU {cpu:.0f} s "
                f"({hours * 3600 / cpu:.0f} times real time per core), peak {peak:.2f} GB",
                flush=True,
            )
    stream(args.model, sound_files(args.sounds))


def join(path: Path, sounds: list[Path], seconds: int, rate: int) -> None:
    """One file of so many seconds, made of recordings one after the other, from the start again where they end."""
    left = seconds * rate
    with soundfile.SoundFile(path, "w", rate, 1, "PCM_16") as out:
        while left > 0:
            for sound in sounds:
                part = audio.read(sound, rate)[:left]
                out.write(part)
                left -= len(part)
                if left <= 0:
                    return


def detect(model: Path, path: Path) -> tuple[float, float, float]:
    """Seconds, CPU seconds and peak memory in GB of `wsed detect`, printing its table."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "wsed.cli.main", "detect", str(model), str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, "wsed detect failed"
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e6


def stream(model: Path, sounds: list[Path]) -> None:
    """How long after a moment a stream decides on it, in seconds of sound, and what a block costs."""
    import wsed

    detector = wsed.load(model)
    samples = np.concatenate([audio.read(sound, detector.network.sample_rate) for sound in sounds[:40]])
    rate, block = detector.network.sample_rate, detector.network.sample_rate // 10
    for window in (detector.window, 2.0):
        live, late, spent = detector.stream(window), [], []
        for first in range(0, min(len(samples), 120 * rate), block):
            start = time.process_time()
            events = live.push(samples[first : first + block])
            spent.append(time.process_time() - start)
            late += [(first + block) / rate - event.time for event in events]
        measured = f"{np.median(late):.2f} s in the middle, {max(late):.2f} s at most" if late else "no event"
        print(
            f"stream, windows of {window:g} s: latency stated {live.latency:.2f} s, measured {measured}; "
            f"{len(late)} decisions; CPU {100 * sum(spent) / (len(spent) / 10):.1f} % of a core, "
            f"{1000 * max(spent):.0f} ms for a block that completes a window",
            flush=True,
        )


if __name__ == "__main__":
    main()
