"""FPD that does not see the events of its clips, and prototypes of any batch."""

from dataclasses import replace

import torch

from experiments.compare.losses import BatchPrototypical, TagsOnlyFPD
from wsed.losses.fpd import FPD
from wsed.losses.prototypical import Prototypical
from wsed.testing import batch, output


def test_tags_only_is_fpd_of_clips_without_events():
    inputs, predicted = batch(), output(batch())
    mine, own = TagsOnlyFPD(silence="background"), FPD(silence="background")
    unseen = replace(inputs, timed=torch.zeros_like(inputs.timed))
    for epoch, active in ((0, False), (5, True)):
        mine.start_epoch(epoch)
        own.start_epoch(epoch)
        assert mine(predicted, inputs) == own(predicted, unseen)
        assert bool(mine(predicted, inputs) > 0) == active
    assert own(predicted, inputs) != mine(predicted, inputs)


def test_prototypes_ask_for_no_balance():
    inputs, predicted = batch(), output(batch())
    loss = BatchPrototypical()
    assert not loss.needs.classes
    assert not loss.needs.per_class
    assert loss(predicted, inputs) == Prototypical(query=None)(predicted, inputs)
