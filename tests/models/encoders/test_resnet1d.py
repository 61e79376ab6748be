"""The residual network of M&mnet: depths, layout and starting weights."""

from functools import partial

import lightning.pytorch  # noqa: F401  here: its log handler keeps the stderr it finds, which must not be a test's own
import pytest
import torch
from torch.nn import functional as nnf

import wsed
from wsed import testing
from wsed.models.encoders.resnet1d import ResNet1d
from wsed.models.frontends import LogMel
from wsed.models.heads.macro import Macro
from wsed.models.mmnet import MMNet

LABELS = wsed.Labels("abc")


SMALL = partial(ResNet1d, channels=(8, 12, 10))


def test_depths_are_what_they_are_called():
    for depth, layers in ((12, 12), (28, 28), (50, 50), (8, 6)):
        encoder, macro = ResNet1d(16, depth, (8, 12, 10)), Macro(10, 3, hidden=7)
        found = [p for m in (encoder.stages, macro) for p in m.parameters() if p.dim() > 1]
        assert len(found) == layers
    assert len([p for p in encoder.parameters() if p.dim() > 1]) == 4  # of the ConvNet; with the classifier's 3, 7


def test_ten_seconds_are_the_papers_segments(golden):
    frames = golden("param_counts")["frames"]["mmnet"]
    frontend = LogMel(frames["sr"], 2048, frames["hop"], 128, 0.0, log_offset=1e-4)
    system = MMNet(LABELS, partial(ResNet1d, pyramid=True), frontend=frontend).eval()
    with torch.no_grad():
        output = system(testing.batch(2, 3, seconds=10.0, sample_rate=frames["sr"]))
    assert output.frame_logits.shape == (2, frames["segments_after_two_pool4"], 3)
    assert 1 / output.frame_rate == pytest.approx(frames["segment_s"], abs=1e-3)
    assert [level.frame_logits.shape[1] for level in output.levels] == [897, 224, 224, 896]
    rates = [level.frame_rate * frames["hop"] / frames["sr"] for level in output.levels]
    assert rates == pytest.approx([1, 0.25, 0.25, 1])


def normed(x, norm):
    return nnf.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)


def test_the_encoder_is_what_the_paper_lays_out():
    torch.manual_seed(0)
    encoder = SMALL(16).eval()
    for module in encoder.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.normal_(module.weight)
    features = torch.randn(2, 16, 48)

    def conv(x, layer):
        return nnf.conv1d(x, layer.weight, layer.bias, padding=layer.weight.shape[2] // 2)

    x = conv(normed(features, encoder.start), encoder.conv)
    for i, (block,) in enumerate(encoder.stages):
        x = nnf.max_pool1d(x, 4) if i else x
        inner = conv(normed(x, block.norm_1), block.conv_1)  # no ReLU after the first batch norm
        inner = conv(normed(inner, block.norm_2).relu(), block.conv_2)
        x = normed(inner, block.norm_3) + conv(x, block.skip)
    expected = normed(x, encoder.end).relu().transpose(1, 2)
    torch.testing.assert_close(encoder(features, torch.ones(2, 48, dtype=torch.bool)).frames, expected)
    assert encoder.stride == 16


@pytest.mark.parametrize("depth", [8, 12, 28])
@pytest.mark.parametrize("pools", [(4, 4), (2, 3)])
def test_encoder_contract(depth, pools):
    testing.check_encoder(partial(SMALL, depth=depth, pools=pools), n_bands=16)


def test_starting_weights_are_hes():
    encoder = ResNet1d(128)
    conv = encoder.stages[2][0].conv_1
    assert conv.weight.std().item() == pytest.approx((2 / (3 * 384)) ** 0.5, rel=0.02)
    assert conv.bias.abs().max() == 0
