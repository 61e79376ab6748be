"""The values that flow: `Batch` in, `Output` out; and what they are made of.

Axis names: `clip`, `sample`, `band`, `frame`, `label`, `dim`, `event`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError, printable

Split = Literal["train", "validation", "test", "predict"]
"""What a set of clips is for."""


@dataclass(frozen=True)
class Labels:
    """Ordered class names, shared by network, data and checkpoint.

    Args:
        names: the classes; index `i` of any `label` axis is `names[i]`.

    Raises:
        WsedError: a name is empty, listed twice, or holds a control character, which could steer a terminal.
    """

    names: tuple[str, ...]

    def __init__(self, names: Iterable[str]) -> None:
        object.__setattr__(self, "names", tuple(names))
        if "" in self.names or len(set(self.names)) != len(self.names):
            raise WsedError(f"class names must be unique and not empty: {list(self.names)}")
        for name in self.names:
            if not isinstance(name, str) or printable(name) != name:
                raise WsedError(f"{name!r} is no class name: it must be text without control characters")

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def index(self, name: str) -> int:
        """Index of `name` on the label axis; a `WsedError` that lists the known names if it is not there."""
        try:
            return self.names.index(name)
        except ValueError:
            raise WsedError(f"unknown label {name!r}; known labels: {', '.join(self.names)}") from None


@dataclass(frozen=True)
class Events:
    """Sound events in long form: one entry per event, times in seconds from the start of its clip.

    Args:
        clip: which clip of the batch, or of a list of clip ids.
        label: index into `Labels`.
        onset: seconds, float64: scoring compares times with collars of 0.2 s and must not depend on rounding.
        offset: seconds, float64.
        gain: in [0, 1], the share of the event in a mix of clips; 1 if not given.
        group: which source clip of a mix the event is from; 0 if not given.

    >>> events = Events.of([(0, 1, 0.5, 2.0), (1, 0, 0.0, 1.0)])
    >>> len(events), events[events.clip == 1].offset.tolist()
    (2, [1.0])
    """

    clip: Int[Tensor, " event"]
    label: Int[Tensor, " event"]
    onset: Float[Tensor, " event"]
    offset: Float[Tensor, " event"]
    gain: Float[Tensor, " event"]
    group: Int[Tensor, " event"]

    def __init__(
        self,
        clip: Int[Tensor, " event"],
        label: Int[Tensor, " event"],
        onset: Float[Tensor, " event"],
        offset: Float[Tensor, " event"],
        gain: Float[Tensor, " event"] | None = None,
        group: Int[Tensor, " event"] | None = None,
    ) -> None:
        values = (
            clip,
            label,
            onset,
            offset,
            torch.ones_like(onset) if gain is None else gain,
            torch.zeros_like(label) if group is None else group,
        )
        for f, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, f.name, value)

    @staticmethod
    def of(rows: Iterable[tuple[int, int, float, float]]) -> "Events":
        """Events from `(clip, label, onset, offset)` rows; `Events.of([])` holds none."""
        table = torch.tensor(list(rows), dtype=torch.float64).reshape(-1, 4)
        clip, label, onset, offset = table.unbind(1)
        return Events(clip.long(), label.long(), onset, offset)

    @staticmethod
    def cat(parts: "Iterable[Events]") -> "Events":
        """One after the other; clip indices are taken as they are."""
        parts = list(parts) or [Events.of([])]
        return Events(*(torch.cat(column) for column in zip(*(part._columns for part in parts), strict=True)))

    def __len__(self) -> int:
        return self.clip.numel()

    def __getitem__(self, keep: Tensor) -> "Events":
        """The events selected by a mask or an index tensor."""
        return Events(*(column[keep] for column in self._columns))

    def rasterise(
        self, n_clips: int, n_labels: int, n_frames: int, frame_rate: float
    ) -> Float[Tensor, "clip frame label"]:
        """The events as frame labels, on their device: float32 in [0, 1], 1 where an event of gain 1 is active.

        Frame `i` covers the seconds `[i, i + 1) / frame_rate`. Its label is the greatest gain of the events of one
        group (the source clip of a mix) whose rounded borders hold it, summed over groups, at most 1. Borders are
        rounded to the nearest frame border, and an event is never shorter than one frame, so that short events survive
        slow grids. Parts outside the grid are cut.

        >>> one = Events.of([(0, 0, 0.0, 1.0), (0, 0, 0.5, 2.0)])
        >>> one.rasterise(n_clips=1, n_labels=1, n_frames=3, frame_rate=1.0).flatten().tolist()
        [1.0, 1.0, 0.0]
        >>> mixed = Events(one.clip, one.label, one.onset, one.offset, torch.tensor([0.75, 0.25]), torch.tensor([0, 1]))
        >>> mixed.rasterise(n_clips=1, n_labels=1, n_frames=4, frame_rate=2.0).flatten().tolist()
        [0.75, 1.0, 0.25, 0.25]
        """
        first = (self.onset * frame_rate).round()
        # one that begins in the last half frame has that frame
        first = torch.where(self.onset * frame_rate < n_frames, first.clamp(max=n_frames - 1), first)
        last = torch.maximum((self.offset * frame_rate).round(), first + 1)
        frames = torch.arange(n_frames, device=self.onset.device)
        active = (frames >= first[:, None]) & (frames < last[:, None])
        values = active.float() * self.gain[:, None].float()
        row, greatest = _greatest(values, self.clip * n_labels + self.label, self.group)
        grid = values.new_zeros(n_clips * n_labels, n_frames).index_add_(0, row, greatest)
        return grid.clamp_(max=1).view(n_clips, n_labels, n_frames).transpose(1, 2)

    @property
    def _columns(self) -> tuple[Tensor, ...]:
        return self.clip, self.label, self.onset, self.offset, self.gain, self.group

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Events":
        return Events(*(column.to(device, non_blocking=non_blocking) for column in self._columns))

    def pin_memory(self) -> "Events":
        return Events(*(column.pin_memory() for column in self._columns))


def _greatest(
    values: Float[Tensor, "event frame"], row: Int[Tensor, " event"], group: Int[Tensor, " event"]
) -> tuple[Int[Tensor, " event"], Float[Tensor, "event frame"]]:
    """The greatest values of the events of each row and group, with the row; zeros where there are fewer groups."""
    order = group.argsort(stable=True)
    order = order[row[order].argsort(stable=True)]
    row, group = row[order], group[order]
    begins = torch.ones_like(row, dtype=torch.bool)
    begins[1:] = (row[1:] != row[:-1]) | (group[1:] != group[:-1])
    pair = begins.cumsum(0) - 1  # number of each pair of row and group that occurs
    greatest = torch.zeros_like(values).scatter_reduce_(0, pair[:, None].expand_as(values), values[order], "amax")
    return torch.zeros_like(row).scatter_(0, pair, row), greatest


@dataclass(frozen=True)
class Batch:
    """A batch of clips and everything that is known of them.

    What is known is kept apart from what is true, per clip and class: `tagged[i, c]` means that the tag
    `clip_labels[i, c]` is known, `timed[i, c]` means that the events of class `c` in clip `i` are known (even if there
    are none). A clip of a corpus that never annotated a class is unknown there. `source[i]` indexes `sources`.

    `audio` is None where `features` were read in its place; `n_samples` is the length of the clips all the same.

    `full` means that every clip fills its row: there is no padding. It is known on the CPU, where the batch is made, so
    that a network need not wait for its device to find out; False if it is not known.
    """

    audio: Float[Tensor, "clip sample"] | None
    n_samples: Int[Tensor, " clip"]
    clip_labels: Float[Tensor, "clip label"]
    tagged: Bool[Tensor, "clip label"]
    events: Events
    timed: Bool[Tensor, "clip label"]
    source: Int[Tensor, " clip"]
    sources: tuple[str, ...]
    clip_ids: tuple[str, ...]
    features: Float[Tensor, "clip band frame"] | None = None
    full: bool = False

    def __len__(self) -> int:
        return len(self.clip_ids)

    def samples(self) -> Float[Tensor, "clip sample"]:
        """The audio.

        Raises:
            WsedError: features were read in place of the audio.
        """
        if self.audio is None:
            raise WsedError("this batch has features in place of audio: read the audio (data.reader files)")
        return self.audio

    def _map(self, function: Callable[[Tensor | Events], Tensor | Events]) -> "Batch":
        moved = {name: function(value) for name, value in vars(self).items() if isinstance(value, Tensor | Events)}
        return replace(self, **moved)  # type: ignore[arg-type]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The batch on another device (Lightning calls this)."""
        return self._map(lambda value: value.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Batch":
        return self._map(lambda value: value.pin_memory())

    def frame_labels(self, n_frames: int, frame_rate: float) -> Float[Tensor, "clip frame label"]:
        """The events as frame labels of `n_frames` frames at `frame_rate` frames per second, on the batch's device.

        Classes that are not `timed` in a clip are zero there: mask them. See `Events.rasterise`.
        """
        return self.events.rasterise(len(self), self.clip_labels.shape[1], n_frames, frame_rate)


@dataclass(frozen=True)
class Encoded:
    """What an encoder gives: `frames`, which of them hold signal (`valid`), and such maps at other rates (`levels`)."""

    frames: Float[Tensor, "clip frame dim"]
    valid: Bool[Tensor, "clip frame"]
    levels: "tuple[Encoded, ...]" = ()


@dataclass(frozen=True)
class Output:
    """What a network predicts for a batch. Every field is optional; heads fill the ones they declare.

    `attention` is how much a frame counts, `activation_map` what a classifier of clips predicts for it, from 0 to 1.
    Logits are the one representation of scores; `frame_scores` and `clip_scores` are float32 sigmoids of them.
    `frame_rate` is in frames per second: labels in seconds are put on a grid at this rate. `teacher` is the output of a
    teacher for the same batch, in training only.
    """

    frame_logits: Float[Tensor, "clip frame label"] | None = None
    clip_logits: Float[Tensor, "clip label"] | None = None
    embeddings: Float[Tensor, "clip frame dim"] | None = None
    clip_embedding: Float[Tensor, "clip clip_dim"] | None = None
    attention: Float[Tensor, "clip frame label"] | None = None
    activation_map: Float[Tensor, "clip frame label"] | None = None
    valid: Bool[Tensor, "clip frame"] | None = None
    frame_rate: float | None = None
    levels: "tuple[Output, ...]" = ()
    teacher: "Output | None" = None

    @property
    def frame_scores(self) -> Float[Tensor, "clip frame label"]:
        """Probabilities per frame, float32."""
        return torch.sigmoid(self.need("frame_logits").float())

    @property
    def clip_scores(self) -> Float[Tensor, "clip label"]:
        """Probabilities per clip, float32."""
        return torch.sigmoid(self.need("clip_logits").float())

    def need(self, name: str) -> Tensor:
        """The tensor of a field; a `WsedError` if it is empty.

        >>> Output(clip_logits=torch.zeros(1, 2)).need("clip_logits").shape
        torch.Size([1, 2])
        """
        value = vars(self)[name]
        if not isinstance(value, Tensor):
            raise WsedError(f"this output has no {name}; use a head that provides it")
        return value

    @property
    def rate(self) -> float:
        """The frame rate; a `WsedError` if the network does not state it."""
        if self.frame_rate is None:
            raise WsedError(
                "this output has no frame_rate; a network states it, so that events can be put on its frames"
            )
        return self.frame_rate

    def merge(self, other: "Output") -> "Output":
        """The fields of both; `other` wins where both have one. Heads on one encoder join this way."""
        return replace(self, **{name: value for name, value in vars(other).items() if not _empty(value)})


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, tuple) and not value)


FACTS = {
    "tagged": "clip tags",
    "timed": "events with onset and offset",
    "only_tagged": "clip tags and without events",
}
"""What `Needs.known` may name, in words."""


@dataclass(frozen=True)
class Needs:
    """What a loss reads and asks for.

    Args:
        output: fields of `Output` it reads.
        known: what it must know of clips, of `FACTS`; training clips of which none has it are refused.
        classes: least number of classes in a batch (0: no demand).
        per_class: least number of clips of each of them.
        one_class: it takes clips of one class only.
    """

    output: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    classes: int = 0
    per_class: int = 0
    one_class: bool = False

    def __post_init__(self) -> None:
        wrong = sorted(self.known - FACTS.keys()) + sorted(self.output - {f.name for f in fields(Output)})
        if wrong:
            raise WsedError(
                f"a loss cannot need {wrong[0]!r}: known is of {', '.join(FACTS)}; output names fields of Output"
            )

    def __or__(self, other: "Needs") -> "Needs":
        """The least that serves both."""
        return Needs(
            self.output | other.output,
            self.known | other.known,
            max(self.classes, other.classes),
            max(self.per_class, other.per_class),
            self.one_class or other.one_class,
        )
