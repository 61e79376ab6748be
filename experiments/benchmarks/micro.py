"""Parameters and time of a training step of M&mnet, with and without its micro subnet.

    python experiments/benchmarks/micro.py [--threads 2] [--rounds 15] [--clips 64] [--small]

Network, batch and optimiser are those of Chou, Jang and Yang (2018) on DCASE 2017 (10 s at 44.1 kHz, 17 classes), or
with `--small` those of `experiments/mmnet/soundscapes.yaml`. A step is features, network, losses, backward pass and
SGD, on a CPU in bfloat16. All run in turn in one process that keeps freed memory like `wsed fit`. The median counts.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch

from wsed import Batch, Events, Labels, Network
from wsed.losses.bce import ClipBCE
from wsed.losses.micro import Micro as MicroLoss
from wsed.models.encoders.resnet1d import ResNet1d
from wsed.models.frontends import LogMel
from wsed.models.heads.macro import Macro
from wsed.models.heads.micro import Micro
from wsed.models.mmnet import MMNet
from wsed.models.network import Composed
from wsed.ops.memory import keep_freed_memory

PAPER: tuple[int, dict[str, Any], dict[str, Any]] = (17, {"sample_rate": 44100, "hop_length": 492, "n_bands": 128}, {})
SMALL: tuple[int, dict[str, Any], dict[str, Any]] = (
    10,
    {"sample_rate": 16000, "n_fft": 1024, "hop_length": 320, "n_bands": 64},
    {"channels": (128, 192, 192), "pools": (4, 2)},
)
ASKED = {"parameters": 12, "step": 15}


def networks(small: bool) -> dict[str, Network]:
    """The network without the micro subnet, then with it."""
    n_labels, features, sizes = SMALL if small else PAPER
    labels, encoder = Labels(f"class {i}" for i in range(n_labels)), partial(ResNet1d, **sizes)
    frontend = partial(LogMel, f_min=0.0, log_offset=1e-4, **features)
    return {
        "macro alone": Composed(labels, encoder, Macro, frontend()),
        "micro, kernel 3": MMNet(labels, encoder, (Macro, Micro), frontend()),
        "micro, kernel 1": MMNet(labels, encoder, (Macro, partial(Micro, kernel=1)), frontend()),
    }


def made(clips: int, network: Network) -> Batch:
    draw = torch.Generator().manual_seed(0)
    samples, rate = 10 * network.sample_rate, network.sample_rate
    tags = (torch.rand(clips, len(network.labels), generator=draw) < 0.1).float()
    zero = torch.zeros(clips, dtype=torch.long)
    yes = torch.ones_like(tags, dtype=torch.bool)
    audio = 0.1 * torch.randn(clips, 10 * rate, generator=draw)
    return Batch(audio, zero + samples, tags, yes, Events.of([]), ~yes, zero, ("weak",), tuple(map(str, range(clips))))


def trainer(network: Network, batch: Batch, device: str) -> Callable[[], None]:
    """One step of training."""
    network = network.to(device).train()
    batch = batch.to(device)
    losses = [ClipBCE(), MicroLoss()] if isinstance(network, MMNet) else [ClipBCE()]
    optimiser = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        optimiser.zero_grad()
        with torch.autocast(device, torch.bfloat16):
            output = network(batch)
            total = torch.stack([loss(output, batch) for loss in losses]).sum()
        total.backward()
        optimiser.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def in_turn(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median seconds of each; the first round warms up."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            taken[name].append(time.perf_counter() - start)
    return {name: median(times[1:]) for name, times in taken.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    keep_freed_memory()
    made_of = networks(args.small)
    batch = made(args.clips, made_of["macro alone"])
    sizes = {name: sum(p.numel() for p in network.parameters()) for name, network in made_of.items()}
    seconds = in_turn({n: trainer(network, batch, args.device) for n, network in made_of.items()}, args.rounds)
    (base, size), *others = sizes.items()
    print(f"{base}: {size:,} parameters, {1e3 * seconds[base]:.1f} ms a step of {args.clips} clips")
    for name, own in others:
        more, slower = own / size - 1, seconds[name] / seconds[base] - 1
        print(
            f"{name}: {own:,} parameters, {more:+.1%} (asked: at most +{ASKED['parameters']} %); "
            f"{1e3 * seconds[name]:.1f} ms, {slower:+.1%} (asked: at most +{ASKED['step']} %)",
            flush=True,
        )


if __name__ == "__main__":
    main()
