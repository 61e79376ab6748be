"""Two gloo processes give the losses, gradients and scores of one."""

from dataclasses import replace
from functools import partial

import pytest
import torch

import wsed
from experiments.waa.readings import ReadingTriplet
from tests.distributed.ranks import run
from wsed import testing
from wsed.augment import Gain, SpecAugment
from wsed.decoding import StepDecoder
from wsed.losses.functional import fpd
from wsed.losses.prototypical import Prototypical
from wsed.losses.triplet import Triplet
from wsed.models.frontends import Standardised
from wsed.models.network import Composed
from wsed.models.teacher import MeanTeacher
from wsed.ops.exchange import Processes
from wsed.registry import registry
from wsed.scoring.collect import Collector
from wsed.scoring.score import score, system_of
from wsed.types import Output

N_CLIPS, N_LABELS, N_FRAMES = 7, 3, 12

ONE_TAG = torch.eye(N_LABELS)[torch.tensor([0, 1, 0, 0, 1, 2, 1])]
"""Tags for losses of classes; each rank lacks the pairs that the other's clips make."""


def whole():
    batch = testing.batch(N_CLIPS, N_LABELS)
    return batch, testing.output(batch, N_FRAMES, seed=5)


def shard(rank, ranks):
    """Unequal parts: 4 and 3 clips."""
    return torch.arange(N_CLIPS)[rank::ranks]


SETTINGS = {"fpd": {"gather": True, "wps_start_epoch": 0}}
"""Of losses that would else see nothing but their own rank's clips, or none at all."""


def loss_and_gradient(name, rank, ranks):
    loss = registry("loss")[name](**SETTINGS.get(name, {}))
    batch, output = whole()
    if loss.needs.per_class:
        batch = replace(batch, clip_labels=ONE_TAG)
    index = shard(rank, ranks)
    part = testing.take_output(output, index)
    fields = ("frame_logits", "clip_logits", "attention", "embeddings", "clip_embedding")
    leaves = {f: getattr(part, f).detach().requires_grad_() for f in fields}
    value = loss(replace(part, **leaves), testing.take(batch, index))
    value.backward()
    gradients = {f: leaf.grad.tolist() for f, leaf in leaves.items() if leaf.grad is not None}
    return value.item(), index.tolist(), gradients


@pytest.mark.parametrize("name", wsed.components("loss"))
def test_losses_and_gradients_are_those_of_one_process(name):
    if name == "metric_learning":
        pytest.importorskip("pytorch_metric_learning", reason="the extra metric is not installed")
    value, _, gradients = loss_and_gradient(name, 0, 1)
    assert value > 0
    parts = run(partial(loss_and_gradient, name))
    assert sum(p[0] for p in parts) / 2 == pytest.approx(value, abs=1e-6)
    for field, expected in gradients.items():
        joined = torch.zeros_like(torch.tensor(expected))
        for _, index, grads in parts:
            joined[index] = torch.tensor(grads[field]) / 2  # DDP averages over ranks
        torch.testing.assert_close(joined, torch.tensor(expected), atol=1e-6, rtol=1e-5)


def exchanged(rank, ranks):
    """Rows of all types, of which rank 0 sends two and rank 1 one to rank 0, and none to rank 1."""
    found = []
    for dtype in (torch.float32, torch.bfloat16, torch.int64, torch.bool):
        rows = (torch.arange(6).view(2, 3) + 10 * rank).to(dtype)[: 2 - rank]
        received = Processes().sent(rows, [2 - rank, 0], [2, 1] if rank == 0 else [0, 0])
        assert received.dtype == dtype
        found.append(received.tolist())
    return found, Processes().gathered(torch.tensor([rank])).tolist()


def test_rows_of_any_type_are_exchanged():
    (first, gathered), (second, _) = run(exchanged)
    assert gathered == [[0], [1]]
    assert first[:3] == [[[0, 1, 2], [3, 4, 5], [10, 11, 12]]] * 3
    assert first[3] == [[False, True, True], [True] * 3, [True] * 3]
    assert second == [[]] * 4


FPD_OPTIONS = (
    {},
    {"metric": "ip", "reduction": "mean_per_category"},
    {"reduction": "sum", "metric": "ip", "pairs": "cross", "silence": "background"},
)


def frame_pairs():
    """Embeddings, labels, valid frames, tags and whether strong; the clips of rank 0 have 13 frames, others 9."""
    draw = torch.Generator().manual_seed(1)
    clip = torch.arange(N_CLIPS)
    embeddings = torch.randn(N_CLIPS, 13, 4, generator=draw)
    labels = torch.eye(N_LABELS)[torch.randint(N_LABELS, (N_CLIPS, 13), generator=draw)]
    valid = torch.arange(13) < torch.where(clip % 2 == 1, 9, 13)[:, None]
    return embeddings, labels, valid, torch.eye(N_LABELS)[clip // 2 % 2], clip < 3


def fpd_values(embeddings, *others, gather):
    found = []
    for options in FPD_OPTIONS:
        leaf = embeddings.clone().requires_grad_()
        loss = fpd(leaf, *others, **options, gather=gather, alpha=0.1)
        loss.backward()
        found.append((loss.item(), leaf.grad.tolist()))
    return found


def fpd_of(rank, ranks):
    index = shard(rank, ranks)
    inputs = [x[index][:, : 9 if rank else 13] if x.shape[1:2] == (13,) else x[index] for x in frame_pairs()]
    return fpd_values(*inputs, gather=True), fpd_values(*inputs, gather=False)


def test_frame_pairs_over_ranks_are_those_of_one_process():
    embeddings, labels, valid, tags, strong = frame_pairs()
    clip = torch.arange(N_CLIPS)[:, None]
    here = torch.arange(13) + 13 * (clip % 2)  # within ranks: as if those of rank 1 sounded later
    apart = [x.new_zeros(N_CLIPS, 26, *x.shape[2:]).index_put((clip, here), x) for x in (embeddings, labels, valid)]
    parts = run(fpd_of)
    for within, inputs in enumerate(((embeddings, labels, valid), apart)):
        for i, (value, gradient) in enumerate(fpd_values(*inputs, tags, strong, gather=False)):
            assert value > 0
            assert sum(p[within][i][0] for p in parts) / 2 == pytest.approx(value, rel=1e-6)
            expected = torch.tensor(gradient)
            expected = expected[clip, here] if within else expected
            for rank, p in enumerate(parts):
                found = torch.tensor(p[within][i][1]) / 2  # DDP averages over ranks
                torch.testing.assert_close(found, expected[shard(rank, 2), : found.shape[1]], atol=1e-6, rtol=1e-5)


def scores_of(rank, ranks):
    batch, output = whole()
    batch = replace(batch, timed=torch.ones_like(batch.timed))
    collector = Collector()
    padded = torch.cat([shard(rank, ranks), torch.arange(rank)])  # the sampler repeats the first clips
    for index in padded.split(2):
        collector.update(testing.take_output(output, index), testing.take(batch, index), 8000)
    return score(system_of(*collector.gather(), wsed.Labels("abc"), StepDecoder(smooth=0.2))).without_curves().to_dict()


def flat(value):
    if isinstance(value, dict):
        return [x for v in value.values() for x in flat(v)]
    return [x for v in value for x in flat(v)] if isinstance(value, list) else [value]


def test_scores_are_those_of_one_process():
    one = flat(scores_of(0, 1))
    assert len(one) > 30
    for other in map(flat, run(scores_of)):
        assert other == pytest.approx(one, abs=1e-6, nan_ok=True)


def test_the_collector_counts_a_clip_once_and_leaves_padding_out():
    batch, output = whole()
    collector = Collector()
    collector.update(output, batch, 8000)
    collector.update(output, batch, 8000)
    scores, truth = collector.gather()
    assert len(scores) == len(truth) == N_CLIPS
    frames, valid = scores.padded()
    assert frames.shape == (N_CLIPS, N_FRAMES, N_LABELS)
    assert valid.sum(1).tolist() == [N_FRAMES] * (N_CLIPS - 1) + [N_FRAMES * 2 // 3]
    assert len(truth.events) == len(batch.events)
    empty = Collector()
    empty.update(Output(clip_logits=output.clip_logits), batch, 8000)
    assert empty.gather()[0].clip_scores is not None


METRIC_LOSSES = (
    Triplet(),
    ReadingTriplet("hard", squared=False, reduction="mean_active", gradient="anchor_only"),
    Triplet("semi_hard", margin=1.0, reduction="sum"),
    Prototypical(),
    Prototypical("cosine", shot=2, query=None),
)


def metric_losses(rank, ranks):
    """Values and gradients."""
    batch, output = whole()
    index = shard(rank, ranks)
    part = testing.take(replace(batch, clip_labels=ONE_TAG), index)
    found = []
    for loss in METRIC_LOSSES:
        leaf = output.clip_embedding[index].detach().requires_grad_()
        value = loss(Output(clip_embedding=leaf), part)
        value.backward()
        found.append((value.item(), leaf.grad.tolist()))
    return found


def test_triplets_and_episodes_over_ranks_are_those_of_one_process():
    parts = run(metric_losses)
    for i, (value, gradient) in enumerate(metric_losses(0, 1)):
        assert value > 0
        assert sum(p[i][0] for p in parts) / 2 == pytest.approx(value, rel=1e-6)
        for rank, p in enumerate(parts):
            found = torch.tensor(p[i][1]) / 2  # DDP averages over ranks
            torch.testing.assert_close(found, torch.tensor(gradient)[shard(rank, 2)], atol=1e-6, rtol=1e-5)


def measured(rank, ranks):
    """Mean and deviation of the bands, of clips that are spread over ranks."""
    frontend = Standardised()
    frontend.measure([testing.take(testing.batch(N_CLIPS, N_LABELS, sample_rate=16000), shard(rank, ranks))])
    return torch.stack([frontend.mean, frontend.std]).tolist()


def test_features_are_standardised_by_the_clips_of_all_ranks():
    for part in run(measured):
        torch.testing.assert_close(torch.tensor(part), torch.tensor(measured(0, 1)))


def seen_views(rank, ranks):
    """The features that student and teacher see in two steps."""
    torch.manual_seed(rank)  # each process has random numbers of its own
    batch = testing.batch(6, N_LABELS)
    network = MeanTeacher(wsed.Labels("abc"), Composed.example, views=[Gain(), SpecAugment()]).train()
    seen = []
    for part in (network.student, network.teacher):
        part.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].features))
    for _ in range(2):
        network(testing.take(batch, torch.arange(6)[rank::ranks]))
        network.after_step()
    return torch.stack(seen).tolist()


def test_views_of_student_and_teacher_over_ranks_are_those_of_one_process():
    one = torch.tensor(seen_views(0, 1))
    assert len({float(features.sum()) for features in one}) == 4
    for rank, part in enumerate(run(seen_views)):
        torch.testing.assert_close(torch.tensor(part), one[:, rank::2], rtol=0, atol=0)
