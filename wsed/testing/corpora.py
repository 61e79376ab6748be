"""The contract of corpora."""

import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from unittest.mock import patch

from wsed.data.clip import Clip
from wsed.data.columns import table_of, take
from wsed.data.corpus.base import Corpus
from wsed.data.findings import Finding
from wsed.data.holdout import sounds
from wsed.types import Split

SPLITS: tuple[Split, ...] = ("train", "validation", "test", "predict")


def check_corpus(corpus: Corpus) -> None:
    """Check that a corpus always lists the same clips, with its own classes and sources, and reads no audio.

    Args:
        corpus: a corpus with at least one training clip.

    Raises:
        AssertionError: a rule is broken; the message names it.
    """
    with _no_audio():
        assert len(corpus.labels), "a corpus has classes"
        assert len(set(corpus.sources)) == len(corpus.sources) > 0, "sources are named once each"
        assert corpus.has("train"), "a corpus has training clips"
        for split in SPLITS:
            clips = corpus.clips(split)
            assert list(clips) == list(corpus.clips(split)), f"{split}: the clips are the same each time"
            assert bool(len(clips)) == corpus.has(split), f"{split}: `has` says whether there are clips"
            _check_clips(corpus, clips, split)
            assert all(isinstance(finding, Finding) for finding in corpus.findings(split)), "findings are of `Finding`"
        _check_sources(corpus)
        _check_annotated(corpus)


def _check_clips(corpus: Corpus, clips: Sequence[Clip], split: Split) -> None:
    labels = set(corpus.labels)
    for clip in clips:
        assert clip.id, "a clip has a name"
        assert split != "train" or clip.source in corpus.sources, f"{clip.id}: {clip.source} is not one of the sources"
        assert (clip.tags or set()) <= labels, f"{clip.id}: tags are of the corpus's labels"
        assert clip.start is None or clip.duration is not None, f"{clip.id}: a part of a file has a duration"
        for label, onset, offset in clip.events or ():
            assert label in labels, f"{clip.id}: events are of the corpus's labels"
            assert 0 <= onset < offset, f"{clip.id}: an event ends after it begins"
            assert clip.tags is None or label in clip.tags, f"{clip.id}: the label of an event is a tag"
    table = table_of(clips, corpus.labels, annotated=corpus.annotated)
    assert len(table.source) == len(clips), "the table has a row for each clip"
    assert list(pickle.loads(pickle.dumps(clips))) == list(clips), "clips reach other processes"
    assert [clip.id for clip in take(clips, sounds(clips)[:0])] == [], "some of the clips can be taken"


def _check_sources(corpus: Corpus) -> None:
    every = corpus.clips("train")
    here = list(dict.fromkeys(clip.source for clip in every))
    for source in here:
        mine = list(corpus.clips("train", [source]))
        assert mine == [clip for clip in every if clip.source == source], f"the clips of {source} alone are its clips"


def _check_annotated(corpus: Corpus) -> None:
    for source, classes in corpus.annotated.items():
        assert set(classes) <= set(corpus.labels), f"{source} annotates classes of the corpus"
    for clip in corpus.clips("train"):
        known = corpus.annotated.get(clip.source, corpus.labels)
        assert (clip.tags or set()) <= set(known), f"{clip.id} has a tag that {clip.source} does not annotate"


@contextmanager
def _no_audio() -> Iterator[None]:
    """Raise an error if a sound file is opened."""
    with patch(
        "soundfile.SoundFile", side_effect=AssertionError("a corpus opens no sound file: that is a reader's job")
    ):
        yield
