"""Start-up time: help, `import wsed`, a mistake in a YAML file, the first training step, and the first event table.

    .venv/bin/python experiments/benchmarks/startup.py [--rounds 5]

Each command runs in turn; the median counts. The training is one step of a small network on 8 clips of 1 s without
validation; the detection is that of its checkpoint in one of the clips. Asked: a mistake within 2 s, the first step
within 5 s more than `import torch`, a table within 5 s. CPU seconds tell more than wall time on a machine in use.
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

WSED = [sys.executable, "-m", "wsed.cli.main"]
CONFIG = """\
model:
  network:
    encoder: {class_path: crnn, init_args: {channels: 4, gru: 4, dense: 8}}
    frontend: {class_path: logmel, init_args: {sample_rate: 8000, n_fft: 256, hop_length: 160, f_max: 4000}}
  losses: {tags: {loss: mil}}
data: {corpus: {class_path: desed, init_args: {root: corpus, validation: null}}, batch: {weak: 4}, workers: 0}
trainer:
  {max_steps: 1, accelerator: cpu, logger: false, limit_val_batches: 0, callbacks: [{class_path: first_step.FirstStep}]}
test_after_fit: false
"""
CALLBACK = """\
import time
from lightning.pytorch import Callback

class FirstStep(Callback):
    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == 1:
            print(f"first step after {time.process_time():.2f} CPU s", flush=True)
"""


def make(folder: Path) -> None:
    """Write a corpus and two configurations, one with a mistake."""
    rng, rows = np.random.default_rng(0), ["filename\tevent_labels"]
    (folder / "corpus/audio/train/weak").mkdir(parents=True)
    (folder / "corpus/metadata/train").mkdir(parents=True)
    for i in range(8):
        soundfile.write(folder / f"corpus/audio/train/weak/{i}.wav", 0.1 * rng.standard_normal(8000), 8000)
        rows.append(f"{i}.wav\t{('Dog', 'Cat')[i % 2]}")
    (folder / "corpus/metadata/train/weak.tsv").write_text("\n".join(rows) + "\n")
    (folder / "first_step.py").write_text(CALLBACK)
    (folder / "exp.yaml").write_text(CONFIG)
    (folder / "wrong.yaml").write_text(CONFIG.replace("crnn", "crn"))


def main() -> None:
    """Print wall and CPU seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    jobs = {
        "python -c pass": ([sys.executable, "-c", "pass"], 0),
        "wsed --help": ([*WSED, "--help"], 0),
        "import torch": ([sys.executable, "-c", "import torch"], 0),
        "import torch, wsed": ([sys.executable, "-c", "import torch, wsed"], 0),
        "wsed fit, a mistake": ([*WSED, "fit", "--config", "wrong.yaml"], 2),
        "wsed fit, one step": ([*WSED, "fit", "--config", "exp.yaml", "--overwrite"], 0),
        "wsed detect, a clip of 1 s": ([*WSED, "detect", "runs/exp/seed_0", "corpus/audio/train/weak/0.wav"], 0),
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    first_step: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
        for _ in range(rounds):
            for name, (command, status) in jobs.items():
                start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
                environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])}
                done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                assert done.returncode == status, done.stderr
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                seconds[name].append((time.perf_counter() - start, cpu))
                first_step += [float(words.split()[0]) for words in done.stdout.split("first step after ")[1:]]
    for name, values in seconds.items():
        wall, cpu = (statistics.median(value[i] for value in values) for i in (0, 1))
        print(f"{name:30} {wall:6.2f} s, {cpu:6.2f} CPU s", flush=True)
    print(f"{'wsed fit, end of the first step':41} {statistics.median(first_step):6.2f} CPU s")


if __name__ == "__main__":
    main()
