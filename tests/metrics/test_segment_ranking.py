"""Rankings of segments against sed_scores_eval, for frames of any length."""

import warnings
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from wsed.errors import WsedError
from wsed.metrics import SegmentRanking, System
from wsed.metrics.joined import joined
from wsed.metrics.segment_ranking import segments_of
from wsed.truth import Truth
from wsed.types import Events, Labels
from wsed.values import Scores

NAMES = ["a", "b", "c"]


def made(seed: int) -> tuple[Scores, Events]:
    """Six clips of 4 to 7 s; every class sounds in the first and is silent in the last. Few distinct scores: ties."""
    rng = np.random.default_rng(seed)
    rate, seconds = 3.7, rng.uniform(4.0, 7.0, 6).round(2)
    frames = [torch.from_numpy(rng.integers(0, 8, (int(np.ceil(s * rate)), 3)) / 8) for s in seconds]
    scores = Scores.of_clips([f"{i}" for i in range(6)], frames, rate, torch.from_numpy(seconds))
    if seed % 2:  # frames of any length
        borders = [np.append(0.0, np.sort(rng.choice(700, len(part) - 1, replace=False) + 1) / 100) for part in frames]
        ends = [torch.from_numpy(np.append(b, 7.5)) for b in borders]
        scores = replace(scores, borders=torch.cat(ends))
    rows = [(0, k, 0.5, 1.5 + k) for k in range(3)] + [
        (int(rng.integers(1, 5)), int(rng.integers(3)), float(t), float(t + rng.uniform(0.1, 2.0)))
        for t in rng.uniform(0, 4, 6).round(2)
    ]
    return scores, joined(Events.of(rows), touching=True)


@pytest.mark.parametrize("seed", range(6))
def test_equal_to_sed_scores_eval(seed):
    scores, reference = made(seed)
    system = System(Labels(NAMES), Truth.of_events(reference, 6, 3), reference, scores.durations, scores)
    ours = SegmentRanking().compute(system).numbers
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        package = pytest.importorskip("sed_scores_eval", reason="needs the extra `eval`")
        create = import_module("sed_scores_eval.base_modules.scores").create_score_dataframe
        tables, at = {}, 0
        for name, part in zip(scores.clip_ids, scores.split(), strict=True):
            borders = np.arange(len(part) + 1) / scores.frame_rate
            if scores.borders is not None:
                borders = scores.borders[at : at + len(part) + 1].numpy()
            at += len(part) + 1
            tables[name] = create(part.numpy(), borders, NAMES)
        truth = {name: [] for name in scores.clip_ids}
        events = zip(
            *(c.tolist() for c in (reference.clip, reference.label, reference.onset, reference.offset)), strict=True
        )
        for clip, label, onset, offset in events:
            truth[str(clip)].append((onset, offset, NAMES[label]))
        lasts = dict(zip(scores.clip_ids, scores.durations.tolist(), strict=True))
        theirs = package.segment_based.auroc(tables, truth, lasts, segment_length=1.0, max_fpr=0.1)[0]
    assert ours["macro_pauroc"] == pytest.approx(theirs["mean"], abs=1e-12)


def test_a_class_is_ranked_where_it_is_known():
    scores, reference = made(0)
    known = torch.ones(6, 3, dtype=torch.bool)
    known[:, 2] = False
    truth = Truth.of_events(reference, 6, 3)
    part = System(Labels(NAMES), replace(truth, timed=known), reference, scores.durations, scores)
    two = replace(scores, frames=scores.frames[:, :2])
    events = reference[reference.label < 2]
    whole = System(Labels(NAMES[:2]), Truth.of_events(events, 6, 2), events, scores.durations, two)
    assert SegmentRanking().compute(part).numbers == SegmentRanking().compute(whole).numbers


def test_segments_without_frames_rank_last_and_lengths_are_checked():
    scores = Scores.of_padded(torch.rand(1, 3, 1), 2.0, durations=torch.tensor([3.0]))
    assert segments_of(scores, Events.of([])).scores[2].tolist() == [-np.inf]
    with pytest.raises(WsedError, match="positive length"):
        segments_of(scores, Events.of([]), length=0.0)


def test_scores_of_any_kind_and_events_without_an_end():
    frames = torch.tensor([[[0.25], [0.75], [0.5]], [[0.125], [0.25], [0.5]]])
    scores = Scores.of_padded(frames, 1.0)
    expected = segments_of(scores, Events.of([(0, 0, 1.0, 3.0)]))
    assert expected.true.ravel().tolist() == [False, True, True, False, False, False]
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        found = segments_of(Scores.of_padded(frames.to(kind), 1.0), Events.of([(0, 0, 1.0, np.inf)]))
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    assert not segments_of(scores, Events.of([(0, 0, np.inf, np.inf), (0, 0, -2.0, -1.0)])).true.any()
    with pytest.raises(WsedError, match="the reference has events in clip 2, but durations are given for 2 clips"):
        segments_of(scores, Events.of([(2, 0, 1.0, 3.0)]))
