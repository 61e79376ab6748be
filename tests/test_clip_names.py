"""Names of clips in one array read like a tuple of strings."""

import gc
import sys

import numpy as np
import pytest
import torch

from wsed import clip_names
from wsed.clip_names import Names

SOME = ("b.wav", "", "a/ä.wav", "日本.flac", "bad\udcff.wav", "b.wav")
"""Also names that are no UTF-8 on the disk, as Python reads them."""


def test_names_are_what_they_were(monkeypatch):
    monkeypatch.setattr(clip_names, "AT_ONCE", 2)
    names = Names.of(SOME)
    assert names == SOME == tuple(names)
    assert names == Names.of(np.array(SOME)) == Names.cat([names[:2], names[2:]])
    assert names != SOME[:-1]
    assert names != (*SOME[:-1], "c.wav")
    assert Names.of(["a", "b"]) != "ab"
    assert hash(names) == hash(SOME)
    assert [names[i] for i in range(-6, 6)] == [*SOME, *SOME]
    assert "日本.flac" in names
    assert names.index("a/ä.wav") == 2
    assert names.array().tolist() == list(SOME)
    assert names.take(torch.tensor([3, 0])) == (SOME[3], SOME[0])
    assert len(Names.of(())) == len(Names.of(()).array()) == len(Names.cat([])) == 0
    with pytest.raises(IndexError):
        names[6]


def test_they_are_sorted_as_strings_are_and_the_last_of_equal_ones_counts():
    names = Names.of(SOME)
    assert [SOME[i] for i in names.sorted_once()] == sorted(set(SOME))
    assert names.sorted_once().tolist()[-1] != 0
    assert 5 in names.sorted_once()


def test_many_are_shown_briefly():
    assert repr(Names.of(map(str, range(3000)))) == "('0', '1', '2', ... of 3,000 names)"


def test_no_string_is_kept():
    gc.collect()
    before = sys.getallocatedblocks()
    names = Names.of(f"clip_{i:06}.wav" for i in range(20_000))
    assert sys.getallocatedblocks() - before < 1000
    assert names.stored.nbytes == 20_000 * 15
