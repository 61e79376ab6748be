"""Mixes of clips."""

from dataclasses import replace

import pytest
import torch

from wsed import WsedError, testing
from wsed.augment.draws import beta
from wsed.augment.mixup import Mixup, mixed_labels, mixed_signal
from wsed.augment.partners import partners
from wsed.types import Events


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def two():
    """Clip 0 has class 0 from 0 to 0.5 s, clip 1 class 1 from 0.5 to 1 s and class 0 from 0.25 to 0.75 s."""
    of = testing.batch(n_clips=2, n_labels=3)
    events = Events.of([(0, 0, 0.0, 0.5), (1, 1, 0.5, 1.0), (1, 0, 0.25, 0.75)])
    tags = torch.tensor([[1.0, 0, 0], [1, 1, 0]])
    known = torch.ones(2, 3, dtype=torch.bool)
    return replace(of, n_samples=torch.tensor([8000, 8000]), events=events, clip_labels=tags, tagged=known, timed=known)


def mix(of, other, share, labels):
    """The mix of given clips in given shares, without random draws."""
    labels = mixed_labels(of, of, other, share, labels)
    return replace(labels, audio=mixed_signal(of.audio, of.audio[other], share))


def test_sound_tags_and_events_are_mixed_in_the_same_shares():
    of = two()
    share = torch.tensor([0.75, 1.0])
    mixed = mix(of, torch.tensor([1, 0]), share, "soft")
    torch.testing.assert_close(mixed.audio[0], 0.75 * of.audio[0] + 0.25 * of.audio[1])
    assert torch.equal(mixed.audio[1], of.audio[1])
    assert mixed.clip_labels.tolist() == [[1.0, 0.25, 0.0], [1.0, 1.0, 0.0]]
    frames = mixed.frame_labels(4, 4.0)
    assert frames[0, :, 0].tolist() == [0.75, 1.0, 0.25, 0.0]  # both have it in the second quarter
    assert frames[0, :, 1].tolist() == [0.0, 0.0, 0.25, 0.25]
    assert torch.equal(frames[1], of.frame_labels(4, 4.0)[1])


def test_hard_labels_are_those_of_both_clips():
    mixed = mix(two(), torch.tensor([1, 0]), torch.tensor([0.75, 0.6]), "hard")
    assert mixed.clip_labels.tolist() == [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]]
    assert mixed.frame_labels(4, 4.0)[0, :, 0].tolist() == [1.0, 1.0, 1.0, 0.0]


def test_what_one_clip_does_not_know_the_mix_does_not_know():
    of = two()
    tagged = torch.tensor([[True, True, True], [True, False, False]])
    timed = torch.tensor([[True, True, True], [False, True, True]])
    of = replace(of, tagged=tagged, timed=timed)
    soft = mix(of, torch.tensor([1, 0]), torch.tensor([0.75, 1.0]), "soft")
    assert soft.tagged.tolist() == [[True, False, False], [True, False, False]]
    assert soft.timed.tolist() == [[False, True, True], [False, True, True]]
    of = replace(of, clip_labels=torch.tensor([[1.0, 1, 0], [0, 0, 0]]))
    hard = mix(of, torch.tensor([1, 0]), torch.tensor([0.75, 1.0]), "hard")
    assert hard.tagged[0].tolist() == [True, True, False]  # one clip has class 1 for certain: so has the mix


def test_a_shorter_clip_mixed_with_a_longer_one_is_as_long():
    of = replace(two(), n_samples=torch.tensor([4000, 8000]))
    assert mix(of, torch.tensor([1, 0]), torch.tensor([0.75, 1.0]), "soft").n_samples.tolist() == [8000, 8000]


def test_features_are_mixed_where_that_is_asked():
    of = replace(two(), features=torch.rand(2, 4, 10))
    mixed = Mixup(p=1.0, on="features")(of, seeded())
    assert torch.equal(mixed.audio, of.audio)
    assert not torch.equal(mixed.features, of.features)


def test_each_clip_is_the_partner_of_one_and_of_another_clip_of_its_group():
    group = torch.arange(30) % 4
    other = torch.from_numpy(partners(30, seeded(), group.numpy()).place)
    assert sorted(other.tolist()) == list(range(30))
    assert torch.equal(group[other], group)
    assert (other != torch.arange(30)).all()


def test_within_a_source_no_other_source_is_heard():
    of = testing.batch(n_clips=8)
    quiet = replace(of, audio=torch.where((of.source == 0)[:, None], 0.0, of.audio))
    assert not Mixup(p=1.0, within_source=True)(quiet, seeded()).audio[of.source == 0].any()
    assert Mixup(p=1.0)(quiet, seeded()).audio[of.source == 0].any()


def test_draws_have_the_moments_of_the_beta_distribution():
    for alpha in (0.2, 1.0):
        draws = beta(20000, alpha, seeded())
        assert draws.mean() == pytest.approx(0.5, abs=0.01)
        assert draws.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), abs=0.005)


@pytest.mark.parametrize(("settings", "message"), [({"alpha": 2.0}, "alpha must be"), ({"p": 1.5}, "p is a prob")])
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(WsedError, match=message):
        Mixup(**settings)
