"""Start-up time: `wsed --help`, and the time that `import wsed` adds to `import torch`.

    .venv/bin/python experiments/benchmarks/startup.py

Each command runs 5 times, in turn; the median counts. Result on 2026-11-21 with 2 idle cores: help 0.05 s; importing
torch takes 1.72 s, with or without wsed.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

WSED = str(Path(sys.executable).with_name("wsed"))
JOBS = {
    "wsed --help": [WSED, "--help"],
    "python -c pass": [sys.executable, "-c", "pass"],
    "import torch": [sys.executable, "-c", "import torch"],
    "import torch, wsed": [sys.executable, "-c", "import torch, wsed"],
    "import torch, wsed; wsed.components('loss')": [
        sys.executable,
        "-c",
        "import torch, wsed; wsed.components('loss')",
    ],
}


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in JOBS}
    for _ in range(5):
        for name, command in JOBS.items():
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    for name, values in seconds.items():
        print(f"{name:40} {statistics.median(values):6.2f} s")
    added = statistics.median(
        b - a for a, b in zip(seconds["import torch"], seconds["import torch, wsed"], strict=True)
    )
    print(f"import wsed adds to import torch: {added:.3f} s")


if __name__ == "__main__":
    main()
