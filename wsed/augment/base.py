"""The base class of augmentations, their registry, and the composition of several augmentations."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from wsed.errors import WsedError
from wsed.ops.clips import labels_on_cpu
from wsed.registry import Registry
from wsed.spec import name_of
from wsed.transfer import sent
from wsed.types import Batch, Events

Level = Literal["audio", "features"]
Raw = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""From audio `[clip sample]` and `n_samples [clip]` to features and which frames hold signal: `Frontend.raw`."""

Sounds = Callable[[str, int], list[NDArray[np.float32]]]
"""Reads the sound files of a folder, resampled to a rate (Hz), one channel."""


class Augment(nn.Module):
    """Base class of augmentations: random changes of a training batch, on its device.

    An augmentation returns a new batch and does not change its input. Labels follow the sound: tags and events of mixed
    clips, times of shifted events, and also `tagged` and `timed`. All random numbers come from the generator. An
    augmentation that changes `n_samples` or the length of the audio also updates `full`.

    `level` is what is changed: the `audio`, or the `features` of the frontend (`batch.features`). Only training batches
    are changed.

    >>> from wsed.testing import batch
    >>> inputs = batch()
    >>> Unchanged()(inputs, torch.Generator()) is inputs
    True
    """

    level: Level = "audio"
    moves_labels: bool = False
    """Whether tags or events change with the sound."""
    joint: bool = False
    """Whether the change of a clip depends on the other clips: it is mixed with one of them, or the draws depend on the
    longest. If so, the clips of all processes are padded to one length first."""
    of_levels: bool = False
    """Whether it only makes sense for features that are levels of frequency bands."""
    decibel: float = 1.0
    """The value of 1 dB in the unit of the features; `adapt` sets it to that of the frontend."""

    @classmethod
    def example(cls) -> "Augment":
        """A small augmentation of this class, for tests."""
        return cls()

    def prepare(self, sample_rate: int, sounds: Sounds) -> None:
        """Prepare for training, before the first batch; most augmentations need no preparation.

        Args:
            sample_rate: sample rate of the audio, Hz.
            sounds: reads the sound files of a folder.

        Raises:
            WsedError: a folder in the settings has no sound files.
        """

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The changed batch.

        Args:
            batch: training clips, with `features` if `level` is `features`.
            generator: source of all random numbers, on the device of the batch.
        """
        raise NotImplementedError


class Planned(Augment):
    """Base class of augmentations in two steps, for which an accelerator gets few operations.

    It is not waited for if the generator is `wsed.augment.draws.Draws`, as in training; see `on_host` there.

    `plan` draws the random numbers and moves the labels, on the CPU. What it returns is sent to the device of the batch
    in one transfer, together with the plans of the augmentations that follow. `change` changes the sound there.

    >>> class Turned(Planned):
    ...     def change(self, signal, *numbers):
    ...         return -signal
    >>> from wsed.testing import batch
    >>> inputs = batch()
    >>> bool((Turned()(inputs, torch.Generator()).audio == -inputs.audio).all())
    True
    >>> batch, numbers = Turned().plan(inputs, torch.Generator())
    >>> Turned().change(batch.audio, *numbers).shape
    torch.Size([4, 8000])
    """

    def plan(self, batch: Batch, generator: torch.Generator) -> tuple[Batch, tuple[Tensor, ...]]:
        """The batch with moved labels, and what `change` needs.

        Args:
            batch: only the shapes of its audio and features may be read. Labels and `n_samples` are on the CPU if this
                augmentation moves labels, or if the batch is not `full`.
            generator: source of all random numbers; draw with `wsed.augment.draws.on_host(generator)`.
        """
        return batch, ()

    def change(self, signal: Tensor, *numbers: Tensor) -> Tensor:
        """The changed audio or features.

        Args:
            signal: audio or features, as `level` says.
            numbers: what `plan` returned, on the device of the signal.
        """
        raise NotImplementedError

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        return _planned([self], batch, generator)


AUGMENTS: Registry[type[Augment]] = Registry("augment", "wsed.augment", Augment)


@AUGMENTS.register("compose")
class Compose(Augment):
    """Several augmentations, one after the other.

    Args:
        parts: at least one, all of one level.

    Raises:
        WsedError: there are none, or they are of different levels.

    >>> Compose([Compose([Unchanged()]), Unchanged()]).level
    'audio'
    """

    def __init__(self, parts: Sequence[Augment]) -> None:
        super().__init__()
        levels = {part.level for part in parts}
        if len(levels) != 1:
            problem = "there are none" if not levels else f"they are of {' and '.join(sorted(levels))}"
            raise WsedError(f"augment compose: parts must be one or more augmentations of one level, but {problem}")
        self.parts = nn.ModuleList(parts)
        self.level = levels.pop()
        self.moves_labels = any(part.moves_labels for part in parts)
        self.joint = any(part.joint for part in parts)

    @classmethod
    def example(cls) -> Augment:
        """Of one part that changes nothing."""
        return cls([Unchanged()])

    def prepare(self, sample_rate: int, sounds: Sounds) -> None:
        for part in self.parts:
            assert isinstance(part, Augment)
            part.prepare(sample_rate, sounds)

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        return _in_turn(self._all(), batch, generator)

    def _all(self) -> list[Augment]:
        """The parts, and those of parts that are compositions."""
        return flat(part for part in self.parts if isinstance(part, Augment))


class Unchanged(Augment):
    """The batch as it is."""

    def forward(self, batch: Batch, generator: torch.Generator) -> Batch:
        return batch


WAVEFORM = "this network takes the waveform (encoders such as fusion and wav2vec2 compute features inside)"
"""Why a network has no features to change, for `no_features`."""


FUSED = "those of the frontend cached_fusion hold embeddings beside the frequency bands"
"""Why features of `cached_fusion` can only be mixed, for `no_features`."""


OF_AUDIO = "augmentations of audio, such as gain, noise"
INSTEAD = {FUSED: "mixup with `on: features`, or the encoder fusion with augmentations of audio"}
"""What to use instead of an augmentation of features, by the reason why it is refused."""


class Rates(Protocol):
    """Something with frames, such as a frontend."""

    sample_rate: int
    frame_rate: float


@runtime_checkable
class MayHoldEmbeddings(Protocol):
    """Something whose features may hold embeddings, such as a frontend."""

    beside: tuple[int, int] | None


def only_mixed(frontend: Rates) -> str | None:
    """Why the features of a frontend can only be mixed; None if any augmentation of features may change them.

    >>> from wsed.models import LogMel, Waveform
    >>> only_mixed(LogMel()) is None, only_mixed(Waveform()) is None
    (True, False)
    """
    if frontend.frame_rate == frontend.sample_rate:
        return WAVEFORM
    return FUSED if isinstance(frontend, MayHoldEmbeddings) and frontend.beside is not None else None


def flat(augment: Iterable[Augment]) -> list[Augment]:
    """Augmentations, with the parts of a `Compose` in its place.

    >>> len(flat([Compose([Unchanged(), Unchanged()]), Unchanged()]))
    3
    """
    return [one for part in augment for one in (part._all() if isinstance(part, Compose) else [part])]


def no_features(part: Augment, reason: str) -> WsedError:
    """The error for an augmentation of features of a network that has none to change.

    >>> str(no_features(Unchanged(), "there are none"))[:61]
    'augment Unchanged: it changes features, but there are none; u'
    """
    return WsedError(f"{called(part)}: it changes features, but {reason}; use {INSTEAD.get(reason, OF_AUDIO)}")


def no_audio(part: Augment) -> WsedError:
    """The error for an augmentation of audio where the features are cached.

    >>> str(no_audio(Unchanged()))
    'augment Unchanged: it changes the audio, but the batch holds cached features and no audio; set reader: files, \
or remove the augmentation'
    """
    return WsedError(
        f"{called(part)}: it changes the audio, but the batch holds cached features and no audio; set reader: files, "
        "or remove the augmentation"
    )


def called(part: Augment) -> str:
    """The name of an augmentation in messages.

    >>> called(Unchanged()), called(Compose([Unchanged()]))
    ('augment Unchanged', 'augment compose')
    """
    return f"augment {name_of(type(part)).removeprefix('augment ')}"


def augmented(batch: Batch, augment: Iterable[Augment], generator: torch.Generator, raw: Raw | None = None) -> Batch:
    """Apply all augmentations to a batch: first those of audio, then those of features, each in the order given.

    Args:
        batch: on its device.
        augment: the augmentations.
        generator: source of all random numbers.
        raw: computes features where the batch has none; see `Frontend.raw`.

    Raises:
        WsedError: an augmentation changes audio but the batch has features already, or there are no features to change.

    >>> from wsed.testing import batch
    >>> inputs = batch()
    >>> augmented(inputs, [Unchanged()], torch.Generator()) is inputs
    True
    """
    parts = flat(augment)
    early, late = ([part for part in parts if part.level == level] for level in ("audio", "features"))
    if early and batch.features is not None:
        if batch.audio is None:
            raise no_audio(early[0])
        raise WsedError(
            f"{called(early[0])}: it changes the audio, but the batch holds features for earlier augmentations; move "
            "those after it (from data.augment to views), or remove it"
        )
    batch = _in_turn(early, batch, generator)
    if late and batch.features is None:
        if raw is None:
            raise no_features(late[0], "the network has no single frontend that computes them")
        with torch.no_grad():
            batch = replace(batch, features=_features(batch, raw))
    return _in_turn(late, batch, generator)


def _features(batch: Batch, raw: Raw) -> Tensor:
    """The features; of a batch without clips too, for which a Fourier transform is not defined."""
    if len(batch):
        return raw(batch.samples(), batch.n_samples)[0]
    return of_silence(raw, batch, batch.samples().shape[1])[:0]


def of_silence(raw: Raw, batch: Batch, n_samples: int) -> Tensor:
    """The features of silence, `[1 band frame]`, on the device of the batch.

    >>> from wsed.testing import batch
    >>> of_silence(lambda audio, n_samples: (audio[:, None, ::80], n_samples), batch(), 800).shape
    torch.Size([1, 1, 10])
    """
    device = batch.n_samples.device
    return raw(torch.zeros(1, n_samples, device=device), batch.n_samples.new_full((1,), n_samples))[0]


def _in_turn(parts: Iterable[Augment], batch: Batch, generator: torch.Generator) -> Batch:
    """Apply augmentations of one level, one after the other; `Planned` ones in a row are planned together."""
    for planned, row in groupby(parts, lambda part: type(part).forward is Planned.forward):
        if planned:
            batch = _planned([part for part in row if isinstance(part, Planned)], batch, generator)
        else:
            for part in row:
                batch = part(batch, generator)
    return batch


def _planned(parts: Sequence[Planned], batch: Batch, generator: torch.Generator) -> Batch:
    """Plan all parts, send all plans to the device together, and change the sound."""
    level = parts[0].level
    signal = batch.samples() if level == "audio" else batch.features
    assert signal is not None
    on_cpu = not batch.full or any(part.moves_labels for part in parts)
    before = labels = labels_on_cpu(batch) if on_cpu else batch
    plans = []
    for part in parts:
        labels, plan = part.plan(labels, generator)
        plans.append(plan)
    old = vars(before)
    moved = {name: v for name, v in vars(labels).items() if isinstance(v, Tensor) and v is not old[name]}
    events = [] if labels.events is before.events else labels.events.columns
    arrived = iter(sent([*moved.values(), *events, *(number for plan in plans for number in plan)], signal.device))
    changes: dict[str, object] = dict(zip(moved, arrived, strict=False))
    if events:
        changes["events"] = Events(*islice(arrived, len(events)))
    for part, plan in zip(parts, plans, strict=True):
        signal = part.change(signal, *islice(arrived, len(plan)))
    return replace(batch, **changes, full=labels.full, **{level: signal})  # type: ignore[arg-type]
