"""Listing clips in the layout of DESED, and checking the headers of their sound files.

    python experiments/benchmarks/desed_lists.py [--clips 20000]

The clips are silent WAV files of 0.1 s with the ten classes of DESED. Asked: 20,000 clips listed in under 5 s and
200 MB. On a busy machine, CPU seconds are more reliable than elapsed ones.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch  # its memory does not count

from wsed.data import audio
from wsed.data.clip_table import ClipTable
from wsed.data.corpus.desed import DESED
from wsed.data.reading.files import Files

CLASSES, RATE = [f"class_{i}" for i in range(10)], 16000


def write(root: Path, clips: int) -> None:
    """A corpus of one list of tags."""
    folder, names = root / "audio/train/weak", [f"Y{i:011d}_0.000_10.000.wav" for i in range(clips)]
    folder.mkdir(parents=True)
    audio.write(folder / names[0], np.zeros(RATE // 10, dtype=np.float32), RATE)
    content = (folder / names[0]).read_bytes()
    for name in names[1:]:
        (folder / name).write_bytes(content)
    draw = np.random.default_rng(0)
    rows = (f"{name}\t{','.join(draw.choice(CLASSES, 2, replace=False))}" for name in names)
    (root / "metadata/train").mkdir(parents=True)
    (root / "metadata/train/weak.tsv").write_text("\n".join(["filename\tevent_labels", *rows]) + "\n")


def peak() -> float:
    """The greatest memory of this process, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20_000)
    clips = parser.parse_args().clips
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), clips)
        before, start, busy = peak(), time.perf_counter(), time.process_time()
        corpus = DESED(Path(folder))
        listed = corpus.clips("train", ["weak"])
        table = ClipTable.of(listed, corpus.labels)
        assert len(table.clips) == clips
        print(f"listing {clips:,} clips: {time.perf_counter() - start:.1f} s, CPU {time.process_time() - busy:.1f} s")
        print(f"  {peak() - before:.0f} MB more than before")
        start, busy = time.perf_counter(), time.process_time()
        found = Files().headers(listed)
        assert not found.unreadable
        print(f"checking headers: {time.perf_counter() - start:.1f} s, CPU {time.process_time() - busy:.1f} s")


if __name__ == "__main__":
    main()
