"""Reading clips of 10 s at random from packed audio, from FLAC files, and from an array in memory.

    python experiments/benchmarks/packed.py [--clips 400] [--rate 16000] [--names 2000000]

Asked: packed at least 10 times FLAC, and at most twice the time of a copy of the same samples in memory, which also
converts int16 to float32. The files are in the page cache, each has been read once, and one process reads. `--names`
measures the memory and the time of an index of so many files.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wsed.data import audio
from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.packed.index import Index
from wsed.data.packed.pack import pack
from wsed.data.reading.files import Files
from wsed.data.reading.packed import Packed
from wsed.types import Labels


def seconds(read: Callable[[int], object], order: list[int], rounds: int = 3) -> float:
    """Of one item, in the fastest round."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for number in order:
            read(number)
        times.append((time.perf_counter() - start) / len(order))
    return min(times)


def access(n_clips: int, rate: int, folder: Path) -> None:
    """Print milliseconds per clip."""
    rng = np.random.default_rng(0)
    paths = [folder / f"sounds/{i}.flac" for i in range(n_clips)]
    paths[0].parent.mkdir()
    for path in paths:
        audio.write(path, (0.1 * rng.standard_normal(10 * rate)).astype(np.float32), rate)
    start = time.perf_counter()
    pack(folder / "sounds", folder / "pack", rate, workers=1)
    packing = time.perf_counter() - start
    table = ClipTable.of([Clip(path.name, path, "weak") for path in paths], Labels(["Dog"]))
    files, packed = Files().open(table, rate), Packed(folder / "pack").open(table, rate)
    memory = np.concatenate([(packed[i].audio * 32768).astype(np.int16) for i in range(n_clips)])  # type: ignore[operator]
    order = rng.permutation(n_clips).tolist()

    def copied(number: int) -> object:
        part = memory[number * 10 * rate : (number + 1) * 10 * rate]
        return np.multiply(part, np.float32(1 / 32768), dtype=np.float32)

    flac, shard, copy = (seconds(read, order) for read in (files.__getitem__, packed.__getitem__, copied))
    print(
        f"{n_clips} clips of 10 s at {rate} Hz, packed in {packing:.1f} s by one process "
        f"({n_clips * 10 / packing:.0f} times real time)"
    )
    print(f"FLAC {1e3 * flac:.3f} ms, packed {1e3 * shard:.3f} ms, copy in memory {1e3 * copy:.3f} ms per clip")
    print(f"packed is {flac / shard:.0f} times as fast as FLAC, and takes {shard / copy:.2f} times a copy")


def names(count: int) -> None:
    """Print what an index of many files costs."""
    start = time.perf_counter()
    index = Index.of([(f"train/Y{i:011d}.wav", i // 800, i % 800 * 160000, 160000, 0) for i in range(count)])
    built = time.perf_counter() - start
    wanted = [f"train/Y{i:011d}.wav" for i in range(0, count, max(1, count // 20000))]
    start = time.perf_counter()
    found = index.find(wanted)
    looked = time.perf_counter() - start
    assert (found >= 0).all()
    size = sum(column.nbytes for column in vars(index).values())
    print(
        f"index of {count} files: {size / 1e6:.0f} MB, built in {built:.1f} s; "
        f"{len(wanted)} names found in {looked:.2f} s"
    )
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=400)
    parser.add_argument("--rate", type=int, default=16000)
    parser.add_argument("--names", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        access(args.clips, args.rate, Path(folder))
    if args.names:
        names(args.names)


if __name__ == "__main__":
    main()
