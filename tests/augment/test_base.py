"""The kind `augment`: its contract, composition, and the order of levels."""

from dataclasses import replace

import pytest
import torch

import wsed
from wsed import WsedError, testing
from wsed.augment import Mixup, Noise
from wsed.augment.base import Augment, Compose, Unchanged, augmented
from wsed.augment.draws import uniform
from wsed.registry import registry


class Louder(Augment):
    def forward(self, batch, generator):
        factor = uniform((len(batch), 1), 1, 2, generator)
        return replace(batch, audio=factor * batch.audio)


class Doubled(Louder):
    level = "features"

    def forward(self, batch, generator):
        factor = uniform((len(batch), 1, 1), 1, 2, generator)
        return replace(batch, features=factor * batch.features)


def test_the_contract_holds_for_both_levels_and_for_compositions():
    for augment in (Louder(), Doubled(), Compose([Louder(), Compose([Louder()])])):
        testing.check_augment(augment)


def test_draws_that_differ_between_processes_break_the_contract():
    class Alone(Louder):
        def forward(self, batch, generator):
            return replace(batch, audio=torch.rand(len(batch), 1, generator=generator) * batch.audio)

    with pytest.raises(AssertionError, match="processes draw what one draws"):
        testing.check_augment(Alone())


@pytest.mark.parametrize("augment", [Mixup(), Noise()])
def test_what_depends_on_the_length_of_the_batch_must_say_so(augment):
    augment.joint = False
    with pytest.raises(AssertionError, match="joint"):
        testing.check_augment(augment)


def test_a_composition_is_of_one_level():
    assert Compose([Doubled(), Doubled()]).level == "features"
    with pytest.raises(WsedError, match="of audio and features"):
        Compose([Louder(), Doubled()])
    with pytest.raises(WsedError, match="there are none"):
        Compose([])


def test_audio_comes_before_features():
    batch, seen = testing.batch(), []

    def raw(audio, n_samples):
        seen.append(audio)
        return audio[:, None, ::80], torch.ones(len(audio), 100, dtype=torch.bool)

    generator = torch.Generator().manual_seed(0)
    result = augmented(batch, [Doubled(), Louder()], generator, raw)
    assert torch.equal(seen[0], result.audio)
    assert not torch.equal(result.audio, batch.audio)
    assert result.features.shape == (4, 1, 100)
    assert batch.features is None
    with pytest.raises(WsedError, match="Doubled: it changes features"):
        augmented(batch, [Doubled()], generator)
    cached = replace(batch, audio=None, features=torch.rand(4, 2, 10))
    assert augmented(cached, [Doubled()], generator).features is not cached.features
    with pytest.raises(WsedError, match="Louder: it changes the audio, but the batch holds cached features"):
        augmented(cached, [Louder()], generator)
    with pytest.raises(WsedError, match="holds features for earlier augmentations"):  # as views do
        augmented(result, [Louder()], generator)


def broken(change, level="audio"):
    class Broken(Augment):
        def forward(self, batch, generator):
            return change(batch, torch.rand(1, generator=generator))

    Broken.level = level
    return Broken()


def shifted(batch, drawn):
    by = int(2000 * (drawn + 1))
    return replace(batch, audio=batch.audio.roll(by, 1))


def in_place(batch, drawn):
    batch.audio.mul_(drawn)
    return batch


def shorter(batch, drawn):
    return replace(batch, audio=batch.audio * drawn, n_samples=batch.n_samples // 2)


def of_no_tag(batch, drawn):
    return replace(batch, audio=batch.audio * (1 + drawn), clip_labels=torch.zeros_like(batch.clip_labels))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shifted, "labels are not where the sound is"),
        (in_place, "must not change its input"),
        (lambda batch, drawn: replace(batch, audio=batch.audio * torch.rand(1)), "same generator"),
        (lambda batch, drawn: batch, "changes nothing"),
        (lambda batch, drawn: replace(batch, audio=batch.audio * 2), "follow the generator"),
        (shorter, "full batch|within their clips"),
        (of_no_tag, "is a tag of the clip"),
        (lambda batch, drawn: replace(batch, features=drawn.expand(4, 2, 3)), "changes the features"),
    ],
)
def test_the_contract_notices(change, message):
    with pytest.raises(AssertionError, match=message):
        testing.check_augment(broken(change))


def test_what_changes_nothing_may_say_so():
    testing.check_augment(Unchanged(), changes=False)


@pytest.mark.parametrize("name", sorted({*wsed.components("augment")} - {"compose"}))
def test_the_docstring_names_the_source_of_the_defaults(name):
    assert "\n    Source: " in registry("augment")[name].__doc__
