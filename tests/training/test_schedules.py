"""Learning rates by epoch."""

import pytest
import torch

from wsed import WsedError
from wsed.training.schedules import Piecewise, WarmUp


def test_rates_hold_from_their_epoch_on():
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=0.7)
    schedule = Piecewise(optimizer, {0: 1e-3, 2: 5e-4, 5: 1e-4})
    seen = []
    for _ in range(7):
        seen.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert seen == pytest.approx([1e-3, 1e-3, 5e-4, 5e-4, 5e-4, 1e-4, 1e-4])


@pytest.mark.parametrize("rates", [{}, {1: 1e-3}, {0: 0.0}])
def test_rates_that_mean_nothing_are_refused(rates):
    with pytest.raises(WsedError, match="start at epoch 0"):
        Piecewise(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1), rates)


@pytest.mark.parametrize("earlier_version", [False, True])
def test_a_resumed_training_takes_its_own_settings(earlier_version):
    def schedule(**settings):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        return optimizer, WarmUp(optimizer, **settings)

    optimizer, first = schedule(warmup=2, steps=4)
    for _ in range(4):
        optimizer.step()
        first.step()
    assert first.get_last_lr() == [0.0]
    state = first.state_dict()
    if earlier_version:  # which saved the settings too
        state |= {"warmup": 2, "steps": 4, "shape": "cosine", "last": 0.0}
    optimizer, longer = schedule(warmup=1, steps=8, shape="falling", last=0.5)
    longer.load_state_dict(state)
    assert longer.last_epoch == 4
    optimizer.step()
    longer.step()
    assert longer.get_last_lr() == pytest.approx([0.5 ** (4 / 7)])
