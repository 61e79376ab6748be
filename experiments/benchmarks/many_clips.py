"""What 2 million clips of 10 s cost each of 64 processes that read a pack on an object store.

    python experiments/benchmarks/many_clips.py [--clips 2000000] [--ranks 64] [--ranks-a-machine 8]

The index, the order of an epoch and the look-up of names are made in full size and measured. Which shards a machine
needs in its first steps is drawn from that order. Bytes and seconds of the store are computed from the sizes, for a
network of `--gbit` a machine, not measured.
"""

import argparse
import resource
import time

import numpy as np
import torch

from wsed.data.packed.index import Index
from wsed.data.packed.pack import SHARD_MB
from wsed.data.sampling.quota import QuotaSampler


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

    start = time.perf_counter()
    rows = ((f"train/Y{i:011d}.wav", i // per_shard, i % per_shard * 10 * args.rate, 10 * args.rate, 0)
            for i in range(args.clips))  # fmt: skip
    index = Index.of(list(rows))
    built = time.perf_counter() - start
    index_mb = sum(column.nbytes for column in vars(index).values()) / 1e6

    start = time.perf_counter()
    sampler = QuotaSampler(torch.zeros(args.clips, dtype=torch.long), ("weak",), {"weak": args.batch}, 0, 0, args.ranks)
    batches = sampler.batches()
    first = next(batches)
    ordered = time.perf_counter() - start
    assert len(first) == args.batch

    drawn = np.random.default_rng(0).permutation(args.clips)
    on_machine = drawn.reshape(-1)[: len(sampler) * args.batch * args.ranks]
    per_step = args.batch * args.ranks
    print(f"{args.clips} clips of 10 s at {args.rate} Hz, {args.ranks} processes on "
          f"{args.ranks // args.ranks_a_machine} machines, {args.batch} clips a process and step")  # fmt: skip
    print(f"samples: {args.clips * clip_bytes / 1e9:.0f} GB in {shards} shards of {SHARD_MB} MB, {per_shard} in each")
    print(f"index of a process: {index_mb:.0f} MB, made in {built:.1f} s")
    print(f"order of an epoch: {ordered:.2f} s until its first batch, {len(sampler)} steps")
    for step in (1, 10, 100, len(sampler)):
        mine = on_machine[: step * per_step].reshape(-1, args.ranks)[:, : args.ranks_a_machine]
        needed = len(np.unique(mine // per_shard))
        print(f"shards that a machine has fetched after {step} steps: {needed}, {needed * SHARD_MB / 1e3:.0f} GB, "
              f"{needed * SHARD_MB * 8e6 / (args.gbit * 1e9):.0f} s of its {args.gbit:g} Gbit/s")  # fmt: skip
    whole = args.clips * clip_bytes
    machines = args.ranks // args.ranks_a_machine
    print(f"from the store in the first epoch: {machines * whole / 1e12:.1f} TB; in later ones 0, from each disk "
          f"{whole / machines / 1e9:.0f} GB")  # fmt: skip
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
