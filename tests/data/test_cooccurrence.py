"""Which classes come together: a small case, and what the cosine-penalty paper says of its corpus."""

from pathlib import Path

import numpy as np

from wsed.data.cooccurrence import cooccurrence
from wsed.data.desed_layout import DESED_LABELS
from wsed.data.table import read_weak


def test_pairs_are_counted():
    tags = [frozenset("ab"), frozenset("a"), frozenset("abc"), frozenset()]
    assert cooccurrence(tags, "abd").tolist() == [[3, 2, 0], [2, 2, 0], [0, 0, 0]]
    assert np.array_equal(cooccurrence([], "ab"), np.zeros((2, 2)))


def test_the_papers_corpus(shared: Path):
    """Pellegrini & Cances 2019 on the weak clips; the paper prints 170 Frying clips, the public list has 171."""
    tags = list(read_weak(shared / "data/metadata/dcase2019_task4/weak.tsv").values())
    counts = cooccurrence(tags, DESED_LABELS)
    dishes, frying, speech = (DESED_LABELS.index(name) for name in ("Dishes", "Frying", "Speech"))
    assert counts.diagonal()[[dishes, frying, speech]].tolist() == [184, 171, 550]
    assert counts.diagonal().sum() == 2244
    assert tags.count(frozenset(["Frying"])) == 30
    with_dishes = cooccurrence([clip for clip in tags if "Dishes" in clip], DESED_LABELS)
    share = {"Frying": counts[dishes, frying], "Speech": counts[dishes, speech], "both": with_dishes[frying, speech]}
    assert {name: round(100 * n / 184) for name, n in share.items()} == {"Frying": 46, "Speech": 52, "both": 32}
