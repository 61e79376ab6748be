"""Scores and truth of many clips, collected without a Python object per clip."""

import os
import sys
import time
from contextlib import suppress
from dataclasses import replace

import pytest
import torch

from tests.distributed.ranks import run
from wsed import WsedError, testing
from wsed.ops.reduce import from_first
from wsed.scoring import collect
from wsed.scoring.collect import Collector
from wsed.types import Batch, Events, Labels, Output

N_CLIPS = 7


def some(index):
    """Clips of a batch of 7, with what a network says of them."""
    batch = testing.batch(N_CLIPS, 3)
    return testing.take_output(testing.output(batch, 12, seed=5), index), testing.take(batch, index)


def part(rank, ranks, folder=None, empty=(), left=()):
    """What `first` returns on this rank; a clip comes twice, and clips are collected in another order than by name."""
    collector = Collector()
    index = torch.arange(N_CLIPS)[rank::ranks].flip(0)
    for each in () if rank in empty else (index[:1], index):
        collector.update(*some(each), 8000)
    if folder is None:
        gathered = collector.gather()
    else:
        place = folder if folder.name == "shared" else folder / str(rank)
        gathered = collector.first(place)
        assert not len(collector)
        if gathered is not None:
            assert [path.name for path in place.glob("*")] == list(left)
    return None if gathered is None else plain(*gathered)


def plain(scores, truth):
    """Plain values; a sigmoid of another number of clips is rounded differently."""
    columns = {name: value for name, value in vars(scores).items() if isinstance(value, torch.Tensor)}
    tensors = {name: value.double().round(decimals=6).tolist() for name, value in columns.items()}
    known = {name: getattr(truth, name).tolist() for name in ("tags", "tagged", "timed")}
    events = sorted(zip(*(column.tolist() for column in vars(truth.events).values()), strict=True))
    return tuple(scores.clip_ids), scores.frame_rate, tensors, known, events


class Part:
    """Can be sent to other processes."""

    def __init__(self, *args):
        self.args = args

    def __call__(self, rank, ranks):
        return part(rank, ranks, *self.args)


@pytest.mark.parametrize("place", ["shared", "apart"])
def test_only_the_first_rank_gets_the_clips_of_all(tmp_path, place):
    one = part(0, 1)
    assert one[0] == tuple(f"clip_{i}.wav" for i in range(N_CLIPS))
    assert part(0, 1, tmp_path / "none") == one
    assert not (tmp_path / "none").exists()
    assert run(Part(tmp_path / place)) == [one, None]
    alone, nothing = run(Part(tmp_path / place, (0,)))  # rank 0 has no clips
    assert alone[0] == one[0][1::2]
    assert nothing is None
    assert run(Part(tmp_path / place, (0, 1)))[0][0] == ()


class Killed(BaseException):
    """The end of a job."""


class BesideAnother(Part):
    """What `first` returns if another job writes its parts into the same folder, and is killed before it joins them."""

    def __call__(self, rank, ranks):
        write, read = collect.write_part, collect.read_part

        def killed(_):
            raise Killed

        def write_both(path, mine):
            write(path, mine)
            collect.write_part, collect.read_part = write, killed
            other = Collector()
            other.update(*some(torch.arange(1)), 8000)
            with suppress(Killed):
                other.first(*self.args)
            collect.read_part = read

        collect.write_part = write_both
        collector = Collector()
        collector.update(*some(torch.arange(N_CLIPS)[rank::ranks]), 8000)
        try:
            gathered = collector.first(*self.args)
        finally:
            collect.write_part, collect.read_part = write, read
        return None if gathered is None else plain(*gathered)


def test_jobs_in_one_folder_do_not_mix_their_scores(tmp_path):
    folder = tmp_path / "shared"
    assert run(BesideAnother(folder)) == [part(0, 1), None]
    (left,) = folder.iterdir()  # of the job that was killed
    assert sorted(path.name for path in left.iterdir()) == ["rank_0.pt", "rank_1.pt"]
    assert run(Part(folder, (), [left.name])) == [part(0, 1), None]  # it may still run
    yesterday = time.time() - collect.OLD - 60
    os.utime(left, (yesterday, yesterday))
    assert run(Part(folder)) == [part(0, 1), None]


def fails(rank, ranks):
    def compute():
        raise WsedError("decoder.threshold: no such class")

    try:
        return from_first(compute)
    except WsedError as error:
        return str(error), from_first(lambda: rank + 5)


def test_an_error_of_the_first_rank_ends_all():
    message = "decoder.threshold: no such class"
    assert run(fails) == [(message, 5), (f"process 0: {message}", 5)]


def test_no_python_object_is_kept_per_clip(monkeypatch):
    monkeypatch.setattr(collect, "AT_ONCE", 10)
    labels, size, batches = Labels("abc"), 200, 100
    none = torch.zeros(size, len(labels), dtype=torch.bool)
    batch = Batch(
        audio=None, n_samples=torch.full((size,), 8000), clip_labels=torch.zeros(size, len(labels)), tagged=~none,
        events=Events.of([]), timed=none, source=torch.zeros(size, dtype=torch.long), sources=("weak",),
        clip_ids=("",) * size,
    )  # fmt: skip
    collector = Collector()
    before = sys.getallocatedblocks()
    for i in range(batches):
        names = tuple(f"clip_{i * size + k:06}.wav" for k in range(size))
        collector.update(Output(clip_logits=torch.zeros(size, len(labels))), replace(batch, clip_ids=names), 8000)
    del names
    kept = sys.getallocatedblocks() - before
    scores, truth = collector.gather()
    collector.reset()
    gathered = sys.getallocatedblocks() - before
    assert len(scores) == len(truth) == size * batches
    assert scores.clip_ids[size] == f"clip_{size:06}.wav"
    print(kept, gathered, "objects of", size * batches, "clips")
    assert kept < 0.1 * size * batches
    assert gathered < 0.05 * size * batches
