"""What processes of a training agree on, and what each has for itself."""

from pathlib import Path

import pytest
import torch

from tests.distributed.ranks import run
from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.same import check_same
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
            check_same(ClipTable.of(clips, Labels(["Dog"])), "train")
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
