"""Class weights of Chou, Jang & Yang 2018: golden values, counting, and what is refused."""

from functools import partial

import pytest
import torch
from lightning.pytorch import Trainer

from tests.conftest import make_corpus
from wsed import Labels, WsedError, testing
from wsed.data.corpus.desed import DESED
from wsed.data.module import SEDDataModule
from wsed.losses import functional as F
from wsed.losses.base import Weighted
from wsed.losses.bce import ClipBCE, FalseStrong
from wsed.losses.class_weights import ClassWeights
from wsed.losses.micro import Micro
from wsed.losses.plat import PLAT
from wsed.models.encoders.resnet1d import ResNet1d
from wsed.models.frontends import LogMel
from wsed.models.heads.macro import Macro
from wsed.models.network import Composed
from wsed.training.task import SEDTask


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def test_golden_class_weights(golden):
    values = golden("mmnet_class_weights")
    counts, n_clips, beta = values["label_counts"], values["n_clips"], values["beta"]
    assert beta == ClassWeights(counts).beta
    for found, expected in (
        (F.class_weights(counts), values["paper_formula_label_prior"]),
        (F.class_weights(counts, n_clips), values["paper_formula_clip_prior"]),
    ):
        torch.testing.assert_close(found, tensor(expected), atol=1e-9, rtol=0)
    toy = values["toy"]
    for name, options in (
        ("paper", {}),
        ("paper_beta1", {"beta": 1.0}),
        ("paper_beta0", {"beta": 0.0}),
    ):
        torch.testing.assert_close(F.class_weights(toy["p"], **options), tensor(toy[name]), atol=1e-9, rtol=0)


def test_class_weights_as_a_setting():
    counts = [8.0, 1.0, 4.0]
    positive, negative = ClassWeights(counts).weights()
    for found in (positive, negative):
        torch.testing.assert_close(found, F.class_weights(counts).float())
    of = testing.batch(4)
    output = testing.output(of)
    weights = (positive, negative)
    tags, valid, tagged = of.clip_labels, output.valid, of.tagged
    setting = ClassWeights(counts)
    for loss, expected in (
        (ClipBCE, F.clip_bce(output.clip_scores, tags, tagged, weights)),
        (partial(ClipBCE, reduction="sum"), 3 * F.clip_bce(output.clip_scores, tags, tagged, weights)),
        (FalseStrong, F.false_strong(output.frame_scores, tags, valid, tagged, weights)),
        (Micro, F.micro(output.frame_scores, output.attention, tags, valid, tagged, weights=weights)),
        (PLAT, F.plat(output.frame_scores, output.activation_map, tags, valid, tagged, weights=weights)),
    ):
        found = loss(class_weights=setting)(output, of)
        torch.testing.assert_close(found, expected)
        assert found != loss()(output, of)
        assert not loss(class_weights=setting).state_dict()  # checkpoints do not depend on it


def test_class_weights_are_counted_before_training(tmp_path):
    table = make_corpus(tmp_path / "corpus") / "metadata/train/weak.tsv"
    table.write_text(table.read_text() + "train_0.wav\thigh\n")  # a second tag
    data = SEDDataModule(DESED(tmp_path / "corpus"), {"weak": 4}, workers=0)
    loss, known = ClipBCE(ClassWeights()), ClipBCE(ClassWeights([5.0, 4.0]))
    network = Composed(data.labels, partial(ResNet1d, channels=(4, 4, 4)), Macro, LogMel(8000, 256, 80, 16, 0.0))
    of, output = testing.batch(4, 2), testing.output(testing.batch(4, 2))
    assert not loss.learned
    assert loss(output, of) == ClipBCE()(output, of)
    trainer = Trainer(fast_dev_run=1, accelerator="cpu", logger=False, enable_progress_bar=False)
    trainer.fit(SEDTask(network, {"tags": Weighted(loss)}), datamodule=data)
    assert data.labels == Labels(["high", "low"])
    assert loss.learned
    torch.testing.assert_close(loss(output, of), known(output, of))
    assert loss(output, of) != ClipBCE()(output, of)


def test_a_class_without_clips_weighs_1_and_the_others_as_without_it():
    common, rare = F.class_weights([3.0, 2.0])
    assert F.class_weights([3.0, 0.0, 2.0]).tolist() == [common, 1.0, rare]
    loss = ClipBCE(ClassWeights())
    with pytest.warns(UserWarning, match="1 of 3 classes have no training clips; their class weight is 1"):
        loss.set_counts([3.0, 0.0, 2.0])
    assert torch.isfinite(loss(testing.output(testing.batch(4)), testing.batch(4)))


def test_class_weights_that_cannot_be_are_refused():
    with pytest.raises(WsedError, match="class 1 has -1"):
        F.class_weights([3.0, -1.0, 2.0])
    with pytest.raises(WsedError, match="class 2 has 5; each count must be at least 0 and below n_clips, 5"):
        F.class_weights([3.0, 2.0, 5.0], 5)
    with pytest.raises(WsedError, match="or set n_clips"):
        F.class_weights([7.0, -1.0])
    assert F.class_weights([7.0]).tolist() == [1.0]  # of one class, the share is the mean share
    assert F.class_weights([0.0, 7.0]).tolist() == [1.0, 1.0]
    with pytest.raises(WsedError, match="the list is empty"):
        F.class_weights([])
    of = testing.batch(4)
    with pytest.raises(WsedError, match="counts has 2 values for 3 labels"):
        ClipBCE(ClassWeights([1.0, 2.0]))(testing.output(of), of)
