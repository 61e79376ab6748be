"""What augmentations and a teacher cost, in % of a training step of the CRNN of Pellegrini and Cances (2019).

    python experiments/benchmarks/augment.py [--device cpu] [--threads 1] [--repeats 5] [--clips 32] [--each]
        [--in-a-row 1]

A step is forward pass (in bfloat16 on a GPU), loss `mil`, backward pass and Adam, on clips of 10 s. Steps with nothing,
with all augmentations, with a mean teacher, and with `--each` with each augmentation are taken in turn, and the median
of the differences within a turn counts. On a CPU it is CPU time, which other work on the machine changes little. Asked:
all augmentations below 8 %, the teacher's pass below 35 %.

A GPU is waited for before and after each step, or after as many steps as `--in-a-row` says: a training does not wait,
so that the CPU can prepare a step while the GPU is still busy with the one before. Augmentations are also timed alone,
with features at hand, which a CPU in use disturbs less than the difference of two steps. What a clip holds changes the
time of a step too: "changed content" is the difference of two steps without augmentations, on features that were
augmented before and on others. How many operations they start on a device, how many transfers to it, and how often they
wait for it is counted on any machine.
"""

import argparse
import copy
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch

import wsed
from wsed import Batch, Composed, Labels
from wsed.augment import AUGMENTS, Augment, FilterAugment, ImpulseResponse
from wsed.augment.base import augmented
from wsed.augment.draws import Draws
from wsed.losses.mil import MIL
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.teacher import MeanTeacher
from wsed.ops.memory import keep_freed_memory
from wsed.testing import batch
from wsed.testing.accelerator import DEVICE, Accelerator, draws

RATE, SECONDS = 22050, 10
LABELS = Labels([f"class_{i}" for i in range(10)])
LEFT_OUT = ("compose",)
WITHOUT_EXAMPLE = {"filter_augment": FilterAugment, "impulse_response": lambda: ImpulseResponse("none")}
"""Augmentations whose examples are smaller than usual."""


def augmentations() -> dict[str, Augment]:
    """Each registered augmentation, with its defaults where it needs no folder.

    The impulse response lasts a second: noise that decays by 60 dB, as in a room. (A decay without noise would be a low
    pass, and what the features hold changes the time of the backward pass.)
    """
    decay = np.exp(-7 * np.arange(RATE) / RATE)
    response = (np.random.default_rng(0).standard_normal(RATE) * decay).astype(np.float32)
    found = {}
    for name in wsed.components("augment"):
        if name not in LEFT_OUT:
            made = WITHOUT_EXAMPLE[name]() if name in WITHOUT_EXAMPLE else AUGMENTS[name].example()
            made.prepare(RATE, lambda *_: [response])
            found[name] = made
    return found


class Steps:
    """Training steps of a network."""

    def __init__(self, network: wsed.Network, device: str, in_a_row: int) -> None:
        self.in_a_row = in_a_row
        self.network, self.device = network.to(device).train(), device
        self.optimizer = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=1e-3)
        self.loss = MIL()
        self.clock = time.process_time if device == "cpu" else time.perf_counter

    def __call__(self, inputs: Batch, augment: list[Augment]) -> float:
        """Seconds of a step."""
        self._wait()
        start = self.clock()
        for _ in range(self.in_a_row):
            self._step(inputs, augment)
        self._wait()
        return (self.clock() - start) / self.in_a_row

    def alone(self, inputs: Batch, augment: list[Augment], features: torch.Tensor) -> float:
        """Seconds of augmentations, with features at hand."""
        self._wait()
        start = self.clock()
        augmented(inputs, augment, Draws.of(self.device, 0), lambda *_: (features, features))
        self._wait()
        return self.clock() - start

    def _step(self, inputs: Batch, augment: list[Augment]) -> None:
        if augment:
            raw = self.network.frontend.raw
            inputs = augmented(inputs, augment, Draws.of(self.device, 0), raw)
        self.optimizer.zero_grad()
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device != "cpu"):
            output = self.network(inputs)
        self.loss(output, inputs).backward()
        self.optimizer.step()
        self.network.after_step()

    def _wait(self) -> None:
        if self.device != "cpu":
            torch.cuda.synchronize()


def operations(augment: list[Augment]) -> str:
    """What augmentations ask of a device, in a second call."""
    clips = batch(8, len(LABELS), 1, RATE)
    clips = replace(clips, n_samples=torch.full_like(clips.n_samples, RATE), full=True)
    copies = copy.deepcopy(augment)
    with Accelerator() as accelerator:
        inputs, features = clips.to(DEVICE), torch.randn(8, 64, 44).to(DEVICE)
        for _ in range(2):
            accelerator.clear()
            augmented(inputs, copies, draws(0), lambda *_: (features, features))
    total, waits = accelerator.operations.total(), len(accelerator.waits)
    return f"{total} operations on a device, {accelerator.transfers} transfers, {waits} waits"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5, help="turns")
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--each", action="store_true", help="also measure each augmentation alone")
    parser.add_argument("--in-a-row", type=int, default=1, help="steps before a GPU is waited for")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    keep_freed_memory()

    def network(labels: Labels) -> Composed:
        return Composed(labels, CRNN, frontend=LogMel(RATE))

    inputs = batch(args.clips, len(LABELS), SECONDS, RATE)
    audio = 0.1 * torch.randn(args.clips, RATE * SECONDS)
    inputs = replace(inputs, audio=audio, n_samples=torch.full((args.clips,), audio.shape[1]), full=True).to(
        args.device
    )
    plain = Steps(network(LABELS), args.device, args.in_a_row)
    teacher = Steps(MeanTeacher(LABELS, network), args.device, args.in_a_row)
    each = {name: part.to(args.device) for name, part in augmentations().items()}
    with torch.no_grad():
        features = plain.network.frontend.raw(inputs.samples(), inputs.n_samples)[0]
        changed = augmented(inputs, list(each.values()), Draws.of(args.device, 0), plain.network.frontend.raw)
    at_hand = replace(inputs, features=features)
    parts = {name: [part] for name, part in each.items() if args.each} | {"all augmentations": list(each.values())}
    kinds: dict[str, Callable[[], float]] = {"step": lambda: plain(inputs, [])}
    kinds |= {name: partial(plain, inputs, [part]) for name, part in each.items() if args.each}
    kinds |= {"all augmentations": lambda: plain(inputs, list(each.values())), "teacher": lambda: teacher(inputs, [])}
    kinds |= {"features at hand": lambda: plain(at_hand, []), "augmented features at hand": lambda: plain(changed, [])}
    for kind in kinds.values():
        kind()
    turns = [{name: kind() for name, kind in kinds.items()} for _ in range(args.repeats)]
    step = float(np.median([turn["step"] for turn in turns]))
    print(f"step of {args.clips} clips of {SECONDS} s on {args.device}: {1000 * step:.0f} ms")
    pairs = {name: (name, "step") for name in kinds if name != "step" and not name.endswith("at hand")}
    pairs["changed content"] = ("augmented features at hand", "features at hand")
    for name, (one, other) in pairs.items():
        more = [100 * (turn[one] - turn[other]) / turn["step"] for turn in turns]
        print(f"{name}: {np.median(more):+.1f} % of a step ({min(more):+.1f} to {max(more):+.1f})")
    for name, some in parts.items():
        alone = float(np.median([plain.alone(inputs, some, features) for _ in range(max(3, args.repeats))]))
        print(f"{name}, alone: {1000 * alone:.1f} ms, {100 * alone / step:.1f} % of a step; {operations(some)}")


if __name__ == "__main__":
    main()
