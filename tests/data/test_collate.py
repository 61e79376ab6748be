"""What a batch holds."""

from dataclasses import replace

import torch

from wsed.data.clip_table import ClipTable
from wsed.data.collate import Collate
from wsed.data.corpus.desed_layout import read_clips
from wsed.data.reading.files import ClipDataset
from wsed.types import Labels

LABELS = Labels(["high", "low"])


def test_a_batch_says_what_is_known(corpus):
    clips = (
        read_clips(corpus, "train/weak", "weak")[:3] + read_clips(corpus, "train/strong", "strong", "train/weak")[:3]
    )
    table = ClipTable.of(clips, LABELS)
    batch = Collate(table)([ClipDataset(table, 8000)[i] for i in (1, 4)])
    assert batch.clip_ids == ("train_1.wav", "train_1.wav")
    assert batch.sources == ("weak", "strong")
    assert batch.tagged.all()
    assert batch.timed.tolist() == [[False] * len(LABELS), [True] * len(LABELS)]
    assert batch.clip_labels.tolist() == [[1, 0], [1, 0]]
    assert batch.events.clip.tolist() == [1]
    assert batch.events.onset.tolist() == [0.25]
    assert batch.audio.shape == (2, 8000)
    assert batch.audio.dtype == torch.float32


def test_shorter_clips_are_padded_with_zeros(corpus):
    table = ClipTable.of(read_clips(corpus, "train/weak", "weak")[:2], LABELS)
    whole, short = ClipDataset(table, 8000)[0], ClipDataset(replace(table, end=0.5), 8000)[1]
    batch = Collate(table)([whole, short])
    assert batch.n_samples.tolist() == [8000, 4000]
    assert not batch.audio[1, 4000:].any()
