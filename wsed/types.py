"""The values that the packages pass to each other: a network takes a `Batch` and returns an `Output`.

Axis names: `clip`, `sample`, `band`, `frame`, `label`, `dim`, `event`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from wsed.errors import WsedError, printable
from wsed.event_columns import TableLike, frame_grid, rows_of
from wsed.transfer import sent

Split = Literal["train", "validation", "test", "predict"]
"""What a set of clips is for."""


@dataclass(frozen=True)
class Labels:
    """Ordered class names, shared by network, data and checkpoint.

    Args:
        names: the classes; index `i` of a `label` axis stands for `names[i]`.

    Raises:
        WsedError: a name is empty, listed twice, or holds a control character, which could send commands to a terminal.

    >>> Labels(["Cat", "Dog"]).index("Dog")
    1
    """

    names: tuple[str, ...]

    def __init__(self, names: Iterable[str]) -> None:
        object.__setattr__(self, "names", tuple(names))
        if "" in self.names or len(set(self.names)) != len(self.names):
            raise WsedError(f"class names must be unique and not empty: {list(self.names)}")
        if odd := [name for name in self.names if not isinstance(name, str) or printable(name) != name]:
            raise WsedError(f"{odd[0]!r} cannot be a class name: names must be text without control characters")

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def index(self, name: str) -> int:
        """Index of `name` on the label axis; raises a `WsedError` that lists the known names for an unknown one."""
        if name not in self.names:
            raise WsedError(f"unknown label {name!r}; known labels: {', '.join(self.names)}")
        return self.names.index(name)


@dataclass(frozen=True)
class Events:
    """Sound events as columns: one entry per event, times in seconds from the start of the clip.

    Args:
        clip: index of the clip in the batch, or in a list of clip ids.
        label: index into `Labels`.
        onset: seconds, float64, so that collars of 0.2 s do not depend on rounding.
        offset: seconds, float64.
        gain: gain of the event's clip in a mix of clips, in [0, 1]; 1 if None.
        group: index of the event's clip among the clips of a mix; 0 if None.

    >>> events = Events.of([(0, 1, 0.5, 2.0), (1, 0, 0.0, 1.0)])
    >>> len(events), events[events.clip == 1].offset.tolist()
    (2, [1.0])
    >>> Events.cat([events, events.to("cpu")]).label.tolist()
    [1, 0, 1, 0]
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
        gain = torch.ones_like(onset) if gain is None else gain
        group = torch.zeros_like(label) if group is None else group
        for f, value in zip(fields(self), (clip, label, onset, offset, gain, group), strict=True):
            object.__setattr__(self, f.name, value)

    @staticmethod
    def of(rows: Iterable[tuple[int, int, float, float]]) -> "Events":
        """Events from rows `(clip, label, onset, offset)`; `Events.of([])` has no events."""
        table = torch.tensor(list(rows), dtype=torch.float64).reshape(-1, 4)
        clip, label, onset, offset = table.unbind(1)
        return Events(clip.long(), label.long(), onset, offset)

    @staticmethod
    def from_frame(frame: TableLike, clip_ids: Sequence[str], labels: Labels) -> "Events":
        """Events from a table of pandas, or of anything with the columns `filename, onset, offset, event_label`.

        A row without an `event_label` is not an event. Unknown clips or classes and invalid times raise a `WsedError`.

        >>> table = {"filename": ["a.wav"], "onset": [0.5], "offset": [2.0], "event_label": ["Dog"]}
        >>> Events.from_frame(table, ["a.wav"], Labels(["Cat", "Dog"])).label.tolist()
        [1]
        """
        return Events.of(rows_of(frame, clip_ids, labels.names))

    @staticmethod
    def cat(parts: "Iterable[Events]") -> "Events":
        """All events of the parts, one part after the other; clip indices stay unchanged."""
        parts = list(parts) or [Events.of([])]
        return Events(*(torch.cat(column) for column in zip(*(part.columns for part in parts), strict=True)))

    def __len__(self) -> int:
        return self.clip.numel()

    def __getitem__(self, keep: Tensor) -> "Events":
        """The events that a mask or an index tensor selects."""
        return Events(*(column[keep] for column in self.columns))

    def rasterise(
        self,
        n_clips: int,
        n_labels: int,
        n_frames: int,
        frame_rate: float,
        valid: Bool[Tensor, "clip frame"] | None = None,
    ) -> Float[Tensor, "clip frame label"]:
        """Frame labels of the events, on their device: float32 in [0, 1]; 1 where an event of gain 1 is active.

        Frame `i` covers the seconds `[i, i + 1) / frame_rate`. Onsets and offsets are rounded to the nearest frame
        border, and an event covers at least one frame, so that short events stay visible at low frame rates. Parts of
        events outside the grid are cut. The label of a frame is the greatest gain among the active events of each group
        (the clips of a mix), summed over the groups, at most 1. Padding is not `valid`.

        >>> one = Events.of([(0, 0, 0.0, 1.0), (0, 0, 0.5, 2.0)])
        >>> one.rasterise(n_clips=1, n_labels=1, n_frames=3, frame_rate=1.0).flatten().tolist()
        [1.0, 1.0, 0.0]
        >>> mixed = Events(one.clip, one.label, one.onset, one.offset, torch.tensor([0.75, 0.25]), torch.tensor([0, 1]))
        >>> mixed.rasterise(n_clips=1, n_labels=1, n_frames=4, frame_rate=2.0).flatten().tolist()
        [0.75, 1.0, 0.25, 0.25]
        """
        return frame_grid(self.columns, n_clips, n_labels, n_frames, frame_rate, valid)

    @property
    def columns(self) -> tuple[Tensor, ...]:
        """The fields, in their order."""
        return self.clip, self.label, self.onset, self.offset, self.gain, self.group

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Events":
        return Events(*sent(self.columns, device, non_blocking))

    def pin_memory(self) -> "Events":
        return Events(*(column.pin_memory() for column in self.columns))


@dataclass(frozen=True)
class Batch:
    """A batch of clips with their tags and events.

    `tagged` and `timed` state per clip and class what is known. `tagged[i, c]`: the tag `clip_labels[i, c]` is known.
    `timed[i, c]`: the events of class `c` in clip `i` are known, or it is known that there are none. Both are False for
    a class that the corpus of the clip does not annotate. `source[i]` is an index into `sources`.

    `audio` is None if `features` were read instead; `n_samples` is the number of samples of each clip in both cases.
    `longest` is what the `features` cover, in samples, if that is not the longest clip: see `augment.partners.as_wide`.

    `full` is True if no clip is padded, and False if some are or if it is not known. It is set on the CPU, where the
    batch is made, so that a network does not have to wait for its device.

    >>> from wsed import testing
    >>> batch = testing.batch(n_clips=2).to("cpu")
    >>> batch.samples().shape, batch.frame_labels(n_frames=10, frame_rate=10.0).sum().item()
    (torch.Size([2, 8000]), 4.0)
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
    longest: int | None = None

    def __len__(self) -> int:
        return len(self.clip_ids)

    def samples(self) -> Float[Tensor, "clip sample"]:
        """The audio.

        Raises:
            WsedError: the batch holds features instead.
        """
        if self.audio is None:
            raise WsedError("this batch has features instead of audio: set data.reader to files")
        return self.audio

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The batch on another device (`SEDDataModule` calls this); what is small goes in one transfer."""
        values = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        moved = sent([*values.values(), *self.events.columns], device, non_blocking)
        return replace(self, **dict(zip(values, moved, strict=False)), events=Events(*moved[len(values) :]))  # type: ignore[arg-type]

    def pin_memory(self) -> "Batch":
        pinned = {name: value.pin_memory() for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **pinned, events=self.events.pin_memory())  # type: ignore[arg-type]

    def frame_labels(
        self, n_frames: int, frame_rate: float, valid: Bool[Tensor, "clip frame"] | None = None
    ) -> Float[Tensor, "clip frame label"]:
        """Frame labels of the events on a grid of `n_frames` frames, see `Events.rasterise`.

        The labels of a class are zero in a clip where it is not `timed`: mask them.
        """
        return self.events.rasterise(len(self), self.clip_labels.shape[1], n_frames, frame_rate, valid)


@dataclass(frozen=True)
class Encoded:
    """The output of an encoder: `frames`, which of them are `valid` (no padding), and both at other rates (`levels`).

    >>> Encoded(torch.zeros(1, 4, 8), valid=torch.ones(1, 4, dtype=torch.bool)).levels
    ()
    """

    frames: Float[Tensor, "clip frame dim"]
    valid: Bool[Tensor, "clip frame"]
    levels: "tuple[Encoded, ...]" = ()


@dataclass(frozen=True)
class Output:
    """The predictions of a network for a batch. Each field is optional; a head fills the fields that it declares.

    Scores are kept as logits; `frame_scores` and `clip_scores` are their sigmoids, float32. `attention` is the weight
    of a frame, and `activation_map` the prediction of a clip classifier for a frame; both are in [0, 1]. `frame_rate`
    is in frames per second. In training only, `teacher` is the output of a teacher for the same batch, and `mixed` is
    the output for mixes of clips without tags. `mixed.teacher` has the teacher's scores, mixed in the same way.
    `trained` is what losses read in validation, if the output has scores that no loss trains.

    >>> tags, frames = Output(clip_logits=torch.zeros(1, 2)), Output(frame_logits=torch.zeros(1, 5, 2))
    >>> tags.merge(frames).need("frame_logits").shape
    torch.Size([1, 5, 2])
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
    mixed: "Output | None" = None
    trained: "Output | None" = None

    @property
    def frame_scores(self) -> Float[Tensor, "clip frame label"]:
        """Probabilities per frame, float32."""
        return torch.sigmoid(self.need("frame_logits").float())

    @property
    def clip_scores(self) -> Float[Tensor, "clip label"]:
        """Probabilities per clip, float32."""
        return torch.sigmoid(self.need("clip_logits").float())

    def need(self, name: str) -> Tensor:
        """The tensor of a field; raises a `WsedError` if the field is None."""
        value = vars(self)[name]
        if not isinstance(value, Tensor):
            raise WsedError(f"this output has no {name}; use a head that provides it")
        return value

    @property
    def rate(self) -> float:
        """The frame rate; raises a `WsedError` if it is None."""
        if self.frame_rate is None:
            raise WsedError("this output has no frame_rate; the network must set it, since frame times need it")
        return self.frame_rate

    def merge(self, other: "Output") -> "Output":
        """The fields of both outputs; `other` wins if both have a field. The outputs of several heads join this way."""
        return replace(self, **{name: value for name, value in vars(other).items() if not _empty(value)})


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, tuple) and not value)


FACTS = {
    "tagged": "clip tags",
    "timed": "events with onset and offset",
    "only_tagged": "tags but no events",
    "unlabelled": "no labels",
}
"""The facts that `Needs.known` may name, with their description in messages."""


@dataclass(frozen=True)
class Needs:
    """What a loss needs from the network and from the training clips.

    Args:
        output: fields of `Output` that the loss reads.
        known: facts that must be known of clips, from `FACTS`; each must be true of at least one training clip.
        classes: least number of classes in a batch; 0: any number.
        per_class: least number of clips of each of these classes; 0: any number.
        one_class: whether the loss accepts only clips with at most one class.

    >>> (Needs(classes=2) | Needs(per_class=3)).per_class
    3
    """

    output: frozenset[str] = frozenset()
    known: frozenset[str] = frozenset()
    classes: int = 0
    per_class: int = 0
    one_class: bool = False

    def __post_init__(self) -> None:
        if wrong := sorted(self.known - FACTS.keys()) + sorted(self.output - {f.name for f in fields(Output)}):
            raise WsedError(
                f"a loss cannot need {wrong[0]!r}: known may name {', '.join(FACTS)}; output names fields of Output"
            )

    def __or__(self, other: "Needs") -> "Needs":
        """The needs of both losses together."""
        return Needs(
            self.output | other.output,
            self.known | other.known,
            max(self.classes, other.classes),
            max(self.per_class, other.per_class),
            self.one_class or other.one_class,
        )
