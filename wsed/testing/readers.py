"""The contract of readers."""

import pickle
from dataclasses import replace
from math import isinf

import numpy as np

from wsed.data.clip_table import ClipTable
from wsed.data.collate import Collate
from wsed.data.reading.base import Item, Reader
from wsed.data.trained import Network


def check_reader(reader: Reader, table: ClipTable, sample_rate: int, network: Network | None = None) -> None:
    """Check that a reader always returns the same audio or features of a clip, and names clips that it cannot read.

    Args:
        reader: the reader.
        table: clips of existing files, each of one second or more.
        sample_rate: sample rate of the audio, Hz.
        network: the network that the features are for; None if the reader needs no network.

    Raises:
        AssertionError: a rule is broken; the message names it.
    """
    dataset = reader.open(table, sample_rate, network)
    items = [dataset[i] for i in range(len(table.clips))]
    for i, item in enumerate(items):
        _check_item(item, i)
        _check_length(item, table, sample_rate)
        _check_same(item, dataset[i])
        _check_same(item, pickle.loads(pickle.dumps(dataset))[i])
    batch = Collate(table)(items)
    assert (batch.audio is None) != (batch.features is None), "a batch has audio or features"
    assert batch.n_samples.tolist() == [item.n_samples for item in items], "n_samples is the length of the audio"
    _check_headers(reader, table)


def _check_item(item: Item, number: int) -> None:
    assert item.index == number, "an item has the number of its clip"
    assert (item.audio is None) != (item.features is None), "an item has audio or features, each in its own field"
    if item.audio is not None:
        assert item.audio.ndim == 1, "audio is [sample]"
        assert len(item.audio) == item.n_samples, "n_samples is the length of the audio"
    if item.features is not None:
        assert item.features.ndim == 2, "features are [band frame]"
    for values in (item.audio, item.features):
        assert values is None or (values.dtype == np.float32 and np.isfinite(values).all()), "values are finite float32"


def _check_length(item: Item, table: ClipTable, sample_rate: int) -> None:
    clip = table.clips[item.index]
    seconds = item.n_samples / sample_rate
    if clip.start is not None and clip.duration is not None:
        assert abs(seconds - clip.duration) < 0.01, f"a part of {clip.duration} s is read as {seconds} s"
    elif not isinf(table.end):
        assert seconds <= table.end + 0.01, f"{table.end} s are to be read, and {seconds} s are"


def _check_same(one: Item, other: Item) -> None:
    for first, second in ((one.audio, other.audio), (one.features, other.features)):
        same = (first is None) == (second is None) and (first is None or np.array_equal(first, np.asarray(second)))
        assert same, "what is read is the same each time, and in other processes"


def _check_headers(reader: Reader, table: ClipTable) -> None:
    clips = list(table.clips)
    headers = reader.headers(clips)
    assert len(headers.seconds) == len(clips), "headers give the seconds of each clip"
    assert not headers.unreadable, f"clips whose files are there can be read: {headers.unreadable}"
    gone = replace(clips[0], path=clips[0].path.with_name("gone.wav"))
    unreadable = reader.headers([*clips, gone]).unreadable
    assert set(unreadable) <= {len(clips)}, "only the clip without a file is named"
    assert not unreadable or "gone.wav" in unreadable[len(clips)], "the reason names the file"
