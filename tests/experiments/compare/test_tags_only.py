"""FPD that does not see the events of its clips."""

from dataclasses import replace

import torch

from experiments.compare.tags_only import TagsOnlyFPD
from wsed.losses.fpd import FPD
from wsed.testing import batch, output


def test_it_is_fpd_of_clips_with_tags_only():
    inputs, predicted = batch(), output(batch())
    mine, own = TagsOnlyFPD(silence="background"), FPD(silence="background")
    unseen = replace(inputs, timed=torch.zeros_like(inputs.timed))
    for epoch, active in ((0, False), (5, True)):
        mine.start_epoch(epoch)
        own.start_epoch(epoch)
        assert mine(predicted, inputs) == own(predicted, unseen)
        assert bool(mine(predicted, inputs) > 0) == active
    assert own(predicted, inputs) != mine(predicted, inputs)
