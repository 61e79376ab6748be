"""Clips of which only some classes are known: two corpora with other classes train together."""

from dataclasses import replace

import pytest
import torch

from wsed import testing
from wsed.losses import functional as F
from wsed.losses.fpd import FPD
from wsed.losses.prototypical import Prototypical
from wsed.ops.frame_pairs import frame_categories
from wsed.ops.mine import episode, relations
from wsed.registry import registry
from wsed.types import Events, Output

SHARED = ("clip_bce", "frame_bce", "false_strong", "mil", "mmm", "plat", "micro", "cosine_penalty", "kl_penalty")
PAIRED = ("triplet", "fpd")


def joined():
    """Clips of two corpora: the first, clips 0 to 3, annotates classes 0 to 2, the second classes 3 to 5."""
    of = testing.batch(8, 6)
    known = (torch.arange(8) < 4)[:, None] == (torch.arange(6) < 3)
    events = [(i, (i + k) % 3 + 3 * (i // 4), 0.3 * k, 0.3 * k + 0.4) for i in range(8) for k in range(2)]
    own = torch.tensor([[1, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 0]]).float().repeat(2, 2)
    tags = torch.where(known, own, of.clip_labels)  # those that are unknown hold anything
    return replace(of, clip_labels=tags, tagged=known, timed=known, events=Events.of(events))


def alone(of, output, clips, classes):
    """The clips and classes of one corpus, as if there were no other; the leaves of the output stay the same."""
    mine = of.events[(of.events.clip // 4 == clips[0] // 4)]
    part = testing.take(replace(of, events=mine), clips)
    events = replace(part.events, label=part.events.label - int(classes[0]))
    batch = replace(
        part,
        clip_labels=part.clip_labels[:, classes],
        tagged=part.tagged[:, classes],
        timed=part.timed[:, classes],
        events=events,
    )
    some = testing.take_output(output, clips)
    per_class = ("frame_logits", "clip_logits", "attention", "activation_map")
    return batch, replace(some, **{name: getattr(some, name)[..., classes] for name in per_class})


@pytest.mark.parametrize("name", SHARED)
def test_two_corpora_give_the_gradients_of_each_alone(name):
    of, loss = joined(), registry("loss")[name]()
    output = replace(testing.output(of), valid=None)
    leaves = [getattr(output, f) for f in ("frame_logits", "clip_logits")]
    together = torch.autograd.grad(loss(output, of), leaves, allow_unused=True)
    parts = [(torch.arange(4), torch.arange(3)), (torch.arange(4, 8), torch.arange(3, 6))]
    each = [torch.autograd.grad(loss(*reversed(alone(of, output, *p))), leaves, allow_unused=True) for p in parts]
    for found, *expected in zip(together, *each, strict=True):
        if found is not None:  # a mean over the elements of both, of which each has half
            torch.testing.assert_close(found, sum(expected) / 2)
            assert found[:4, ..., :3].abs().max() > 0
            assert found[:4, ..., 3:].abs().max() == 0


def summed(name):
    loss = registry("loss")[name]
    if name != "fpd":
        return loss(reduction="sum")
    sums = loss()
    sums.reduction = "sum"  # a reading of the paper that the core does not offer
    return sums


@pytest.mark.parametrize("name", PAIRED)
def test_clips_of_corpora_with_no_class_in_common_are_not_paired(name):
    of, loss = joined(), summed(name)
    output = replace(testing.output(of), valid=None)
    parts = [(torch.arange(4), torch.arange(3)), (torch.arange(4, 8), torch.arange(3, 6))]
    each = [loss(*reversed(alone(of, output, *p))) for p in parts]
    assert min(each) > 0
    torch.testing.assert_close(loss(output, of), sum(each))


def test_the_classes_of_corpora_may_overlap():
    known = torch.tensor([[1, 1, 0], [1, 1, 0], [0, 1, 1], [0, 1, 1]], dtype=torch.bool)
    tags = torch.tensor([[1, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 1]]).float()  # unknown ones hold anything
    positive, negative = relations(tags, known)
    assert positive.nonzero().tolist() == [[1, 2], [2, 1]]
    # clip 0 may hold what clip 3 holds: class 2 is unknown there
    assert negative.nonzero().tolist() == [[0, 1], [1, 0], [2, 3], [3, 2]]
    labels, valid = tags[:, None], torch.ones(4, 1, dtype=torch.bool)
    found = frame_categories(labels, valid, known=known)[0]
    assert (found == 1).nonzero().tolist() == [[1, 2]]
    assert (found == -1).nonzero().tolist() == [[0, 1], [2, 3]]
    by_tags = frame_categories(labels, valid, tags, known=known)[0]
    assert torch.equal(by_tags, found)


@pytest.mark.parametrize("silence", ["ignore", "negative", "background"])
def test_silence_is_that_of_the_known_classes(silence):
    known = torch.tensor([[1, 0], [1, 0], [0, 1], [1, 1]], dtype=torch.bool)
    labels = torch.tensor([[0, 1], [1, 0], [1, 0], [0, 0]]).float()[:, None]
    found = frame_categories(labels, torch.ones(4, 1, dtype=torch.bool), known=known, silence=silence)[0]
    silent = {"ignore": [], "negative": [], "background": [[0, 3], [2, 3]]}[silence]
    other = {"ignore": [], "negative": [[0, 1], [1, 3]], "background": [[0, 1], [1, 3]]}[silence]
    assert (found == 1).nonzero().tolist() == silent
    assert (found == -1).nonzero().tolist() == other


def test_a_query_is_compared_with_the_classes_that_are_known_of_it():
    tags, points = torch.eye(3)[[0, 1, 2, 0]], torch.randn(4, 5)
    tagged = torch.ones(4, 3, dtype=torch.bool)
    tagged[3, 2] = False
    of = episode(tags, tagged, order=torch.arange(4))
    assert of.query[3].tolist() == [True, False, False]
    d = (points[3] - points[:2]).double().square().sum(1)
    expected = -(-d).log_softmax(0)[0]
    torch.testing.assert_close(F.prototypical(points, of).double(), expected, atol=1e-5, rtol=1e-5)


def test_classes_that_are_only_tagged_get_labels_from_the_scores_beside_timed_ones():
    of = testing.batch(4, 3)
    timed = of.timed | True
    timed[:, 2] = False
    of = replace(of, timed=timed, events=Events.of([(i, i % 2, 0.0, 0.6) for i in range(4)]))
    output = testing.output(of)
    loss = FPD(wps_start_epoch=0, silence="background")
    labels = of.frame_labels(12, 12.0)
    labels[..., 2] = ((output.frame_scores >= 0.5) * of.clip_labels[:, None])[..., 2].float()
    torch.testing.assert_close(loss(output, of), F.fpd(output.embeddings, labels, output.valid, silence="background"))


def test_a_partly_known_clip_is_a_support_of_its_known_classes():
    of = testing.batch(6, 3)
    output = Output(clip_embedding=testing.output(of).clip_embedding)
    hidden = replace(of, tagged=of.tagged & (torch.arange(3) > 0))
    others = replace(hidden, clip_labels=hidden.clip_labels * torch.tensor([0.0, 1, 1]))
    assert Prototypical()(output, hidden) == Prototypical()(output, others)
