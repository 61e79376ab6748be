"""Pseudo labels: clips without labels with the events that a network detected in them."""

from pathlib import Path

import numpy as np
import pytest
import torch

from wsed import WsedError
from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.collate import Collate
from wsed.data.corpus.base import Corpus
from wsed.data.corpus.pseudo import Pseudo
from wsed.data.reading.base import Item
from wsed.data.windows import part_of
from wsed.types import Labels

HEADER = "filename\tonset\toffset\tevent_label\tconfidence"
ROWS = (
    "a.wav\t1\t2\tDog\t0.9",
    "a.wav\t3\t4\tDog\t0.6",
    "a.wav\t0\t4\tCat\t0.3",
    "b.wav\t0\t1\tCat\t0.4",
    "c.wav\t\t\t\t",
)


class Street(Corpus):
    """One clip with tags and three without."""

    labels, sources = Labels(["Cat", "Dog"]), ("weak", "unlabelled")

    def clips(self, split, sources=None):
        clips = [Clip("w.wav", Path("w.wav"), "weak", frozenset({"Cat"}))]
        clips += [Clip(f"{name}.wav", Path(f"{name}.wav"), "unlabelled", duration=10.0) for name in "abc"]
        return [clip for clip in clips if sources is None or clip.source in sources] if split == "train" else []


def corpus(folder, rows=ROWS, **settings):
    (folder / "predict").mkdir(exist_ok=True)
    (folder / "predict/predictions.tsv").write_text("\n".join([HEADER, *rows]) + "\n")
    return Pseudo(Street(), str(folder), **settings)


def test_confident_events_are_labels_and_the_clips_stay_without_labels_too(tmp_path):
    street = corpus(tmp_path)
    assert street.sources == ("weak", "unlabelled", "pseudo")
    (clip,) = street.clips("train", ["pseudo"])
    assert (clip.id, clip.source, clip.tags) == ("a.wav", "pseudo", {"Dog"})
    assert clip.events == (("Dog", 1.0, 2.0), ("Dog", 3.0, 4.0))
    assert clip.confidence == {}
    assert [c.source for c in street.clips("train")] == ["weak", *["unlabelled"] * 3, "pseudo"]
    assert [c.id for c in street.clips("train", ["weak"])] == ["w.wav"]
    assert street.notes("train") == [
        "pseudo labels: 1 of 3 clips without labels have events of confidence 0.5 or more (Cat 0, Dog 1)"
    ]
    assert [c.source for c in street.clips("predict")] == ["predict"] * 3
    assert corpus(tmp_path, least=0.35).clips("train", ["pseudo"])[1].id == "b.wav"


def test_a_class_with_an_event_of_less_confidence_is_unknown(tmp_path):
    """Not absent: nine of ten such events are there."""
    rows = [*ROWS, "a.wav\t5\t6\tDog\t0.4", "a.wav\t7\t8\tHorse\t0.1"]
    street = corpus(tmp_path, rows)
    (clip,) = street.clips("train", ["pseudo"])
    assert (clip.tags, clip.unsure, clip.events) == ({"Dog"}, {"Cat", "Dog"}, ())
    table = ClipTable.of(street.clips("train", ["weak", "pseudo"]), street.labels)
    batch = Collate(table)([Item(i, 8, np.zeros(8, np.float32)) for i in (1, 0)])
    assert batch.clip_labels.tolist() == [[0, 1], [1, 0]]
    assert batch.tagged.tolist() == [[False, True], [True, True]]  # one of the dogs is sure
    assert batch.timed.tolist() == [[False, False], [False, False]]
    part = part_of(clip, 0.0, 5.0)
    assert (part.tags, part.unsure) == (set(), {"Cat", "Dog"})  # in which part the sure dog is, is not said
    assert part_of(clip, 0.0, 10.0).tags == {"Dog"}
    (clip,) = corpus(tmp_path, rows, unsure="absent").clips("train", ["pseudo"])
    assert (clip.tags, clip.unsure, len(clip.events)) == ({"Dog"}, frozenset(), 2)
    (clip,) = corpus(tmp_path).clips("train", ["pseudo"])
    assert (clip.unsure, clip.events) == ({"Cat"}, (("Dog", 1.0, 2.0), ("Dog", 3.0, 4.0)))


def test_soft_labels_are_the_confidence_of_a_class_in_the_batch_and_in_its_windows(tmp_path):
    street = corpus(tmp_path, least=0.3, soft=True)
    clips = street.clips("train", ["weak", "pseudo"])
    table = ClipTable.of(clips, street.labels)
    items = [Item(i, 8, np.zeros(8, np.float32)) for i in (1, 0)]
    batch = Collate(table)(items)
    torch.testing.assert_close(batch.clip_labels, torch.tensor([[0.3, 0.9], [1.0, 0.0]]))
    assert batch.events.gain.tolist() == pytest.approx([0.9, 0.6, 0.3])
    frames = batch.frame_labels(4, 1.0)
    torch.testing.assert_close(frames[0, :, 1], torch.tensor([0.0, 0.9, 0.0, 0.6]))
    assert part_of(clips[1], 0.0, 5.0).confidence == {"Dog": 0.9, "Cat": 0.3}
    second = part_of(clips[1], 2.5, 5.0)  # the surer of two events of Dog is over
    assert (second.confidence, second.confidences) == ({"Dog": 0.6, "Cat": 0.3}, (0.6, 0.3))
    parts = Collate(ClipTable.of([part_of(clips[1], start, 2.5) for start in (0.0, 2.5)], street.labels))(items)
    torch.testing.assert_close(parts.clip_labels, torch.tensor([[0.3, 0.6], [0.3, 0.9]]))
    assert parts.events.gain.tolist() == pytest.approx([0.6, 0.3, 0.9, 0.3])
    assert ClipTable.of(street.clips("train", ["weak"]), street.labels).confidence is None


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        (ROWS, {"least": 1.5}, "least is a confidence from 0 to 1, not 1.5"),
        (ROWS, {"least": 0.95}, "has no event of confidence 0.95 or more: lower data.corpus.least"),
        (ROWS, {"source": "unlabeled"}, r"unknown source 'unlabeled' \(did you mean unlabelled\?\)"),
        (ROWS, {"source": "weak"}, "w.wav has labels; name the source of clips without labels"),
        (["a.wav\t1\t2\tDoge\t0.9"], {}, r":2: unknown label 'Doge' \(did you mean Dog\?\)"),
        (["a.wav\t1\t2\tDog\t"], {}, ":2: no confidence"),
        (ROWS, {"unsure": "unknwon"}, "did you mean unknown"),
        (["test.wav\t1\t2\tDog\t0.9"], {}, r"names none of the 3 clips of 'unlabelled' \(such as 'a.wav'\)"),
    ],
)
def test_mistakes_are_told_before_training(tmp_path, rows, settings, message):
    with pytest.raises(WsedError, match=message):
        corpus(tmp_path, rows, **settings).clips("train")


def test_a_setting_is_refused_before_the_table_is_looked_for():
    with pytest.raises(WsedError, match=r"unknown unsure 'maybe' .*; known: unknown, absent"):
        Pseudo(Street(), "runs/gone", unsure="maybe")


def test_predictions_that_are_not_there(tmp_path):
    with pytest.raises(WsedError, match=r"has no predictions\.tsv; run `wsed predict` first"):
        Pseudo(Street(), str(tmp_path))
    first = Pseudo(Street())  # to predict with
    assert {clip.source for clip in first.clips("train", None)} == set(Street.sources)
    with pytest.raises(WsedError, match=r"data\.batch asks for .pseudo.: set data\.corpus\.predictions"):
        first.clips("train", ["weak", "pseudo"])
    assert len(Pseudo(Street()).clips("predict")) == 3


@pytest.mark.parametrize(
    ("header", "missing"),
    [
        ("filename\tevent_labels", "onset, offset, confidence"),
        ("filename\tonset\toffset\tevent_label", "confidence"),
        ("where,what", "filename, onset, offset, event_label, confidence"),
    ],
)
def test_a_table_of_labels_is_not_one_of_predictions(tmp_path, header, missing):
    """The advice of a table of labels, to name its columns, would lead nowhere: this corpus has no such setting."""
    table = tmp_path / "labels.tsv"
    table.write_text(f"{header}\n")
    with pytest.raises(WsedError) as caught:
        Pseudo(Street(), str(table)).clips("train")
    assert f"{table} is not a table that `wsed predict` has written: it has no column {missing} (" in str(caught.value)
    assert "run `wsed predict` with this corpus and --data.corpus.predictions null" in str(caught.value)
    assert "columns." not in str(caught.value)


def test_a_table_of_another_program_may_have_other_names(tmp_path):
    table = tmp_path / "events.csv"
    table.write_text("file,start_ms,end_ms,label,score\na.wav,1000,2000,Dog,0.9\n")
    (clip,) = Pseudo(Street(), str(table)).clips("train", ["pseudo"])
    assert clip.events == (("Dog", 1.0, 2.0),)
