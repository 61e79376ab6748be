"""Two networks as one: tags of one, frame scores of the other."""

from functools import partial

import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader

import wsed
from wsed import WsedError, testing
from wsed.checkpoint import facts_of
from wsed.losses.bce import ClipBCE
from wsed.models.encoders.cnn import CNN
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.heads.framewise import Framewise
from wsed.models.heads.tagging import Tagging
from wsed.models.network import Composed
from wsed.models.systems import TagGated
from wsed.models.teacher import MeanTeacher

LABELS = wsed.Labels("abc")


def part(encoder, head, rate=8000, hop=160):
    def build(labels):
        return Composed(labels, encoder, head, LogMel(rate, n_fft=256, hop_length=hop, f_max=rate / 2))

    return build


DETECTOR = part(partial(CRNN, channels=4, gru=4, dense=8), Framewise)
TAGGER = part(CNN, partial(Tagging, hidden=8))


@pytest.fixture
def tagger(tmp_path):
    """A checkpoint of a tagger's run, and the tagger."""
    network = TAGGER(LABELS)
    path = tmp_path / "tagger.ckpt"
    weights = {f"network.{k}": v for k, v in network.state_dict().items()}
    torch.save({"state_dict": weights, "wsed": facts_of(network, {}, "0.2.0")}, path)
    return str(path), network.eval()


def test_scores_of_frames_are_the_detectors_and_of_clips_the_taggers(tagger):
    path, alone = tagger
    system = TagGated(LABELS, DETECTOR, TAGGER, pretrained=path).eval()
    batch = testing.batch()
    with torch.no_grad():
        output = system(batch)
        torch.testing.assert_close(output.clip_logits, alone(batch).clip_logits)
        torch.testing.assert_close(output.frame_logits, system.detector(batch).frame_logits)
    assert output.frame_rate == system.frame_rate == system.detector.frame_rate
    assert "frame_logits" in system.provides


def test_a_frozen_tagger_gives_losses_nothing_to_train(tagger):
    def detector(labels):
        found = DETECTOR(labels)
        found.provides -= {"clip_logits"}
        return found

    assert "clip_logits" in TagGated(LABELS, detector, TAGGER).provides
    assert "clip_logits" not in TagGated(LABELS, detector, TAGGER, pretrained=tagger[0]).provides


@pytest.mark.parametrize("wrapped", [False, True])
def test_losses_of_validation_read_what_those_of_training_read(tagger, wrapped, tmp_path):
    """The scores of clips that they train are the detector's, also where those of the output are the tagger's."""
    path, alone = tagger
    gated = partial(TagGated, detector=DETECTOR, tagger=TAGGER, pretrained=path)
    system = MeanTeacher(LABELS, gated) if wrapped else gated(LABELS)
    inner, batch = system.student if wrapped else system, testing.batch()
    task = wsed.SEDTask(system.eval(), {"tags": wsed.Weighted(ClipBCE())})
    trained = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=tmp_path)
    (found,) = trained.validate(task, DataLoader([batch], batch_size=None), verbose=False)
    with torch.no_grad():
        own, output = ClipBCE()(inner.eval().detector(batch), batch), system.eval()(batch)
    assert found["val/loss"] == pytest.approx(float(own))
    torch.testing.assert_close(output.clip_logits, alone(batch).clip_logits)
    torch.testing.assert_close(output.trained.clip_logits, inner.detector(batch).clip_logits)
    assert TagGated(LABELS, DETECTOR, TAGGER).eval()(batch).trained is None  # losses train both


def test_a_pretrained_tagger_is_frozen_and_rests_in_training(tagger):
    path, _ = tagger
    system = TagGated(LABELS, DETECTOR, TAGGER, pretrained=path).train()
    assert not system.tagger.training
    assert not any(p.requires_grad for p in system.tagger.parameters())
    before = {k: v.clone() for k, v in system.tagger.state_dict().items()}
    output = system(testing.batch())
    output.frame_logits.sum().backward()
    assert all(torch.equal(v, before[k]) for k, v in system.tagger.state_dict().items())
    assert any(p.grad is not None for p in system.detector.parameters())


def test_a_frozen_tagger_takes_no_steps(tmp_path):
    """Not even if it is a mean teacher, whose running mean would go on to move."""
    tagger, path = partial(MeanTeacher, student=TAGGER), tmp_path / "tagger.ckpt"
    trained = tagger(LABELS)
    with torch.no_grad():
        for p in trained.student.parameters():
            p += 1.0
    weights = {f"network.{k}": v for k, v in trained.state_dict().items()}
    torch.save({"state_dict": weights, "wsed": facts_of(trained, {}, "0.2.0")}, path)
    system = TagGated(LABELS, DETECTOR, tagger, pretrained=str(path)).train()
    before = {k: v.clone() for k, v in system.tagger.state_dict().items()}
    system.after_step()
    torch.testing.assert_close(system.tagger.state_dict(), before, rtol=0, atol=0)
    trained_together = TagGated(LABELS, DETECTOR, tagger)
    trained_together.after_step()
    assert int(trained_together.tagger.steps) == 1


def test_without_a_checkpoint_both_are_trained():
    system = TagGated(LABELS, DETECTOR, TAGGER).train()
    output = system(testing.batch())
    (output.clip_logits.sum() + output.frame_logits.sum()).backward()
    for half in (system.detector, system.tagger):
        assert any(p.grad is not None and bool((p.grad != 0).any()) for p in half.parameters())


def test_parts_that_do_not_fit_are_refused(tagger, tmp_path):
    path, _ = tagger
    with pytest.raises(WsedError, match="the detector provides no frame_logits"):
        TagGated(LABELS, TAGGER, TAGGER)
    with pytest.raises(WsedError, match="8000 Hz, the tagger at 16000 Hz"):
        TagGated(LABELS, DETECTOR, part(CNN, Tagging, rate=16000))
    with pytest.raises(WsedError, match=r"has the classes \['a', 'b', 'c'\]"):
        TagGated(wsed.Labels("xyz"), DETECTOR, TAGGER, pretrained=path)
    with pytest.raises(WsedError, match="of another network"):
        TagGated(LABELS, DETECTOR, part(CNN, partial(Tagging, hidden=9)), pretrained=path)
    with pytest.raises(
        WsedError, match=r"trained with .*\.tagger\..*\.frontend\..*hop_length 160, not 80: set it to 160"
    ):
        TagGated(LABELS, DETECTOR, part(CNN, partial(Tagging, hidden=8), hop=80), pretrained=path)
    with pytest.raises(WsedError, match="no such checkpoint"):
        TagGated(LABELS, DETECTOR, TAGGER, pretrained=str(tmp_path / "none.ckpt"))
