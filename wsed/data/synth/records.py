"""Records of finished clips, as they are in the journal of a synthetic corpus."""

import json
from dataclasses import asdict, dataclass
from typing import NamedTuple

from wsed.data.clip import Timed


@dataclass(frozen=True, order=True)
class ClipKey:
    """A clip by its split and its index in the split.

    >>> ClipKey("train", 3).filename
    'train_00003.flac'
    """

    split: str
    index: int

    @property
    def filename(self) -> str:
        """Name of the sound file of the clip."""
        return f"{self.split}_{self.index:05d}.flac"


class MixedStretch(NamedTuple):
    """One stretch of a recording in a clip: a row of `provenance.tsv`.

    Attributes:
        source_file: the recording, relative to the soundbank.
        event_label: class.
        onset: in the clip, seconds.
        offset: in the clip, seconds.
        source_onset: onset in the recording, seconds.
        looped: whether the recording is repeated.
        gain_db: gain of the recording, dB.
        snr_db: signal-to-noise ratio that was reached, dB.

    >>> MixedStretch("foreground/train/Dog/1.wav", "Dog", 3.0, 3.25, 0.5, False, 8.0, 20.0).event_label
    'Dog'
    """

    source_file: str
    event_label: str
    onset: float
    offset: float
    source_onset: float
    looped: bool
    gain_db: float
    snr_db: float


@dataclass(frozen=True)
class ClipRecord:
    """A finished clip, as one line of the journal.

    Attributes:
        split: split of the clip.
        index: index of the clip in its split.
        filename: name of its sound file.
        events: events as an annotator would write them.
        rows: every stretch in the clip.
        background: the background recording, relative to the soundbank.
        gain: gain of the whole clip, dB.

    >>> record = ClipRecord("train", 0, "train_00000.flac", (("Dog", 3.0, 3.25),), (), "rain.wav", -6.0)
    >>> ClipRecord.from_json(record.to_json()) == record
    True
    """

    split: str
    index: int
    filename: str
    events: tuple[Timed, ...]
    rows: tuple[MixedStretch, ...]
    background: str
    gain: float

    @property
    def key(self) -> ClipKey:
        """Split and index of the clip."""
        return ClipKey(self.split, self.index)

    def to_json(self) -> str:
        """The record as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> "ClipRecord":
        """The record of a line of JSON.

        Raises:
            ValueError: the line is not JSON, or not of a record.
        """
        try:
            values = json.loads(line)
            events = tuple((label, float(onset), float(offset)) for label, onset, offset in values.pop("events"))
            rows = tuple(MixedStretch(*row) for row in values.pop("rows"))
            if not isinstance(values["index"], int):
                raise ValueError(f"the index is {values['index']!r}")
            return cls(**values, events=events, rows=rows)
        except (KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ValueError(f"no record of a clip: {error}") from None
