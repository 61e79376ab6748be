"""Time of a training step with a frozen pretrained encoder beside a CRNN: run in each step (`fusion`), or cached.

    python experiments/benchmarks/cached_fusion.py [--clips 32] [--threads 1] [--repeats 5] [--channels 32]

A step is forward pass, loss `mil`, backward pass and Adam on clips of 10 s, in float32, with the CRNN of AudioSet
(`cdur`; random weights, since they do not matter here). The CRNN alone and `fusion` read audio, `cached_fusion` cached
features. The three networks take steps alternately; the table has the median CPU time and the median ratio to the CRNN
alone.
"""

import argparse
import time
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from wsed import Batch, Composed, Labels, Network
from wsed.losses.mil import MIL
from wsed.models import CRNN, CachedFusion, CDur, CDurFeatures, Embeddings, Fusion, FusionFeatures, LogMel, Waveform
from wsed.testing import batch

RATE, SECONDS = 22050, 10
LABELS = Labels([f"class_{i}" for i in range(10)])


def networks(channels: int) -> dict[str, Network]:
    """A CRNN alone, with the encoder in each step, and with its embeddings at hand."""
    logmel = LogMel(RATE, 1400, 882, f_max=8000.0)
    beside = FusionFeatures(Embeddings(CDur, CDurFeatures()), logmel)
    sizes = {"frontend": logmel, "channels": channels}
    fused = partial(Fusion, pretrained_encoder=partial(CDur, freeze=True), pretrained_frontend=CDurFeatures(), **sizes)
    cached = partial(CachedFusion, beside_dim=256, beside_step=2, channels=channels)
    return {
        "CRNN": Composed(LABELS, partial(CRNN, channels=channels), frontend=logmel),
        "fusion": Composed(LABELS, fused, frontend=Waveform(RATE, normalise=False)),
        "cached_fusion": Composed(LABELS, cached, frontend=beside),
    }


def step(network: Network, optimizer: torch.optim.Optimizer, inputs: Batch) -> float:
    """CPU seconds of a step."""
    start = time.process_time()
    optimizer.zero_grad()
    MIL()(network(inputs), inputs).backward()
    optimizer.step()
    return time.process_time() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--channels", type=int, default=32)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    inputs = batch(n_clips=args.clips, n_labels=len(LABELS), seconds=SECONDS, sample_rate=RATE)
    inputs = replace(inputs, n_samples=torch.full_like(inputs.n_samples, RATE * SECONDS), full=True)
    trained = {}
    for name, network in networks(args.channels).items():
        optimizer = torch.optim.Adam([p for p in network.train().parameters() if p.requires_grad], lr=1e-3)
        given = inputs
        if name == "cached_fusion":
            with torch.no_grad():
                given = replace(
                    inputs, features=network.frontend.raw(inputs.samples(), inputs.n_samples)[0], audio=None
                )
        trained[name] = (network, optimizer, given)
        step(*trained[name])
    seconds = np.array([[step(*each) for each in trained.values()] for _ in range(args.repeats)])
    ratios = seconds / seconds[:, :1]
    print(f"{args.clips} clips of {SECONDS} s, {args.threads} threads, {args.repeats} turns\n")
    print("| network | CPU seconds of a step | CRNN = 1 |\n|---|---|---|")
    for name, values, ratio in zip(trained, seconds.T, ratios.T, strict=True):
        print(f"| {name} | {np.median(values):.2f} | {np.median(ratio):.2f} |")


if __name__ == "__main__":
    main()
