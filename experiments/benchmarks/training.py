"""Clips per second when training the GLU-CRNN of Pellegrini and Cances (2019), with wsed and with a plain loop.

    python experiments/benchmarks/training.py [--threads 2] [--steps 4] [--data data/domestic --parity 376 --seed 0]

The plain loop trains the same network in float32, computes features in every step and uses the GRU and GLU of torch.
wsed trains the network with the losses of row `glu_mil` of `experiments/cosine_penalty` as `wsed fit` does on a CPU: in
bfloat16 (in float32 where the CPU has no instructions for it), channels last, with the GRU of `wsed/ops/recurrent.py`,
and keeping freed memory. Both run in turn, each in its own process, and the best step counts. The benchmark also
measures the cost of the cosine penalty.

`--parity` trains a smaller network with both, from the same weights on the same batches of a corpus, and scores them on
its test clips.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import wsed
from wsed import Batch, Composed, Events, Labels
from wsed.data.corpus.desed import DESED
from wsed.data.module import SEDDataModule
from wsed.decoding import StepDecoder
from wsed.losses.cosine_penalty import CosinePenalty
from wsed.losses.mil import MIL
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.ops.memory import keep_freed_memory
from wsed.ops.precision import slow_bfloat16
from wsed.scoring.collect import Collector
from wsed.scoring.score import score, system_of

CLIPS, SECONDS = 32, 10
DECODER = StepDecoder(rescale_edge=3, smooth=19 * 10 / 431, threshold=0.03, merge_gap=0.2, tags="clip")
KINDS = {
    "convolution": ("convolution",),
    "batch norm": ("batch_norm",),
    "pooling": ("max_pool",),
    "features": ("fft", "stft", "log10", "abs", "unfold"),
    "matrix products (GRU, dense, mel)": ("addmm", "bmm", "aten::mm", "linear"),
    "optimiser": ("adam", "lerp", "addcdiv"),
}


class Plain(nn.Module):
    """The network as one writes it first, with the weights of ours; logits `[clip frame label]`."""

    def __init__(self, like: Composed) -> None:
        super().__init__()
        encoder: Any = like.encoder
        self.features = like.frontend
        self.convs = nn.ModuleList(self._copy(block.conv) for block in encoder.blocks)
        self.norms = nn.ModuleList(deepcopy(block.norm) for block in encoder.blocks)
        self.gru, self.dense = deepcopy(encoder.gru), deepcopy(encoder.dense)
        self.out = deepcopy(next(m for m in like.heads.modules() if isinstance(m, nn.Linear)))

    @staticmethod
    def _copy(conv: nn.Conv2d) -> nn.Conv2d:
        plain = nn.Conv2d(conv.in_channels, conv.out_channels, 3, padding=1, bias=False)
        plain.weight = nn.Parameter(conv.weight.detach().clone(memory_format=torch.contiguous_format))
        return plain

    def forward(self, batch: Batch) -> Tensor:
        x = self.features(batch.audio, batch.n_samples)[0].transpose(1, 2)[:, None]
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = F.max_pool2d(F.glu(norm(conv(x)), dim=1), (1, 4))
        x = self.gru(F.dropout(x.transpose(1, 2).flatten(2), 0.1, self.training))[0]
        return self.out(torch.relu(self.dense(F.dropout(x, 0.1, self.training))))


def settings(small: bool) -> tuple[int, dict[str, Any]]:
    """Channels and frontend: the paper's, or those of `soundscapes.yaml`."""
    if small:
        return 32, {"sample_rate": 16000, "n_fft": 1024, "hop_length": 640, "f_max": 8000.0}
    return 64, {"sample_rate": 22050, "n_fft": 2048, "hop_length": 512, "f_max": 11025.0}


def made(n_labels: int, rate: int, n_tags: int = 2) -> Batch:
    draw = torch.Generator().manual_seed(0)
    tags = torch.zeros(CLIPS, n_labels)
    tags.scatter_(1, torch.rand(CLIPS, n_labels, generator=draw).topk(n_tags).indices, 1.0)
    yes, none = torch.ones_like(tags, dtype=torch.bool), torch.zeros(CLIPS, dtype=torch.long)
    ids = tuple(map(str, range(CLIPS)))
    audio = 0.1 * torch.randn(CLIPS, SECONDS * rate, generator=draw)
    return Batch(audio, none + SECONDS * rate, tags, yes, Events.of([]), ~yes, none, ("weak",), ids)


def plain_step(model: Plain, optimiser: torch.optim.Optimizer, batch: Batch) -> None:
    optimiser.zero_grad()
    F.binary_cross_entropy(model(batch).sigmoid().amax(1), batch.clip_labels).backward()
    optimiser.step()


def our_step(
    network: Composed, losses: list[tuple[nn.Module, float]], optimiser: torch.optim.Optimizer, batch: Batch
) -> None:
    optimiser.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=not slow_bfloat16()):
        output = network(batch)
        total = torch.stack([weight * loss(output, batch) for loss, weight in losses]).sum()
    total.backward()
    optimiser.step()


def ours(n_labels: int, small: bool = False) -> Composed:
    channels, frontend = settings(small)
    labels = Labels(f"class {i}" for i in range(n_labels))
    return Composed(labels, partial(CRNN, activation="glu", channels=channels), frontend=LogMel(**frontend)).train()


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(p for p in model.parameters() if p.requires_grad)


def best(step: Callable[[], None], steps: int) -> float:
    step()
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def shares(step: Callable[[], None]) -> dict[str, float]:
    """Part of the processor time by kind of operation."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        step()
    found = dict.fromkeys([*KINDS, "the rest (gates, dropout, copies)"], 0.0)
    for event in profile.key_averages():
        name = event.key.lower()
        kind = next((k for k, words in KINDS.items() if any(w in name for w in words)), list(found)[-1])
        found[kind] += event.self_cpu_time_total
    total = sum(found.values())
    return {kind: part / total for kind, part in found.items()}


def alone(args: argparse.Namespace) -> dict[str, Any]:
    """What a process of its own measures."""
    batch = made(10, settings(False)[1]["sample_rate"])
    if args.alone == "plain":
        model = Plain(ours(10)).train()
        return {"step": best(partial(plain_step, model, adam(model), batch), args.steps)}
    keep_freed_memory()
    network = ours(10)
    step = partial(our_step, network, [(MIL(), 1.0)], adam(network), batch)
    return {"step": best(step, args.steps), "shares": shares(step)}


def penalty(n_labels: int, steps: int) -> None:
    """A step with and without the penalty, in turn; and the penalty by itself, for its memory."""
    batch = made(n_labels, settings(False)[1]["sample_rate"], n_tags=min(6, n_labels // 2))
    network = ours(n_labels)
    bare, full = [(MIL(), 1.0)], [(MIL(), 1.0), (CosinePenalty(), 0.1)]
    optimiser, seconds = adam(network), ([], [])
    for losses in (bare, full) * (steps + 1):
        start = time.perf_counter()
        our_step(network, losses, optimiser, batch)
        seconds[len(losses) - 1].append(time.perf_counter() - start)
    without, with_ = (min(times[1:]) for times in seconds)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        logits = network(batch).frame_logits
    output = wsed.Output(frame_logits=logits.requires_grad_())
    loss = CosinePenalty()
    own = best(lambda: loss(output, batch).backward(), 5)
    peak = allocated(lambda: loss(output, batch).backward())
    steps_peak = [allocated(partial(our_step, network, losses, optimiser, batch)) for losses in (bare, full)]
    print(
        f"penalty, {n_labels} classes: step {with_:.3f} s with, {without:.3f} s without; by itself {1e3 * own:.1f} ms, "
        f"{100 * own / without:.1f} % of the step (asked: under 3); {peak:.1f} MB at its peak, of which "
        f"{logits.nbytes / 1e6:.1f} MB are the gradient; the step holds {steps_peak[1] - steps_peak[0]:.1f} MB more "
        "with it (asked: under 20)"
    )


def allocated(call: Callable[[], None]) -> float:
    """MB that a call holds at most, by the allocator's own record."""
    activities = [torch.profiler.ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities, profile_memory=True) as profile:
        call()
    now = peak = 0
    for event in profile.profiler.kineto_results.events():  # type: ignore[union-attr]
        if event.name() == "[memory]":
            now += event.nbytes()
            peak = max(peak, now)
    return peak / 1e6


def parity(folder: Path, steps: int, seed: int) -> None:
    """Both trained on a corpus from the same weights on the same batches, then scored on its test clips."""
    torch.manual_seed(seed)
    channels, frontend = settings(True)
    data = SEDDataModule(DESED(folder), {"weak": CLIPS}, sample_rate=frontend["sample_rate"])
    data.setup()
    network = Composed(
        data.labels, partial(CRNN, activation="glu", channels=channels), frontend=LogMel(**frontend)
    ).train()
    plain = Plain(network).train()
    optimisers = adam(network), adam(plain)
    spent = [0.0, 0.0]
    for batch in islice(cycle(data.train_dataloader()), steps):
        for i, step in enumerate(
            (
                partial(our_step, network, [(MIL(), 1.0)], optimisers[0], batch),
                partial(plain_step, plain, optimisers[1], batch),
            )
        ):
            start = time.perf_counter()
            step()
            spent[i] += time.perf_counter() - start
    for name, model, seconds in (("ours", network, spent[0]), ("plain", plain, spent[1])):
        figures = scores(model.eval(), data, network)
        told = ", ".join(f"{k} {100 * figures[k]['macro']:.1f} %" for k in ("event_f1", "segment_f1", "tagging_f1"))
        print(f"parity, {name}, seed {seed}: {steps} steps in {seconds:.0f} s; {told}", flush=True)


@torch.no_grad()
def scores(model: nn.Module, data: SEDDataModule, network: Composed) -> dict[str, Any]:
    collector = Collector()
    for batch in data.test_dataloader():
        if model is network:
            output = network(batch)
        else:
            logits = model(batch)
            output = wsed.Output(frame_logits=logits, clip_logits=logits.amax(1), frame_rate=network.frame_rate)
        collector.update(output, batch, network.sample_rate)
    return score(system_of(*collector.gather(), data.labels, DECODER)).to_dict()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--data", type=Path, default=Path("data/domestic"))
    parser.add_argument("--parity", type=int, default=0, metavar="STEPS")
    parser.add_argument("--seed", type=int, default=0, help="of the parity's weights and batches")
    parser.add_argument("--alone", choices=("plain", "ours"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if args.alone:
        print(json.dumps(alone(args)))
        return
    if args.steps:
        speed(args)
    keep_freed_memory()
    if args.parity:
        parity(args.data, args.parity, args.seed)


def speed(args: argparse.Namespace) -> None:
    """A step of each, and what the penalty adds to ours."""
    found: dict[str, Any] = {}
    for name in ("plain", "ours", "plain", "ours"):
        own = [f"--threads={args.threads}", f"--steps={args.steps}", "--alone", name]
        command = [sys.executable, __file__, *own]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        result = json.loads(done.stdout.splitlines()[-1])
        found[name] = result if name not in found or result["step"] < found[name]["step"] else found[name]
    plain, own = found["plain"]["step"], found["ours"]["step"]
    print(f"plain loop: {plain:.2f} s a step, {CLIPS / plain:.1f} clips/s")
    print(f"ours:       {own:.2f} s a step, {CLIPS / own:.1f} clips/s; {plain / own:.1f} times (asked: 3)")
    print("    " + ", ".join(f"{kind} {part:.0%}" for kind, part in found["ours"]["shares"].items()), flush=True)
    keep_freed_memory()
    for n_labels in (10, 407):
        penalty(n_labels, args.steps)


if __name__ == "__main__":
    main()
