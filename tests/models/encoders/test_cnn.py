"""The convolutional encoder in the sizes of several papers."""

from functools import partial

import pytest

import wsed
from wsed import WsedError
from wsed.models.encoders.cnn import CNN
from wsed.models.heads.tagging import Tagging
from wsed.models.network import Composed

SIZES = {"channels": 160, "kernels": [5, 5, 3], "dropout": 0.0}
"""Of the encoder in `experiments/fpd`."""


def test_the_encoder_is_of_the_size_recommended(golden):
    sizes = golden("param_counts")["fpd_assumed_encoder_160"]
    encoder = CNN(128, **SIZES)
    assert sum(p.numel() for p in encoder.parameters()) == sizes["conv_bn"]
    assert (encoder.dim, CNN(64, **SIZES).dim) == (sizes["dim_128_mels"], sizes["dim_64_mels"])
    assert [block.conv.kernel_size[0] for block in encoder.blocks] == [5, 5, 3]
    assert encoder.stride == 1


def test_kernels_that_cannot_work_are_refused():
    with pytest.raises(WsedError, match="must be odd"):
        CNN(64, kernels=[5, 4, 3])
    with pytest.raises(WsedError, match="3 kernels for 2 pools"):
        CNN(64, channels=8, kernels=[5, 5, 3], pools=[(1, 4), (1, 4)])
    assert CNN(64, channels=8, pools=[(1, 4), (1, 4)]).dim == 8 * 4


TEN = wsed.Labels([f"class_{i}" for i in range(10)])


def count(network):
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


NOTEBOOK = {"channels": [64, 128, 256], "pools": [(2, 4), (1, 4), (1, 4)]}
"""The larger tagging network, of the authors' notebook."""


@pytest.mark.parametrize(
    ("sizes", "name", "stride"), [({}, "paper_64_64_64", 1), (NOTEBOOK, "notebook_64_128_256", 2)], ids=str
)
def test_parameter_counts_of_the_tagging_network(golden, sizes, name, stride):
    network = Composed(TEN, partial(CNN, **sizes), Tagging)
    assert count(network) == golden("param_counts")["cosine_at"][name]
    assert network.encoder.stride == stride


def test_channels_and_pools_of_the_cnn_can_be_set():
    assert CNN(64, channels=8).dim == 8
    wide = CNN(128, channels=[4, 6], pools=[(2, 4), (2, 4)])
    assert (wide.dim, wide.stride) == (6 * 8, 4)
    with pytest.raises(WsedError, match="2 channels for 3 pools"):
        CNN(64, channels=[4, 6])
    with pytest.raises(WsedError, match="leave nothing of 8 bands"):
        CNN(8)
    with pytest.raises(WsedError, match="pairs of 1 or more"):
        CNN(64, pools=[(0, 4)])
