"""Time and memory of AudioSet's label table, and the speed of class-balanced sampling.

    python experiments/benchmarks/audioset.py [--clips 2000000] [--labels 527] [--rounds 3]

The benchmark writes a list of clips in the format of AudioSet. It has as many tags per clip (2.5 on average) and
classes of as different sizes as AudioSet. Each measurement runs in its own process on one core. It reports peak memory
with and without that of importing torch; on a busy machine, CPU time is more reliable than elapsed time. Targets: 2
million clips of 527 classes in under 10 s and 1 GB, and 100,000 sampled clips per second.

`--audio` also creates an empty file per clip and measures how long it takes to find the files of the clips.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WHAT = ("import", "table", "batches", "sampler")
LETTERS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", dtype="S1")


def classes(labels: int) -> dict[str, int]:
    return {f"/m/0{i:05x}": i for i in range(labels)}


def write(path: Path, clips: int, labels: int) -> None:
    """A list of invented clips; the share of a class falls with its rank."""
    draw, names = np.random.default_rng(0), list(classes(labels))
    share = 1 / np.arange(1, labels + 1) ** 0.8
    with path.open("w") as file:
        file.write("# invented\n# num_ytids, num_segs\n# YTID, start_seconds, end_seconds, positive_labels\n")
        for first in range(0, clips, 50_000):
            n = min(50_000, clips - first)
            videos = LETTERS[draw.integers(0, len(LETTERS), (n, 11))].view("S11")[:, 0].astype(str)
            counts = draw.integers(1, 5, n)
            tags = draw.choice(labels, counts.sum(), p=share / share.sum())
            lines = []
            for video, begin, held in zip(
                videos, 10 * draw.integers(0, 40, n), np.split(tags, counts.cumsum()[:-1]), strict=True
            ):
                held = ",".join(names[k] for k in dict.fromkeys(held.tolist()))
                lines.append(f'{video}, {begin}.000, {begin + 10}.000, "{held}"\n')
            file.write("".join(lines))


def child(what: str, path: Path, labels: int) -> None:
    """One measurement: seconds, things done, peak memory in MB."""
    import torch

    from wsed.data.collate import Collate
    from wsed.data.corpus.videos.clips import Located, VideoClips
    from wsed.data.corpus.videos.files import VideoFiles
    from wsed.data.corpus.videos.lists import read_list
    from wsed.data.reading.base import Item
    from wsed.data.sampling.balanced import BalancedSampler
    from wsed.types import Labels

    torch.set_num_threads(1)
    start, done = clocks(), 0
    if what in ("table", "batches", "sampler"):
        segments = read_list(path, classes(labels))
        done = len(segments)
    if what in ("table", "batches"):
        with tempfile.TemporaryDirectory() as one:
            (Path(one) / "Yaaaaaaaaaaa.wav").touch()  # the file of all clips
            first = np.zeros(done, dtype=np.int64)
            located, names = Located("unbalanced", segments, first), Labels(classes(labels))
            table = VideoClips.of([located], VideoFiles(Path(one)), names).table(names, 10.0)
        assert table.tags_of(torch.tensor([done - 1])).sum() > 0
    if what == "batches":
        collate, silence = Collate(table), np.zeros(1, dtype=np.float32)
        drawn = np.random.default_rng(0).integers(0, done, (100, 64)).tolist()
        start, done = clocks(), len(drawn)
        for batch in drawn:
            collate([Item(i, 1, silence) for i in batch])
    if what == "files":
        segments = read_list(path, classes(labels))
        start = clocks()
        found_files = VideoFiles(path.parent / "audio").find(segments.video, segments.begin)
        done = int((found_files >= 0).sum())
    if what == "sampler":
        source = torch.zeros(done, dtype=torch.long)
        start = clocks()
        sampler = BalancedSampler(segments.labels, source, ("unbalanced",), {"unbalanced": 64})
        done = sum(map(len, sampler))
    wall, busy = (after - before for after, before in zip(clocks(), start, strict=True))
    print(done, wall, busy, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)


def clocks() -> tuple[float, float]:
    """Seconds that passed, and that the processor worked for this process."""
    return time.perf_counter(), time.process_time()


def measured(what: str, path: Path, labels: int, rounds: int) -> tuple[int, float, float, float]:
    """Things done, seconds of the fastest round and of the processor, and the greatest memory."""
    run = [sys.executable, __file__, "--child", what, "--list", str(path), "--labels", str(labels)]
    texts = [subprocess.run(run, capture_output=True, text=True, check=True).stdout.split() for _ in range(rounds)]
    done, wall, busy, peak = zip(*[map(float, text) for text in texts], strict=True)
    return int(done[0]), min(wall), min(busy), max(peak)


def report(folder: Path, clips: int, labels: int, rounds: int, audio: bool) -> None:
    path = folder / "unbalanced_train_segments.csv"
    write(path, clips, labels)
    size = path.stat().st_size / 1e6
    *_, bare = measured("import", path, labels, 1)
    done, wall, busy, peak = measured("table", path, labels, rounds)
    print(f"label table: {done:,} clips x {labels} classes ({size:.0f} MB of text)")
    print(f"  {wall:.1f} s, the processor's {busy:.1f} (asked: 10)")
    print(f"  peak memory {peak:.0f} MB (asked: 1000), of which importing torch takes {bare:.0f}")
    done, wall, busy, _ = measured("batches", path, labels, rounds)
    each, work = 1e3 * wall / done, 1e3 * busy / done
    print(f"a batch of 64 of these clips, but for their audio: {each:.2f} ms, the processor's {work:.2f}")
    done, wall, busy, peak = measured("sampler", path, labels, rounds)
    print(f"balanced sampling over an epoch of {done:,} draws")
    print(f"  {done / wall:,.0f} clips a second, of the processor's {done / busy:,.0f} (asked: 100,000)")
    print(f"  peak memory {peak:.0f} MB with the list")
    if audio:
        make_files(folder / "audio", path)
        done, wall, busy, peak = measured("files", path, labels, 1)
        print(f"finding {done:,} files: {wall:.1f} s, the processor's {busy:.1f}, peak memory {peak:.0f} MB")


def make_files(folder: Path, path: Path) -> None:
    folder.mkdir()
    with path.open() as file:
        for i, line in enumerate(file):
            if not line.startswith("#"):
                part = folder / f"part{i // 50_000:02d}"
                part.mkdir(exist_ok=True)
                (part / f"Y{line[:11]}.wav").touch()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=2_000_000)
    parser.add_argument("--labels", type=int, default=527)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--audio", action="store_true")
    parser.add_argument("--child", choices=(*WHAT, "files"), help=argparse.SUPPRESS)
    parser.add_argument("--list", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args.child, args.list, args.labels)
        return
    with tempfile.TemporaryDirectory() as folder:
        report(Path(folder), args.clips, args.labels, args.rounds, args.audio)


if __name__ == "__main__":
    main()
