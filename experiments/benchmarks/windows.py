"""Event F1 of `wsed detect` on one long recording: in windows, whole at once, and cut where its clips were joined.

    .venv/bin/python -m experiments.benchmarks.windows MODEL CORPUS [--minutes 30]

CORPUS is a folder in DESED's layout, such as `wsed data synth` writes; its test clips are joined into one recording.
Cut at the joints, each clip is detected alone: no long recording is known so well, so this is the best to expect.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

import wsed
from wsed.data import audio
from wsed.data.corpus.desed import DESED
from wsed.inference import Detector
from wsed.inference.windowed import predict
from wsed.metrics import event_counts
from wsed.types import Events


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--minutes", type=float, default=30)
    args = parser.parse_args()
    detector = wsed.load(args.model)
    rate, labels = detector.network.sample_rate, list(detector.labels)
    parts: list[np.ndarray] = []
    reference, alone, length = list[tuple[int, int, float, float]](), list[tuple[int, int, float, float]](), 0
    for clip in DESED(args.corpus).clips("test"):
        if length >= 60 * args.minutes * rate:
            break
        start, samples = length / rate, audio.read(clip.path, rate)
        own = clip.events or ()
        reference += [(0, labels.index(label), start + on, start + off) for label, on, off in own]
        alone += [(0, label, start + on, start + off) for _, label, on, off in found(detector, samples)]
        parts.append(samples)
        length += len(samples)
    recording = np.concatenate(parts)
    whole = detector.decoder(predict(detector.network, [torch.from_numpy(recording)])[0]).events
    ways = {"windows": Events.of(found(detector, recording)), "whole": whole, "cut at the joints": Events.of(alone)}
    truth = Events.of(reference)
    print(f"{len(parts)} clips, {length / rate / 60:.0f} minutes, {len(truth)} events")
    for name, events in ways.items():
        counts = event_counts(truth, events, len(labels))
        micro = counts.summary()["micro_f1"]
        print(f"{name}: {len(events)} events, macro event F1 {100 * counts.macro_f1:.1f}, micro {100 * micro:.1f}")


def found(detector: Detector, samples: np.ndarray) -> list[tuple[int, int, float, float]]:
    """Rows for `Events.of`."""
    names = list(detector.labels)
    return [(0, names.index(event.label), event.onset, event.offset) for event in detector.detect(samples)]


if __name__ == "__main__":
    main()
