"""Time and memory of the frame pairwise distance loss, forward and backward, compared with simpler implementations.

    python experiments/benchmarks/fpd.py [--threads 1] [--rounds 4] [--clips 32 --frames 628 --dim 128] [--alone]

- The double loop runs over pairs of clips and over frames. It is measured on some pairs of clips and scaled to all.
  Label sets and single frames are prepared beforehand, so that only the work on pairs is measured.
- The loop over clip pairs computes all frames of a pair at once.
- The naive vectorised form computes all differences, `[pair frame dim]`.

All run in turn for half a second each, in one process that keeps freed memory like `wsed fit`. The fastest call counts.
`--alone` measures only wsed: for 256 clips, the other forms take hours or more memory than there is.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from training import allocated

from wsed import Events
from wsed.losses.functional import fpd
from wsed.ops.frame_pairs import frame_categories
from wsed.ops.memory import keep_freed_memory

ALPHA, N_LABELS, SOME = 0.1, 10, 4
Form = Callable[[Tensor, Tensor, str], Tensor]


def made(clips: int, frames: int, dim: int) -> tuple[Tensor, Tensor]:
    """Embeddings, and the frame labels of clips of 10 s with 3 events of 10 classes each."""
    draw = torch.Generator().manual_seed(0)
    onset = 9 * torch.rand(3 * clips, generator=draw)
    last = (onset + 0.25 + 4 * torch.rand(3 * clips, generator=draw)).clamp(max=10)
    label = torch.randint(N_LABELS, (3 * clips,), generator=draw)
    rows = zip(torch.arange(clips).repeat(3).tolist(), label.tolist(), onset.tolist(), last.tolist(), strict=True)
    embeddings = 0.1 * torch.randn(clips, frames, dim, generator=draw)
    return embeddings.requires_grad_(), Events.of(rows).rasterise(clips, N_LABELS, frames, frames / 10)


def cost(a: Tensor, b: Tensor, positive: Tensor | bool, metric: str) -> Tensor:
    """Of pairs along the last axis, by the table of `wsed.losses.fpd.fpd`."""
    if metric == "ip":
        cosine = torch.cosine_similarity(a, b, dim=-1)
        near, far = (ALPHA - cosine).relu() + (1 - cosine).square(), (ALPHA + cosine).relu()
    else:
        similarity = 1 / (1 + torch.linalg.vector_norm(a - b, dim=-1))
        near, far = (1 - similarity).square(), (similarity - ALPHA).relu()
    return torch.where(positive, near, far) if isinstance(positive, Tensor) else near if positive else far


def double_loop(embeddings: Tensor, labels: Tensor, metric: str, pairs: list[list[int]]) -> Tensor:
    sets = [[frozenset(row.nonzero().flatten().tolist()) for row in clip] for clip in labels]
    frames = [clip.unbind() for clip in embeddings.unbind()]
    costs = []
    for i, j in pairs:
        for t, (one, other) in enumerate(zip(sets[i], sets[j], strict=True)):
            if one and other and (one == other or not one & other):
                costs.append(cost(frames[i][t], frames[j][t], one == other, metric))
    return torch.stack(costs).mean()


def categories(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Whether pairs of label sets are positive, and whether they are used."""
    heard = one.any(-1) & other.any(-1)
    positive = (one == other).all(-1)
    return positive, heard & (positive | ~(one & other).any(-1))


def pair_loop(embeddings: Tensor, labels: Tensor, metric: str) -> Tensor:
    clips, active = embeddings.unbind(), (labels > 0).unbind()
    total, count = torch.zeros(()), 0
    for i in range(len(clips)):
        for j in range(i):
            positive, used = categories(active[i], active[j])
            total = total + torch.where(used, cost(clips[i], clips[j], positive, metric), 0.0).sum()
            count += int(used.sum())
    return total / max(1, count)


def vectorised(embeddings: Tensor, labels: Tensor, metric: str) -> Tensor:
    i, j = torch.triu_indices(len(labels), len(labels), 1)
    positive, used = categories(labels[i] > 0, labels[j] > 0)
    found = cost(embeddings[i], embeddings[j], positive, metric)
    return torch.where(used, found, 0.0).sum() / used.sum().clamp(min=1)


def ours(embeddings: Tensor, labels: Tensor, metric: str) -> Tensor:
    return fpd(embeddings, labels, metric=metric, alpha=ALPHA, silence="ignore")


def step(form: Form, embeddings: Tensor, labels: Tensor, metric: str) -> None:
    form(embeddings, labels, metric).backward()


def best(call: Callable[[], None], embeddings: Tensor, share: float = 0.5) -> float:
    """Seconds of the fastest call in `share` seconds; short and long ones so meet the same disturbances."""
    end, found = time.perf_counter() + share, float("inf")
    while found == float("inf") or time.perf_counter() < end:
        embeddings.grad = None
        start = time.perf_counter()
        call()
        found = min(found, time.perf_counter() - start)
    return found


def compare(embeddings: Tensor, labels: Tensor, metric: str, rounds: int) -> None:
    """A table of one metric, and how far the results are from the naive form's in float64."""
    clips = len(labels)
    pairs = torch.triu_indices(clips, clips, 1).T
    some = pairs[:: max(1, len(pairs) // SOME)][:SOME].tolist()
    forms: dict[str, Form] = {
        "double loop": partial(double_loop, pairs=some),
        "loop over clip pairs": pair_loop,
        "naive vectorised": vectorised,
        "wsed": ours,
    }
    seconds = dict.fromkeys(forms, float("inf"))
    for _ in range(rounds):
        for name, form in forms.items():
            seconds[name] = min(seconds[name], best(partial(step, form, embeddings, labels, metric), embeddings))
    seconds["double loop"] *= len(pairs) / len(some)
    peaks = {}
    for name in list(forms)[1:]:
        embeddings.grad = None
        peaks[name] = allocated(partial(step, forms[name], embeddings, labels, metric))
    print(f"{metric:28}{'seconds':>10}{'wsed is':>12}{'peak MB':>10}{'wsed is':>12}")
    for name in forms:
        times = f"{seconds[name]:10.4f}{seconds[name] / seconds['wsed']:10.1f} x"
        memory = f"{peaks[name]:10.1f}{peaks[name] / peaks['wsed']:10.1f} x" if name in peaks else ""
        scaled = f" ({len(some)} of {len(pairs)})" if name == "double loop" else ""
        print(f"  {name + scaled:26}{times}{memory}")
    exact = embeddings.detach().double().requires_grad_()
    step(vectorised, exact, labels, metric)
    for name in list(forms)[1:]:
        embeddings.grad = None
        step(forms[name], embeddings, labels, metric)
        error = (embeddings.grad.double() - exact.grad).abs().max() / exact.grad.abs().max()
        print(f"  {name}: gradient within {error:.0e} of float64")


def alone(embeddings: Tensor, labels: Tensor, metric: str, rounds: int) -> None:
    """Time and memory of wsed's form."""
    call = partial(step, ours, embeddings, labels, metric)
    seconds = min(best(call, embeddings) for _ in range(rounds))
    embeddings.grad = None
    print(f"{metric}: wsed {seconds:.4f} s, peak {allocated(call):.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--frames", type=int, default=628)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--alone", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    keep_freed_memory()
    embeddings, labels = made(args.clips, args.frames, args.dim)
    found = frame_categories(labels, torch.ones(labels.shape[:2], dtype=torch.bool))
    total = args.frames * args.clips * (args.clips - 1) // 2
    used, positive = int((found != 0).sum()) / total, int((found == 1).sum()) / total
    told = f"{used:.0%} of {total} frame pairs used, {positive:.1%} positive"
    print(f"{args.clips} clips, {args.frames} frames, {args.dim} dims, {args.threads} threads; {told}")
    if not args.alone:
        print("asked: 50 x the double loop, 3 x the naive form's time and 10 x its memory; forward and backward")
    for metric in ("euclidean", "ip"):
        (alone if args.alone else compare)(embeddings, labels, metric, args.rounds)


if __name__ == "__main__":
    main()
