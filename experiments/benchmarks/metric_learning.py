"""Time of a training step with the triplet, the prototypical and the classification loss, and time of mining.

    python experiments/benchmarks/metric_learning.py [--threads 2] [--rounds 30] [--clips 20 512] [--seconds 1]

A step follows Turpault et al. 2020: features, the encoder `waa`, head, loss, backward pass, AdamW. All losses run in
turn in one process that keeps freed memory like `wsed fit`. The median round counts.

Mining is compared with a simple loop that runs over clips and picks from lists. The losses with `all` and `semi_hard`
triplets sum the hinges without building the triplets; this is compared with building them.
"""

import argparse
import random
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import get_args

import torch
from torch import Tensor, nn
from training import allocated

from wsed import Batch, Events, Labels, Output
from wsed.losses.base import Loss
from wsed.losses.bce import ClipBCE
from wsed.losses.prototypical import Prototypical
from wsed.losses.triplet import Triplet, distances, triplet
from wsed.models.encoders.waa import WAA
from wsed.models.frontends import Standardised
from wsed.models.heads.embedding import Embedding
from wsed.models.heads.mlp import MLP
from wsed.models.network import Composed
from wsed.ops.memory import keep_freed_memory
from wsed.ops.mine import Miner, episode, relations, triplets

TEN = Labels(f"class {i}" for i in range(10))


def made(clips: int, seconds: float) -> Batch:
    """Noise of one class each, balanced."""
    draw = torch.Generator().manual_seed(0)
    samples = round(16000 * seconds)
    zero = torch.zeros(clips, dtype=torch.long)
    tags = torch.eye(10)[torch.arange(clips) % 10]
    yes = torch.ones_like(tags, dtype=torch.bool)
    audio = 0.1 * torch.randn(clips, samples, generator=draw)
    ids = tuple(f"clip {i}" for i in range(clips))
    return Batch(audio, zero + samples, tags, yes, Events.of([]), ~yes, zero, ("train",), ids)


def trainer(loss: Loss, head: Callable[[int, int], nn.Module], batch: Batch) -> Callable[[], None]:
    """One step of training a network of its own."""
    torch.manual_seed(0)
    network = Composed(TEN, WAA, head, Standardised()).train()
    network.frontend.measure([batch])
    optimiser = torch.optim.AdamW(network.parameters())

    def step() -> None:
        optimiser.zero_grad()
        loss(network(batch), batch).backward()
        optimiser.step()

    return step


def steps(clips: int, seconds: float, rounds: int) -> None:
    batch = made(clips, seconds)
    per_class = clips // 10
    losses: dict[str, Loss] = {f"triplet, {miner}": Triplet(miner) for miner in get_args(Miner)}
    losses["prototypical"] = Prototypical(shot=per_class // 2, query=None)
    forms = {"classifier": trainer(ClipBCE(), MLP, batch)}
    forms |= {name: trainer(loss, Embedding, batch) for name, loss in losses.items()}
    taken: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(rounds + 1):
        for name, step in forms.items():
            start = time.perf_counter()
            step()
            taken[name].append(time.perf_counter() - start)
    usual = {name: median(times[1:]) for name, times in taken.items()}  # the first round warms up
    print(f"{clips} clips of {seconds:g} s, a step of the classifier: {1e3 * usual['classifier']:.1f} ms")
    for name, loss in losses.items():
        more = usual[name] / usual["classifier"] - 1
        held = allocated(partial(alone, loss, batch))
        told = f"{1e3 * usual[name]:8.1f} ms, {100 * more:+5.1f} % (asked: under +10)"
        print(f"  {name:20} {told}; the loss by itself holds {held:.1f} MB")


def alone(loss: Loss, batch: Batch) -> None:
    """A loss of embeddings that are there, and its gradient."""
    loss(Output(clip_embedding=torch.randn(len(batch), 130, requires_grad=True)), batch).backward()


def loop(sets: list[set[int]], d: list[list[float]], miner: str) -> list[tuple[int, int, int]]:
    """Triplets of all anchors."""
    found = []
    for a in range(len(sets)):
        near = [p for p in range(len(sets)) if p != a and sets[a] & sets[p]]
        far = [n for n in range(len(sets)) if n != a and not sets[a] & sets[n]]
        if miner == "random":
            found.append((a, random.choice(near), random.choice(far)))
        elif miner == "hard":
            found.append((a, max(near, key=d[a].__getitem__), min(far, key=d[a].__getitem__)))
        else:
            for p in near:
                for n in far:
                    if miner == "all" or d[a][p] < d[a][n] < d[a][p] + 0.3:
                        found.append((a, p, n))
    return found


def loop_episode(sets: list[set[int]]) -> tuple[list[list[int]], list[list[int]]]:
    """Supports and queries of each class, one each."""
    drawn: tuple[list[list[int]], list[list[int]]] = ([], [])
    for c in range(10):
        support, query = random.sample([i for i in range(len(sets)) if c in sets[i]], 2)
        drawn[0].append([support])
        drawn[1].append([query])
    return drawn


def mining(clips: int, rounds: int) -> None:
    """By distances and tags that are there."""
    tags = torch.eye(10)[torch.arange(clips) % 10]
    points = torch.randn(clips, 130, generator=torch.Generator().manual_seed(0))
    d = distances(points)
    sets, table = [set(row.nonzero().flatten().tolist()) for row in tags], d.tolist()
    print(f"mining {clips} clips of 10 classes (asked: 20 times the loop)")
    for miner in get_args(Miner):
        slow = timed(partial(loop, sets, table, miner), 3)
        ways = {"": partial(mined, tags, d, miner)}
        if miner in ("all", "semi_hard"):
            ways[", the loss"] = partial(triplet, points, tags, miner=miner)
        for way, call in ways.items():
            fast = timed(call, rounds)
            print(f"  {miner + way:20} {1e3 * fast:9.2f} ms; loop {1e3 * slow:9.1f} ms, {slow / fast:6.0f} times")
    slow, fast = timed(partial(loop_episode, sets), rounds), timed(partial(episode, tags), rounds)
    print(f"  {'episode':20} {1e3 * fast:9.2f} ms; loop {1e3 * slow:9.1f} ms, {slow / fast:6.0f} times")


def mined(tags: Tensor, d: Tensor, miner: str) -> None:
    triplets(*relations(tags), miner, d)


def timed(call: Callable[[], object], rounds: int) -> float:
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--clips", type=int, nargs="+", default=[20, 512])
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    mining(512, 5)
    for clips in args.clips:
        steps(clips, args.seconds, args.rounds if clips < 100 else max(3, args.rounds // 10))


if __name__ == "__main__":
    main()
