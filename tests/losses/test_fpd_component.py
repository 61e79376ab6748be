"""The frame pairwise distance loss as a component: labels of timed and of tagged clips, options, the task."""

from dataclasses import replace
from typing import get_args

import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader

import wsed
from experiments.fpd.readings import ReadingFPD
from wsed import WsedError, testing
from wsed.losses.fpd import FPD, Metric, Pairs, Reduction, Wps, fpd, pseudo_strong
from wsed.ops.frame_pairs import Silence
from wsed.registry import registry
from wsed.types import Output


@pytest.mark.parametrize("metric", get_args(Metric))
def test_timed_clips_are_labelled_by_their_events(metric):
    of = testing.batch(6)
    output = testing.output(of)
    found = FPD(metric, silence="background")(output, of)
    labels, known = of.frame_labels(12, 12.0), of.timed[:, :1] & output.valid
    torch.testing.assert_close(found, fpd(output.embeddings, labels, known, metric=metric, silence="background"))
    assert found > 0


def test_tagged_clips_come_in_at_the_start_epoch():
    of = testing.batch(6)
    output = testing.output(of)
    late, never = FPD(silence="background"), FPD(silence="background", wps="none")
    early = late(output, of)
    late.start_epoch(4)
    never.start_epoch(4)
    assert late(output, of) == early == never(output, of)
    late.start_epoch(5)
    never.start_epoch(5)
    assert late(output, of) != early
    assert never(output, of) == early
    assert FPD(silence="background", wps_start_epoch=0)(output, of) == late(output, of)


@pytest.mark.parametrize("level", ["frame", "clip_and_frame"])
@pytest.mark.parametrize("wps", ["self", "teacher"])
def test_tagged_clips_are_labelled_by_scores(wps, level):
    of = testing.batch(8)
    of = replace(of, tagged=of.tagged & (torch.arange(8) != 2)[:, None])  # one clip of which nothing is known
    output = testing.output(of)
    labeller = testing.output(of, seed=1) if wps == "teacher" else output
    output = replace(output, teacher=Output(frame_logits=labeller.frame_logits))
    loss = ReadingFPD(wps=wps, wps_start_epoch=0, level=level)
    pseudo = (labeller.frame_scores >= 0.5) * of.clip_labels[:, None]
    labels = torch.where(of.timed[:, None], of.frame_labels(12, 12.0), pseudo)
    tags = None
    if level == "clip_and_frame":
        tags = torch.where(of.timed, labels.amax(1), of.clip_labels)
    known = output.valid & (of.tagged | of.timed)[:, :1]
    found = loss(output, of)
    torch.testing.assert_close(found, fpd(output.embeddings, labels, known, tags))
    found.backward()
    assert output.embeddings.grad.abs().max() > 0
    assert output.frame_logits.grad is None
    assert labeller.frame_logits.grad is None


def test_pseudo_strong_labels():
    scores = torch.tensor([[[0.9, 0.9], [0.5, 0.9], [0.3, 0.9], [0.29, 0.9]]], requires_grad=True)
    labels, certain = pseudo_strong(scores, torch.tensor([[1.0, 0.0]]), 0.3, 0.5)
    assert labels[0, :, 0].tolist() == [1, 1, 0, 0]
    assert labels[0, :, 1].tolist() == [0, 0, 0, 0]  # not a tag of the clip
    assert certain.tolist() == [[True, True, False, True]]
    assert not labels.requires_grad
    assert pseudo_strong(scores, torch.ones(1, 2))[1].all()


def test_doubtful_frames_are_left_out():
    of = testing.batch(4)
    of = replace(of, timed=torch.zeros(4, 3, dtype=torch.bool), events=wsed.Events.of([]))
    output = testing.output(of)
    loss = ReadingFPD(wps_start_epoch=0, wps_low=0.4, wps_high=0.7)
    doubtful = (of.clip_labels[:, None] > 0) & (output.frame_scores >= 0.4) & (output.frame_scores < 0.7)
    labels = ((output.frame_scores >= 0.7) * of.clip_labels[:, None]).float()
    expected = fpd(output.embeddings, labels, output.valid & ~doubtful.any(2))
    torch.testing.assert_close(loss(output, of), expected)
    assert ReadingFPD(wps_start_epoch=0, wps_low=0.0, wps_high=1.0)(output, of) == 0


@pytest.mark.parametrize(("pairs", "clips"), [("synthetic", {1, 3}), ("real", {0, 2}), ("cross", {0, 1, 2, 3})])
def test_pairs_are_chosen_by_whether_clips_are_timed(pairs, clips):
    of = testing.batch(4)
    output = testing.output(of)
    found = FPD(pairs=pairs, wps_start_epoch=0, silence="background")(output, of)
    (gradient,) = torch.autograd.grad(found, output.embeddings)
    assert set(gradient.abs().amax((1, 2)).nonzero().flatten().tolist()) == clips


WEAK, STRONG, BOTH = torch.tensor([0, 2, 4]), torch.tensor([1, 3, 5]), torch.arange(6)
ON = {"wps_start_epoch": 0}


@pytest.mark.parametrize(
    ("clips", "silent", "options", "zero"),
    [
        pytest.param(WEAK, False, {"wps": "none"}, True, id="none strong, WPS off"),
        pytest.param(WEAK, False, {"wps_start_epoch": 1}, True, id="none strong, WPS not begun"),
        pytest.param(WEAK, False, ON, False, id="none strong, WPS on"),
        pytest.param(WEAK, False, {**ON, "pairs": "synthetic"}, True, id="none strong, synthetic"),
        pytest.param(WEAK, False, {**ON, "pairs": "cross"}, True, id="none strong, cross"),
        pytest.param(STRONG, False, ON, False, id="none weak"),
        pytest.param(STRONG, False, {**ON, "pairs": "real"}, True, id="none weak, real"),
        pytest.param(STRONG, False, {**ON, "pairs": "cross"}, True, id="none weak, cross"),
        pytest.param(WEAK[:1], False, ON, True, id="one weak clip"),
        pytest.param(STRONG[:1], False, ON, True, id="one strong clip"),
        pytest.param(BOTH, True, {**ON, "silence": "ignore"}, True, id="silent, ignored"),
        pytest.param(BOTH, True, {**ON, "silence": "negative"}, True, id="silent, negative"),
        pytest.param(BOTH, True, {**ON, "silence": "background"}, False, id="silent, background"),
        pytest.param(BOTH, False, ON, False, id="weak and strong"),
    ],
)
@pytest.mark.parametrize("metric", get_args(Metric))
@pytest.mark.parametrize("level", ["frame", "clip_and_frame"])
def test_odd_batches_give_a_finite_value_with_a_graph(metric, level, clips, silent, options, zero):
    of = replace(testing.batch(6), clip_labels=torch.eye(3).repeat(2, 1))
    output = testing.output(of)
    if silent:
        of = replace(of, clip_labels=torch.zeros(6, 3), events=wsed.Events.of([]))
    output = replace(output, valid=torch.arange(12) < torch.tensor([12, 9, 5, 12, 1, 0])[:, None])  # of all lengths
    leaf = output.embeddings.detach()[clips].requires_grad_()
    output = replace(testing.take_output(output, clips), embeddings=leaf)
    alpha = 0.9 if metric == "ip" else 0.1
    found = ReadingFPD(metric, level=level, alpha=alpha, **options)(output, testing.take(of, clips))
    assert found.isfinite()
    assert (found == 0) == zero
    found.backward()
    assert leaf.grad.isfinite().all()
    assert leaf.grad.any() == (not zero)
    assert not leaf.grad[~output.valid].any()


@pytest.mark.parametrize("metric", get_args(Metric))
@pytest.mark.parametrize("wps", ["self", "none"])
@pytest.mark.parametrize("reduction", get_args(Reduction))
def test_contract(metric, wps, reduction):
    testing.check_loss(ReadingFPD(metric, reduction=reduction, wps=wps, wps_start_epoch=0, level="clip_and_frame"))


def test_needs():
    assert FPD().needs == wsed.Needs(frozenset({"embeddings", "frame_logits"}), frozenset({"tagged"}))
    assert FPD(wps="teacher").needs.output == {"embeddings", "teacher"}
    assert FPD(wps="none").needs == wsed.Needs(frozenset({"embeddings"}), frozenset({"timed"}))
    assert FPD(pairs="synthetic").needs.known == {"timed"}
    assert FPD(pairs="real").needs.known == {"only_tagged"}
    assert FPD(pairs="cross").needs.known == {"only_tagged", "timed"}


OPTIONS = {"metric": get_args(Metric), "silence": get_args(Silence), "pairs": get_args(Pairs), "wps": get_args(Wps)}


@pytest.mark.parametrize("option", OPTIONS)
def test_an_unknown_name_is_answered_with_the_known_ones(option):
    known = OPTIONS[option]
    with pytest.raises(WsedError, match=rf"unknown {option} '{known[1]}x' .*{known[1]}.*known: {', '.join(known)}"):
        FPD(**{option: f"{known[1]}x"})


def test_options_that_contradict_each_other_are_refused():
    for pairs in ("real", "cross"):
        with pytest.raises(WsedError, match="only tagged"):
            FPD(pairs=pairs, wps="none")
    with pytest.raises(WsedError, match="needs `strong`"):
        fpd(torch.rand(2, 3, 4), torch.ones(2, 3, 1), pairs="real")


@pytest.mark.filterwarnings("ignore")  # Lightning's advice on workers and logging
def test_the_task_tells_its_losses_the_epoch():
    seen = []

    class Notes(wsed.Loss):
        def forward(self, output, batch):
            seen.append(self.epoch)
            return output.frame_logits.square().mean()

    network = wsed.Composed(wsed.Labels("abc"), lambda n: registry("encoder")["crnn"](n, channels=2, gru=2, dense=2))
    losses = {"one": wsed.Weighted(Notes()), "other": wsed.Weighted(Notes())}
    clips = DataLoader([testing.batch(2, sample_rate=network.sample_rate)], batch_size=None)
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    pl.Trainer(accelerator="cpu", max_epochs=3, **quiet).fit(wsed.SEDTask(network, losses), clips)
    assert seen == [0, 0, 1, 1, 2, 2]
    assert Notes().epoch == 0
