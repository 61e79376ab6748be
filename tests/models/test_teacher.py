"""A student and its teacher: the running mean of its weights, or a network trained before."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

import wsed
from wsed import WsedError, testing
from wsed.augment import Compose, Gain, Noise, SpecAugment, TimeShift
from wsed.learning import learners
from wsed.losses.fpd import FPD
from wsed.models import interpolation
from wsed.models import teacher as teacher_module
from wsed.models.embeddings import Embeddings
from wsed.models.encoders.cdur import CDur
from wsed.models.encoders.crnn import CRNN
from wsed.models.encoders.fusion import Fusion
from wsed.models.encoders.identity import Identity
from wsed.models.frontends import LogMel, Standardised
from wsed.models.heads.clip_attention import ClipAttention
from wsed.models.network import Composed
from wsed.models.systems import TagGated
from wsed.models.teacher import MeanTeacher, norms
from wsed.ops.clips import take

LABELS = wsed.Labels("abc")
STATISTICS = ("copied", "averaged", "recomputed")


def student(labels, channels=4):
    frontend = LogMel(8000, n_fft=256, hop_length=160, f_max=4000.0)
    return Composed(labels, partial(CRNN, channels=channels, gru=4, dense=8), ClipAttention, frontend)


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


def move(network, by):
    with torch.no_grad():
        for p in network.parameters():
            p += by


def test_the_teacher_is_the_running_mean_of_the_students_weights():
    system, batch = MeanTeacher(LABELS, student, decay=0.6).train(), testing.batch()
    torch.testing.assert_close(weights(system.teacher), weights(system.student))
    mean = weights(system.student)
    for step in range(1, 6):
        system(batch)
        system(batch)  # of an accumulated gradient: the optimiser has not moved
        torch.testing.assert_close(weights(system.teacher), mean)
        move(system.student, 0.1 * step)
        system.after_step()
        decay = min(0.6, 1 - 1 / (step + 1))
        mean = decay * mean + (1 - decay) * weights(system.student)
        torch.testing.assert_close(weights(system.teacher), mean)
    for own, new in zip(system.teacher.buffers(), system.student.buffers(), strict=True):
        torch.testing.assert_close(own, new)


def test_statistics_of_batch_norm_are_copied_averaged_or_those_of_the_teachers_own_batches():
    batch = testing.batch()
    systems = {name: MeanTeacher(LABELS, student, decay=0.9, statistics=name).train() for name in STATISTICS}
    start = {name: buffers(system.teacher) for name, system in systems.items()}
    for system in systems.values():
        system(batch)
        system.after_step()
    new = {name: buffers(system.student) for name, system in systems.items()}
    torch.testing.assert_close(buffers(systems["copied"].teacher), new["copied"])
    half = start["averaged"].lerp(new["averaged"], 0.5)
    torch.testing.assert_close(buffers(systems["averaged"].teacher), half)
    own = systems["recomputed"]
    assert all(norm.training for norm in norms(own.teacher))
    assert not any(norm.training for norm in norms(systems["averaged"].teacher))
    # student and teacher had the same weights and the same batch
    torch.testing.assert_close(buffers(own.teacher), new["recomputed"])
    move(own.student, 0.5)
    own(batch)
    assert not torch.allclose(buffers(own.teacher), buffers(own.student))
    assert not any(norm.training for norm in norms(own.eval().teacher))


def frozen(labels):
    frontend = LogMel(8000, n_fft=256, hop_length=160, f_max=4000.0)
    return Composed(labels, partial(CDur, freeze=True), ClipAttention, frontend)


def test_statistics_of_frozen_parts_stay_as_they_are():
    system, batch = MeanTeacher(LABELS, frozen, statistics="recomputed").train(), testing.batch()
    before = {name: value.clone() for name, value in system.teacher.encoder.state_dict().items()}
    system(batch)
    system.after_step()
    torch.testing.assert_close(system.teacher.encoder.state_dict(), before, rtol=0, atol=0)

    system = MeanTeacher(LABELS, student, statistics="recomputed")
    held, *rest = norms(system.student)
    held.requires_grad_(requires_grad=False)  # it goes on to see the batches, so the teacher gets its statistics
    system.train()(batch)
    system.after_step()
    assert [norm.training for norm in norms(system.teacher)] == [False] + [True] * len(rest)
    torch.testing.assert_close(norms(system.teacher)[0].running_mean, held.running_mean, rtol=0, atol=0)


def buffers(network):
    return torch.cat([b.detach().flatten() for norm in norms(network) for b in (norm.running_mean, norm.running_var)])


def test_the_teacher_can_be_what_is_evaluated():
    batch = testing.batch()
    system = MeanTeacher(LABELS, student, evaluated="teacher").eval()
    move(system.student, 0.5)
    torch.testing.assert_close(system(batch).frame_logits, system.teacher.eval()(batch).frame_logits)
    system.evaluated = "student"
    assert not torch.allclose(system(batch).frame_logits, system.teacher(batch).frame_logits)


def test_mixes_are_of_clips_without_tags_and_their_teachers_scores_are_mixed_alike(monkeypatch):
    share = torch.tensor([0.25, 0.5])
    monkeypatch.setattr(interpolation, "beta", lambda n_clips, alpha, generator: share[:n_clips])
    batch = testing.batch()
    hidden = torch.tensor([False, True, False, True])[:, None]
    batch = replace(batch, tagged=batch.tagged & ~hidden, timed=batch.timed & ~hidden)
    system = MeanTeacher(LABELS, student, interpolate=0.2).train()
    assert "mixed" in system.provides
    seen = []
    system.student.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].audio))
    output = system(batch)
    scores = output.teacher.clip_scores[[1, 3]]
    wanted = torch.stack([0.25 * scores[0] + 0.75 * scores[1], 0.5 * scores[1] + 0.5 * scores[0]])
    torch.testing.assert_close(output.mixed.teacher.clip_scores, wanted)
    audio = torch.stack([0.25 * batch.audio[1] + 0.75 * batch.audio[3], 0.5 * batch.audio[3] + 0.5 * batch.audio[1]])
    torch.testing.assert_close(seen[1], audio)
    assert output.mixed.frame_logits.requires_grad
    assert not output.mixed.teacher.frame_logits.requires_grad
    beyond = output.mixed.teacher.frame_scores[:, -1]  # clip 3 ended before: there it counts as silent
    torch.testing.assert_close(beyond, share[:, None] * output.teacher.frame_scores[1, -1])
    assert MeanTeacher(LABELS, student, interpolate=0.2).train()(testing.batch()).mixed is None  # all clips have tags
    assert system.eval()(batch).mixed is None


def test_a_process_without_mixes_does_not_let_synchronised_normalisation_wait(monkeypatch):
    inputs = replace(testing.batch(), tagged=torch.zeros(4, 3, dtype=torch.bool))
    monkeypatch.setattr(teacher_module, "mixes", lambda batch, teacher, *_: (take(batch, torch.arange(0)), teacher))
    system = MeanTeacher(LABELS, Composed.example, interpolate=0.2).train()
    assert system(inputs).mixed is None
    system.student.encoder.norm = nn.SyncBatchNorm(2)
    with pytest.raises(WsedError, match="in one process no clip without tags is left to mix"):
        system(inputs)


def test_a_network_of_networks_passes_the_step_on():
    tagger = partial(student, channels=2)
    system = TagGated(LABELS, partial(MeanTeacher, student=student), tagger).train()
    system.after_step()
    assert system.detector.steps == 1


class OneBatch:
    """A training set of one batch."""

    def batches(self):
        return [testing.batch(sample_rate=8000)]

    in_order = batches

    def label_counts(self):
        return [1.0, 1.0, 1.0]


def test_a_frontend_in_student_and_teacher_learns_once(monkeypatch):
    calls, measure = [], Standardised.measure
    monkeypatch.setattr(Standardised, "measure", lambda self, batches: (calls.append(self), measure(self, batches)))

    def standardised(labels):
        system = student(labels)
        return Composed(labels, partial(CRNN, channels=4, gru=4, dense=8), frontend=Standardised(system.frontend))

    system = MeanTeacher(LABELS, standardised)
    (learner,) = learners(nn.ModuleList([system]))
    assert learner is system
    system.learn(OneBatch())
    assert calls == [system.student.frontend]
    assert system.learned
    assert torch.equal(system.teacher.frontend.mean, system.student.frontend.mean)
    assert system.student.frontend.mean.any()
    assert not list(learners(system))


def test_the_teachers_output_is_there_in_training_only_without_a_gradient_and_without_dropout():
    system, batch = MeanTeacher(LABELS, student).train(), testing.batch()
    output = system(batch)
    assert {"teacher", "frame_logits"} <= system.provides
    assert output.frame_logits.requires_grad
    assert not output.teacher.frame_logits.requires_grad
    with torch.no_grad():
        torch.testing.assert_close(output.teacher.frame_logits, system.teacher(batch).frame_logits)
    output.clip_logits.sum().backward()
    assert all(p.grad is None for p in system.teacher.parameters())
    assert system.eval()(batch).teacher is None


def test_without_the_teacher_its_labels_are_missing_not_wrong():
    system, batch = MeanTeacher(LABELS, student).eval(), testing.batch()
    judged, alone = FPD(wps="teacher", wps_start_epoch=0), FPD(wps="none", pairs="synthetic")
    torch.testing.assert_close(judged(system(batch), batch), alone(system(batch), batch))


def test_a_checkpoint_goes_on_where_it_stood():
    system, batch = MeanTeacher(LABELS, student, decay=0.9).train(), testing.batch()
    for _ in range(4):
        system(batch)
        move(system.student, 0.1)
        system.after_step()
    again = MeanTeacher(LABELS, student, decay=0.9).train()
    again.load_state_dict(system.state_dict())
    for one in (system, again):
        move(one.student, 0.1)
        one.after_step()
    torch.testing.assert_close(weights(again.teacher), weights(system.teacher))


def test_a_pretrained_teacher_stays_as_it_is(tmp_path):
    earlier, path = student(LABELS), tmp_path / "earlier.ckpt"
    state = {f"network.{k}": v for k, v in earlier.state_dict().items()}
    torch.save({"state_dict": state, "wsed": {"labels": list(LABELS)}}, path)
    system = MeanTeacher(LABELS, student, pretrained=str(path)).train()
    move(system.student, 1.0)
    system(testing.batch())
    system.after_step()
    torch.testing.assert_close(weights(system.teacher), weights(earlier))
    with pytest.raises(WsedError, match="another network"):
        MeanTeacher(LABELS, partial(student, channels=5), pretrained=str(path))


def test_a_pretrained_teacher_of_several_networks_takes_no_steps(tmp_path):
    inner = partial(MeanTeacher, student=student)
    earlier, path = inner(LABELS), tmp_path / "earlier.ckpt"
    move(earlier.student, 1.0)
    state = {f"network.{k}": v for k, v in earlier.state_dict().items()}
    torch.save({"state_dict": state, "wsed": {"labels": list(LABELS)}}, path)
    system = MeanTeacher(LABELS, inner, pretrained=str(path)).train()
    before = {k: v.clone() for k, v in system.teacher.state_dict().items()}
    system.after_step()
    torch.testing.assert_close(system.teacher.state_dict(), before, rtol=0, atol=0)
    assert int(system.student.steps) == int(earlier.steps) + 1


def test_pseudo_strong_labels_of_the_teacher():
    batch = testing.batch()
    system = MeanTeacher(LABELS, student).train()
    loss = FPD(wps="teacher", wps_start_epoch=0, silence="background")(system(batch), batch)
    loss.backward()
    assert loss.isfinite()
    assert loss > 0


def test_a_decay_outside_0_to_1_is_refused():
    with pytest.raises(WsedError, match="interpolate must be above 0"):
        MeanTeacher(LABELS, student, interpolate=0.0)
    with pytest.raises(WsedError, match=r"decay must be from 0 to 1, not 1\.5"):
        MeanTeacher(LABELS, student, decay=1.5)


def test_student_and_teacher_see_the_clips_differently_in_training_only():
    system, of = (
        MeanTeacher(LABELS, student, views=[Noise(0.0, 0.0, p=1.0), SpecAugment(p=1.0)]).train(),
        testing.batch(),
    )
    seen = []
    for network in (system.student, system.teacher):
        network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    system(of)
    system(of)  # of an accumulated gradient
    system.after_step()
    system(of)
    assert len({float(batch.features.sum()) for batch in seen}) == 6
    system.eval()(of)
    assert seen[-1] is of


@pytest.mark.parametrize("pretrained", [False, True])
def test_views_continue_after_a_checkpoint(tmp_path, pretrained):
    path = tmp_path / "a.ckpt"
    torch.save({"state_dict": {f"network.{k}": v for k, v in student(LABELS).state_dict().items()}}, path)
    settings = {"views": [Noise(0.0, 0.0, p=1.0)], "pretrained": str(path) if pretrained else None}
    of, systems, seen = testing.batch(), [MeanTeacher(LABELS, student, **settings).train() for _ in range(2)], []
    for system in systems:
        system.student.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].audio))
    first, resumed = systems
    for _ in range(2):
        first(of)
        first.after_step()
    resumed.load_state_dict(first.state_dict())
    torch.manual_seed(1)  # the random state of torch does not matter
    first(of)
    resumed(of)
    assert torch.equal(seen[2], seen[3])
    assert not torch.equal(seen[1], seen[2])


def test_a_view_of_features_of_the_waveform_is_refused():
    build, frontend = Fusion.example()
    fused = partial(Composed, encoder=build, frontend=frontend)
    for views in ([SpecAugment()], [Gain(), Compose([SpecAugment()])]):
        with pytest.raises(WsedError, match=r"spec_augment: it changes features, but this network takes the waveform"):
            MeanTeacher(LABELS, fused, views=views)
    system = MeanTeacher(LABELS, fused, views=[Gain(), Noise()]).train()
    assert system(testing.batch()).teacher is not None


def test_a_view_of_the_features_of_a_frontend_that_reads_the_waveform_within():
    """Only the student's own frontend counts, as for `data.augment`."""
    embeddings = partial(Composed, encoder=Identity, frontend=Embeddings(*Fusion.example()))
    system = MeanTeacher(LABELS, embeddings, views=[SpecAugment()]).train()
    assert system(testing.batch()).teacher is not None


def test_a_view_that_moves_labels_is_refused():
    with pytest.raises(WsedError, match="TimeShift moves labels"):
        MeanTeacher(LABELS, student, views=[TimeShift()])
