"""Checkpoints: what they hold, what is built from them, and what is refused."""

from functools import partial

import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader

import wsed
from wsed import testing
from wsed.checkpoint import Checkpoint, facts_of, start_from
from wsed.checkpoint_specs import same_network
from wsed.errors import WsedError
from wsed.losses.base import Weighted
from wsed.losses.mil import MIL
from wsed.models.encoders.crnn import CRNN
from wsed.models.frontends import LogMel
from wsed.models.network import Composed
from wsed.models.teacher import MeanTeacher
from wsed.spec import spec_of
from wsed.training.task import SEDTask
from wsed.types import Labels

LABELS = Labels(["cat", "dog", "owl"])
SMALL = partial(CRNN, channels=4, gru=4, dense=8)
FRONTEND = partial(LogMel, sample_rate=8000, n_fft=256, hop_length=160, f_max=4000.0)
DECODER = {"class_path": "steps", "init_args": {"threshold": 0.5}}


def network(labels=LABELS, encoder=SMALL):
    return Composed(labels, encoder, frontend=FRONTEND())


def save(of, path, **more):
    weights = {f"network.{name}": value for name, value in of.state_dict().items()}
    torch.save({"state_dict": weights, "global_step": 7, "wsed": facts_of(of, DECODER, "0.2.0") | more}, path)
    return path


@pytest.fixture
def path(tmp_path):
    return save(network(), tmp_path / "best.ckpt")


def test_it_tells_what_it_is_of_and_builds_the_network(path):
    checkpoint = Checkpoint.open(path)
    assert checkpoint.labels == LABELS
    assert (checkpoint.sample_rate, checkpoint.frame_rate, checkpoint.steps) == (8000, 50.0, 7)
    assert checkpoint.spec.class_path == "composed"
    built = checkpoint.network()
    assert spec_of(built) == checkpoint.spec
    for name, value in built.state_dict().items():
        torch.testing.assert_close(value, checkpoint.weights[name])


def test_initial_weights_are_not_drawn_where_they_are_loaded(path, monkeypatch):
    monkeypatch.setattr(torch.linalg, "qr", None)
    loaded = Checkpoint.open(path).network().state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in Checkpoint.open(path).weights.items())
    with pytest.raises(TypeError):  # elsewhere they are drawn
        network()


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_training_in_plain_python_can_be_loaded(tmp_path):
    task = SEDTask(network(), {"tags": Weighted(MIL())})
    batches = DataLoader([testing.batch()], batch_size=None)
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, default_root_dir=tmp_path, enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False,
    )  # fmt: skip
    trainer.fit(task, batches)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    detector = wsed.load(tmp_path / "last.ckpt")
    assert detector.labels == LABELS
    for name, value in task.network.state_dict().items():
        torch.testing.assert_close(detector.network.state_dict()[name], value)
    assert all(label in LABELS.names for label, _, _ in detector.detect(torch.zeros(8000).numpy()))


def test_weights_to_start_from_need_not_be_there_any_more(path, tmp_path):
    system = MeanTeacher(LABELS, partial(Composed, encoder=SMALL, frontend=FRONTEND()), pretrained=str(path))
    kept = save(system, tmp_path / "system.ckpt")
    path.unlink()
    teacher = Checkpoint.open(kept).network().teacher
    torch.testing.assert_close(teacher.encoder.state_dict(), system.teacher.encoder.state_dict())


def test_a_network_that_cannot_be_written_down_is_passed(tmp_path):
    mine = network(encoder=lambda n_bands: SMALL(n_bands))
    path = save(mine, tmp_path / "mine.ckpt")
    with pytest.raises(
        WsedError, match=r"holds no spec of its network \(argument 'encoder'.*lambda.*\); pass network="
    ):
        wsed.load(path)
    assert wsed.load(path, network=network()).labels == LABELS


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"network": {"class_path": "os.system", "init_args": {}}}, "network 'os.system' is not registered with wsed"),
        ({"network": {"class_path": "mmnett"}}, r"unknown network 'mmnett' \(did you mean mmnet"),
        ({"model": "class_path: x", "version": "0.1.0"}, "was written by wsed 0.1.0, but wsed 0.2 reads"),
        ({"labels": ["cat"]}, "is a checkpoint of another network"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(tmp_path, more, message):
    path = save(network(), tmp_path / "other.ckpt", **more)
    with pytest.raises(WsedError, match=message):
        wsed.load(path)


def test_what_is_no_checkpoint_of_wsed_is_refused(tmp_path):
    path = tmp_path / "x.ckpt"
    with pytest.raises(WsedError, match="no such checkpoint"):
        Checkpoint.open(path)
    path.write_text("no weights")
    with pytest.raises(WsedError, match="not a checkpoint that can be read safely"):
        Checkpoint.open(path)
    torch.save({"state_dict": {}}, path)
    with pytest.raises(WsedError, match="was not written by wsed"):
        Checkpoint.open(path)
    torch.save({"state_dict": {}, "wsed": {"labels": ["cat"], "network": None}}, path)
    with pytest.raises(WsedError, match="is damaged, or of another version of wsed: it has no 'version'"):
        Checkpoint.open(path)
    torch.save([1], path)
    with pytest.raises(WsedError, match="holds no state_dict"):
        Checkpoint.open(path)


def test_weights_go_into_a_network_of_the_same_classes_only(path):
    with pytest.raises(WsedError, match=r"has the classes .*cat.*, the network .*cow"):
        Checkpoint.open(path).load_into(network(Labels(["cow", "dog", "owl"])))
    with pytest.raises(WsedError, match="is a checkpoint of another network"):
        wsed.load(path, network=network(encoder=partial(SMALL, dense=9)))


def test_fine_tuning_starts_from_what_fits_and_says_what_does_not(path):
    old = Checkpoint.open(path).weights
    new = network(Labels(["horse", "cow"]))
    before = {name: value.clone() for name, value in new.state_dict().items()}
    report = start_from(new, path)
    assert report.reshaped == ("heads.0.linear.bias", "heads.0.linear.weight")
    assert (report.missing, report.unused) == ((), ())
    assert report.loaded == len(old) - 2
    assert "initial values kept, since the shape in the checkpoint differs: heads.0.linear.bias" in str(report)
    for name, value in new.state_dict().items():
        torch.testing.assert_close(value, before[name] if name in report.reshaped else old[name])


def test_student_and_teacher_start_from_a_network_without_a_teacher(path):
    plain = torch.load(path, weights_only=True)["state_dict"]
    old = {name.removeprefix("network."): value for name, value in plain.items()}
    for pretrained in (None, str(path)):
        system = MeanTeacher(LABELS, network, pretrained=pretrained)
        with torch.no_grad():
            for weight in system.parameters():
                weight += 1
        moved = {name: value.clone() for name, value in system.teacher.state_dict().items()}
        assert start_from(system, path).unused == ()
        torch.testing.assert_close(dict(system.student.state_dict()), old)
        torch.testing.assert_close(dict(system.teacher.state_dict()), moved if pretrained else old)


def test_starting_from_another_kind_of_network_is_refused(path):
    with pytest.raises(WsedError, match="has no weight that fits"):
        start_from(torch.nn.Linear(2, 2), path)


def test_networks_agree_where_both_say_something():
    one = {"class_path": "mmnet", "init_args": {"mu": 0.5, "head": [{"class_path": "a"}]}}
    assert same_network(one, one | {"init_args": {"new": 1, "mu": 0.5}})
    assert same_network(None, one)
    assert not same_network(one, one | {"init_args": {"mu": 0.6}})
    assert not same_network(one, one | {"class_path": "composed"})
    assert not same_network(one, one | {"init_args": {"head": []}})
