"""Augmentations of features: masks, filters, warps and styles."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from wsed import WsedError, testing
from wsed.augment.filter_augment import FilterAugment
from wsed.augment.frequency_warp import FrequencyWarp, between, neighbours
from wsed.augment.mixstyle import MixStyle, restyle
from wsed.augment.spec_masks import SpecAugment, covered


def features(*, n_clips=4, n_bands=64, n_frames=40):
    draw = torch.Generator().manual_seed(1)
    return replace(testing.batch(n_clips=n_clips), features=torch.randn(n_clips, n_bands, n_frames, generator=draw))


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_masks_hide_whole_bands_and_whole_frames_behind_the_mean():
    of = features()
    result = SpecAugment(p=1.0)(of, seeded()).features
    hidden = result != of.features
    bands, frames = hidden.all(2), hidden.all(1)
    assert torch.equal(hidden, bands[:, :, None] | frames[:, None])
    assert bands.float().mean() <= 0.2
    assert frames.float().mean() <= 0.11
    ends = (24, 40)  # the last clip is shorter
    mean = torch.stack([f[:, : ends[i < 3]].mean() for i, f in enumerate(of.features)])
    torch.testing.assert_close(result[hidden], mean[:, None, None].expand_as(result)[hidden])


def test_a_mask_is_one_stretch_of_at_most_its_length_anywhere():
    hidden = covered(50, np.full(2000, 50), 0.2, *np.random.default_rng(0).random((2, 2000, 1), dtype=np.float32))
    assert hidden.sum(1).max() <= 10
    assert (np.diff(hidden.astype(int), axis=1) == 1).sum(1).max() <= 1
    assert hidden.any(0).all()


def test_a_short_clip_is_masked_like_a_long_one():
    """A tenth of its own frames, not of the batch's: that could be the whole clip."""
    lengths = np.repeat([50, 10], 1000)
    hidden = covered(50, lengths, 0.2, *np.random.default_rng(0).random((2, 2000, 1), dtype=np.float32))
    assert not hidden[1000:, 10:].any()
    assert hidden[1000:].sum(1).max() <= 2
    assert hidden[1000:, :10].any(0).all()


def test_steps_are_constant_within_ranges_of_at_least_their_width():
    of = features(n_clips=50)
    gain = (FilterAugment(p=1.0)(of, seeded()).features - of.features)[:, :, 0]
    for curve in gain:
        ranges = (curve.diff().abs() > 1e-4).nonzero()[:, 0].tolist()
        edges = [-1, *ranges, 63]
        widths = [b - a for a, b in pairwise(edges)]
        assert 3 <= len(widths) <= 6
        assert min(widths) >= 6
        assert curve.abs().max() <= 6


def test_lines_have_no_steps():
    of = features(n_clips=20)
    gain = (FilterAugment("linear", p=1.0)(of, seeded()).features - of.features)[:, :, 0]
    assert gain.diff(dim=1).abs().max() <= 12 / 5 + 1e-4  # the steepest line: from -6 to 6 over six bands
    assert gain.abs().max() <= 6


def test_a_filter_needs_enough_bands():
    with pytest.raises(WsedError, match="need 36 bands, but the frontend has 16"):
        FilterAugment()(features(n_bands=16), seeded())


def test_a_warp_keeps_its_centre_and_what_is_not_chosen():
    ramp = torch.arange(10.0).view(1, 10, 1)
    warped = between(ramp, *map(torch.from_numpy, neighbours(10, np.float32([[1.5]]), np.float32([[4.0]])))).flatten()
    assert warped[4] == 4
    assert warped[5] == 5.5
    assert warped.max() == 9
    of = features()
    assert torch.equal(FrequencyWarp(p=0.0)(of, seeded()).features, of.features)


def test_a_style_is_that_of_the_other_clip():
    of = features().features * torch.tensor([1.0, 2, 3, 4])[:, None, None] + 5
    other = torch.tensor([1, 2, 3, 0])
    styled = restyle(of, torch.zeros(4), torch.ones(4, 40, dtype=torch.bool), other)
    torch.testing.assert_close(styled, restyle(of, torch.zeros(4), None, other))
    torch.testing.assert_close(styled.mean(2), of.mean(2)[other], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(styled.std(2), of.std(2)[other], atol=1e-4, rtol=1e-4)
    assert torch.equal(MixStyle(p=0.0)(replace(testing.batch(), features=of), seeded()).features, of)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SpecAugment(time=1.5), "time is a share"),
        (lambda: SpecAugment(time_masks=0, band_masks=0), "one of them above 0"),
        (lambda: FilterAugment(least=5, most=3), "least and most"),
        (lambda: FilterAugment("steps"), "unknown kind 'steps'|kind"),
        (lambda: FrequencyWarp(most=1.0), "between 0 and 1"),
        (lambda: MixStyle(alpha=0.0), "alpha must be"),
    ],
)
def test_settings_out_of_range_are_refused(make, message):
    with pytest.raises(WsedError, match=message):
        make()
