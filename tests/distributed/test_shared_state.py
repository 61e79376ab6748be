"""What processes of a training agree on, and what each has for itself."""

from pathlib import Path

import pytest
import torch

from tests.distributed.ranks import run
from wsed.data import same
from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.reading.base import Reader
from wsed.data.reading.files import Files
from wsed.data.same import SOUNDS, check_same
from wsed.errors import WsedError
from wsed.training.mean import Mean
from wsed.training.random_state import random_state, seed_rank, set_random_state
from wsed.types import Labels


def agreed(rank, ranks):
    """What is said of other clips, a mean of two batches, and the first random numbers of each."""
    said = []
    for more in (0, rank):
        clips = [Clip(str(i), Path(str(i)), "weak", frozenset({"Dog"})) for i in range(2 + more)]
        try:
            check_same(ClipTable.of(clips, Labels(["Dog"])), "train", Files())
        except WsedError as error:
            said.append(str(error))
    mean = Mean()
    mean.update(torch.tensor(1.0 + 2 * rank), 3)
    mean.update(torch.tensor(4.0), torch.tensor(1.0))
    torch.manual_seed(5)
    seed_rank(rank)
    return said, float(mean.compute()), torch.rand(3).tolist()


def test_two_processes():
    (said, mean, first), (other_said, other_mean, second) = run(agreed)
    assert said == other_said
    assert len(said) == 1
    assert "train: process 1 sees other clips or labels (3 clips) than process 0 (2 clips)" in said[0]
    assert mean == other_mean == pytest.approx((2 * 3 + 4) / 4)
    torch.manual_seed(5)
    assert first == torch.rand(3).tolist()  # process 0 draws what one process draws
    assert first != second


class Heard(Reader):
    """Gives another sound for one clip in process 1, and counts the clips that are asked for."""

    def __init__(self, rank, other):
        self.rank, self.other, self.asked = rank, other, 0

    def open(self, table, sample_rate, network=None):
        raise NotImplementedError

    def prints(self, clips):
        self.asked += len(clips)
        if self.other == "unreadable pack" and self.rank == 1:
            raise WsedError("there is no pack")
        return ["other" if clip.id == self.other and self.rank == 1 else "same" for clip in clips]


def heard(rank, ranks):
    """The errors for a large table if process 1 reads another sound, and how many clips were compared."""
    clips = [Clip(str(i), Path(str(i)), "weak", frozenset({"Dog"})) for i in range(1000)]
    table, said = ClipTable.of(clips, Labels(["Dog"])), []
    for other in ("none", "999", "unreadable pack"):
        reader = Heard(rank, other)
        try:
            check_same(table, "train", reader)
        except WsedError as error:
            said.append(str(error))
    return said, reader.asked


def test_a_process_that_reads_another_sound_under_the_same_names_is_named():
    (said, asked), (other_said, _) = run(heard)
    assert said[0].startswith("train: process 1 reads another sound for clip 999 (other) than process 0 (same)")
    assert (said[1], other_said) == ("process 1: there is no pack", [said[0], "there is no pack"])
    assert asked == SOUNDS


def test_names_that_the_checksum_leaves_out_may_differ_too(monkeypatch):
    tables = [
        ClipTable.of(
            [Clip(f"{'x' * (i % 2 * mark)}{i}", Path(str(i)), "weak", frozenset()) for i in range(90)], Labels(["Dog"])
        )
        for mark in (0, 1)
    ]
    monkeypatch.setattr(same, "NAMES", 45)
    assert same.checksum(tables[0]) == same.checksum(tables[1])
    seen = [same._Seen.of(table, Heard(0, "none")) for table in tables]
    assert seen[0].sounds.keys() != seen[1].sounds.keys()
    monkeypatch.setattr(same, "world_size", lambda: 2)
    monkeypatch.setattr(same, "on_all", lambda do: do())
    monkeypatch.setattr(same.dist, "all_gather_object", lambda gathered, mine: gathered.__setitem__(slice(None), seen))
    with pytest.raises(WsedError, match=r"process 1 sees other clips or labels \(90 clips\) than process 0"):
        check_same(tables[0], "train", Heard(0, "none"))


def test_all_generators_are_kept():
    import random

    import numpy as np

    def draws():
        return [random.random(), random.gauss(0, 1), np.random.rand(), np.random.randn(), float(torch.rand(()))]

    draws()
    state = random_state(torch.device("cpu"))
    before = draws()
    draws()
    set_random_state(state, torch.device("cpu"))
    assert draws() == before
