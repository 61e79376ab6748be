"""Where the time of a training step goes, and how near the step is to what the machine can do.

    python experiments/benchmarks/train_step.py [--device cuda] [--clips 32 256] [--precision bf16] [--compile]

The network is the GLU-CRNN of Pellegrini and Cances (2019), the clips are 10 s of noise at 22.05 kHz, the optimiser is
Adam. Losses: `mil` on tags; `fpd`, which is frame BCE and Frame Pairwise Distance on events, three per clip.

For each number of clips and each loss it prints
- clips per second over `--steps` steps, without waiting between them;
- the share of each part in a step that waits after each part (so that its sum is a little more than a whole step);
  "data" is the wait for a batch that another process reads from FLAC files;
- the share of the time in which a kernel ran on the GPU;
- the matrix products and convolutions in TFLOP/s, and in % of a large matrix product in the same precision.
"""

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import soundfile
import torch
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode

from wsed import Batch, Composed, Events, Labels
from wsed.data.collate import Collate
from wsed.data.corpus.desed import DESED
from wsed.data.module import SEDDataModule
from wsed.data.reading.files import ClipDataset
from wsed.losses.base import Loss
from wsed.losses.bce import FrameBCE
from wsed.losses.fpd import FPD
from wsed.losses.mil import MIL
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.ops.memory import keep_freed_memory

SECONDS, RATE, N_LABELS, EVENTS = 10, 22050, 10, 3
FILES = 32
"""Sound files that are read again and again."""
PARTS = ("data", "transfer", "frontend", "network", "loss", "backward", "optimiser")
DTYPES = {"bf16": torch.bfloat16, "32": torch.float32}
LOSSES: dict[str, Callable[[], list[tuple[Loss, float]]]] = {
    "mil": lambda: [(MIL(), 1.0)],
    "fpd": lambda: [(FrameBCE(), 1.0), (FPD(), 1.0)],
}


def clips_of(n: int) -> Batch:
    """Noise, with three events per clip; in pinned memory where there is a GPU."""
    draw = torch.Generator().manual_seed(0)
    onset = 6 * torch.rand(n * EVENTS, generator=draw)
    offset = onset + 0.25 + 3 * torch.rand(n * EVENTS, generator=draw)
    label = torch.randint(N_LABELS, (n * EVENTS,), generator=draw)
    clip = torch.arange(n).repeat_interleave(EVENTS)
    events = Events.of(list(zip(clip.tolist(), label.tolist(), onset.tolist(), offset.tolist(), strict=True)))
    tags = torch.zeros(n, N_LABELS)
    tags[clip, label] = 1.0
    known, source = torch.ones_like(tags, dtype=torch.bool), torch.zeros(n, dtype=torch.long)
    audio = 0.1 * torch.randn(n, SECONDS * RATE, generator=draw)
    ids = tuple(map(str, range(n)))
    batch = Batch(audio, source + SECONDS * RATE, tags, known, events, known, source, ("weak",), ids)
    return batch.pin_memory() if torch.cuda.is_available() else batch


def write_corpus(folder: Path) -> None:
    """FLAC files of noise, in the layout of DESED."""
    audio, metadata = folder / "audio/train/weak", folder / "metadata/train"
    for place in (audio, metadata):
        place.mkdir(parents=True)
    draw = torch.Generator().manual_seed(0)
    for i in range(FILES):
        soundfile.write(audio / f"{i}.flac", 0.1 * torch.randn(SECONDS * RATE, generator=draw).numpy(), RATE)
    rows = [f"{i}.flac\t{i % N_LABELS}" for i in range(FILES)]
    (metadata / "weak.tsv").write_text("\n".join(["filename\tevent_labels", *rows]) + "\n")


def batches(folder: Path, n: int) -> Iterator[Batch]:
    """Batches of `n` clips without end, read ahead by another process as in a training."""
    data = SEDDataModule(DESED(folder, validation=None), {"weak": min(n, FILES)})  # the loader below makes the batches
    data.setup("fit")
    table = data.table("train")
    order = (i % FILES for i in itertools.count())
    loader = DataLoader(
        ClipDataset(table, RATE),
        batch_size=n,
        sampler=order,  # type: ignore[arg-type]
        collate_fn=Collate(table),
        num_workers=1,
        prefetch_factor=4,
        pin_memory=torch.cuda.is_available(),
    )
    return iter(loader)


def build(device: str, compiled: bool) -> tuple[Composed, torch.optim.Optimizer]:
    """The network, and Adam as one kernel where that exists."""
    torch.manual_seed(0)
    frontend = LogMel(sample_rate=RATE, n_fft=2048, hop_length=512, f_max=11025.0)
    encoder = partial(CRNN, activation="glu", channels=64)
    network = Composed(Labels(map(str, range(N_LABELS))), encoder, frontend=frontend).to(device).train()
    if compiled:
        network.encoder.compile()  # as `model.compile: true`
    weights = [p for p in network.parameters() if p.requires_grad]
    return network, torch.optim.Adam(weights, fused=device == "cuda")


class Clock:
    """Seconds of each part of a step, the device having finished each."""

    def __init__(self, device: str) -> None:
        self.seconds = dict.fromkeys(PARTS, 0.0)
        self.device = device

    def wait(self) -> float:
        """The time, once the device has nothing to do."""
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time of a block."""
        start = self.wait()
        yield
        self.seconds[name] += self.wait() - start


def step(
    network: Composed,
    losses: list[tuple[Loss, float]],
    optimiser: torch.optim.Optimizer,
    clips: Batch,
    device: str,
    dtype: torch.dtype,
) -> None:
    """One training step, nothing waited for."""
    optimiser.zero_grad()
    batch = clips.to(device, non_blocking=True)
    with torch.autocast(device, dtype, enabled=dtype != torch.float32):
        output = network(batch)
        total = torch.stack([weight * loss(output, batch) for loss, weight in losses]).sum()
    total.backward()
    optimiser.step()


def shares(
    network: Composed,
    losses: list[tuple[Loss, float]],
    optimiser: torch.optim.Optimizer,
    clips: Batch,
    device: str,
    dtype: torch.dtype,
    steps: int,
    read: Iterator[Batch],
) -> dict[str, float]:
    """The part of each in a step that waits after each part."""
    clock = Clock(device)
    next(read)  # the reading process starts
    for _ in range(steps):
        with clock.part("data"):
            next(read)
        optimiser.zero_grad()
        with clock.part("transfer"):
            batch = clips.to(device, non_blocking=True)
        with torch.autocast(device, dtype, enabled=dtype != torch.float32):
            with clock.part("frontend"), torch.no_grad():
                network.frontend(batch.audio, batch.n_samples)
            with clock.part("network"):  # with the frontend again: subtracted below
                output = network(batch)
            with clock.part("loss"):
                total = torch.stack([weight * loss(output, batch) for loss, weight in losses]).sum()
        with clock.part("backward"):
            total.backward()
        with clock.part("optimiser"):
            optimiser.step()
    clock.seconds["network"] -= clock.seconds["frontend"]
    whole = sum(clock.seconds.values())
    return {name: seconds / whole for name, seconds in clock.seconds.items()}


def ceiling(device: str, dtype: torch.dtype) -> float:
    """TFLOP/s of a large matrix product."""
    size = 8192 if device == "cuda" else 1024
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    clock = Clock(device)
    for count in (2, 10):
        start = clock.wait()
        for _ in range(count):
            a @ b
        seconds = (clock.wait() - start) / count
    return 2 * size**3 / seconds / 1e12


def kernel_share(run: Callable[[], None], steps: int) -> float:
    """The part of the time in which a kernel ran on the GPU."""
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=activities) as profile:
        start = time.perf_counter()
        for _ in range(steps):
            run()
        torch.cuda.synchronize()
        seconds = time.perf_counter() - start
    kernels = [event for event in profile.events() if event.device_type == torch.autograd.DeviceType.CUDA]
    return sum(event.self_device_time_total for event in kernels) / 1e6 / seconds


def measure(args: argparse.Namespace, name: str, n: int, top: float, corpus: Path) -> None:
    """Print what one kind of step costs."""
    device, dtype = args.device, DTYPES[args.precision]
    network, optimiser = build(device, args.compile)
    losses, clips = LOSSES[name](), clips_of(n)
    for loss, _ in losses:
        loss.to(device)
        loss.start_epoch(args.epoch)
    run = partial(step, network, losses, optimiser, clips, device, dtype)
    clock = Clock(device)
    for _ in range(args.warm):
        run()
    start = clock.wait()
    for _ in range(args.steps):
        run()
    seconds = (clock.wait() - start) / args.steps
    with FlopCounterMode(display=False) as counter:
        run()
    flops = counter.get_total_flops() / seconds / 1e12
    parts = shares(network, losses, optimiser, clips, device, dtype, max(1, args.steps // 2), batches(corpus, n))
    busy = f"; a kernel runs {kernel_share(run, args.steps):.0%} of the time" if device == "cuda" else ""
    memory = f", at most {torch.cuda.max_memory_allocated() / 1e9:.1f} GB" if device == "cuda" else ""
    print(f"{name}, {n} clips: {1e3 * seconds:.1f} ms a step, {n / seconds:.0f} clips/s{memory}{busy}")
    print("    " + ", ".join(f"{part} {share:.1%}" for part, share in parts.items()))
    print(f"    {flops:.3g} TFLOP/s in products and convolutions, {flops / top:.1%} of {top:.3g}", flush=True)


def main() -> None:
    """Measure each loss with each number of clips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--clips", type=int, nargs="+", default=[32, 256])
    parser.add_argument("--losses", nargs="+", choices=list(LOSSES), default=list(LOSSES))
    parser.add_argument("--precision", choices=list(DTYPES), help="bf16 on a GPU, else 32")
    parser.add_argument("--compile", action="store_true", help="torch.compile the encoder")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warm", type=int, default=3, help="steps before the clock starts")
    parser.add_argument("--epoch", type=int, default=10, help="for losses that start late")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    args.precision = args.precision or ("bf16" if args.device == "cuda" else "32")
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    top = ceiling(args.device, DTYPES[args.precision])
    name: Any = torch.cuda.get_device_name() if args.device == "cuda" else f"CPU, {args.threads} threads"
    print(f"{name}, torch {torch.__version__}, {args.precision}{', compiled' if args.compile else ''}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        write_corpus(Path(folder))
        for loss in args.losses:
            for n in args.clips:
                measure(args, loss, n, top, Path(folder))


if __name__ == "__main__":
    main()
