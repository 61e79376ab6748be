"""Events of a scene."""

from wsed.data.synth.scene import merge_events, polyphony


def test_merge_events() -> None:
    events = [("a", 1.0, 2.0), ("b", 1.2, 1.4), ("a", 2.2, 3.0), ("a", 3.3, 4.0), ("b", 1.3, 1.35)]
    assert merge_events(events) == [("a", 1.0, 3.0), ("b", 1.2, 1.4), ("a", 3.3, 4.0)]
    assert polyphony([("a", 0.0, 1.0), ("b", 1.0, 2.0)]) == 1
