"""What the losses need, against what there is: no trainer, no audio."""

from pathlib import Path

import pytest
import torch

from wsed.data import checks
from wsed.data.checks import Episodes
from wsed.data.clip import Clip
from wsed.data.clip_table import ClipTable
from wsed.data.sampling.balanced import BalancedSampler
from wsed.data.sampling.choose import choose
from wsed.data.sampling.episodes import ClassSampler
from wsed.data.sampling.quota import QuotaSampler
from wsed.errors import WsedError
from wsed.types import Labels, Needs

LABELS = Labels(["a", "b"])
PAIRS = Needs(classes=2, per_class=2)


def table(*tags: str, source: str = "weak") -> ClipTable:
    clips = [Clip(f"{i}.wav", Path(f"{i}.wav"), source, frozenset(held)) for i, held in enumerate(tags)]
    return ClipTable.of(clips, LABELS)


@pytest.mark.parametrize(
    ("needs", "settings", "kind"),
    [
        (Needs(), {}, QuotaSampler),
        (PAIRS, {}, BalancedSampler),
        (Needs(), {"balanced": True}, BalancedSampler),
        (PAIRS, {"balanced": False}, QuotaSampler),
        (Needs(), {"episodes": Episodes()}, ClassSampler),
    ],
)
def test_the_sampler_follows_from_the_needs(needs, settings, kind):
    assert type(choose(needs, table("a", "b", "a", "b"), {"weak": 2}, **settings)) is kind


def test_episodes_give_as_many_clips_as_the_losses_need():
    of = table("a", "b", "a", "b", "a", "b")
    assert all(len(batch) == 4 for batch in choose(PAIRS, of, {}, Episodes()))
    assert all(len(batch) == 6 for batch in choose(PAIRS, of, {}, Episodes(per_class=3)))


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        (Needs(known=frozenset({"timed"})), r"loss 'x' needs clips with events with onset and offset, and none of the"),
        (Needs(one_class=True), r"loss 'x' takes clips of one class, but clip 1.wav has 2 \(a, b\): use the loss"),
    ],
)
def test_what_no_clip_has_is_refused(needs, message):
    with pytest.raises(WsedError, match=message):
        checks.check_known({"x": needs}, table("a", "ab"), torch.ones(2, dtype=torch.bool), {"weak": 2})


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (
            {"weak": 3},
            r"needs 2 clips of each of 2 classes or more in a batch; data.batch is {'weak': 3} for 2 classes",
        ),
        (
            {"weak": 8},
            r"there are 2 training clips of 'a': lower data.batch.weak, or leave the class out of data.corpus",
        ),
    ],
)
def test_quotas_that_give_no_pairs_are_refused(batch, message):
    with pytest.raises(WsedError, match=message):
        checks.check_balanced({"x": PAIRS}, table("a", "b", "a", "b", "b"), LABELS, batch)
    checks.check_balanced({"x": PAIRS}, table("a", "b", "a", "b"), LABELS, {"weak": 4})


def test_a_balance_that_is_switched_off_is_refused_where_a_loss_needs_it():
    checks.check_not_balanced({"x": Needs()})
    with pytest.raises(WsedError, match=r"loss 'x' needs batches balanced by class: set data\.balanced to true"):
        checks.check_not_balanced({"x": PAIRS})


def test_sources_are_those_of_the_corpus():
    checks.check_sources({"weak": 1, "strong": 0}, ("weak", "strong"))
    with pytest.raises(WsedError, match=r"unknown source 'week' \(did you mean weak\?\); the corpus has weak, strong"):
        checks.check_sources({"week": 1}, ("weak", "strong"))
    with pytest.raises(WsedError, match=r"has no clips: {}; set it to .* such as {weak: 32}"):
        checks.check_sources({}, ("weak",))


def test_a_quota_below_0_is_refused():
    with pytest.raises(WsedError, match=r"data.batch.strong must be 0 or more, not -3"):
        checks.check_sources({"weak": 4, "strong": -3}, ("weak", "strong"))


def test_what_no_clip_has_names_no_batch_where_there_are_episodes():
    with pytest.raises(WsedError, match=r"needs clips with .*, and the training clips have none; add such clips, or"):
        checks.check_known({"x": Needs(known=frozenset({"timed"}))}, table("a"), torch.ones(1, dtype=torch.bool), None)


def test_episodes_take_clips_with_a_class():
    with pytest.raises(WsedError, match=r"data.episodes takes clips with a class, but clip 1.wav has none"):
        checks.check_episodes({}, table("a", "", "b"), LABELS, Episodes())
