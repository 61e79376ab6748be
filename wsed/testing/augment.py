"""The contract of augmentations."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wsed.augment.base import Augment
from wsed.augment.draws import Draws
from wsed.ops.clips import take
from wsed.testing.inputs import tensors
from wsed.testing.ranks import in_ranks
from wsed.types import Batch, Events

RATE, N_FRAMES = 8000.0, 100
"""Sample rate of the audio in Hz, and number of frames of the features; clips last 2 s."""


def check_augment(augment: Augment, changes: bool = True) -> None:
    """Check that an augmentation keeps labels and sound together, depends only on its generator, and copies its input.

    Two processes draw what one draws for the same clips.

    Args:
        augment: an augmentation of any level.
        changes: whether it changes batches.

    Raises:
        AssertionError: a rule is broken; the message names it.

    >>> from wsed.augment.base import Unchanged
    >>> check_augment(Unchanged(), changes=False)
    """
    augment.prepare(round(RATE), _noise)
    inputs = _events_that_sound(augment)
    before = {name: value.clone() for name, value in _tensors(inputs).items()}
    results = [augment(inputs, torch.Generator().manual_seed(seed)) for seed in range(8)]
    unchanged = all(torch.equal(_tensors(inputs)[name], value) for name, value in before.items())
    assert unchanged, "an augmentation must not change its input: return a new batch"
    again = augment(inputs, torch.Generator().manual_seed(3))
    assert _equal(again, results[3]), "the same generator must give the same batch: use no other random numbers"
    moved = [name for name in ("audio", "features") if any(_differs(name, inputs, result) for result in results)]
    other = {"audio": "features", "features": "audio"}[augment.level]
    assert other not in moved, f"its level is {augment.level}, but it changes the {other}"
    assert moved or not changes, "it changes nothing"
    assert not changes or not all(_equal(results[0], result) for result in results), "draws follow the generator"
    for result in results:
        _check_batch(inputs, result)
        kept = torch.equal(result.clip_labels, inputs.clip_labels)
        kept &= torch.equal(result.events.onset, inputs.events.onset)
        assert kept or augment.moves_labels, "it moves labels: set moves_labels"
    for rate in (5.0, 12.5, 50.0):
        _check_labels(results, rate, augment.level)
    _check_ranks(augment, inputs)


def _check_ranks(augment: Augment, inputs: Batch) -> None:
    """Check that two processes, of which one has shorter clips, draw what one draws."""
    for whole in (inputs, _shortened(inputs)):
        expected = augment(whole, Draws.of("cpu", 3))
        clips = [torch.arange(rank, len(whole), 2) for rank in range(2)]

        def one(rank: int, ranks: int, whole: Batch = whole, clips: list[Tensor] = clips) -> Batch:
            part = take(whole, clips[rank])
            result: Batch = augment(part if augment.joint else _cut(part), Draws.of("cpu", 3, rank, ranks))
            return result

        for mine, part in zip(clips, in_ranks(one), strict=True):
            alike = _equal if whole is inputs else _close  # means over padded and unpadded rows round differently
            same = alike(_sorted(_cut(part)), _sorted(_cut(take(expected, mine))))
            assert same, (
                "processes draw what one draws: draw with `wsed.augment.draws.per_clip`; take other clips from "
                "`wsed.augment.partners`; set joint if anything depends on the length of the batch"
            )


def _shortened(inputs: Batch) -> Batch:
    """The batch, of which every second clip is only half as long."""
    short = torch.arange(len(inputs)) % 2 == 1
    n_samples = torch.where(short, inputs.n_samples // 2, inputs.n_samples)
    events = inputs.events
    ends = n_samples[events.clip].double() / RATE
    clip, label, onset, offset, gain, group = events.columns
    events = Events(clip, label, onset, torch.minimum(offset, ends), gain, group)

    def cut(signal: Tensor) -> Tensor:
        last = n_samples.double() * signal.shape[-1] / inputs.samples().shape[1]
        place = torch.arange(signal.shape[-1]) < last[:, None]
        return torch.where(place if signal.ndim == 2 else place[:, None], signal, 0.0)

    features = None if inputs.features is None else cut(inputs.features)
    return replace(
        inputs, audio=cut(inputs.samples()), features=features, n_samples=n_samples, events=events, full=False
    )


def _cut(batch: Batch) -> Batch:
    """The batch, padded no further than to its longest clip."""
    longest = int(batch.n_samples.max())
    share = longest / batch.samples().shape[1]
    features = None if batch.features is None else batch.features[..., : round(batch.features.shape[-1] * share)]
    full = bool((batch.n_samples == longest).all())
    return replace(batch, audio=batch.samples()[:, :longest], features=features, full=full)


def _sorted(batch: Batch) -> Batch:
    """The batch with its events in one order."""
    table = torch.stack([column.double() for column in batch.events.columns], 1).numpy()
    return replace(batch, events=batch.events[torch.from_numpy(np.lexsort(table.T[::-1]))])


def _noise(_folder: str, sample_rate: int) -> list[NDArray[np.float32]]:
    """A second of noise, in the place of the sound files of a folder."""
    return [np.random.default_rng(0).standard_normal(sample_rate).astype(np.float32)]


def _events_that_sound(augment: Augment) -> Batch:
    """Clips of 2 s with one event each; the event is noise, and the rest of the clip is silent."""
    draw = torch.Generator().manual_seed(0)
    rows = [(i, i % 3, 0.2 + 0.2 * i, 0.8 + 0.3 * i) for i in range(4)]
    events, n_samples = Events.of(rows), torch.full((4,), round(2 * RATE))
    on = events.rasterise(4, 3, round(2 * RATE), RATE).amax(2)
    tags = torch.eye(3)[torch.arange(4) % 3]
    known = torch.ones_like(tags, dtype=torch.bool)
    features = None
    if augment.level == "features":
        active = events.rasterise(4, 3, N_FRAMES, N_FRAMES / 2).amax(2)
        features = active[:, None] * (1 + torch.rand(4, 16, N_FRAMES, generator=draw))
    zero = torch.zeros(4, dtype=torch.long)
    ids = tuple(f"clip_{i}.wav" for i in range(4))
    audio = on * torch.randn(on.shape, generator=draw) * 0.1
    return Batch(audio, n_samples, tags, known, events, known, zero, ("strong",), ids, features, full=True)


def _tensors(inputs: Batch) -> dict[str, Tensor]:
    return tensors(inputs) | {f"events.{name}": value for name, value in tensors(inputs.events).items()}


def _equal(one: Batch, other: Batch) -> bool:
    first, second = _tensors(one), _tensors(other)
    same = first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    return same and (one.clip_ids, one.full) == (other.clip_ids, other.full)


def _close(one: Batch, other: Batch) -> bool:
    """Whether batches are equal but for the rounding of their sound."""
    first, second = _tensors(one), _tensors(other)
    if not _equal(replace(one, audio=None, features=None), replace(other, audio=None, features=None)):
        return False
    return all(torch.allclose(first[n], second[n], atol=1e-5) for n in ("audio", "features") if n in first)


def _differs(name: str, one: Batch, other: Batch) -> bool:
    first, second = vars(one)[name], vars(other)[name]
    return first is not second and not (
        isinstance(first, Tensor) and isinstance(second, Tensor) and torch.equal(first, second)
    )


def _check_batch(inputs: Batch, result: Batch) -> None:
    assert len(result) == len(inputs), "the number of clips stays"
    audio = result.samples()
    assert audio.shape[0] == len(inputs), "audio is [clip sample]"
    assert torch.isfinite(audio).all(), "the audio is finite"
    assert result.features is None or torch.isfinite(result.features).all(), "the features are finite"
    assert audio.dtype == inputs.samples().dtype, "the audio keeps its type"
    shapes = {result.clip_labels.shape, result.tagged.shape, result.timed.shape}
    assert shapes == {inputs.clip_labels.shape}, "tags, tagged and timed are [clip label]"
    assert result.tagged.dtype == result.timed.dtype == torch.bool, "tagged and timed are booleans"
    assert (result.n_samples <= audio.shape[1]).all(), "a clip is not longer than its row"
    assert not result.full or (result.n_samples == audio.shape[1]).all(), "a full batch has no padding"
    assert ((result.clip_labels >= 0) & (result.clip_labels <= 1)).all(), "tags are in [0, 1]"
    events, seconds = result.events, result.n_samples.double() / RATE
    assert ((events.clip >= 0) & (events.clip < len(inputs))).all(), "events are of clips of the batch"
    inside = (events.onset >= 0) & (events.onset < events.offset) & (events.offset <= seconds[events.clip] + 1e-6)
    assert inside.all(), "events lie within their clips and have a length above 0"
    active = result.frame_labels(200, 100.0).amax(1)
    wrong = (active > 0) & (result.clip_labels == 0) & result.tagged & result.timed
    assert not wrong.any(), "a class with an event in a clip is a tag of the clip"


def _check_labels(results: list[Batch], rate: float, level: str) -> None:
    """Check that it is on average loud during events and silent elsewhere."""
    loud, quiet = [], []
    for result in results:
        signal = result.audio if level == "audio" else result.features
        assert signal is not None
        energy = signal.float().square() if signal.ndim == 2 else signal.float().square().mean(1)
        per_second = energy.shape[1] / 2
        n_frames = int(2 * rate)
        energy = energy[:, : round(n_frames * per_second / rate)].reshape(len(energy), n_frames, -1).mean(2)
        active = result.frame_labels(n_frames, rate).amax(2)
        inside = -torch.nn.functional.max_pool1d(-active[:, None], 3, 1, 1)[:, 0]  # frames at borders are mixed
        outside = torch.nn.functional.max_pool1d(active[:, None], 3, 1, 1)[:, 0]
        loud.append(energy[inside >= 0.5])
        quiet.append(energy[outside == 0])
    sound, silence = torch.cat(loud), torch.cat(quiet)
    if not len(sound) or not len(silence):
        return  # frames are too long for the check
    assert sound.mean() > 4 * silence.mean(), f"at {rate:g} frames per second, labels are not where the sound is"
