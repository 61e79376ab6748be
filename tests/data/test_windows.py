"""Windows: crops where the rules say, and windows of long recordings with what is known of each."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsed.data.clip import Clip
from wsed.data.load import tags_unknown
from wsed.data.windows import Windows, cut, part_of, window_starts
from wsed.errors import WsedError

RECORDING = Clip("r.flac", Path("r.flac"), "strong", frozenset("ab"), (("a", 4.0, 11.0), ("b", 22.0, 30.0)), 25.0)


@given(st.floats(0.1, 100), st.floats(0.1, 20), st.floats(0.1, 20))
def test_windows_cover_the_recording(duration, length, hop):
    starts = window_starts(duration, length, min(hop, length))
    assert starts == sorted(starts)
    assert starts[0] == 0.0
    assert all(later - first <= min(hop, length) + 1e-6 for first, later in pairwise(starts))
    end = starts[-1] + min(length, duration)
    assert end == pytest.approx(duration, abs=1e-5)


def test_a_window_has_the_events_that_lie_in_it():
    parts = Windows(10.0, hop=10.0).of(RECORDING, "train")
    assert [part.start for part in parts] == [0.0, 10.0, 15.0]
    assert [part.events for part in parts] == [(("a", 4.0, 10.0),), (("a", 0.0, 1.0),), (("b", 7.0, 10.0),)]
    assert [part.tags for part in parts] == [{"a"}, {"a"}, {"b"}]
    assert {part.recording for part in parts} == {"r.flac"}
    assert len({part.id for part in parts}) == 3


def test_a_tag_without_an_event_is_unknown_in_a_window():
    """It was a tag of every window."""
    clip = Clip("r.flac", Path("r.flac"), "strong", frozenset("ab"), (("a", 1.0, 2.0),), 20.0)
    parts = Windows(10.0).of(clip, "train")
    assert [(part.tags, part.unsure) for part in parts] == [({"a"}, {"b"}), (set(), {"b"})]
    assert part_of(clip, 0.0, 20.0).tags == {"a", "b"}


def test_a_tag_without_an_event_is_unknown_in_a_crop_and_not_both():
    clip = Clip("r.flac", Path("r.flac"), "strong", frozenset("ab"), (("a", 1.0, 2.0),), 20.0)
    (part,) = Windows(2.0, placement="onset").of(clip, "train")
    assert (part.tags, part.unsure) == ({"a"}, {"b"})


@pytest.mark.parametrize("events", [(), (("b", 1.0, 2.0),)])
def test_tags_without_events_are_said_to_be_unknown_in_windows(events):
    """With an empty list of events nothing was said, and no window had a known tag."""
    clip = Clip("r.flac", Path("r.flac"), "strong", frozenset("ab" if events else "a"), events, 20.0)
    (note,) = tags_unknown([clip], 10.0, "validation")
    assert "1 of 1 clips with tags are longer than data.windows.length (10 s) and have tags without events" in note
    if events:
        assert tags_unknown([clip], 10.0, "train") == [note]
    else:
        with pytest.raises(WsedError, match="give events"):
            tags_unknown([clip], 10.0, "train")


def test_unknown_tags_stay_unknown_in_a_window():
    clip = Clip("r.flac", Path("r.flac"), "strong", None, (("a", 1.0, 2.0),), 20.0)
    assert [part.tags for part in Windows(10.0).of(clip, "train")] == [None, None]


def test_a_rounding_error_of_an_event_is_no_event():
    """3 x 0.7 is below 2.1, where the event ends."""
    clip = Clip("r.flac", Path("r.flac"), "strong", frozenset("a"), (("a", 1.0, 2.1),), 7.0)
    assert [bool(part.tags) for part in Windows(0.7).of(clip, "train")] == [False, True, True, *[False] * 7]


@pytest.mark.parametrize("placement", [None, "onset", "contained", "centered"])
def test_an_event_after_the_end_of_its_clip_is_refused(placement):
    """It was lost without a word, or a crop without it had its tag."""
    clip = Clip("r.flac", Path("r.flac"), "strong", frozenset("a"), (("a", 12.0, 13.0),), 10.0)
    with pytest.raises(WsedError, match=r"clip r.flac .*: its a begins at 12 s, but r.flac ends at 10 s"):
        Windows(5.0, placement=placement).of(clip, "train")


def test_tags_of_a_part_are_unknown_where_only_the_whole_has_tags():
    clip = Clip("r.flac", Path("r.flac"), "weak", frozenset("a"), None, 25.0)
    assert {part.tags for part in Windows(10.0).of(clip, "train")} == {None}
    silent = Clip("s.flac", Path("s.flac"), "weak", frozenset(), None, 25.0)
    assert {part.tags for part in Windows(10.0).of(silent, "train")} == {frozenset()}


def test_a_part_of_a_part_lies_in_the_file_where_it_should():
    inner = part_of(part_of(RECORDING, 2.0, 15.0), 3.0, 4.0)
    assert (inner.start, inner.duration, inner.events) == (5.0, 4.0, (("a", 0.0, 4.0),))
    assert inner.recording == "r.flac"


def test_short_recordings_are_one_window_and_test_windows_have_a_length_of_their_own():
    windows = Windows(10.0, test_length=30.0)
    assert [part.duration for part in cut([RECORDING], windows, "test")] == [25.0]
    assert [part.duration for part in cut([RECORDING], windows, "train")] == [10.0] * 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": -1.0}, "data.windows.length must be above 0"),
        ({"length": 1.0, "hop": 0.0}, "data.windows.hop must be above 0"),
        ({"length": 1.0, "hop": 0.5, "placement": "onset"}, "data.windows.hop is for windows that follow each other"),
        ({"length": 1.0, "placement": "onset", "seed": -1}, "data.windows.seed must be 0 or more, not -1"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(WsedError, match=message):
        Windows(**settings)


def test_events_keep_their_own_confidence():
    """With and without a confidence of their class."""
    timed = (("a", 0.0, 1.0), ("a", 6.0, 7.0), ("b", 7.0, 8.0))
    clip = Clip("a.wav", Path("a.wav"), "weak", frozenset("ab"), timed, 10.0, event_confidence=(0.5, 0.9, 0.75))
    parts = Windows(5.0).of(clip, "train")
    assert [part.event_confidence for part in parts] == [(0.5,), (0.9, 0.75)]
    assert [part.confidence for part in parts] == [{}, {}]
    parts = Windows(5.0).of(replace(clip, confidence={"a": 0.9}), "train")
    assert [part.confidence for part in parts] == [{"a": 0.5}, {"a": 0.9, "b": 0.75}]
    with pytest.raises(WsedError, match=r"clip a.wav has 2 events, but event_confidence has 3 values"):
        replace(clip, events=timed[:2])


def test_a_clip_of_unknown_length_is_not_cut():
    with pytest.raises(WsedError, match=r"the duration of r.flac is not known: set data.reader"):
        Windows(1.0).of(Clip("r.flac", Path("r.flac"), "weak"), "train")


def test_a_crop_of_a_clip_with_several_events_is_around_one_and_has_the_tags_of_all_in_it():
    """A dog at 1 s, and speech over a blender from 6 s on: a crop of 0.5 s holds the dog, or one or both of these."""
    events = (("Dog", 1.0, 1.4), ("Speech", 6.0, 8.0), ("Blender", 7.0, 9.0))
    found = {}
    for i in range(60):
        clip = Clip(f"{i}.wav", Path("a.wav"), "train", frozenset({"Dog", "Speech", "Blender"}), events, duration=10.0)
        (part,) = Windows(0.5, placement="contained").of(clip, "train")
        assert part.id == clip.id
        assert part.tags == {label for label, _, _ in part.events}
        assert part.tags
        found[part.tags] = part
    assert {*found} == {frozenset(tags) for tags in (("Dog",), ("Speech",), ("Blender",), ("Speech", "Blender"))}
    assert found[frozenset({"Dog"})].events[0][2] - found[frozenset({"Dog"})].events[0][1] == pytest.approx(0.4)
    empty = Clip("empty.wav", Path("empty.wav"), "train", frozenset(), (), duration=10.0)
    with pytest.raises(WsedError, match=r"empty.wav .* holds no events, but data.windows.placement"):
        Windows(0.5, placement="onset").of(empty, "train")


@pytest.mark.parametrize("seconds", [10.0, 10.01, 10.1])
def test_a_clip_that_is_hardly_longer_than_a_window_is_read_once(seconds):
    """Files of 10 s often last a little longer; the tags of the window are those of the clip."""
    clip = Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog"}), duration=seconds)
    (part,) = Windows(10.0).of(clip, "train")
    assert (part.start, part.duration, part.tags) == (0.0, 10.0, {"Dog"})
    assert tags_unknown([clip], 10.0, "train") == []
    timed = replace(clip, events=(("Dog", 1.0, 2.0),), duration=seconds + 10)
    assert [(part.start, part.tags) for part in Windows(10.0).of(timed, "train")] == [(0.0, {"Dog"}), (10.0, set())]


def test_a_clip_that_is_longer_than_a_window_is_read_to_its_end():
    clip = Clip("a.wav", Path("a.wav"), "weak", frozenset({"Dog"}), duration=10.2)
    assert [part.start for part in Windows(10.0).of(clip, "train")] == pytest.approx([0.0, 0.2])
    assert [part.tags for part in Windows(10.0).of(clip, "train")] == [None, None]
    short = replace(clip, duration=0.3)
    assert [part.start for part in Windows(0.2).of(short, "train")] == pytest.approx([0.0, 0.1])
    assert len(Windows(0.2, hop=0.05).of(short, "train")) == 3
