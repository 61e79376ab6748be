"""Initial weights."""

import pytest
import torch
from torch import nn

from wsed.models.init import keras_init


@pytest.fixture
def threads():
    """Restores the number of threads."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_recurrent_matrices_are_orthogonal_and_the_same_with_any_number_of_threads():
    drawn = []
    for number in (1, 2):
        torch.set_num_threads(number)
        gru = nn.GRU(8, 64)
        torch.manual_seed(0)
        keras_init(gru)
        drawn.append(gru.weight_hh_l0.detach().clone())
    assert torch.equal(*drawn)
    for gate in drawn[0].chunk(3):
        torch.testing.assert_close(gate @ gate.T, torch.eye(64))
        assert (gate != gate.T).any()
    torch.manual_seed(0)
    for _ in range(3):  # the gates of the other matrix are drawn first
        nn.init.xavier_uniform_(torch.empty(64, 8))
    reference = nn.init.orthogonal_(torch.empty(64, 64))
    torch.testing.assert_close(drawn[0][:64], reference, atol=1e-5, rtol=0)
