"""Windows per second of the ONNX file of a model against torch, on one core, in turns.

    .venv/bin/python -m experiments.benchmarks.onnx_speed MODEL [--batches 1 8] [--rounds 15]

MODEL is a run or checkpoint; the file is written anew. Every other round has the other order. The best round counts,
since other work only slows a round down.
"""

import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

import wsed
from wsed.inference.export.network import OnnxNetwork
from wsed.inference.export.onnx import export_onnx
from wsed.inference.windowed import batch_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8], help="windows in a batch")
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    torch.set_num_threads(1)
    detector = wsed.load(args.model)
    with TemporaryDirectory() as folder:
        networks = {"torch": detector.network, "onnx": OnnxNetwork(export_onnx(detector, Path(folder, "model.onnx")))}
        for size in args.batches:
            windows = [0.1 * torch.randn(detector.grid.length) for _ in range(size)]
            best = dict.fromkeys(networks, float("inf"))
            for turn in range(args.rounds):
                for name, network in list(networks.items())[:: 1 if turn % 2 else -1]:
                    start = time.perf_counter()
                    with torch.inference_mode():
                        network(batch_of(windows, len(detector.labels)))
                    best[name] = min(best[name], time.perf_counter() - start)
            each = ", ".join(f"{name} {1000 * seconds / size:.1f} ms a window" for name, seconds in best.items())
            ratio = best["torch"] / best["onnx"]
            print(f"{size} windows of {detector.window:g} s: {each}; onnx is {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
