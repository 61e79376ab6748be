"""What 2 million clips of 10 s cost each of 64 processes that read a pack on an object store.

    python experiments/benchmarks/many_clips.py [--clips 2000000] [--ranks 64] [--ranks-a-machine 8]

The index, the start of a process and the order of an epoch are made in full size and measured, in CPU seconds. The
start is that of a training on a list like AudioSet's, in a process of its own: it lists the clips, finds the name of
each in the index, and opens the pack, whose shards are not there. Which shards a machine needs in its first steps is
drawn from that order. Bytes and seconds of the store are computed from the sizes, for a network of `--gbit` a machine,
not measured.
"""

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from audioset import classes, write

from wsed.data.columns import table_of
from wsed.data.corpus.audioset import TRAIN, AudioSet
from wsed.data.corpus.videos.layout import CLASSES
from wsed.data.load import present
from wsed.data.packed.contents import CORPUS, Contents
from wsed.data.packed.index import INDEX, Facts, Index
from wsed.data.packed.pack import SHARD_MB
from wsed.data.reading.packed import Packed
from wsed.data.sampling.quota import QuotaSampler

SOURCE, LABELS = "unbalanced", 527


def write_lists(root: Path, clips: int) -> list[str]:
    """The lists of invented clips in a folder; returns the names of their sound files."""
    root.mkdir()
    rows = "".join(f'{i},{mid},"class {i}"\n' for mid, i in classes(LABELS).items())
    (root / CLASSES).write_text(f"index,mid,display_name\n{rows}")
    write(root / TRAIN[SOURCE], clips, LABELS)
    with (root / TRAIN[SOURCE]).open() as file:
        videos = [line[:11] for line in file if not line.startswith("#")]
    return [f"audio/part{i // 50_000:02d}/Y{video}.wav" for i, video in enumerate(videos)]


def start(pack: Path, rate: int) -> None:
    """Print what it takes until clips can be read."""
    torch.set_num_threads(1)
    print(f"start of a process: {peak():.2f} GB with torch imported")
    begun = time.process_time()
    corpus, reader = AudioSet(pack / CORPUS), Packed(pack)
    clips = corpus.clips("train", (SOURCE,))
    listed = time.process_time()
    clips, _, _ = present(clips, reader, "train")
    found = time.process_time()
    dataset = reader.open(table_of(clips, corpus.labels, 10.0), rate)
    opened = time.process_time()
    assert len(dataset) == len(clips)  # type: ignore[arg-type]
    print(f"  {listed - begun:.1f} CPU s until {len(clips)} clips are listed, {found - listed:.1f} until all are found "
          f"in the index, {opened - found:.1f} until they can be read: {opened - begun:.1f} together (asked: 60), peak "
          f"{peak():.2f} GB (asked: 2)")  # fmt: skip


def peak() -> float:
    """The peak memory of this process, GB; `getrusage` counts that of the process that started it too."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e9


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("clips", 2_000_000), ("ranks", 64), ("ranks-a-machine", 8), ("batch", 32), ("rate", 16000)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--gbit", type=float, default=10.0)
    args = parser.parse_args()
    clip_bytes = 2 * 10 * args.rate
    per_shard = int(SHARD_MB * 1e6 // clip_bytes)
    shards = -(-args.clips // per_shard)

    with tempfile.TemporaryDirectory() as folder:
        names = write_lists(Path(folder, CORPUS), args.clips)
        begun = time.process_time()
        rows = [(name, i // per_shard, i % per_shard * 10 * args.rate, 10 * args.rate, 0)
                for i, name in enumerate(names)]  # fmt: skip
        index = Index.of(rows)
        built = time.process_time() - begun
        index_mb = sum(column.nbytes for column in vars(index).values()) / 1e6
        index.write(Path(folder, INDEX))
        Contents(names, {}).write(Path(folder))
        Facts(args.rate, "/sounds", "", len(names)).write(Path(folder))
        process = multiprocessing.get_context("spawn").Process(target=start, args=(Path(folder), args.rate))
        process.start()
        process.join()
        assert process.exitcode == 0

    begun = time.process_time()
    sampler = QuotaSampler(torch.zeros(args.clips, dtype=torch.long), ("weak",), {"weak": args.batch}, 0, 0, args.ranks)
    batches = sampler.batches()
    first = next(batches)
    ordered = time.process_time() - begun
    assert len(first) == args.batch

    drawn = np.random.default_rng(0).permutation(args.clips)
    on_machine = drawn[: args.clips // args.ranks * args.ranks]
    per_step = args.batch * args.ranks
    print(f"{args.clips} clips of 10 s at {args.rate} Hz, {args.ranks} processes on "
          f"{args.ranks // args.ranks_a_machine} machines, {args.batch} clips a process and step")  # fmt: skip
    print(f"samples: {args.clips * clip_bytes / 1e9:.0f} GB in {shards} shards of {SHARD_MB} MB, {per_shard} in each")
    print(f"index of a process: {index_mb:.0f} MB, made in {built:.1f} CPU s")
    print(f"order of an epoch: {ordered:.2f} CPU s until its first batch, {len(sampler)} steps")
    for step in (1, 10, 100, len(sampler)):
        mine = on_machine[: step * per_step].reshape(-1, args.ranks)[:, : args.ranks_a_machine]
        needed = len(np.unique(mine // per_shard))
        print(f"shards that a machine has fetched after {step} steps: {needed}, {needed * SHARD_MB / 1e3:.0f} GB, "
              f"{needed * SHARD_MB * 8e6 / (args.gbit * 1e9):.0f} s of its {args.gbit:g} Gbit/s")  # fmt: skip
    whole = args.clips * clip_bytes
    machines = args.ranks // args.ranks_a_machine
    print(f"from the store in the first epoch: {machines * whole / 1e12:.1f} TB; in later ones 0, from each disk "
          f"{whole / machines / 1e9:.0f} GB")  # fmt: skip
    print(f"peak of the process that measures: {peak():.2f} GB")


if __name__ == "__main__":
    main()
