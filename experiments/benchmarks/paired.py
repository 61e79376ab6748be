"""Time of training steps, losses, mixing and reading with the code of two commits, step by step in turn.

    git worktree add ../before 3361541
    python experiments/benchmarks/paired.py --before ../before [--rounds 30] [--only train triplet]

Each commit has a process of its own, with one thread, which runs the benchmarks of its own folder
`experiments/benchmarks/`. The two run one step each in turn, so that a machine that gets slower slows both. The figure
is the median over rounds of the ratio of two neighbouring steps, with its interval (95 %, of a bootstrap over rounds).
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np

HERE = Path(__file__).resolve().parents[2]
CLIPS = 8
Step = Callable[[], object]


def cases(folder: Path) -> dict[str, Callable[[], Step]]:
    """The steps by name; each is built only where it runs. Imports are those of the commit that runs."""
    return {
        "train": partial(_train, penalty=False),
        "train, cosine penalty": partial(_train, penalty=True),
        "classifier": partial(_metric_learning, "classifier"),
        "triplet": partial(_metric_learning, "triplet"),
        "prototypical": partial(_metric_learning, "prototypical"),
        "mining": _mining,
        "micro": _micro,
        "synth": partial(_synth, folder / "mixed"),
        "read": partial(_read, folder / "corpus"),
    }


def _train(penalty: bool) -> Step:
    import training

    from wsed.losses.cosine_penalty import CosinePenalty
    from wsed.losses.mil import MIL

    training.CLIPS = CLIPS
    network = training.ours(10, small=True)
    losses = [(MIL(), 1.0), (CosinePenalty(), 0.1)][: 1 + penalty]
    return partial(training.our_step, network, losses, training.adam(network), training.made(10, 16000))


def _metric_learning(name: str) -> Step:
    import metric_learning as bench

    loss, head = {
        "classifier": (bench.ClipBCE(), bench.MLP),
        "triplet": (bench.Triplet("semi_hard"), bench.Embedding),
        "prototypical": (bench.Prototypical(shot=1, query=None), bench.Embedding),
    }[name]
    step = bench.trainer(loss, head, bench.made(20, 1.0))
    return lambda: [step() for _ in range(5)]


def _mining() -> Step:
    import metric_learning as bench
    import torch

    tags = torch.eye(10)[torch.arange(512) % 10]
    points = torch.randn(512, 130, generator=torch.Generator().manual_seed(0))
    return lambda: [bench.triplet(points, tags, miner="semi_hard") for _ in range(20)]


def _micro() -> Step:
    import micro

    network = {name: made for name, made in micro.networks(True).items() if "kernel 3" in name}
    first = next(iter(network.values()))
    batch = micro.made(4, first)
    try:
        return micro.trainer(first, batch, "cpu")
    except TypeError:  # the older benchmark had no choice of device
        return micro.trainer(first, batch)


def _synth(folder: Path) -> Step:
    from wsed.data.synth.builtin import write_soundbank
    from wsed.data.synth.soundscape import synthesise

    bank = write_soundbank(folder.with_name("soundbank"))

    def step() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        counts = {"train": 60, "validation": 0, "eval": 0}
        synthesise(folder, soundbank=bank, recipe="domestic", clips=counts, workers=1)

    return step


def _read(folder: Path) -> Step:
    import loading

    from wsed.data.synth.soundscape import synthesise

    counts = {"train": 64, "validation": 0, "eval": 0}
    synthesise(folder, soundbank="builtin", recipe="domestic", clips=counts, workers=1)
    one_module = hasattr(loading, "SEDDataModule")  # the older code had a data module for each corpus
    if one_module:
        data = loading.SEDDataModule(loading.DESED(folder, validation=None), {"weak": 32})
    else:
        data = loading.DESED(root=folder, batch={"weak": 32}, validation=None, workers=0)
    data.setup("fit")
    table = data.table("train")
    length = () if one_module else (10.0,)
    dataset, collate = loading.ClipDataset(table, 16000, *length), loading.Collate(table)
    return lambda: collate([dataset[i] for i in range(32)])


def work(name: str) -> None:
    """A process of one commit: a step a line of input, its seconds a line of output."""
    told, sys.stdout = sys.stdout, sys.stderr
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    from wsed.ops.memory import keep_freed_memory

    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        step = cases(Path(folder))[name]()
        for _ in sys.stdin:
            start = time.perf_counter()
            step()
            print(time.perf_counter() - start, file=told, flush=True)


def worker(root: Path, name: str) -> subprocess.Popen[str]:
    """The process of one commit."""
    paths = os.pathsep.join([str(root), str(root / "experiments/benchmarks")])
    environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", __file__, "--work", name]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def seconds(process: subprocess.Popen[str]) -> float:
    """One step of a process."""
    assert process.stdin
    assert process.stdout
    print("go", file=process.stdin, flush=True)
    answer = process.stdout.readline()
    if not answer:
        raise SystemExit("a process ended before its step: its message is above")
    return float(answer)


def compare(before: Path, name: str, rounds: int, warm: int = 3) -> None:
    """Run one case in both processes and print its figures."""
    pair = [worker(before, name), worker(HERE, name)]
    taken = []
    for turn in range(warm + rounds):
        order = (0, 1) if turn % 2 else (1, 0)
        found = {which: seconds(pair[which]) for which in order}
        taken.append((found[0], found[1]))
    for process in pair:
        process.kill()
        process.wait()
    old, new = np.array(taken[warm:]).T
    ratios = new / old
    draws = np.median(ratios[np.random.default_rng(0).integers(rounds, size=(2000, rounds))], axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    times = f"{1e3 * median(old):8.1f} ms before, {1e3 * median(new):8.1f} ms now (best {1e3 * old.min():.1f}, "
    times += f"{1e3 * new.min():.1f})"
    print(f"{name:22} {times}; ratio {median(ratios):.3f} [{low:.3f}, {high:.3f}]", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = list(cases(Path()))
    parser.add_argument("--before", type=Path, help="a worktree of the older commit")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="CASE", help=", ".join(names))
    parser.add_argument("--work", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.work:
        work(args.work)
        return
    if args.before is None:
        parser.error("--before is missing: a worktree of the older commit")
    for name in args.only:
        compare(args.before.resolve(), name, args.rounds)


if __name__ == "__main__":
    main()
