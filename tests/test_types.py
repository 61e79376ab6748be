import pickle

import pytest
import torch

import wsed
from wsed import testing
from wsed.errors import WsedError, near
from wsed.registry import Registry
from wsed.types import Events, Needs, Output


def test_labels_know_their_order():
    labels = wsed.Labels(["b", "a"])
    assert (len(labels), labels.index("a"), list(labels)) == (2, 1, ["b", "a"])
    assert labels != wsed.Labels(["a", "b"])
    with pytest.raises(WsedError, match="known labels: b, a"):
        labels.index("c")
    with pytest.raises(WsedError, match="unique"):
        wsed.Labels(["a", "a"])


def test_events_select_and_join():
    events = Events.of([(0, 1, 0.5, 1.0), (1, 0, 0.0, 2.0)])
    assert len(events[events.clip == 1]) == 1
    assert len(Events.cat([events, events])) == 4
    assert len(Events.cat([])) == len(Events.of([])) == 0
    assert events.onset.dtype == torch.float64


def test_events_move_and_are_pinned(monkeypatch):
    events = Events.of([(0, 1, 0.5, 1.0)])
    assert torch.equal(events.to("cpu", non_blocking=True).onset, events.onset)
    batch, pinned = testing.batch(2), []
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: pinned.append(tensor) or tensor)
    assert torch.equal(events.pin_memory().offset, events.offset)
    assert len(pinned) == len(events.columns) == 6
    again = batch.pin_memory()
    assert len(pinned) == 6 + 6 + 6  # tensors of the events before, of the batch, and of its events
    assert again.events.label is batch.events.label


def test_batch_moves_and_answers():
    batch = testing.batch(4, 3)
    moved = batch.to("cpu")
    assert torch.equal(moved.audio, batch.audio)
    assert len(batch) == 4
    grid = batch.frame_labels(10, 10.0)
    assert grid.shape == (4, 10, 3)
    assert grid[1, 1:5, 1].all()
    assert grid[0].sum() == 0
    assert pickle.loads(pickle.dumps(batch)).clip_ids == batch.clip_ids


def test_output_merges_and_names_what_is_missing():
    one = Output(frame_logits=torch.zeros(1, 2, 3), frame_rate=5.0)
    two = one.merge(Output(clip_logits=torch.ones(1, 3)))
    assert two.frame_logits is one.frame_logits
    assert two.frame_rate == 5.0
    assert two.clip_scores.dtype == torch.float32
    with pytest.raises(WsedError, match="no clip_logits"):
        _ = one.clip_scores


def test_needs_join_to_the_least_that_serves_both():
    joined = Needs(frozenset({"frame_logits"}), classes=2, per_class=3) | Needs(classes=4, one_class=True)
    assert (joined.classes, joined.per_class, joined.one_class) == (4, 3, True)
    assert joined.output == {"frame_logits"}


def test_names_in_the_registry():
    assert {"mil", "cosine_penalty", "clip_bce", "frame_bce", "false_strong", "mmm"} <= set(wsed.components("loss"))
    with pytest.raises(WsedError, match="did you mean cosine_penalty"):
        wsed.LOSSES["cosine_penalti"]
    with pytest.raises(WsedError, match="unknown kind 'losses'"):
        wsed.components("losses")
    assert near("Dogs", ["Dog", "Cat"]) == " (did you mean Dog?)"
    assert near("xyz", ["abc"]) == ""


class Mine:
    """A class that is registered."""


class Theirs:
    """Another one."""


def test_a_name_belongs_to_one_class():
    registry = Registry("loss", "wsed.losses")
    registry.register("mine")(Mine)
    with pytest.raises(WsedError, match="already"):
        registry.register("mine")(Theirs)


def test_plugins_come_by_entry_point(monkeypatch):
    class Point:
        def __init__(self, name, target):
            self.name, self.value, self.target = name, "pkg:Class", target

        def load(self):
            if self.target is None:
                raise ImportError("no module named pkg")
            return self.target

    monkeypatch.setattr(
        "wsed.registry.entry_points", lambda group: [Point("theirs", Theirs)] if group == "wsed.loss" else []
    )
    assert Registry("loss", "wsed.losses")["theirs"] is Theirs
    monkeypatch.setattr("wsed.registry.entry_points", lambda group: [Point("broken", None)])
    registry = Registry("loss", "wsed.losses")
    registry.register("mine")(Mine)
    assert registry.names() == ["broken", "mine"]
    assert registry["mine"] is Mine
    assert registry.classes() == [Mine]
    with pytest.raises(WsedError, match=r"'broken' \(pkg:Class\) cannot be loaded: no module named pkg"):
        registry["broken"]


def test_public_names_are_all_there():
    for name in wsed.__all__:
        assert getattr(wsed, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = wsed.nothing
